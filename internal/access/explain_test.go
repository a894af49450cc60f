package access_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// giveRole changes the demo role's policies in the store.
func giveRole(t testing.TB, s *stacktest.Stack, change func(tx store.Tx, r *identity.Role)) {
	t.Helper()
	_, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		r, err := store.Roles.By(tx, "name", store.Join(stacktest.AccountA, stacktest.RoleName))
		if err != nil {
			return err
		}
		v := *r
		change(tx, &v)
		return store.Roles.Put(tx, &v)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ownBucket makes a bucket of account A.
func ownBucket(t testing.TB, s *stacktest.Stack, name string) {
	t.Helper()
	root, err := authenticate(s, request(t, s, rootKeys(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		s.Directory.ReserveBucket(t.Context(), &root, name, "us-east-1", "embedded"),
		s.Directory.ConfirmBucket(t.Context(), &root, name),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func inline(statements string) string {
	return `{"Version":"2012-10-17","Statement":[` + statements + `]}`
}

const allowS3 = `{"Sid":"All","Effect":"Allow","Action":"s3:*","Resource":"*"}`

func TestPoliciesDecide(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ownBucket(t, s, "bucket-a")
	keys, _ := roleKeys(t, s)
	putObject := func() access.Decision {
		c, err := authenticate(s, request(t, s, keys)) // the same live session each time
		if err != nil {
			t.Fatal(err)
		}
		return s.Access.Authorize(&c, "s3:PutObject", access.Resource{ARN: "arn:aws:s3:::bucket-a/key", Bucket: "bucket-a"})
	}
	set := func(p identity.Policies) func(store.Tx, *identity.Role) {
		return func(_ store.Tx, r *identity.Role) { r.Policies = p }
	}
	managed := func(document string) func(store.Tx, *identity.Role) {
		return func(tx store.Tx, r *identity.Role) {
			p := identity.ManagedPolicy{ID: "ANPA1", AccountID: r.AccountID, Name: "p", Path: "/", Default: "v1", Versions: []identity.PolicyVersion{{ID: "v1", Document: document}}}
			if err := store.ManagedPolicies.Put(tx, &p); err != nil {
				t.Error(err)
			}
			r.Policies = identity.Policies{Managed: []string{p.ARN("aws")}}
		}
	}
	for _, c := range []struct {
		name    string
		change  func(store.Tx, *identity.Role)
		effect  access.Effect
		because string
	}{
		{"none", set(identity.Policies{}), access.ImplicitDeny, "because no identity-based policy allows"},
		{"inline", set(identity.Policies{Inline: map[string]string{"i": inline(allowS3)}}), access.Allow, ""},
		{"managed", managed(inline(allowS3)), access.Allow, ""},
		{"managed, changed", managed(inline(strings.Replace(allowS3, "s3:*", "s3:Get*", 1))), access.ImplicitDeny, "because no identity-based policy allows"},
		{"deny", set(identity.Policies{Inline: map[string]string{"i": inline(allowS3 + `,{"Sid":"No","Effect":"Deny","Action":"s3:Put*","Resource":"*"}`)}}), access.ExplicitDeny, "with an explicit deny in an identity-based policy"},
		{"boundary", set(identity.Policies{Inline: map[string]string{"i": inline(allowS3)}, Boundary: "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}), access.ImplicitDeny, "because no permissions boundary allows"},
		{"boundary that is gone", set(identity.Policies{Inline: map[string]string{"i": inline(allowS3)}, Boundary: "arn:aws:iam::" + stacktest.AccountA + ":policy/gone"}), access.ExplicitDeny, "with an explicit deny in a permissions boundary"},
		{"policy that is gone", set(identity.Policies{Inline: map[string]string{"i": inline(allowS3)}, Managed: []string{"arn:aws:iam::" + stacktest.AccountA + ":policy/gone"}}), access.ExplicitDeny, "with an explicit deny"},
		{"policy that cannot be read", set(identity.Policies{Inline: map[string]string{"i": inline(allowS3), "j": "{"}}), access.ExplicitDeny, "with an explicit deny"},
		{"canned", set(identity.Policies{Managed: []string{"arn:aws:iam::aws:policy/AmazonS3FullAccess"}}), access.Allow, ""},
	} {
		giveRole(t, s, c.change)
		d := putObject()
		if d.Effect != c.effect || !strings.Contains(publicOf(d.Err), c.because) {
			t.Errorf("%s: %s %q, want %s %q", c.name, d.Effect, publicOf(d.Err), c.effect, c.because)
		}
	}
}

func publicOf(err error) string {
	if err == nil {
		return ""
	}
	return identity.AsError(err).Public
}

func TestDenialExplainsItself(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ownBucket(t, s, "bucket-a")
	keys, _ := roleKeys(t, s)
	giveRole(t, s, func(_ store.Tx, r *identity.Role) {
		r.Policies = identity.Policies{Inline: map[string]string{"i": inline(allowS3 +
			`,{"Sid":"OfficeOnly","Effect":"Deny","Action":"s3:Put*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`)}}
	})
	c, err := authenticate(s, request(t, s, keys))
	if err != nil {
		t.Fatal(err)
	}
	c.Request.SourceIP = "198.51.100.7"
	d := s.Access.Authorize(&c, "s3:PutObject", access.Resource{ARN: "arn:aws:s3:::bucket-a/key", Bucket: "bucket-a"})
	text := publicOf(d.Err)
	sentence, encoded, ok := strings.Cut(text, identity.EncodedMessage)
	if !ok || len(encoded) > 10240 || sentence != "User: arn:aws:sts::123456789012:assumed-role/shasta-admin/session is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::bucket-a/key\" with an explicit deny in an identity-based policy" {
		t.Fatalf("got %q", text)
	}
	for _, form := range []string{encoded, text, encoded + "==", " " + encoded + "\n"} {
		decoded, err := s.Access.OpenMessage(stacktest.AccountA, form)
		if err != nil {
			t.Fatal(err)
		}
		var m access.Message
		if err := json.Unmarshal([]byte(decoded), &m); err != nil {
			t.Fatal(err)
		}
		if !m.ExplicitDeny || m.Allowed || len(m.MatchedStatements.Items) != 1 || m.MatchedStatements.Items[0].StatementID != "OfficeOnly" ||
			m.Context.Action != "s3:PutObject" || m.Context.Principal.ARN != c.ARN || !strings.Contains(m.Hint, "OfficeOnly") ||
			!strings.Contains(decoded, "198.51.100.7") {
			t.Errorf("decoded: %s", decoded)
		}
	}
	refused := func(what, account, message string) {
		t.Helper()
		if _, err := s.Access.OpenMessage(account, message); identity.KindOf(err) != identity.KindInvalidMessage {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("another account", stacktest.AccountB, encoded)
	refused("flipped", stacktest.AccountA, encoded[:40]+flipped(encoded[40:41])+encoded[41:])
	refused("empty", stacktest.AccountA, "")
	refused("too long", stacktest.AccountA, strings.Repeat("A", 10241))
	s.Clock.Advance(24*time.Hour + time.Second)
	refused("too old", stacktest.AccountA, encoded)
}

func flipped(s string) string {
	if s == "A" {
		return "B"
	}
	return "A"
}

// TestOtherAccountsStatementsStayHidden: a bucket policy is its owner's to read.
func TestOtherAccountsStatementsStayHidden(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithSite(func(spec *directory.SiteSpec) { spec.Accounts[1].Partition = "aws" }))
	ownBucket(t, s, "bucket-a")
	_, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		return store.BucketPolicies.Put(tx, &identity.BucketPolicy{Bucket: "bucket-a", Document: inline(
			`{"Sid":"SecretSid","Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket-a/*"}`)})
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := authenticate(s, request(t, s, keysFor(t, s, stacktest.RootEmailB, "arn:aws:iam::"+stacktest.AccountB+":root")))
	if err != nil {
		t.Fatal(err)
	}
	res := access.Resource{ARN: "arn:aws:s3:::bucket-a/key", Bucket: "bucket-a"}
	d := s.Access.Authorize(&b, "s3:GetObject", res)
	decoded, err := s.Access.OpenMessage(stacktest.AccountB, publicOf(d.Err))
	if err != nil || strings.Contains(decoded, "SecretSid") || d.Effect != access.ExplicitDeny {
		t.Errorf("%v, %s, %s", err, d.Effect, decoded)
	}
	res.Brief = true
	if d := s.Access.Authorize(&b, "s3:GetObject", res); strings.Contains(publicOf(d.Err), "Encoded") {
		t.Error("a brief refusal has no encoded message")
	}
}

// TestLongNamesFit: however long the names are, a message stays within what
// DecodeAuthorizationMessage takes.
func TestLongNamesFit(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	keys, _ := roleKeys(t, s)
	long := strings.Repeat("é", 5000)
	giveRole(t, s, func(_ store.Tx, r *identity.Role) {
		statements := make([]string, 40)
		for i := range statements {
			statements[i] = `{"Effect":"Allow","Action":"iam:GetUser","Resource":"arn:aws:iam::1:user/` + strings.Repeat("x", 200) + `","Condition":{"StringEquals":{"aws:UserAgent":"` + strings.Repeat("y", 200) + `"}}}`
		}
		r.Policies = identity.Policies{Inline: map[string]string{"i": inline(strings.Join(statements, ","))}}
	})
	c, err := authenticate(s, request(t, s, keys))
	if err != nil {
		t.Fatal(err)
	}
	c.Request.UserAgent = long
	d := s.Access.Authorize(&c, "iam:GetUser", access.Resource{ARN: "arn:aws:iam::1:user/" + long, AccountID: stacktest.AccountA})
	_, encoded, ok := strings.Cut(publicOf(d.Err), identity.EncodedMessage)
	if !ok || len(encoded) > 10240 {
		t.Fatalf("%v, %d characters", ok, len(encoded))
	}
	if _, err := s.Access.OpenMessage(stacktest.AccountA, encoded); err != nil {
		t.Error(err)
	}
}
