package access_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/keyring"
	"daypass/internal/operate"
	"daypass/internal/sigv4"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// rootKeys logs the root user of account A in and takes session keys.
func rootKeys(t testing.TB, s *stacktest.Stack) identity.SessionKeys {
	t.Helper()
	return keysFor(t, s, stacktest.RootEmailA, "arn:aws:iam::"+stacktest.AccountA+":root")
}

func keysFor(t testing.TB, s *stacktest.Stack, email, arn string) identity.SessionKeys {
	t.Helper()
	set, err := s.Issuer.Password(t.Context(), issue.PasswordGrant{Realm: identity.RootRealm, Client: issue.ClientProof{ID: "root-client"}, Username: email, Password: stacktest.RootPassword})
	if err != nil {
		t.Fatal(err)
	}
	return exchange(t, s, arn, set.AccessToken)
}

func roleKeys(t testing.TB, s *stacktest.Stack) (identity.SessionKeys, issue.TokenSet) {
	t.Helper()
	set, err := s.Issuer.Password(t.Context(), issue.PasswordGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, Username: stacktest.TestUser, Password: stacktest.TestPassword})
	if err != nil {
		t.Fatal(err)
	}
	return exchange(t, s, "arn:aws:iam::"+stacktest.AccountA+":role/"+stacktest.RoleName, set.AccessToken), set
}

func exchange(t testing.TB, s *stacktest.Stack, arn string, tok identity.Secret) identity.SessionKeys {
	t.Helper()
	res, err := s.Issuer.WebIdentity(t.Context(), issue.WebIdentityRequest{RoleARN: arn, RoleSessionName: "session", Token: tok})
	if err != nil {
		t.Fatal(err)
	}
	return res.Keys
}

// request is a signed GetObject.
func request(t testing.TB, s *stacktest.Stack, k identity.SessionKeys) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "http://127.0.0.1:8080/bucket/key", nil)
	r.RequestURI = "/bucket/key"
	err := sigv4.Sign(r, sigv4.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey.Reveal(), SessionToken: k.SessionToken.Reveal()},
		"us-east-1", "s3", sigv4.UnsignedPayload, s.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func authenticate(s *stacktest.Stack, r *http.Request) (identity.Caller, error) {
	a, err := s.Access.Authenticate(r, access.ServiceS3, "")
	return a.Caller, err
}

func TestSessionKeys(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	for range 2 { // opened, then cached
		c, err := authenticate(s, request(t, s, rootKeys(t, s)))
		if err != nil {
			t.Fatal(err)
		}
		if c.Kind != identity.RootUser || c.ARN != "arn:aws:iam::123456789012:root" || c.UserID != stacktest.AccountA || !c.Temporary {
			t.Errorf("root: %+v", c)
		}
	}
	keys, _ := roleKeys(t, s)
	c, err := authenticate(s, request(t, s, keys))
	if err != nil || c.ARN != "arn:aws:sts::123456789012:assumed-role/shasta-admin/session" || !strings.HasSuffix(c.UserID, ":session") {
		t.Errorf("role: %v, %+v", err, c)
	}
}

func TestSessionKeyRefusals(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	good, other := rootKeys(t, s), rootKeys(t, s)
	if _, err := authenticate(s, request(t, s, good)); err != nil {
		t.Fatal(err)
	}
	with := func(change func(*identity.SessionKeys)) *http.Request {
		k := good
		change(&k)
		return request(t, s, k)
	}
	flip := func(sec identity.Secret, at int) identity.Secret {
		b := []byte(sec.Reveal())
		if b[at] == 'A' {
			b[at] = 'B'
		} else {
			b[at] = 'A'
		}
		return identity.Secret(b)
	}
	for name, c := range map[string]struct {
		r    *http.Request
		want identity.Kind
	}{
		"wrong secret":           {with(func(k *identity.SessionKeys) { k.SecretAccessKey = "x" }), identity.KindSignatureMismatch},
		"no token":               {with(func(k *identity.SessionKeys) { k.SessionToken = "" }), identity.KindUnknownAccessKey},
		"token of another key":   {with(func(k *identity.SessionKeys) { k.SessionToken = other.SessionToken }), identity.KindInvalidToken},
		"another key, own token": {with(func(k *identity.SessionKeys) { k.AccessKeyID = other.AccessKeyID }), identity.KindInvalidToken},
		"tampered token":         {with(func(k *identity.SessionKeys) { k.SessionToken = flip(k.SessionToken, 100) }), identity.KindInvalidToken},
		"garbage token":          {with(func(k *identity.SessionKeys) { k.SessionToken = "garbage" }), identity.KindInvalidToken},
		"token with AKIA":        {with(func(k *identity.SessionKeys) { k.AccessKeyID = "AKIAIOSFODNN7EXAMPLE" }), identity.KindInvalidToken},
		"unknown AKIA":           {with(func(k *identity.SessionKeys) { k.AccessKeyID, k.SessionToken = "AKIAIOSFODNN7EXAMPLE", "" }), identity.KindUnknownAccessKey},
		"other prefix":           {with(func(k *identity.SessionKeys) { k.AccessKeyID, k.SessionToken = "XXIAIOSFODNN7EXAMPLE", "" }), identity.KindUnknownAccessKey},
		"unsigned":               {httptest.NewRequest(http.MethodGet, "/bucket", nil), identity.KindMissingAuthentication},
	} {
		if _, err := authenticate(s, c.r); identity.KindOf(err) != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	s.Clock.Advance(time.Hour)
	if _, err := authenticate(s, request(t, s, good)); identity.KindOf(err) != identity.KindExpiredToken {
		t.Errorf("expired: %v", err)
	}
}

func TestLongTermKeys(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	c, err := authenticate(s, request(t, s, rootKeys(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.Issuer.AccessKey(t.Context(), &c, "")
	if err != nil || made.UserName != "root" || !strings.HasPrefix(made.Key.ID, "AKIA") || len(made.Key.ID) != 20 || len(made.Secret) != 40 {
		t.Fatalf("%v, %+v", err, made)
	}
	keys := identity.SessionKeys{AccessKeyID: made.Key.ID, SecretAccessKey: made.Secret}
	lt, err := authenticate(s, request(t, s, keys))
	if err != nil || lt.Temporary || lt.Kind != identity.RootUser {
		t.Fatalf("%v, %+v", err, lt)
	}
	if err := s.Access.FlushUses(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, use, err := s.Directory.AccessKeyLastUsed(t.Context(), &c, made.Key.ID); err != nil || use.Service != "s3" || use.Region != "us-east-1" || !use.At.Equal(s.Clock.Now()) {
		t.Errorf("last used: %+v, %v", use, err)
	}
	if err := s.Directory.UpdateAccessKey(t.Context(), &c, "", made.Key.ID, false); err != nil {
		t.Fatal(err)
	}
	if _, err := authenticate(s, request(t, s, keys)); identity.KindOf(err) != identity.KindUnknownAccessKey {
		t.Errorf("inactive: %v", err)
	}
	if err := s.Directory.UpdateAccessKey(t.Context(), &c, "", made.Key.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := authenticate(s, request(t, s, keys)); err != nil {
		t.Errorf("active again: %v", err)
	}
	if err := s.Directory.DeleteAccessKey(t.Context(), &c, "", made.Key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := authenticate(s, request(t, s, keys)); identity.KindOf(err) != identity.KindUnknownAccessKey {
		t.Errorf("deleted: %v", err)
	}
	if err := s.Access.StillLive(s.DB.Snapshot(), &lt); identity.KindOf(err) != identity.KindUnknownAccessKey {
		t.Errorf("a caller by a deleted key may still write: %v", err)
	}
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]func(k identity.SessionKeys, set issue.TokenSet, c identity.Caller) identity.Revocation{
		"access key": func(k identity.SessionKeys, _ issue.TokenSet, _ identity.Caller) identity.Revocation {
			return identity.Revocation{Kind: identity.LineageAccessKey, ID: k.AccessKeyID}
		},
		"log-in session": func(_ identity.SessionKeys, set issue.TokenSet, _ identity.Caller) identity.Revocation {
			return identity.Revocation{Kind: identity.LineageLogin, ID: set.SessionState}
		},
		"role": func(_ identity.SessionKeys, _ issue.TokenSet, c identity.Caller) identity.Revocation {
			return identity.Revocation{Kind: identity.LineageRole, ID: c.PrincipalID}
		},
		"principal": func(_ identity.SessionKeys, _ issue.TokenSet, c identity.Caller) identity.Revocation {
			return identity.Revocation{Kind: identity.LineagePrincipal, ID: c.Lineage.Get(identity.LineagePrincipal)}
		},
		"web identity": func(_ identity.SessionKeys, _ issue.TokenSet, c identity.Caller) identity.Revocation {
			return identity.Revocation{Kind: identity.LineageWebIdentity, ID: c.Lineage.Get(identity.LineageWebIdentity)}
		},
		"account": func(identity.SessionKeys, issue.TokenSet, identity.Caller) identity.Revocation {
			return identity.Revocation{Kind: identity.LineageAccount, ID: stacktest.AccountA}
		},
		"provider": func(identity.SessionKeys, issue.TokenSet, identity.Caller) identity.Revocation {
			return identity.Revocation{Kind: identity.LineageProvider, ID: identity.ProviderARN("aws", stacktest.AccountA, stacktest.ExternalURL+"/auth/realms/shasta")}
		},
		"issued before a time": func(_ identity.SessionKeys, _ issue.TokenSet, c identity.Caller) identity.Revocation {
			return identity.Revocation{Kind: identity.LineageRole, ID: c.PrincipalID, BeforeMS: c.IssuedAt.UnixMilli() + 1}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stacktest.New(t)
			keys, set := roleKeys(t, s)
			c, err := authenticate(s, request(t, s, keys))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
				if err := s.Access.Revoke(tx, target(keys, set, c)); err != nil {
					return err
				}
				if err := s.Access.StillLive(tx, &c); identity.KindOf(err) != identity.KindExpiredToken {
					t.Errorf("in the revoking transaction itself: %v", err)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if _, err := authenticate(s, request(t, s, keys)); identity.KindOf(err) != identity.KindExpiredToken {
				t.Errorf("after: %v", err)
			}
			s.Clock.Advance(2 * time.Millisecond)
			again, _ := roleKeys(t, s)
			if _, err := authenticate(s, request(t, s, again)); err != nil {
				t.Errorf("keys minted after the revocation: %v", err)
			}
		})
	}
}

// TestCompromisedEpochEndsWhatIsCached: a token that this node keeps opened ends
// with its epoch, as any other does.
func TestCompromisedEpochEndsWhatIsCached(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	keys := rootKeys(t, s)
	if _, err := authenticate(s, request(t, s, keys)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Operate.RotateKeys(t.Context(), s.Operator(), keyring.RotateEpochs, operate.Rotation{Compromised: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := authenticate(s, request(t, s, keys)); identity.KindOf(err) != identity.KindExpiredToken {
		t.Errorf("a cached token outlives its compromised epoch: %v", err)
	}
	if _, err := authenticate(s, request(t, s, rootKeys(t, s))); err != nil {
		t.Errorf("keys of the new epoch: %v", err)
	}
}

// TestRevocationIsNeverWeakened: a later revocation with a time must not revive
// what an earlier one without a time ended.
func TestRevocationIsNeverWeakened(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	keys, _ := roleKeys(t, s)
	c, err := authenticate(s, request(t, s, keys))
	if err != nil {
		t.Fatal(err)
	}
	revoke := func(beforeMS int64) {
		t.Helper()
		if _, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
			return s.Access.Revoke(tx, identity.Revocation{Kind: identity.LineageRole, ID: c.PrincipalID, BeforeMS: beforeMS})
		}); err != nil {
			t.Fatal(err)
		}
	}
	dead := func(why string) {
		t.Helper()
		if _, err := authenticate(s, request(t, s, keys)); identity.KindOf(err) != identity.KindExpiredToken {
			t.Errorf("%s: %v", why, err)
		}
	}
	revoke(0)
	dead("revoked")
	revoke(1) // 1970
	dead("and then, for a time long ago")
	revoke(0)
	revoke(2)
	revoke(1)
	dead("and again")
	fresh, _ := roleKeys(t, s)
	if _, err := authenticate(s, request(t, s, fresh)); err != nil {
		t.Errorf("new keys: %v", err)
	}
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, _ := authenticate(s, request(t, s, rootKeys(t, s)))
	b, err := authenticate(s, request(t, s, keysFor(t, s, stacktest.RootEmailB, "arn:demo:iam::"+stacktest.AccountB+":root")))
	if err != nil {
		t.Fatal(err)
	}
	keys, _ := roleKeys(t, s)
	role, _ := authenticate(s, request(t, s, keys))
	if err := s.Directory.ReserveBucket(t.Context(), &a, "bucket-a", "us-east-1", "embedded"); err != nil {
		t.Fatal(err)
	}
	on := func(bucket string) access.Resource {
		return access.Resource{ARN: identity.BucketARN("aws", bucket), Bucket: bucket}
	}
	if d := s.Access.Authorize(&a, "s3:ListBucket", on("bucket-a")); identity.KindOf(d.Err) != identity.KindNoSuchBucket {
		t.Errorf("a reserved bucket is served: %+v", d)
	}
	if err := s.Directory.ConfirmBucket(t.Context(), &a, "bucket-a"); err != nil {
		t.Fatal(err)
	}
	operator := access.OperatorCaller(identity.RequestFacts{})
	for name, c := range map[string]struct {
		caller *identity.Caller
		action string
		res    access.Resource
		want   identity.Kind
	}{
		"root, own bucket":          {&a, "s3:PutObject", on("bucket-a"), ""},
		"role, own account":         {&role, "s3:PutObject", on("bucket-a"), ""},
		"role, IAM":                 {&role, "iam:CreateUser", access.Resource{AccountID: stacktest.AccountA}, identity.KindAccessDenied},
		"other root":                {&b, "s3:GetObject", on("bucket-a"), identity.KindAccessDenied},
		"no such bucket":            {&a, "s3:GetObject", on("nothing-here"), identity.KindNoSuchBucket},
		"other account's IAM":       {&b, "iam:CreateUser", access.Resource{AccountID: stacktest.AccountA}, identity.KindAccessDenied},
		"nobody":                    {&identity.Caller{}, "s3:GetObject", on("bucket-a"), identity.KindAccessDenied},
		"root as operator":          {&a, "daypass:Apply", access.Resource{}, identity.KindAccessDenied},
		"operator":                  {&operator, "daypass:Apply", access.Resource{}, ""},
		"operator reads no objects": {&operator, "s3:GetObject", on("bucket-a"), identity.KindAccessDenied},
	} {
		if d := s.Access.Authorize(c.caller, c.action, c.res); identity.KindOf(d.Err) != c.want || d.Allowed() != (c.want == "") {
			t.Errorf("%s: %+v, want %q", name, d, c.want)
		}
	}
	d := s.Access.Authorize(&b, "s3:GetObject", on("bucket-a"))
	if got, want := identity.WithoutMessage(identity.AsError(d.Err).Public), "User: arn:demo:iam::"+stacktest.AccountB+":root is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::bucket-a\" because no resource-based policy allows the s3:GetObject action"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	s := stacktest.New(b)
	r := request(b, s, rootKeys(b, s))
	if _, err := authenticate(s, r); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Access.Authenticate(r, access.ServiceS3, ""); err != nil {
			b.Fatal(err)
		}
	}
}
