package issue_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const (
	accountRootA = "arn:aws:iam::" + stacktest.AccountA + ":root"
	accountRootB = "arn:demo:iam::" + stacktest.AccountB + ":root"
)

func TestAssumeRole(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	reader := o.role(stacktest.AccountA, "reader", trusting(accountRootA, allActions, ""), readOnlyPolicy)
	out, err := o.assume(o.alice, reader)
	if err != nil {
		t.Fatal(err)
	}
	c := o.caller(out.Keys)
	if out.AssumedRoleARN != "arn:aws:sts::123456789012:assumed-role/reader/session" || c.ARN != out.AssumedRoleARN || c.UserID != out.AssumedRoleID ||
		out.Keys.Expiration.Sub(o.Clock.Now()) != time.Hour || out.PackedPolicySize != 0 {
		t.Errorf("got %+v, and %s", out, c.ARN)
	}
	if o.may(c, "iam:GetUser") || !o.may(c, "s3:ListAllMyBuckets") {
		t.Error("the session has not the role's rights, but others")
	}
	if c.MFA || len(c.Lineage) != 2 || c.Lineage.Get(identity.LineageProof) != o.alice.AccessKeyID || c.Lineage.Get(identity.LineagePrincipal) != o.alice.PrincipalID {
		t.Errorf("lineage: %+v", c.Lineage)
	}
	if out, err := o.assume(o.alice, reader, func(r *issue.AssumeRoleRequest) { r.DurationSeconds = 7200 }); err != nil || out.Keys.Expiration.Sub(o.Clock.Now()) != 2*time.Hour {
		t.Errorf("two hours: %v", err)
	}
	for seconds, text := range map[int]string{
		7201:  "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
		43201: "Value '43201' at 'durationSeconds'", 899: "Value '899' at 'durationSeconds'", -1: "Value '-1' at 'durationSeconds'",
	} {
		_, err := o.assume(o.alice, reader, func(r *issue.AssumeRoleRequest) { r.DurationSeconds = seconds })
		wantKind(t, fmt.Sprint(seconds), err, identity.KindValidation)
		wantText(t, fmt.Sprint(seconds), err, text)
	}
}

// TestRolesThatCannotBeAssumed: absent, foreign and forbidden answer alike.
func TestRolesThatCannotBeAssumed(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	kit := o.role(stacktest.AccountA, "kit", trusting(accountRootA, allActions, ""))
	bobs := o.role(stacktest.AccountA, "bobs", trusting(o.bob.ARN, allActions, ""))
	ofB := o.role(stacktest.AccountB, "ofb", trusting(accountRootB, allActions, ""))
	deny := o.role(stacktest.AccountA, "deny", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+accountRootA+`"},"Action":"sts:AssumeRole"},
		{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Condition":{"StringLike":{"sts:RoleSessionName":"sess*"}}}]}`)
	for name, tt := range map[string]struct {
		by  *identity.Caller
		arn string
	}{
		"absent":                        {o.alice, kit + "x"},
		"another case":                  {o.alice, strings.Replace(kit, "kit", "KIT", 1)},
		"a letter that looks alike":     {o.alice, strings.Replace(kit, "kit", "\u212ait", 1)},
		"another path":                  {o.alice, strings.Replace(kit, "role/", "role/x/", 1)},
		"another partition":             {o.alice, strings.Replace(kit, "arn:aws", "arn:demo", 1)},
		"an account that is not there":  {o.alice, strings.Replace(kit, stacktest.AccountA, "999999999999", 1)},
		"another account's":             {o.alice, ofB},
		"of an account it cannot reach": {o.carol, kit},
		"trusts somebody else":          {o.alice, bobs},
		"without a policy of its own":   {o.bob, kit},
		"denied":                        {o.alice, deny},
		"no role":                       {o.alice, o.alice.ARN},
		"root of the account":           {o.alice, accountRootA},
	} {
		_, err := o.assume(tt.by, tt.arn)
		wantKind(t, name, err, identity.KindAccessDenied)
		want := "User: " + tt.by.ARN + " is not authorized to perform: sts:AssumeRole on resource: " + tt.arn
		if got := identity.WithoutMessage(identity.AsError(err).Public); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		_, err = o.assume(tt.by, tt.arn, func(r *issue.AssumeRoleRequest) { // nor do unfit tags tell
			r.Tags = []issue.Tag{{Key: "aws:x", Value: "y"}}
			r.Policy.Document = "{"
		})
		if got := identity.WithoutMessage(identity.AsError(err).Public); got != want {
			t.Errorf("%s, with unfit tags: got %q, want %q", name, got, want)
		}
	}
	if _, err := o.assume(o.bob, bobs); err != nil {
		t.Errorf("a role that names the user: %v", err)
	}
	if _, err := o.assume(o.alice, kit); err != nil {
		t.Error(err)
	}
	for _, c := range []*identity.Caller{o.Operator(), {}} {
		_, err := o.assume(c, kit)
		wantKind(t, string(c.Kind), err, identity.KindAccessDenied)
	}
}

// TestConfusedDeputy: who trusts another account by an external ID is not
// reached without it.
func TestConfusedDeputy(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	arn := o.role(stacktest.AccountA, "vendor", trusting(accountRootB, assumeAction, `{"StringEquals":{"sts:ExternalId":"customer-7"}}`))
	for id, want := range map[string]identity.Kind{"": identity.KindAccessDenied, "customer-8": identity.KindAccessDenied, "Customer-7": identity.KindAccessDenied, "customer-7": ""} {
		_, err := o.assume(o.carol, arn, func(r *issue.AssumeRoleRequest) { r.ExternalID = id })
		wantKind(t, "external ID "+id, err, want)
	}
	// Both accounts must allow: carol's own side, too.
	o.update(func(tx store.Tx) error {
		u, err := store.Users.Get(tx, o.carol.PrincipalID)
		if err != nil {
			return err
		}
		v := *u
		v.Policies = identity.Policies{Managed: []string{readOnlyPolicy}}
		return store.Users.Put(tx, &v)
	})
	carol := *o.carol
	carol.Rights = nil // as of a later request
	_, err := o.assume(&carol, arn, func(r *issue.AssumeRoleRequest) { r.ExternalID = "customer-7" })
	wantKind(t, "without rights at home", err, identity.KindAccessDenied)
}

func TestSessionPolicies(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	reader := o.role(stacktest.AccountA, "reader", trusting(accountRootA, allActions, ""), readOnlyPolicy)
	admin := o.role(stacktest.AccountA, "admin", trusting(accountRootA, allActions, ""), adminPolicy)
	everything := `{ "Version" : "2012-10-17", "Statement" : { "Effect":"Allow", "Action":"*", "Resource":"*" } }`
	with := func(p issue.SessionPolicy) func(*issue.AssumeRoleRequest) {
		return func(r *issue.AssumeRoleRequest) { r.Policy = p }
	}
	c := o.assumed(o.alice, reader, with(issue.SessionPolicy{Document: everything, ARNs: []string{adminPolicy}}))
	if o.may(c, "iam:GetUser") || !o.may(c, "s3:ListAllMyBuckets") {
		t.Error("a session policy widened the role's rights")
	}
	if strings.Contains(c.SessionPolicy, " ") || c.SessionPolicy == "" {
		t.Errorf("the token holds %q", c.SessionPolicy)
	}
	c = o.assumed(o.alice, admin, with(issue.SessionPolicy{ARNs: []string{readOnlyPolicy}}))
	if o.may(c, "iam:GetUser") || !o.may(c, "s3:ListAllMyBuckets") {
		t.Error("a session policy did not narrow the role's rights")
	}
	// The new session has the role's rights, whatever bounds the one that asks,
	// as long as it may ask.
	narrow := o.assumed(o.alice, admin, with(issue.SessionPolicy{Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}`}))
	if o.may(narrow, "iam:GetUser") {
		t.Error("the narrow session is not narrow")
	}
	if c := o.assumed(narrow, reader); c.SessionPolicy != "" || !o.may(c, "s3:ListAllMyBuckets") {
		t.Error("the caller's session policy went along")
	}
	_, err := o.assume(o.caller(mustKeys(o.assume(o.alice, admin, with(issue.SessionPolicy{ARNs: []string{readOnlyPolicy}})))), reader)
	wantKind(t, "a session that its policy keeps from it", err, identity.KindAccessDenied)
	for name, tt := range map[string]struct {
		p    issue.SessionPolicy
		want identity.Kind
	}{
		"no JSON":              {issue.SessionPolicy{Document: "{"}, identity.KindMalformedPolicy},
		"with a principal":     {issue.SessionPolicy{Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`}, identity.KindMalformedPolicy},
		"unknown operator":     {issue.SessionPolicy{Document: `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Nope":{"aws:x":"y"}}}}`}, identity.KindMalformedPolicy},
		"a policy not there":   {issue.SessionPolicy{ARNs: []string{"arn:aws:iam::" + stacktest.AccountA + ":policy/nope"}}, identity.KindValidation},
		"of another account":   {issue.SessionPolicy{ARNs: []string{"arn:demo:iam::" + stacktest.AccountB + ":policy/theirs"}}, identity.KindValidation},
		"no ARN":               {issue.SessionPolicy{ARNs: []string{"AdministratorAccess"}}, identity.KindValidation},
		"eleven":               {issue.SessionPolicy{ARNs: slices.Repeat([]string{readOnlyPolicy}, 11)}, identity.KindPolicyTooLarge},
		"too long together":    {issue.SessionPolicy{Document: everything + strings.Repeat(" ", 2040-len(everything)), ARNs: []string{readOnlyPolicy}}, identity.KindPolicyTooLarge},
		"just within together": {issue.SessionPolicy{Document: everything + strings.Repeat(" ", 2048-len(readOnlyPolicy)-len(everything)), ARNs: []string{readOnlyPolicy}}, ""},
	} {
		_, err := o.assume(o.alice, admin, with(tt.p))
		wantKind(t, name, err, tt.want)
	}
}

func mustKeys(a issue.AssumedRole, err error) identity.SessionKeys {
	if err != nil {
		panic(err)
	}
	return a.Keys
}

func TestPackedPolicySize(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	admin := o.role(stacktest.AccountA, "admin", trusting(accountRootA, allActions, ""), adminPolicy)
	small, err := o.assume(o.alice, admin, func(r *issue.AssumeRoleRequest) { r.Tags = []issue.Tag{{Key: "a", Value: "b"}} })
	if err != nil || small.PackedPolicySize != 1 {
		t.Errorf("one tag: %d %%, %v", small.PackedPolicySize, err)
	}
	tags := func(n, size int) func(*issue.AssumeRoleRequest) {
		return func(r *issue.AssumeRoleRequest) {
			for i := range n {
				r.Tags = append(r.Tags, issue.Tag{Key: fmt.Sprintf("k%d", i), Value: strings.Repeat("v", size)})
			}
		}
	}
	large, err := o.assume(o.alice, admin, tags(10, 250))
	if err != nil || large.PackedPolicySize < 80 || large.PackedPolicySize > 100 || len(large.Keys.SessionToken) > 4096 {
		t.Errorf("2500 bytes of tags: %d %%, a token of %d, %v", large.PackedPolicySize, len(large.Keys.SessionToken), err)
	}
	_, err = o.assume(o.alice, admin, tags(13, 250))
	wantKind(t, "3250 bytes of tags", err, identity.KindPolicyTooLarge)
}

func TestSessionTags(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	plain := o.role(stacktest.AccountA, "plain", trusting(accountRootA, assumeAction, ""))
	tagged := o.role(stacktest.AccountA, "tagged", trusting(accountRootA, allActions, ""))
	picky := o.role(stacktest.AccountA, "picky", trusting(accountRootA, allActions,
		`{"StringEquals":{"aws:RequestTag/team":["blue","green"],"aws:ResourceTag/tier":"gold"},"ForAllValues:StringEquals":{"aws:TagKeys":["team","cost"]}}`))
	tags := func(pairs ...string) func(*issue.AssumeRoleRequest) {
		return func(r *issue.AssumeRoleRequest) {
			for i := 0; i < len(pairs); i += 2 {
				r.Tags = append(r.Tags, issue.Tag{Key: pairs[i], Value: pairs[i+1]})
			}
		}
	}
	for name, tt := range map[string]struct {
		arn  string
		tags []string
		want identity.Kind
	}{
		"not trusted with tags":    {plain, []string{"team", "blue"}, identity.KindAccessDenied},
		"no tags needed":           {plain, nil, ""},
		"trusted":                  {tagged, []string{"team", "blue", "empty", ""}, ""},
		"one that is wanted":       {picky, []string{"Team", "blue", "cost", "7"}, identity.KindAccessDenied}, // TagKeys compares the case
		"as wanted":                {picky, []string{"team", "green"}, ""},
		"another value":            {picky, []string{"team", "red"}, identity.KindAccessDenied},
		"a wildcard as a value":    {tagged, []string{"team", "*"}, identity.KindInvalidInput},
		"one more":                 {picky, []string{"team", "blue", "admin", "yes"}, identity.KindAccessDenied},
		"none where one is wanted": {picky, nil, identity.KindAccessDenied},
		"reserved":                 {tagged, []string{"aws:PrincipalTag/x", "y"}, identity.KindInvalidInput},
		"reserved in capitals":     {tagged, []string{"AWS:x", "y"}, identity.KindInvalidInput},
		"twice":                    {tagged, []string{"team", "blue", "TEAM", "red"}, identity.KindInvalidInput},
		"twice by a look-alike":    {tagged, []string{"kit", "a", "\u212ait", "b"}, identity.KindInvalidInput},
		"key empty":                {tagged, []string{"", "x"}, identity.KindInvalidInput},
		"key too long":             {tagged, []string{strings.Repeat("k", 129), "x"}, identity.KindInvalidInput},
		"value too long":           {tagged, []string{"k", strings.Repeat("x", 257)}, identity.KindInvalidInput},
		"control character":        {tagged, []string{"k", "a\nb"}, identity.KindInvalidInput},
	} {
		_, err := o.assume(o.alice, tt.arn, tags(tt.tags...))
		wantKind(t, name, err, tt.want)
	}
	_, err := o.assume(o.alice, plain, tags("team", "blue"))
	wantText(t, "the sentence", err, "is not authorized to perform: sts:TagSession on resource: "+plain)
	c := o.assumed(o.alice, tagged, tags("team", "blue", "TIER", "lead"))
	if c.Tags["team"] != "blue" || c.Tags["TIER"] != "lead" || c.Tags["tier"] != "" || c.Tags["desk"] != "" {
		t.Errorf("tags of the session: %v", c.Tags)
	}
	many := func(r *issue.AssumeRoleRequest) {
		for i := range 51 {
			r.Tags = append(r.Tags, issue.Tag{Key: fmt.Sprintf("k%d", i)})
		}
	}
	_, err = o.assume(o.alice, tagged, many)
	wantKind(t, "51 tags", err, identity.KindInvalidInput)
	_, err = o.assume(o.alice, tagged, tags("team", "blue"), func(r *issue.AssumeRoleRequest) { r.TransitiveKeys = []string{"other"} })
	wantKind(t, "a transitive key without its tag", err, identity.KindInvalidInput)
}

func TestRoleChaining(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	roles := make([]string, 6)
	for i := range roles {
		roles[i] = o.role(stacktest.AccountA, fmt.Sprintf("role%d", i), trusting(accountRootA, allActions, ""), adminPolicy)
	}
	deaf := o.role(stacktest.AccountA, "deaf", trusting(accountRootA, assumeAction, ""), adminPolicy)
	first := o.assumed(o.alice, roles[0], func(r *issue.AssumeRoleRequest) {
		r.Tags = []issue.Tag{{Key: "Star", Value: "1"}, {Key: "Heart", Value: "2"}}
		r.TransitiveKeys, r.SourceIdentity, r.DurationSeconds = []string{"star"}, "alice", 7200
	})
	second := o.assumed(first, roles[1], func(r *issue.AssumeRoleRequest) { r.Tags = []issue.Tag{{Key: "Sun", Value: "3"}} })
	if second.Tags["Star"] != "1" || second.Tags["Heart"] != "" || second.Tags["Sun"] != "3" || !slices.Equal(second.TransitiveKeys, []string{"Star"}) {
		t.Errorf("tags after one step: %v, transitive %v", second.Tags, second.TransitiveKeys)
	}
	third := o.assumed(second, roles[2])
	if third.Tags["Star"] != "1" || third.Tags["Sun"] != "" || third.SourceIdentity != "alice" {
		t.Errorf("after two steps: %v, source identity %q", third.Tags, third.SourceIdentity)
	}
	for name, change := range map[string]func(*issue.AssumeRoleRequest){
		"override":                 func(r *issue.AssumeRoleRequest) { r.Tags = []issue.Tag{{Key: "Star", Value: "9"}} },
		"override in another case": func(r *issue.AssumeRoleRequest) { r.Tags = []issue.Tag{{Key: "STAR", Value: "9"}} },
	} {
		_, err := o.assume(first, roles[1], change)
		wantKind(t, name, err, identity.KindInvalidInput)
	}
	_, err := o.assume(first, roles[1], func(r *issue.AssumeRoleRequest) { r.SourceIdentity = "mallory" })
	wantKind(t, "another source identity", err, identity.KindAccessDenied)
	wantText(t, "another source identity", err, "sts:SetSourceIdentity")
	if _, err := o.assume(first, roles[1], func(r *issue.AssumeRoleRequest) { r.SourceIdentity = "alice" }); err != nil {
		t.Errorf("the same source identity: %v", err)
	}
	_, err = o.assume(first, deaf)
	wantKind(t, "a role that does not take tags and source identity", err, identity.KindAccessDenied)
	_, err = o.assume(first, roles[1], func(r *issue.AssumeRoleRequest) { r.DurationSeconds = 3601 })
	wantKind(t, "more than an hour", err, identity.KindValidation)
	wantText(t, "more than an hour", err, "role chaining")
	fourth := o.assumed(third, roles[3])
	if len(fourth.Lineage) != identity.MaxLineage {
		t.Errorf("lineage: %+v", fourth.Lineage)
	}
	_, err = o.assume(fourth, roles[4])
	wantKind(t, "a chain that is too long", err, identity.KindLimitExceeded)

	// A parent that ends takes its children along, and yields no more.
	o.update(func(tx store.Tx) error {
		return o.Access.Revoke(tx, identity.Revocation{Kind: identity.LineageAccessKey, ID: second.AccessKeyID})
	})
	if _, err := o.assume(first, roles[5]); err != nil {
		t.Errorf("the grandparent: %v", err)
	}
	for name, c := range map[string]*identity.Caller{"the revoked session": second, "its child": third, "its grandchild": fourth} {
		_, err := o.assume(c, roles[5])
		wantKind(t, name, err, identity.KindExpiredToken)
	}
}

// TestRecreatedPrincipals: a trust policy means who it named, not who has the
// name now.
func TestRecreatedPrincipals(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	trustAll := trusting(accountRootA, allActions, "")
	source := o.role(stacktest.AccountA, "source", trustAll, adminPolicy)
	target := o.role(stacktest.AccountA, "target", trusting(source, assumeAction, ""))
	session := o.role(stacktest.AccountA, "bysession", trusting("arn:aws:sts::"+stacktest.AccountA+":assumed-role/source/session", assumeAction, ""))
	for _, arn := range []string{target, session} {
		if _, err := o.assume(o.assumed(o.alice, source), arn); err != nil {
			t.Fatal(err)
		}
	}
	o.update(func(tx store.Tx) error {
		r, err := store.Roles.By(tx, "name", store.Join(stacktest.AccountA, "source"))
		if err != nil {
			return err
		}
		return store.Roles.Delete(tx, r.ID)
	})
	o.role(stacktest.AccountA, "source", trustAll, adminPolicy)
	for _, arn := range []string{target, session} {
		_, err := o.assume(o.assumed(o.mallory, source), arn)
		wantKind(t, "a recreated role at "+arn, err, identity.KindAccessDenied)
	}
}

// TestEndedCallersYieldNothing: what was accepted and then ended mints nothing.
func TestEndedCallersYieldNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	admin := o.role(stacktest.AccountA, "admin", trusting(accountRootA, allActions, ""), adminPolicy)
	o.update(func(tx store.Tx) error {
		k, err := store.AccessKeys.Get(tx, o.alice.AccessKeyID)
		if err != nil {
			return err
		}
		v := *k
		v.Active = false
		return store.AccessKeys.Put(tx, &v)
	})
	_, err := o.assume(o.alice, admin)
	wantKind(t, "an inactive key", err, identity.KindUnknownAccessKey)
	c := o.assumed(o.mallory, admin)
	o.Clock.Advance(time.Hour)
	_, err = o.assume(c, admin)
	wantKind(t, "an expired session", err, identity.KindExpiredToken)
}
