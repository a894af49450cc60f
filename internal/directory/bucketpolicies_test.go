package directory_test

import (
	"fmt"
	"strings"
	"testing"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const accountC = "222233334444" // of A's partition

func withAccountC(spec *directory.SiteSpec) {
	password := identity.Secret(stacktest.RootPassword)
	spec.Accounts = append(spec.Accounts, directory.AccountSpec{ID: accountC, Partition: "aws", Name: "c", RootEmail: "c@example.com", RootPassword: &password})
}

// user makes a user with a living key and the policies given.
func user(t *testing.T, s *stacktest.Stack, root *identity.Caller, name string, policies identity.Policies) *identity.Caller {
	t.Helper()
	u, err := s.Directory.CreateUser(t.Context(), root, directory.NewUser{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	grant(t, s, root, u.ID, policies)
	made, err := s.Issuer.AccessKey(t.Context(), root, name)
	if err != nil {
		t.Fatal(err)
	}
	return &identity.Caller{
		Kind: identity.IAMUser, AccountID: root.AccountID, Partition: root.Partition, PrincipalID: u.ID, UserID: u.ID, Name: name,
		ARN: u.ARN(root.Partition), OwnerARN: u.ARN(root.Partition), AccessKeyID: made.Key.ID,
	}
}

// grant writes a user's policies into the store.
func grant(t *testing.T, s *stacktest.Stack, root *identity.Caller, id string, p identity.Policies) {
	t.Helper()
	_, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		u, err := store.Users.Get(tx, id)
		if err != nil {
			return err
		}
		v := *u
		v.Policies = p
		return store.Users.Put(tx, &v)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func allowing(document string) identity.Policies {
	return identity.Policies{Inline: map[string]string{"p": document}}
}

var everything = allowing(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)

func bucket(t *testing.T, s *stacktest.Stack, c *identity.Caller, name string) {
	t.Helper()
	if err := s.Directory.ReserveBucket(t.Context(), c, name, "r", "u"); err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.ConfirmBucket(t.Context(), c, name); err != nil {
		t.Fatal(err)
	}
}

// statement is a bucket policy of one statement about everything in b.
func statement(effect, principal, action string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,"Principal":%s,"Action":%q,"Resource":["arn:aws:s3:::b-b","arn:aws:s3:::b-b/*"]}]}`, effect, principal, action)
}

func may(s *stacktest.Stack, c *identity.Caller, action string) bool {
	return s.Access.Authorize(c, action, access.Resource{ARN: "arn:aws:s3:::b-b/k", Bucket: "b-b"}).Allowed()
}

func TestBucketPolicyLifecycle(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithSite(withAccountC))
	ctx := t.Context()
	a, c := root(t, s, stacktest.AccountA, "aws"), root(t, s, accountC, "aws")
	alice := user(t, s, a, "alice", identity.Policies{})
	bucket(t, s, a, "b-b")
	if _, err := s.Directory.BucketPolicy(ctx, a, "b-b"); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("before: %v", err)
	}
	document := statement("Allow", `{"AWS":"arn:aws:iam::123456789012:user/alice"}`, "s3:*")
	if err := s.Directory.PutBucketPolicy(ctx, a, "b-b", document, false); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Directory.BucketPolicy(ctx, alice, "b-b"); err != nil || got != document {
		t.Errorf("alice reads %q, %v", got, err)
	}
	if public, err := s.Directory.BucketPolicyIsPublic(ctx, alice, "b-b"); err != nil || public {
		t.Errorf("public %v, %v", public, err)
	}
	if !may(s, alice, "s3:GetObject") {
		t.Error("alice may not")
	}

	// A recreated user is somebody else.
	if err := s.Directory.DeleteAccessKey(ctx, a, "alice", alice.AccessKeyID); err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.DeleteUser(ctx, a, "alice"); err != nil {
		t.Fatal(err)
	}
	alice = user(t, s, a, "alice", identity.Policies{})
	if may(s, alice, "s3:GetObject") {
		t.Error("a recreated alice inherits")
	}
	if err := s.Directory.PutBucketPolicy(ctx, a, "b-b", document, false); err != nil || !may(s, alice, "s3:DeleteBucket") {
		t.Errorf("put anew: %v", err)
	}

	// alice's right comes from the policy alone, and it goes with the bucket.
	if err := s.Directory.BeginDeleteBucket(ctx, alice, "b-b"); err != nil {
		t.Fatal(err)
	}
	if may(s, alice, "s3:GetObject") {
		t.Error("a bucket that is being deleted is served")
	}
	if err := s.Directory.PutBucketPolicy(ctx, a, "b-b", document, false); identity.KindOf(err) != identity.KindNoSuchBucket {
		t.Errorf("while it is being deleted: %v", err)
	}
	if err := s.Directory.EndDeleteBucket(ctx, alice, "b-b", true); err != nil {
		t.Fatal(err)
	}
	bucket(t, s, c, "b-b")
	if _, err := s.Directory.BucketPolicy(ctx, c, "b-b"); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("a recreated bucket inherits: %v", err)
	}
	grant(t, s, a, alice.PrincipalID, everything)
	if may(s, alice, "s3:GetObject") {
		t.Error("alice reads another account's bucket")
	}

	// Settling after a crash removes it too.
	if err := s.Directory.PutBucketPolicy(ctx, c, "b-b", statement("Allow", `{"AWS":"`+stacktest.AccountA+`"}`, "s3:GetObject"), false); err != nil || !may(s, alice, "s3:GetObject") {
		t.Errorf("cross-account: %v", err)
	}
	if err := s.Directory.BeginDeleteBucket(ctx, c, "b-b"); err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.SettleBucket(ctx, s.Operator(), "b-b", false); err != nil {
		t.Fatal(err)
	}
	bucket(t, s, c, "b-b")
	if may(s, alice, "s3:GetObject") {
		t.Error("settled, and recreated, it inherits")
	}
	if !strings.Contains(s.AuditLines(t), `"PutBucketPolicy"`) {
		t.Error("no event")
	}
}

func TestBucketPolicyRights(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithSite(withAccountC))
	ctx := t.Context()
	a, c, demo := root(t, s, stacktest.AccountA, "aws"), root(t, s, accountC, "aws"), root(t, s, stacktest.AccountB, "demo")
	alice, plain := user(t, s, a, "alice", everything), user(t, s, a, "plain", identity.Policies{})
	guest := user(t, s, c, "guest", everything)
	bucket(t, s, a, "b-b")
	denyAll := statement("Deny", `"*"`, "s3:*")
	put := func(by *identity.Caller, document string, confirmed bool, want identity.Kind) {
		t.Helper()
		if err := s.Directory.PutBucketPolicy(ctx, by, "b-b", document, confirmed); identity.KindOf(err) != want {
			t.Errorf("%s puts %.70s: %v, want %q", by.ARN, document, err, want)
		}
	}
	put(plain, denyAll, true, identity.KindAccessDenied)
	put(guest, denyAll, true, identity.KindAccessDenied)
	put(demo, denyAll, true, identity.KindAccessDenied)
	put(alice, denyAll, false, identity.KindAccessDenied) // she would lock herself out
	put(alice, denyAll, true, "")
	put(alice, statement("Deny", `"*"`, "s3:GetObject"), true, identity.KindAccessDenied)
	if may(s, a, "s3:GetObject") {
		t.Error("a bucket policy does not bind root")
	}
	if _, err := s.Directory.BucketPolicy(ctx, a, "b-b"); err != nil {
		t.Errorf("root cannot repair: %v", err)
	}
	if err := s.Directory.DeleteBucketPolicy(ctx, a, "b-b"); err != nil {
		t.Errorf("root cannot repair: %v", err)
	}
	if err := s.Directory.DeleteBucketPolicy(ctx, a, "b-b"); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}

	// Everything may be given to another account but its policy.
	put(a, statement("Allow", `{"AWS":"`+accountC+`"}`, "s3:*"), false, "")
	if !may(s, guest, "s3:GetObject") || may(s, demo, "s3:GetObject") {
		t.Error("the account named may, no other")
	}
	put(guest, denyAll, true, identity.KindMethodNotAllowed)
	if _, err := s.Directory.BucketPolicy(ctx, guest, "b-b"); identity.KindOf(err) != identity.KindMethodNotAllowed {
		t.Errorf("guest reads: %v", err)
	}
	if err := s.Directory.DeleteBucketPolicy(ctx, guest, "b-b"); identity.KindOf(err) != identity.KindMethodNotAllowed {
		t.Errorf("guest deletes: %v", err)
	}
	grant(t, s, c, guest.PrincipalID, identity.Policies{})
	if may(s, guest, "s3:GetObject") {
		t.Error("a guest without rights of its own may")
	}
	// Another partition's ARNs mean nothing here, "*" or not.
	put(a, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"`+stacktest.AccountB+`"},"Action":"s3:*","Resource":"*"}}`, false, "")
	if may(s, demo, "s3:GetObject") {
		t.Error("another partition is let in")
	}
}

// TestForeignTagsStayUnread: policies of another account's caller must not
// become a way to ask what the objects in a bucket are like.
func TestForeignTagsStayUnread(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithSite(withAccountC))
	a, c := root(t, s, stacktest.AccountA, "aws"), root(t, s, accountC, "aws")
	probe := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"s3:ExistingObjectTag/k":"v"}}}}`
	guest := user(t, s, c, "guest", allowing(probe))
	bucket(t, s, a, "b-b")
	asked := 0
	res := access.Resource{ARN: "arn:aws:s3:::b-b/k", Bucket: "b-b", Later: func(string) []string { asked++; return []string{"v"} }}
	for _, document := range []string{"", statement("Allow", `{"AWS":"`+accountC+`"}`, "s3:PutObject")} {
		if document != "" {
			if err := s.Directory.PutBucketPolicy(t.Context(), a, "b-b", document, false); err != nil {
				t.Fatal(err)
			}
		}
		d := s.Access.Authorize(guest, "s3:GetObject", res)
		if d.Allowed() || asked != 0 || !strings.Contains(identity.AsError(d.Err).Public, "no resource-based policy") {
			t.Errorf("asked %d times: %+v", asked, d)
		}
	}
	if d := s.Access.Authorize(guest, "s3:PutObject", res); !d.Allowed() || asked == 0 {
		t.Errorf("let in: asked %d times: %+v", asked, d)
	}
}

func TestBucketPolicyRefusals(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a := root(t, s, stacktest.AccountA, "aws")
	user(t, s, a, "alice", identity.Policies{})
	bucket(t, s, a, "b-b")
	one := func(s string) string { return `{"Version":"2012-10-17","Statement":[{` + s + `}]}` }
	const who, what, on = `"Effect":"Allow","Principal":{"AWS":"123456789012"}`, `"Action":"s3:GetObject"`, `"Resource":"arn:aws:s3:::b-b/*"`
	tests := []struct{ name, document, says string }{
		{"empty", "", "Policies must be valid JSON and the first byte must be '{'"},
		{"not JSON", "<x/>", "Policies must be valid JSON and the first byte must be '{'"},
		{"cut short", `{"Version":`, "This policy contains invalid Json"},
		{"no statement", `{"Version":"2012-10-17","Statement":[]}`, "Missing required field Statement"},
		{"no principal", one(`"Effect":"Allow",` + what + "," + on), "Missing required field Principal"},
		{"no action", one(who + "," + on), "Missing required field Action"},
		{"no resource", one(who + "," + what), "Missing required field Resource"},
		{"effect", one(`"Effect":"Perhaps","Principal":"*",` + what + "," + on), "Invalid effect"},
		{"action of another service", one(who + `,"Action":"iam:GetUser",` + on), "Policy has invalid action"},
		{"action without service", one(who + `,"Action":"GetObject",` + on), "Policy has invalid action"},
		{"another bucket", one(who + "," + what + `,"Resource":"arn:aws:s3:::b-c/*"`), "Policy has invalid resource"},
		{"a bucket that begins alike", one(who + "," + what + `,"Resource":"arn:aws:s3:::b-b2/*"`), "Policy has invalid resource"},
		{"another bucket in NotResource", one(`"Effect":"Deny","Principal":"*",` + what + `,"NotResource":"arn:aws:s3:::b-c/*"`), "Policy has invalid resource"},
		{"another partition", one(who + "," + what + `,"Resource":"arn:demo:s3:::b-b/*"`), "Policy has invalid resource"},
		{"bucket by wildcard", one(who + "," + what + `,"Resource":"arn:aws:s3:::b-?/*"`), "Policy has invalid resource"},
		{"nobody", one(`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/nobody"},` + what + "," + on), "Invalid principal in policy"},
		{"other case", one(`"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::123456789012:user/Alice"},` + what + "," + on), "Invalid principal in policy"},
		{"user by wildcard", one(`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/*"},` + what + "," + on), "Invalid principal in policy"},
		{"operator", one(who + "," + what + "," + on + `,"Condition":{"StringSounds":{"s3:prefix":"x"}}`), "Invalid Condition type : StringSounds."},
		{"condition key", one(who + "," + what + "," + on + `,"Condition":{"StringEquals":{"prefix":"x"}}`), "Policy has an invalid condition key"},
		{"20 KB and one", one(who + "," + what + "," + on + `,"Sid":"` + strings.Repeat("x", 20480) + `"`), "Policy exceeds the maximum allowed document size."},
		{"10,000 statements", `{"Statement":[` + strings.Repeat("{"+who+","+what+","+on+"},", 9999) + "{" + who + "," + what + "," + on + "}]}", "Policy exceeds the maximum allowed document size."},
	}
	for _, tt := range tests {
		err := s.Directory.PutBucketPolicy(t.Context(), a, "b-b", tt.document, false)
		if e := identity.AsError(err); identity.KindOf(err) != identity.KindMalformedPolicy || e.Public != tt.says {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.says)
		}
	}
	public := statement("Allow", `"*"`, "s3:GetObject")
	err := s.Directory.PutBucketPolicy(t.Context(), a, "b-b", public, true)
	if identity.KindOf(err) != identity.KindAccessDenied || !strings.Contains(identity.AsError(err).Public, "BlockPublicPolicy") {
		t.Errorf("public: %v", err)
	}
	if _, err := s.Directory.BucketPolicy(t.Context(), a, "b-b"); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("something was stored: %v", err)
	}
}
