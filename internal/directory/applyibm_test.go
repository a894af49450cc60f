package directory_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/keyring"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const (
	keyText      = "EXAMPLEabcdefghijklmnopqrstuvwxyz-0123456789"
	otherKeyText = "EXAMPLEabcdefghijklmnopqrstuvwxyz_0123456789"
)

func ibmSpec() *directory.IBMSpec {
	one, two := identity.Secret(keyText), identity.Secret(otherKeyText)
	return &directory.IBMSpec{
		AccountID: stacktest.AccountA, Realm: "shasta", Algorithm: "ES256", Regions: []string{"us-south", "eu-de"},
		ResourceGroups: []directory.ResourceGroupSpec{{Name: "Default", Default: true}, {Name: "lab"}},
		Instances: []directory.InstanceSpec{
			{ID: someID, Name: "kms-demo", Service: "kms", Region: "us-south"},
			{ID: "11111111-1111-4222-8333-444455556666", Name: "lab", Service: "kms", Region: "eu-de", ResourceGroup: "lab"},
		},
		ServiceIDs: []directory.ServiceIDSpec{{Name: "ci", Description: "builds", ManagedPolicies: []string{"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}}},
		APIKeys:    []directory.APIKeySpec{{ServiceID: "ci", Name: "main", Secret: &one}, {User: stacktest.TestUser, Name: "main", Secret: &two}},
	}
}

func TestApplyIBM(t *testing.T) {
	t.Parallel()
	s, ctx := stacktest.New(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	apply := func(spec *directory.IBMSpec) []directory.Change {
		t.Helper()
		changes, err := s.Directory.Apply(ctx, s.Operator(), directory.SiteSpec{IBM: spec}, false)
		must(t, err)
		return changes
	}
	logIn := func(key identity.Secret) (issue.IBMTokens, error) {
		return s.Issuer.IBMAPIKey(ctx, key, "", issue.IBMClient{})
	}
	accepted := func(tokens issue.IBMTokens) bool {
		_, err := s.Access.IBMToken(ctx, tokens.Access)
		return err == nil
	}
	if changes := apply(ibmSpec()); len(changes) != 4 { // section, service ID, two keys
		t.Errorf("%+v", changes)
	}
	if changes := apply(ibmSpec()); len(changes) != 0 {
		t.Errorf("a second time: %+v", changes)
	}
	service, err := logIn(keyText)
	must(t, err)
	user, err := logIn(otherKeyText)
	must(t, err)
	groups, err := s.Directory.ResourceGroups(ctx, a)
	if err != nil || len(groups) != 2 || len(groups[0].ID) != 32 || !groups[0].Default || groups[1].Default {
		t.Errorf("%v, %+v", err, groups)
	}
	instances, err := s.Directory.Instances(ctx, a)
	if err != nil || len(instances) != 2 || instances[0].ResourceGroupID != groups[0].ID || instances[1].ResourceGroupID != groups[1].ID ||
		instances[0].CRN(stacktest.AccountA) != "crn:v1:bluemix:public:kms:us-south:a/"+stacktest.AccountA+":"+someID+"::" || strings.Count(instances[0].CRN("a"), ":") != 9 {
		t.Errorf("%v, %+v", err, instances)
	}
	if list, err := s.Directory.Instances(ctx, root(t, s, stacktest.AccountB, "demo")); err != nil || list != nil {
		t.Errorf("another account sees %v, %+v", err, list)
	}
	c, err := s.Access.IBMToken(ctx, service.Access)
	must(t, err)
	if d := s.Access.Authorize(c, "s3:ListAllMyBuckets", access.Resource{ARN: "*", AccountID: stacktest.AccountA}); !d.Allowed() {
		t.Errorf("the service ID may not do what its policy allows: %v", d.Err)
	}

	// Another text of a key ends what the one before yielded, and that only.
	spec := ibmSpec()
	third := identity.Secret(strings.Repeat("x", 44))
	spec.APIKeys[0].Secret = &third
	for _, c := range apply(spec) {
		if strings.Contains(c.From+c.To, third.Reveal()) {
			t.Error("the changes hold the key")
		}
	}
	if accepted(service) || !accepted(user) {
		t.Error("after another text: the service ID's token lives, or the user's does not")
	}
	_, err = logIn(keyText)
	expect(t, "the text before", err, identity.KindInvalidCredentials, "")
	service, err = logIn(third)
	must(t, err)

	// Without its text a key stays; disabled it ends, and enabled comes back.
	spec.APIKeys[0].Secret, spec.APIKeys[0].Disabled = nil, true
	apply(spec)
	if accepted(service) {
		t.Error("the token of a disabled key lives")
	}
	_, err = logIn(third)
	expect(t, "a disabled key", err, identity.KindInvalidCredentials, "")
	spec.APIKeys[0].Disabled = false
	apply(spec)
	if service, err = logIn(third); err != nil {
		t.Error(err)
	}
	spec.ServiceIDs[0].Disabled = true
	apply(spec)
	if accepted(service) {
		t.Error("the token of a disabled service ID lives")
	}
	if strings.Contains(s.AuditLines(t), keyText) {
		t.Error("the log holds a key")
	}
}

// TestApplyIBMFindsItsOwn: a site takes no service ID and no key that a call
// made.
func TestApplyIBMFindsItsOwn(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	theirs, err := s.Directory.CreateServiceID(ctx, a, directory.NewServiceID{Name: "ci"})
	must(t, err)
	newAPIKey(t, s, a, issue.NewIBMKey{IAMID: theirs.ID, Name: "main"})
	spec := ibmSpec()
	spec.Algorithm = "RS256"
	_, err = s.Directory.Apply(ctx, s.Operator(), directory.SiteSpec{IBM: spec}, false)
	must(t, err)
	if after, err := s.Directory.ServiceID(ctx, a, theirs.Name); err != nil || after.ServiceID.Tag != theirs.ServiceID.Tag || len(after.Managed) != 0 {
		t.Errorf("%v, %+v", err, after)
	}
	list, err := s.Directory.ServiceIDs(ctx, a, directory.ServiceIDFilter{Name: "ci"}, directory.Page{})
	if err != nil || len(list.Items) != 2 {
		t.Errorf("%v, %d service IDs", err, len(list.Items))
	}
}

func TestApplyIBMComplaints(t *testing.T) {
	t.Parallel()
	s := withIBM(t)
	bad := identity.Secret("short")
	for want, change := range map[string]func(*directory.IBMSpec){
		"has no realm":                 func(i *directory.IBMSpec) { i.Realm = "root-accounts" },
		"give an account":              func(i *directory.IBMSpec) { i.AccountID = "" },
		"there is no account":          func(i *directory.IBMSpec) { i.AccountID = "none" },
		"cannot move":                  func(i *directory.IBMSpec) { i.AccountID, i.Realm = stacktest.AccountB, "b" },
		"RS256 or ES256":               func(i *directory.IBMSpec) { i.Algorithm = "none" },
		"regions are":                  func(i *directory.IBMSpec) { i.Regions = nil },
		"one of the regions":           func(i *directory.IBMSpec) { i.Instances[0].Region = "jp-tok" },
		"is a UUID":                    func(i *directory.IBMSpec) { i.Instances[0].ID = "x" },
		"stands once":                  func(i *directory.IBMSpec) { i.Instances[1].ID = i.Instances[0].ID },
		"there is no resource group":   func(i *directory.IBMSpec) { i.Instances[0].ResourceGroup = "x" },
		"exactly one":                  func(i *directory.IBMSpec) { i.ResourceGroups[1].Default = true },
		"has no user":                  func(i *directory.IBMSpec) { i.APIKeys[1].User = "nobody" },
		"the section has no":           func(i *directory.IBMSpec) { i.APIKeys[0].ServiceID = "nobody" },
		"either user or service_id":    func(i *directory.IBMSpec) { i.APIKeys[0].User = "service" },
		"exactly 44":                   func(i *directory.IBMSpec) { i.APIKeys[0].Secret = &bad },
		"needs a secret":               func(i *directory.IBMSpec) { i.APIKeys[0].Secret = nil },
		"another API key has this":     func(i *directory.IBMSpec) { i.APIKeys[0].Secret = i.APIKeys[1].Secret },
		"stands twice":                 func(i *directory.IBMSpec) { i.APIKeys[1] = i.APIKeys[0] },
		"has no managed policy":        func(i *directory.IBMSpec) { i.ServiceIDs[0].ManagedPolicies = []string{"arn:aws:iam::aws:policy/None"} },
		"property name must have":      func(i *directory.IBMSpec) { i.ServiceIDs[0].Name, i.APIKeys[0].ServiceID = "", "" },
		"the service ID \"ci\" stands": func(i *directory.IBMSpec) { i.ServiceIDs = append(i.ServiceIDs, i.ServiceIDs[0]) },
	} {
		spec := directory.SiteSpec{IBM: ibmSpec()}
		spec.Realms = []directory.RealmSpec{{Realm: identity.Realm{Name: "b", AccountID: stacktest.AccountB, Algorithm: "ES256", AccessTokenSeconds: 60}}}
		change(spec.IBM)
		_, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false)
		if identity.KindOf(err) != identity.KindValidation || !strings.Contains(identity.AsError(err).Public, want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	must(t, s.DB.View(t.Context(), func(r store.Reader) error {
		keys, err := store.APIKeys.List(r, "", "", store.After{}, 0)
		if len(keys) != 0 {
			t.Errorf("%d keys were applied", len(keys))
		}
		return err
	}))
}

// TestIBMAlgorithmChanges: tokens of before stay good when the site signs by
// another algorithm.
func TestIBMAlgorithmChanges(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	spec := ibmSpec()
	spec.Algorithm = "RS256"
	apply := func() {
		t.Helper()
		_, err := s.Directory.Apply(ctx, s.Operator(), directory.SiteSpec{IBM: spec}, false)
		must(t, err)
	}
	apply()
	before, err := s.Issuer.IBMAPIKey(ctx, keyText, "", issue.IBMClient{})
	must(t, err)
	spec.Algorithm = "ES256"
	apply()
	s.Clock.Advance(2 * time.Minute)
	after, err := s.Issuer.IBMAPIKey(ctx, keyText, "", issue.IBMClient{})
	must(t, err)
	for name, tokens := range map[string]issue.IBMTokens{"before": before, "after": after} {
		if _, err := s.Access.IBMToken(ctx, tokens.Access); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if facts, err := s.Issuer.IBM(); err != nil || facts.Algorithm != "ES256" || !strings.Contains(string(facts.Keys), `"ES256"`) {
		t.Errorf("%v, %s %s", err, facts.Algorithm, facts.Keys)
	}
}

// TestApplyLeavesAccessPolicies: a site that names inline policies takes those
// away that it does not name, but not what IBM's policy API gave, whose names
// it cannot use.
func TestApplyLeavesAccessPolicies(t *testing.T) {
	t.Parallel()
	s, ctx := stacktest.New(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"crn:v1:bluemix:public:kms:us-south:a/1:i:*"}]}`
	u := *userNamed(t, s, stacktest.TestUser)
	u.Inline = map[string]string{"other": document}
	_, err := s.DB.Update(ctx, func(tx store.Tx) error { return store.Users.Put(tx, &u) })
	must(t, err)
	given := giveAccess(t, s, a, accessTo(u.IAMID(), "Viewer", "kms"))
	spec := directory.SiteSpec{Users: []directory.UserSpec{{
		AccountID: stacktest.AccountA, Name: stacktest.TestUser, Realm: "shasta", InlinePolicies: map[string]string{"mine": document},
	}}}
	_, err = s.Directory.Apply(ctx, s.Operator(), spec, false)
	must(t, err)
	after := userNamed(t, s, stacktest.TestUser)
	if got := slices.Sorted(maps.Keys(after.Inline)); !slices.Equal(got, []string{"mine"}) || len(after.Access) != 1 || after.Access[0].ID != given.ID {
		t.Errorf("got %v and %+v", got, after.Access)
	}
	spec.Users[0].InlinePolicies = map[string]string{given.InlineName(): document}
	_, err = s.Directory.Apply(ctx, s.Operator(), spec, false)
	expect(t, "an inline policy of such a name", err, identity.KindValidation, "")
}

// TestAPIKeysOutliveTheHashKey: keys that are kept by hashes under an older key
// log in, are found by their text, and stay as they are when a site names them.
func TestAPIKeysOutliveTheHashKey(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	spec := directory.SiteSpec{IBM: ibmSpec()}
	spec.IBM.Algorithm = "RS256"
	_, err := s.Directory.Apply(ctx, s.Operator(), spec, false)
	must(t, err)
	tokens, err := s.Issuer.IBMAPIKey(ctx, keyText, "", issue.IBMClient{})
	must(t, err)
	_, err = s.Keyring.Rotate(ctx, keyring.RotateHash, keyring.RotateOptions{Now: true})
	must(t, err)
	if s.Keyring.Hash("x", []byte("x")) != s.Keyring.Hashes("x", []byte("x"))[0] || len(s.Keyring.Hashes("x", nil)) != 2 {
		t.Fatal("nothing was rotated")
	}
	changes, err := s.Directory.Apply(ctx, s.Operator(), spec, false)
	if err != nil || len(changes) != 0 {
		t.Errorf("%v, %+v", err, changes)
	}
	if _, err := s.Access.IBMToken(ctx, tokens.Access); err != nil {
		t.Error(err)
	}
	if k, err := s.Directory.IBMAPIKeyDetails(ctx, a, keyText); err != nil || k.Name != "main" {
		t.Errorf("%v, %+v", err, k)
	}
	next, err := s.Issuer.IBMRefresh(ctx, tokens.Refresh, "", issue.IBMClient{})
	must(t, err)
	again, err := s.Issuer.IBMRefresh(ctx, tokens.Refresh, "", issue.IBMClient{})
	if err != nil || again.Refresh != next.Refresh {
		t.Errorf("%v", err)
	}
	spec.IBM.APIKeys[0].Secret, spec.IBM.APIKeys[1].Secret = spec.IBM.APIKeys[1].Secret, spec.IBM.APIKeys[0].Secret
	_, err = s.Directory.Apply(ctx, s.Operator(), spec, false)
	expect(t, "a text that another key has under the old hash", err, identity.KindValidation, "")
}
