package issue_test

import (
	"encoding/base32"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"daypass/internal/access"
	"daypass/internal/authn"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// device gives a user a virtual MFA device and returns its serial number.
func (o *office) device(userID, name string, seed []byte) string {
	o.t.Helper()
	serial := "arn:aws:iam::" + stacktest.AccountA + ":mfa/" + name
	sealed, err := o.Keyring.Seal(store.MFASeeds.Name(), "seed", serial, seed)
	if err != nil {
		o.t.Fatal(err)
	}
	o.update(func(tx store.Tx) error {
		if err := store.MFADevices.Put(tx, &identity.MFADevice{Serial: serial, AccountID: stacktest.AccountA, Name: name, Path: "/", UserID: userID}); err != nil {
			return err
		}
		return store.MFASeeds.Put(tx, &store.MFASeed{Serial: serial, Sealed: sealed})
	})
	return serial
}

// code is what the device shows, some time from now.
func (o *office) code(seed []byte, from time.Duration) identity.Secret {
	o.t.Helper()
	text, err := totp.GenerateCode(base32.StdEncoding.EncodeToString(seed), o.Clock.Now().Add(from))
	if err != nil {
		o.t.Fatal(err)
	}
	return identity.Secret(text)
}

var seedA, seedB = []byte("12345678901234567890"), []byte("abcdefghijabcdefghij")

func TestMFA(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	phone, bobs := o.device(o.alice.PrincipalID, "phone", seedA), o.device(o.bob.PrincipalID, "bobs", seedB)
	idle := o.device("", "idle", seedA)
	get := func(serial string, code identity.Secret) error {
		_, err := o.Issuer.SessionToken(t.Context(), o.alice, issue.SessionTokenRequest{MFA: issue.MFAProof{SerialNumber: serial, TokenCode: code}})
		return err
	}
	text := ""
	for name, err := range map[string]error{
		"wrong":                    get(phone, "000000"),
		"another user's device":    get(bobs, o.code(seedB, 0)),
		"a device of nobody":       get(idle, o.code(seedA, 0)),
		"a device that is not":     get(phone+"x", o.code(seedA, 0)),
		"two steps old":            get(phone, o.code(seedA, -time.Minute)),
		"two steps ahead":          get(phone, o.code(seedA, time.Minute)),
		"letters that look alike":  get(phone, "12345６"),
		"an empty look at nothing": get(phone+"x", "000000"),
	} {
		wantKind(t, name, err, identity.KindAccessDenied)
		if text == "" {
			text = identity.AsError(err).Public
		}
		if identity.AsError(err).Public != text {
			t.Errorf("%s: got %q, and for others %q", name, identity.AsError(err).Public, text)
		}
	}
	wantKind(t, "a code alone", get("", o.code(seedA, 0)), identity.KindAccessDenied)
	wantKind(t, "a device alone", get(phone, ""), identity.KindAccessDenied)
	now := o.code(seedA, 0)
	wantKind(t, "the code", get(phone, now), "")
	wantKind(t, "the code again", get(phone, now), identity.KindAccessDenied)
	wantKind(t, "the code before", get(phone, o.code(seedA, -30*time.Second)), identity.KindAccessDenied)
	wantKind(t, "the next code", get(phone, o.code(seedA, 30*time.Second)), "")

	// A code yields one session, however many ask at once.
	o.Clock.Advance(5 * time.Minute)
	now = o.code(seedA, 0)
	var wg sync.WaitGroup
	var mu sync.Mutex
	good := 0
	for range 8 {
		wg.Go(func() {
			if get(phone, now) == nil {
				mu.Lock()
				defer mu.Unlock()
				good++
			}
		})
	}
	wg.Wait()
	if good != 1 {
		t.Errorf("one code yielded %d sessions", good)
	}
}

func TestMFAGuessing(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithLimits(authn.Limits{PrincipalBurst: 3, PairBurst: 1000, AddressBurst: 1000}))
	for i := range 3 {
		_, err := s.Authn.TOTP(t.Context(), "AIDAX", fmt.Sprintf("device%d", i), "000000")
		wantKind(t, "a guess", err, identity.KindAccessDenied)
	}
	_, err := s.Authn.TOTP(t.Context(), "AIDAX", "another", "000000")
	wantKind(t, "one guess too many, whatever the device", err, identity.KindThrottled)
	_, err = s.Authn.TOTP(t.Context(), "AIDAY", "device", "000000")
	wantKind(t, "another user", err, identity.KindAccessDenied)
}

func TestAssumeRoleWithMFA(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	phone := o.device(o.alice.PrincipalID, "phone", seedA)
	vault := o.role(stacktest.AccountA, "vault", trusting(accountRootA, assumeAction,
		`{"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}}`), readOnlyPolicy)
	show := func(code identity.Secret) func(*issue.AssumeRoleRequest) {
		return func(r *issue.AssumeRoleRequest) { r.MFA = issue.MFAProof{SerialNumber: phone, TokenCode: code} }
	}
	_, err := o.assume(o.alice, vault)
	wantKind(t, "without a code", err, identity.KindAccessDenied)
	_, err = o.assume(o.alice, vault, show("000000"))
	wantKind(t, "with a wrong code", err, identity.KindAccessDenied)
	now := o.code(seedA, 0)
	c := o.assumed(o.alice, vault, show(now))
	if c.MFA {
		t.Error("the role's session claims a second factor of its own")
	}
	_, err = o.assume(o.alice, vault, show(now))
	wantKind(t, "with a used code", err, identity.KindAccessDenied)
	_, err = o.assume(c, vault, show(now))
	wantKind(t, "a role session with a code", err, identity.KindAccessDenied)

	// A session with a second factor needs no code, until it is too old.
	o.Clock.Advance(time.Minute)
	keys, err := o.Issuer.SessionToken(t.Context(), o.alice, issue.SessionTokenRequest{MFA: issue.MFAProof{SerialNumber: phone, TokenCode: o.code(seedA, 0)}})
	if err != nil {
		t.Fatal(err)
	}
	with := o.caller(keys)
	if _, err := o.assume(with, vault); err != nil || !with.MFA {
		t.Errorf("by a session with a second factor: %v", err)
	}
	o.Clock.Advance(time.Hour)
	_, err = o.assume(with, vault)
	wantKind(t, "when it is an hour old", err, identity.KindAccessDenied)
	if _, err := o.assume(with, vault, show(o.code(seedA, 0))); err != nil {
		t.Errorf("with a new code: %v", err)
	}
}

// TestUsersWhoNeedMore: the rules of a user hold for its long-term keys too.
func TestUsersWhoNeedMore(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	seen := o.role(stacktest.AccountA, "seen", trusting(accountRootA, assumeAction, ""))
	phone := o.device(o.alice.PrincipalID, "phone", seedA)
	change := func(id string, fn func(*identity.User)) {
		o.update(func(tx store.Tx) error {
			u, err := store.Users.Get(tx, id)
			if err != nil {
				return err
			}
			v := *u
			fn(&v)
			return store.Users.Put(tx, &v)
		})
	}
	change(o.alice.PrincipalID, func(u *identity.User) { u.MFARequired = true })
	change(o.mallory.PrincipalID, func(u *identity.User) { u.MustChangePassword = true })
	_, err := o.assume(o.alice, seen)
	wantKind(t, "without the second factor", err, identity.KindMFARequired)
	_, err = o.Issuer.SessionToken(t.Context(), o.alice, issue.SessionTokenRequest{})
	wantKind(t, "a session without the second factor", err, identity.KindMFARequired)
	_, err = o.Issuer.FederationToken(t.Context(), o.alice, issue.FederationTokenRequest{Name: "eve"})
	wantKind(t, "a federated user without the second factor", err, identity.KindMFARequired)
	if _, err := o.assume(o.alice, seen, func(r *issue.AssumeRoleRequest) {
		r.MFA = issue.MFAProof{SerialNumber: phone, TokenCode: o.code(seedA, 0)}
	}); err != nil {
		t.Errorf("with the second factor: %v", err)
	}
	_, err = o.assume(o.mallory, seen)
	wantKind(t, "must change the password", err, identity.KindPasswordExpired)
}

func TestSessionToken(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	get := func(c *identity.Caller, seconds int) (identity.SessionKeys, error) {
		return o.Issuer.SessionToken(t.Context(), c, issue.SessionTokenRequest{DurationSeconds: seconds})
	}
	for name, tt := range map[string]struct {
		by            *identity.Caller
		seconds, want int
		kind          identity.Kind
	}{
		"default":          {o.alice, 0, 43200, ""},
		"least":            {o.bob, 900, 900, ""},
		"most":             {o.alice, 129600, 129600, ""},
		"too short":        {o.alice, 899, 0, identity.KindValidation},
		"too long":         {o.alice, 129601, 0, identity.KindValidation},
		"root":             {o.rootA, 0, 3600, ""},
		"root, too long":   {o.rootA, 3601, 0, identity.KindValidation},
		"an operator":      {o.Operator(), 0, 0, identity.KindAccessDenied},
		"nobody":           {&identity.Caller{}, 0, 0, identity.KindAccessDenied},
		"a user of B":      {o.carol, 3600, 3600, ""},
		"root, an hour":    {o.rootA, 3600, 3600, ""},
		"a negative count": {o.alice, -5, 0, identity.KindValidation},
	} {
		keys, err := get(tt.by, tt.seconds)
		wantKind(t, name, err, tt.kind)
		if life := keys.Expiration.Sub(o.Clock.Now()); err == nil && life != time.Duration(tt.want)*time.Second {
			t.Errorf("%s: it lives for %v", name, life)
		}
	}
	keys, err := get(o.alice, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := o.caller(keys)
	if c.ARN != o.alice.ARN || c.Kind != identity.IAMUser || !c.Temporary || c.MFA || c.Tags["desk"] != "alice" {
		t.Errorf("the session: %+v", c)
	}
	if o.may(c, "iam:GetUser") || !o.may(c, "s3:ListAllMyBuckets") {
		t.Error("without a second factor it may call IAM, or nothing")
	}
	_, err = get(c, 0)
	wantText(t, "a session of a session", err, "Cannot call GetSessionToken with session credentials")
	_, err = o.Issuer.FederationToken(t.Context(), c, issue.FederationTokenRequest{Name: "eve"})
	wantText(t, "a federated user of a session", err, "Cannot call GetFederationToken with session credentials")
	admin := o.role(stacktest.AccountA, "admin", trusting(accountRootA, allActions, ""), adminPolicy)
	role := o.assumed(c, admin)
	_, err = get(role, 0)
	wantKind(t, "a session of a role", err, identity.KindAccessDenied)
	// The key that it came from takes it along.
	o.update(func(tx store.Tx) error {
		return o.Access.Revoke(tx, identity.Revocation{Kind: identity.LineageProof, ID: o.alice.AccessKeyID})
	})
	_, err = o.try(keys)
	wantKind(t, "the session", err, identity.KindExpiredToken)
	_, err = o.assume(role, admin)
	wantKind(t, "what came of it", err, identity.KindExpiredToken)
}

func TestFederationToken(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	get := func(c *identity.Caller, r issue.FederationTokenRequest) (issue.FederationToken, error) {
		return o.Issuer.FederationToken(t.Context(), c, r)
	}
	s3Only := issue.SessionPolicy{Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:*","iam:*"],"Resource":"*"}}`}
	for name, tt := range map[string]struct {
		by   *identity.Caller
		p    issue.SessionPolicy
		s3   bool
		want time.Duration
	}{
		"no policy, no rights":     {o.alice, issue.SessionPolicy{}, false, 12 * time.Hour},
		"the policy's":             {o.alice, s3Only, true, 12 * time.Hour},
		"a managed policy's":       {o.alice, issue.SessionPolicy{ARNs: []string{readOnlyPolicy}}, true, 12 * time.Hour},
		"root":                     {o.rootA, s3Only, true, time.Hour},
		"root's without a policy":  {o.rootA, issue.SessionPolicy{}, false, time.Hour},
		"a policy that denies all": {o.alice, issue.SessionPolicy{Document: `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`}, false, 12 * time.Hour},
	} {
		out, err := get(tt.by, issue.FederationTokenRequest{Name: "eve", Policy: tt.p, Tags: []issue.Tag{{Key: "team", Value: "blue"}}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c := o.caller(out.Keys)
		if c.Kind != identity.Federated || c.ARN != "arn:aws:sts::123456789012:federated-user/eve" || c.ARN != out.FederatedUserARN ||
			c.UserID != "123456789012:eve" || out.FederatedUserID != c.UserID || c.Tags["team"] != "blue" {
			t.Errorf("%s: %+v and %+v", name, out, c)
		}
		if got := o.Access.Authorize(c, "s3:ListAllMyBuckets", access.Resource{ARN: "*", AccountID: c.AccountID}).Allowed(); got != tt.s3 {
			t.Errorf("%s: S3 is %v", name, got)
		}
		if o.may(c, "iam:GetUser") || o.may(c, "sts:GetFederationToken") {
			t.Errorf("%s: it may call IAM or STS", name)
		}
		if life := out.Keys.Expiration.Sub(o.Clock.Now()); life != tt.want {
			t.Errorf("%s: it lives for %v", name, life)
		}
		admin := o.role(stacktest.AccountA, "admin", trusting(accountRootA, allActions, ""), adminPolicy)
		_, err = o.assume(c, admin)
		wantKind(t, name+" assumes a role", err, identity.KindAccessDenied)
	}
	_, err := get(o.bob, issue.FederationTokenRequest{Name: "eve"})
	wantText(t, "without rights", err, "is not authorized to perform: sts:GetFederationToken on resource: arn:aws:sts::123456789012:federated-user/eve")
	_, err = get(o.alice, issue.FederationTokenRequest{Name: "eve", DurationSeconds: 129601})
	wantKind(t, "too long", err, identity.KindValidation)
	_, err = get(o.rootA, issue.FederationTokenRequest{Name: "eve", DurationSeconds: 3601})
	wantKind(t, "root, too long", err, identity.KindValidation)
	_, err = get(o.alice, issue.FederationTokenRequest{Name: "eve", Policy: issue.SessionPolicy{Document: "{"}})
	wantKind(t, "no policy at all", err, identity.KindMalformedPolicy)
	_, err = get(o.alice, issue.FederationTokenRequest{Name: "eve", Tags: []issue.Tag{{Key: "a", Value: ""}, {Key: "A", Value: ""}}})
	wantKind(t, "one tag twice", err, identity.KindInvalidInput)
}

func TestAccessKeyAccount(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for id, want := range map[string]string{o.carol.AccessKeyID: stacktest.AccountB, o.alice.AccessKeyID: stacktest.AccountA} {
		if got, err := o.Issuer.AccessKeyAccount(t.Context(), o.alice, id); err != nil || got != want {
			t.Errorf("%s: %s, %v", id, got, err)
		}
	}
	o.update(func(tx store.Tx) error {
		return store.SessionRecords.Put(tx, &store.SessionRecord{AccessKeyID: "ASIAABCDEFGHIJKLMNOP", AccountID: stacktest.AccountB})
	})
	if got, err := o.Issuer.AccessKeyAccount(t.Context(), o.alice, "ASIAABCDEFGHIJKLMNOP"); err != nil || got != stacktest.AccountB {
		t.Errorf("a session: %s, %v", got, err)
	}
	for _, id := range []string{"AKIAUNKNOWNUNKNOWN00", "ASIAABCDEFGHIJKLMNOQ", strings.Repeat("A", 128)} {
		_, err := o.Issuer.AccessKeyAccount(t.Context(), o.alice, id)
		wantKind(t, id, err, identity.KindValidation)
	}
	_, err := o.Issuer.AccessKeyAccount(t.Context(), o.bob, o.alice.AccessKeyID)
	wantKind(t, "without rights", err, identity.KindAccessDenied)
}

// TestMinted: every session is told of, with what the index of sessions needs.
func TestMinted(t *testing.T) {
	t.Parallel()
	var got []store.SessionRecord
	s := stacktest.New(t, stacktest.WithMinted(func(r store.SessionRecord) { got = append(got, r) }), stacktest.WithSite(func(spec *directory.SiteSpec) {
		spec.Users = append(spec.Users, directory.UserSpec{AccountID: stacktest.AccountA, Name: "alice", ManagedPolicies: []string{adminPolicy}})
	}))
	o := &office{Stack: s, t: t}
	o.alice = o.user(stacktest.AccountA, "alice")
	ctx := identity.WithRequest(t.Context(), identity.RequestFacts{SourceIP: "192.0.2.7", UserAgent: "cli"})
	keys, err := s.Issuer.SessionToken(ctx, o.alice, issue.SessionTokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	res, err := webIdentity(t, s, roleA, shastaLogin(t, s).AccessToken, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := webIdentity(t, s, roleA+"x", shastaLogin(t, s).AccessToken, 0); err == nil {
		t.Fatal("an absent role was assumed")
	}
	if len(got) != 2 {
		t.Fatalf("told of %d sessions", len(got))
	}
	first, second := got[0], got[1]
	if first.AccessKeyID != keys.AccessKeyID || first.ARN != o.alice.ARN || first.Proof != "access key" || first.SourceIP != "192.0.2.7" || first.UserAgent != "cli" ||
		!first.ExpiresAt.Equal(keys.Expiration) || !first.IssuedAt.Equal(s.Clock.Now()) || first.Position.Incarnation == "" || len(first.Lineage) != 2 {
		t.Errorf("got %+v", first)
	}
	if second.AccessKeyID != res.Keys.AccessKeyID || second.ARN != res.AssumedRoleARN || second.Proof != "web identity" || second.Subject != stacktest.TestUser || second.Kind != identity.RoleSession {
		t.Errorf("got %+v", second)
	}
}
