package issue_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"daypass/internal/authn"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const (
	rootA = "arn:aws:iam::" + stacktest.AccountA + ":root"
	rootB = "arn:demo:iam::" + stacktest.AccountB + ":root"
	roleA = "arn:aws:iam::" + stacktest.AccountA + ":role/" + stacktest.RoleName
)

func rootLogin(t testing.TB, s *stacktest.Stack, email string) issue.TokenSet {
	t.Helper()
	set, err := s.Issuer.Password(t.Context(), issue.PasswordGrant{
		Realm: identity.RootRealm, Client: issue.ClientProof{ID: "root-client"}, Username: email, Password: stacktest.RootPassword,
	})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func shastaLogin(t testing.TB, s *stacktest.Stack) issue.TokenSet {
	t.Helper()
	set, err := s.Issuer.Password(t.Context(), issue.PasswordGrant{
		Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, Username: stacktest.TestUser, Password: stacktest.TestPassword,
	})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func claimsOf(t testing.TB, tok identity.Secret) map[string]any {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(strings.Split(tok.Reveal(), ".")[1])
	if err != nil {
		t.Fatalf("the payload is no padded standard base64, which people decode it with: %v", err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPasswordGrantClaims(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	set := rootLogin(t, s, "A@Example.com")
	if set.ExpiresIn != 300 || set.RefreshExpiresIn != 1800 || set.Scope != "email" || set.RefreshToken == "" {
		t.Errorf("answer: %+v", set)
	}
	c := claimsOf(t, set.AccessToken)
	for k, want := range map[string]any{
		"iss": stacktest.ExternalURL + "/auth/realms/root-accounts", "aud": "root-client", "azp": "root-client", "sub": stacktest.AccountA,
		"typ": "Bearer", "acr": "1", "scope": "email", "email_verified": true, "email": stacktest.RootEmailA,
		"sid": set.SessionState, "session_state": set.SessionState,
	} {
		if c[k] != want {
			t.Errorf("claim %s: got %v, want %v", k, c[k], want)
		}
	}
	if got, _ := json.Marshal(c["https://aws.amazon.com/tags"]); string(got) != `{"principal_tags":{"role":["`+rootA+`"]}}` {
		t.Errorf("tags: %s", got)
	}
	c = claimsOf(t, shastaLogin(t, s).AccessToken)
	if got, _ := json.Marshal(c["resource_access"]); string(got) != `{"shasta":{"roles":["admin"]}}` || c["preferred_username"] != "testuser" || c["aud"] != "shasta" {
		t.Errorf("shasta: %v", c)
	}
}

func TestPasswordGrantRefusals(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	grant := func(realm, client, user, password string) issue.PasswordGrant {
		return issue.PasswordGrant{Realm: realm, Client: issue.ClientProof{ID: client}, Username: user, Password: identity.Secret(password)}
	}
	for name, c := range map[string]struct {
		g    issue.PasswordGrant
		want identity.Kind
	}{
		"wrong password":     {grant("shasta", "shasta", "testuser", "x"), identity.KindInvalidCredentials},
		"unknown user":       {grant("shasta", "shasta", "nobody", stacktest.TestPassword), identity.KindInvalidCredentials},
		"no password set":    {grant("shasta", "shasta", "service", stacktest.TestPassword), identity.KindInvalidCredentials},
		"disabled":           {grant("shasta", "shasta", "disabled", stacktest.TestPassword), identity.KindInvalidCredentials},
		"other realm's user": {grant("root-accounts", "root-client", "testuser", stacktest.TestPassword), identity.KindInvalidCredentials},
		"too long":           {grant("shasta", "shasta", "testuser", strings.Repeat("x", 10000)), identity.KindInvalidCredentials},
		"mfa":                {grant("shasta", "shasta", "mfa", stacktest.TestPassword), identity.KindMFARequired},
		"must change":        {grant("shasta", "shasta", "stale", stacktest.TestPassword), identity.KindPasswordExpired},
		"unknown client":     {grant("shasta", "nope", "testuser", stacktest.TestPassword), identity.KindInvalidClient},
		"no secret":          {grant("shasta", "admin-client", "testuser", stacktest.TestPassword), identity.KindInvalidClient},
		"grant not allowed":  {grant("shasta", "other", "testuser", stacktest.TestPassword), identity.KindUnauthorizedClient},
		"unknown realm":      {grant("nope", "shasta", "testuser", stacktest.TestPassword), identity.KindNotFound},
		"root by the name":   {grant("root-accounts", "root-client", "root", stacktest.RootPassword), identity.KindInvalidCredentials},
	} {
		if _, err := s.Issuer.Password(t.Context(), c.g); identity.KindOf(err) != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	_, err := s.Issuer.Password(t.Context(), grant("root-accounts", "root-client", stacktest.RootEmailA, "x"))
	_, err2 := s.Issuer.Password(t.Context(), grant("root-accounts", "root-client", "nobody@example.com", "x"))
	text := identity.AsError(err).Public
	if text != identity.AsError(err2).Public || !strings.HasPrefix(text, "Invalid user credentials") || !strings.Contains(text, "help@example.com") {
		t.Errorf("the root realm says %q and %q", text, identity.AsError(err2).Public)
	}
	log := s.AuditLines(t)
	for _, leak := range []string{stacktest.TestPassword, "nobody"} {
		if strings.Contains(log, leak) {
			t.Errorf("the audit log holds %q", leak)
		}
	}
}

func TestGuessing(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithLimits(authn.Limits{PrincipalBurst: 5, PairBurst: 3, AddressBurst: 100}))
	from := func(ip string) context.Context {
		return identity.WithRequest(t.Context(), identity.RequestFacts{SourceIP: ip})
	}
	try := func(ctx context.Context, pw string) error {
		_, err := s.Issuer.Password(ctx, issue.PasswordGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, Username: "testuser", Password: identity.Secret(pw)})
		return err
	}
	own := from("192.0.2.1")
	if err := try(own, stacktest.TestPassword); err != nil {
		t.Fatal(err)
	}
	for i := range 5 { // strangers from several addresses use the principal's allowance up
		if err := try(from("198.51.100."+string(rune('1'+i))), "x"); identity.KindOf(err) != identity.KindInvalidCredentials {
			t.Fatal(err)
		}
	}
	err := try(from("198.51.100.99"), stacktest.TestPassword)
	if identity.KindOf(err) != identity.KindThrottled || identity.AsError(err).RetryAfterSeconds < 1 {
		t.Errorf("a stranger after five wrong tries: %v", err)
	}
	if err := try(own, stacktest.TestPassword); err != nil {
		t.Errorf("the principal's own address was locked out: %v", err)
	}
	for range 3 {
		_ = try(own, "x")
	}
	if err := try(own, stacktest.TestPassword); identity.KindOf(err) != identity.KindThrottled {
		t.Errorf("three wrong tries from one address: %v", err)
	}
}

// TestParallelLogins: good log-ins at once are not guesses, however many.
func TestParallelLogins(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithLimits(authn.Limits{PrincipalBurst: 3, PairBurst: 3, AddressBurst: 3}))
	errs := make(chan error)
	for range 12 {
		go func() {
			_, err := s.Issuer.Password(t.Context(), issue.PasswordGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, Username: "testuser", Password: stacktest.TestPassword})
			errs <- err
		}()
	}
	for range 12 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	refresh := func(client string, tok identity.Secret) (issue.TokenSet, error) {
		return s.Issuer.Refresh(t.Context(), issue.RefreshGrant{Realm: "shasta", Client: issue.ClientProof{ID: client}, RefreshToken: tok})
	}
	first := shastaLogin(t, s)
	if _, err := refresh("other", first.RefreshToken); identity.KindOf(err) != identity.KindInvalidGrant {
		t.Errorf("another client's token: %v", err)
	}
	second, err := refresh("shasta", first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == first.RefreshToken || second.SessionState != first.SessionState {
		t.Errorf("rotation: %+v", second)
	}
	s.Clock.Advance(5 * time.Second)
	again, err := refresh("shasta", first.RefreshToken)
	if err != nil || again.RefreshToken != second.RefreshToken {
		t.Errorf("a replay within ten seconds: %v, the same successor: %v", err, again.RefreshToken == second.RefreshToken)
	}
	s.Clock.Advance(6 * time.Second)
	if _, err := refresh("shasta", first.RefreshToken); identity.KindOf(err) != identity.KindInvalidGrant {
		t.Errorf("a late replay: %v", err)
	}
	if _, err := refresh("shasta", second.RefreshToken); identity.KindOf(err) != identity.KindInvalidGrant {
		t.Errorf("the family survived a reuse: %v", err)
	}
	if _, err := webIdentity(t, s, roleA, second.AccessToken, 0); identity.KindOf(err) != identity.KindExpiredIdentity {
		t.Errorf("an access token of an ended family: %v", err)
	}
	late := shastaLogin(t, s)
	s.Clock.Advance(1801 * time.Second)
	if _, err := refresh("shasta", late.RefreshToken); identity.KindOf(err) != identity.KindInvalidGrant {
		t.Errorf("expired: %v", err)
	}
	for _, garbage := range []identity.Secret{"", "x", "dpr_", identity.Secret("dpr_" + strings.Repeat("A", 43))} {
		if _, err := refresh("shasta", garbage); identity.KindOf(err) != identity.KindInvalidGrant {
			t.Errorf("%q: %v", garbage.Reveal(), err)
		}
	}
}

// TestReplayOfAnOlderRefreshToken: only the last used token may be shown again,
// and who shows an older one ends the family, however fast, and gone or not.
func TestReplayOfAnOlderRefreshToken(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	refresh := func(ctx context.Context, tok identity.Secret) (issue.TokenSet, error) {
		return s.Issuer.Refresh(ctx, issue.RefreshGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, RefreshToken: tok})
	}
	first := shastaLogin(t, s)
	second, err := refresh(t.Context(), first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	third, err := refresh(t.Context(), second.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := refresh(t.Context(), first.RefreshToken); identity.KindOf(err) != identity.KindInvalidGrant {
		t.Errorf("a token whose successor was used is good once more: %v", err)
	}
	if _, err := refresh(t.Context(), third.RefreshToken); identity.KindOf(err) != identity.KindInvalidGrant {
		t.Errorf("the family survived it: %v", err)
	}
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	get := func(secret string) (issue.TokenSet, error) {
		return s.Issuer.ClientCredentials(t.Context(), issue.ClientGrant{Realm: "shasta", Client: issue.ClientProof{ID: "admin-client", Secret: identity.Secret(secret), HasSecret: true}})
	}
	set, err := get(stacktest.ClientSecret)
	if err != nil || set.RefreshToken != "" {
		t.Fatalf("%v, refresh token: %v", err, set.RefreshToken != "")
	}
	if c := claimsOf(t, set.AccessToken); c["azp"] != "admin-client" || c["preferred_username"] != "service" {
		t.Errorf("claims: %v", c)
	}
	if _, err := get("wrong"); identity.KindOf(err) != identity.KindInvalidClient {
		t.Errorf("wrong secret: %v", err)
	}
	if _, err := s.Issuer.ClientCredentials(t.Context(), issue.ClientGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}}); identity.KindOf(err) != identity.KindUnauthorizedClient {
		t.Errorf("public client: %v", err)
	}
}

func webIdentity(t testing.TB, s *stacktest.Stack, arn string, tok identity.Secret, seconds int) (issue.WebIdentityResult, error) {
	t.Helper()
	return s.Issuer.WebIdentity(t.Context(), issue.WebIdentityRequest{RoleARN: arn, RoleSessionName: "session", Token: tok, DurationSeconds: seconds})
}

func TestWebIdentityRoot(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	tok := rootLogin(t, s, stacktest.RootEmailB).AccessToken
	got, err := webIdentity(t, s, rootB, tok, 0)
	if err != nil {
		t.Fatal(err)
	}
	iss := stacktest.ExternalURL + "/auth/realms/root-accounts"
	want := issue.WebIdentityResult{
		Keys: got.Keys, Subject: stacktest.AccountB, AssumedRoleID: "root", AssumedRoleARN: rootB,
		Provider: iss + "/protocol/openid-connect/token", Audience: "root-client",
		SourceIdentity: "arn:demo:iam::" + stacktest.AccountB + ":oidc-provider/daypass.example.com/auth/realms/root-accounts",
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if life := got.Keys.Expiration.Sub(s.Clock.Now()); life != time.Hour || !strings.HasPrefix(got.Keys.AccessKeyID, "ASIA") {
		t.Errorf("life %v, key %s", life, got.Keys.AccessKeyID)
	}
}

func TestWebIdentityRole(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	got, err := webIdentity(t, s, roleA, shastaLogin(t, s).AccessToken, 7200)
	if err != nil {
		t.Fatal(err)
	}
	if got.AssumedRoleARN != "arn:aws:sts::123456789012:assumed-role/shasta-admin/session" || !strings.HasPrefix(got.AssumedRoleID, "AROA") ||
		!strings.HasSuffix(got.AssumedRoleID, ":session") || got.Audience != "shasta" || got.Provider != stacktest.ExternalURL+"/auth/realms/shasta" {
		t.Errorf("%+v", got)
	}
}

func TestWebIdentityRefusals(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	root, user := rootLogin(t, s, stacktest.RootEmailA).AccessToken, shastaLogin(t, s)
	for name, c := range map[string]struct {
		arn     string
		tok     identity.Secret
		seconds int
		want    identity.Kind
	}{
		"root of another account":     {rootB, root, 0, identity.KindAccessDenied},
		"root, wrong partition":       {strings.Replace(rootA, "aws", "demo", 1), root, 0, identity.KindAccessDenied},
		"root by a user's token":      {rootA, user.AccessToken, 0, identity.KindAccessDenied},
		"role by root's token":        {roleA, root, 0, identity.KindAccessDenied},
		"absent role":                 {strings.Replace(roleA, "shasta-admin", "nope", 1), user.AccessToken, 0, identity.KindAccessDenied},
		"role, another case":          {strings.Replace(roleA, "shasta", "SHASTA", 1), user.AccessToken, 0, identity.KindAccessDenied},
		"role, another path":          {strings.Replace(roleA, "role/", "role/x/", 1), user.AccessToken, 0, identity.KindAccessDenied},
		"role that does not trust":    {strings.Replace(roleA, stacktest.RoleName, stacktest.ReadOnlyRole, 1), user.AccessToken, 0, identity.KindAccessDenied},
		"account that does not exist": {strings.Replace(roleA, stacktest.AccountA, "999999999999", 1), user.AccessToken, 0, identity.KindAccessDenied},
		"a user ARN":                  {"arn:aws:iam::" + stacktest.AccountA + ":user/testuser", user.AccessToken, 0, identity.KindAccessDenied},
		"not an ARN":                  {"role", user.AccessToken, 0, identity.KindValidation},
		"refresh token":               {roleA, user.RefreshToken, 0, identity.KindInvalidIdentity},
		"garbage":                     {roleA, "a.b.c", 0, identity.KindInvalidIdentity},
		"longer than the role":        {roleA, user.AccessToken, 7201, identity.KindValidation},
		"longer than anything":        {rootA, root, 43201, identity.KindValidation},
		"too short":                   {roleA, user.AccessToken, 899, identity.KindValidation},
		"tampered":                    {roleA, user.AccessToken + "A", 0, identity.KindInvalidIdentity},
		"signed by nobody (alg none)": {roleA, identity.Secret(noneToken(user.AccessToken.Reveal())), 0, identity.KindInvalidIdentity},
	} {
		if _, err := webIdentity(t, s, c.arn, c.tok, c.seconds); identity.KindOf(err) != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	s.Clock.Advance(time.Hour)
	_, err := webIdentity(t, s, roleA, user.AccessToken, 0)
	if identity.KindOf(err) != identity.KindExpiredIdentity {
		t.Errorf("an own token gets no leeway: %v", err)
	}
}

func noneToken(tok string) string {
	parts := strings.Split(tok, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
}

func TestLogoutEndsWhatTheSessionYielded(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	set := shastaLogin(t, s)
	other := shastaLogin(t, s)
	client := issue.ClientProof{ID: "shasta"}
	if _, err := s.Issuer.UserInfo(t.Context(), "shasta", set.AccessToken); err != nil {
		t.Fatal(err)
	}
	if err := s.Issuer.Logout(t.Context(), "shasta", client, set.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Issuer.UserInfo(t.Context(), "shasta", set.AccessToken); identity.KindOf(err) != identity.KindInvalidBearer {
		t.Errorf("userinfo: %v", err)
	}
	if _, err := webIdentity(t, s, roleA, set.AccessToken, 0); identity.KindOf(err) != identity.KindExpiredIdentity {
		t.Errorf("web identity: %v", err)
	}
	if in, err := s.Issuer.Introspect(t.Context(), "shasta", client, set.AccessToken); err != nil || in.Active {
		t.Errorf("introspection: %v, %v", in, err)
	}
	if in, err := s.Issuer.Introspect(t.Context(), "shasta", client, other.RefreshToken); err != nil || !in.Active {
		t.Errorf("the other session died too: %v, %v", in, err)
	}
	if err := s.Issuer.Revoke(t.Context(), "shasta", client, other.AccessToken); err != nil {
		t.Fatal(err)
	}
	if in, _ := s.Issuer.Introspect(t.Context(), "shasta", client, other.RefreshToken); in.Active {
		t.Error("revoking the access token left the refresh token alive")
	}
	if err := s.Issuer.Revoke(t.Context(), "shasta", client, "no token of ours"); err != nil {
		t.Errorf("RFC 7009: an unknown token is no error: %v", err)
	}
}

func TestForeignWebIdentity(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.Foreign.Set(stacktest.ForeignIssuer, "k1", key.Public())
	arn := strings.Replace(roleA, stacktest.RoleName, stacktest.ReadOnlyRole, 1)
	now := s.Clock.Now().Unix()
	base := func() map[string]any {
		return map[string]any{"iss": stacktest.ForeignIssuer, "sub": "alice", "aud": "app", "exp": now + 300, "iat": now}
	}
	with := func(kv ...any) map[string]any {
		m := base()
		for i := 0; i < len(kv); i += 2 {
			if kv[i+1] == nil {
				delete(m, kv[i].(string))
			} else {
				m[kv[i].(string)] = kv[i+1]
			}
		}
		return m
	}
	for name, c := range map[string]struct {
		claims map[string]any
		want   identity.Kind
		text   string
	}{
		"good":              {base(), "", ""},
		"list of one":       {with("aud", []string{"app"}), "", ""},
		"several with azp":  {with("aud", []string{"x", "app"}, "azp", "app"), "", ""},
		"several, no azp":   {with("aud", []string{"x", "app"}), identity.KindInvalidIdentity, "Token audience contains more than one audience while authorized party is not present"},
		"other audience":    {with("aud", "x"), identity.KindInvalidIdentity, "Incorrect token audience"},
		"trust wants app":   {with("aud", "app2"), identity.KindAccessDenied, ""},
		"other subject":     {with("sub", "bob"), identity.KindAccessDenied, ""},
		"no sub":            {with("sub", nil), identity.KindInvalidIdentity, "Missing a required claim: sub."},
		"no exp":            {with("exp", nil), identity.KindInvalidIdentity, "Missing a required claim: exp."},
		"no aud":            {with("aud", nil), identity.KindInvalidIdentity, "Missing a required claim: aud."},
		"within the leeway": {with("exp", now-30), "", ""},
		"expired":           {with("exp", now-61), identity.KindExpiredIdentity, ""},
		"from the future":   {with("iat", now+120), identity.KindInvalidIdentity, "Token used before issued"},
		"access token":      {with("typ", "Bearer"), identity.KindInvalidIdentity, ""},
		"cognito access":    {with("token_use", "access"), identity.KindInvalidIdentity, ""},
		"unknown issuer":    {with("iss", "https://evil.example.org"), identity.KindInvalidIdentity, ""},
		"issuer with slash": {with("iss", stacktest.ForeignIssuer+"/"), identity.KindInvalidIdentity, ""},
		"claims root":       {with("https://aws.amazon.com/tags", map[string]any{"principal_tags": map[string]any{"role": []string{rootA}}}), identity.KindAccessDenied, ""}, // a tag like any, and not trusted with any
	} {
		_, err := webIdentity(t, s, arn, sign(t, key, "k1", c.claims), 0)
		if identity.KindOf(err) != c.want || (c.text != "" && identity.AsError(err).Public != c.text) {
			t.Errorf("%s: got %v, want %s %s", name, err, c.want, c.text)
		}
	}
	for name, claims := range map[string]map[string]any{
		"issued before 1970": with("iat", -1), "a far date": with("exp", 1e300), "nbf": with("nbf", -1e300),
		"logout token": with("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}),
	} {
		if _, err := webIdentity(t, s, arn, sign(t, key, "k1", claims), 0); identity.KindOf(err) != identity.KindInvalidIdentity {
			t.Errorf("%s: %v", name, err)
		}
	}
	for source, want := range map[string]identity.Kind{"alice@example.com": identity.KindAccessDenied, "a b": identity.KindIdentityRejected, "a*": identity.KindIdentityRejected, strings.Repeat("a", 65): identity.KindIdentityRejected} {
		if _, err := webIdentity(t, s, arn, sign(t, key, "k1", with("https://aws.amazon.com/source_identity", source)), 0); identity.KindOf(err) != want {
			t.Errorf("source identity %s: %v", source, err)
		}
	}
	for typ, want := range map[jose.ContentType]identity.Kind{"JWT": "", "jwt": "", "at+jwt": identity.KindInvalidIdentity, "application/logout+jwt": identity.KindInvalidIdentity} {
		if _, err := webIdentity(t, s, arn, signAs(t, key, "k1", typ, base()), 0); identity.KindOf(err) != want {
			t.Errorf("typ %s: %v", typ, err)
		}
	}
	claimsRoot := sign(t, key, "k1", with("sub", stacktest.AccountA, "https://aws.amazon.com/tags", map[string]any{"principal_tags": map[string]any{"role": []string{rootA}}}))
	if _, err := webIdentity(t, s, rootA, claimsRoot, 0); identity.KindOf(err) != identity.KindAccessDenied {
		t.Errorf("a foreign token made root: %v", err)
	}
	good := sign(t, key, "k1", base())
	if _, err := webIdentity(t, s, arn, good, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		return s.Access.Revoke(tx, identity.Revocation{Kind: identity.LineageWebIdentity, ID: identity.WebIdentityID(stacktest.ForeignIssuer, "alice")})
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := webIdentity(t, s, arn, good, 0); identity.KindOf(err) != identity.KindExpiredIdentity {
		t.Errorf("a foreign token from before its subject was revoked: %v", err)
	}
	s.Clock.Advance(time.Second)
	good = sign(t, key, "k1", with("iat", s.Clock.Now().Unix()))
	if _, err := webIdentity(t, s, arn, good, 0); err != nil {
		t.Errorf("a foreign token from after it: %v", err)
	}
	s.Foreign.Drop(stacktest.ForeignIssuer, "k1")
	if _, err := webIdentity(t, s, arn, good, 0); identity.KindOf(err) != identity.KindInvalidIdentity {
		t.Errorf("a key that vanished still opens its cached tokens: %v", err)
	}
}

func sign(t testing.TB, key crypto.Signer, kid string, claims map[string]any) identity.Secret {
	t.Helper()
	return signAs(t, key, kid, "", claims)
}

func signAs(t testing.TB, key crypto.Signer, kid string, typ jose.ContentType, claims map[string]any) identity.Secret {
	t.Helper()
	var opts jose.SignerOptions
	if typ != "" {
		opts.WithType(typ)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, &opts)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(claims)
	jws, err := signer.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return identity.Secret(out)
}

func TestChangedPasswordEndsSessions(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	tok := rootLogin(t, s, stacktest.RootEmailA).AccessToken
	spec := stacktest.Site()
	if ch, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false); err != nil || len(ch) != 0 {
		t.Fatalf("applying the same again: %v, %v", ch, err)
	}
	pw := identity.Secret("another one")
	spec.Accounts[0].RootPassword = &pw
	dry, err := s.Directory.Apply(t.Context(), s.Operator(), spec, true)
	if err != nil || len(dry) != 1 || dry[0] != (directory.Change{Kind: "user", Name: "root of " + stacktest.AccountA, Field: "password", To: "(secret)"}) {
		t.Fatalf("dry run: %v, %v", dry, err)
	}
	if _, err := webIdentity(t, s, rootA, tok, 0); err != nil {
		t.Fatalf("a dry run did something: %v", err)
	}
	if _, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false); err != nil {
		t.Fatal(err)
	}
	if _, err := webIdentity(t, s, rootA, tok, 0); identity.KindOf(err) != identity.KindExpiredIdentity {
		t.Errorf("a token from before the change: %v", err)
	}
}

// TestNewRulesEndSessions: a user that now needs a second factor or another
// password, and a client whose secret changed, have no use of what they got
// before.
func TestNewRulesEndSessions(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*directory.UserSpec){
		"second factor": func(u *directory.UserSpec) { u.MFARequired = true },
		"password":      func(u *directory.UserSpec) { u.MustChangePassword = true },
		"disabled":      func(u *directory.UserSpec) { u.Disabled = true },
	} {
		s := stacktest.New(t)
		set := shastaLogin(t, s)
		spec := stacktest.Site()
		change(&spec.Users[0])
		if _, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Issuer.UserInfo(t.Context(), "shasta", set.AccessToken); identity.KindOf(err) != identity.KindInvalidBearer {
			t.Errorf("%s: userinfo: %v", name, err)
		}
		if _, err := webIdentity(t, s, roleA, set.AccessToken, 0); identity.KindOf(err) != identity.KindExpiredIdentity {
			t.Errorf("%s: web identity: %v", name, err)
		}
	}
	s := stacktest.New(t)
	grant := issue.ClientGrant{Realm: "shasta", Client: issue.ClientProof{ID: "admin-client", Secret: stacktest.ClientSecret, HasSecret: true}}
	set, err := s.Issuer.ClientCredentials(t.Context(), grant)
	if err != nil {
		t.Fatal(err)
	}
	spec := stacktest.Site()
	other := identity.Secret("another secret")
	spec.Realms[1].Clients[2].Secret = &other
	if _, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false); err != nil {
		t.Fatal(err)
	}
	if _, err := webIdentity(t, s, roleA, set.AccessToken, 0); identity.KindOf(err) != identity.KindExpiredIdentity {
		t.Errorf("a token got by the client's old secret: %v", err)
	}
	grant.Client.Secret = other
	if set, err = s.Issuer.ClientCredentials(t.Context(), grant); err != nil {
		t.Fatal(err)
	}
	if _, err := webIdentity(t, s, roleA, set.AccessToken, 0); err != nil {
		t.Errorf("one got by the new secret: %v", err)
	}
}

// TestKeyQuotaIsPerUser: an account whose ID begins another's does not count
// that one's keys.
func TestKeyQuotaIsPerUser(t *testing.T) {
	t.Parallel()
	short := stacktest.AccountA[:6]
	s := stacktest.New(t, stacktest.WithSite(func(spec *directory.SiteSpec) {
		spec.Accounts = append(spec.Accounts, directory.AccountSpec{ID: short, Partition: "aws", RootEmail: "short@example.com"})
	}))
	for range 2 {
		if _, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), stacktest.AccountA); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), short); err != nil {
		t.Errorf("another account's keys count: %v", err)
	}
	if _, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), stacktest.AccountA); identity.KindOf(err) != identity.KindLimitExceeded {
		t.Errorf("a third key: %v", err)
	}
}

// TestPruneKeepsUp: however many sessions ended since the last time, none stays.
func TestPruneKeepsUp(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	living := shastaLogin(t, s)
	if _, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		for n := range 450 {
			id := fmt.Sprintf("family-%03d", n)
			f := &store.RefreshFamily{ID: id, ExpiresAt: s.Clock.Now().Add(-2 * time.Hour)}
			if err := errors.Join(store.RefreshFamilies.Put(tx, f), store.RefreshTokens.Put(tx, &store.RefreshToken{Hash: id, Family: id})); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Issuer.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.DB.View(t.Context(), func(r store.Reader) error {
		families, err := store.RefreshFamilies.List(r, "", "", store.After{}, 0)
		tokens, err2 := store.RefreshTokens.List(r, "", "", store.After{}, 0)
		if len(families) != 1 || families[0].ID != living.SessionState || len(tokens) != 1 {
			t.Errorf("%d families and %d tokens are left", len(families), len(tokens))
		}
		return errors.Join(err, err2)
	}); err != nil {
		t.Fatal(err)
	}
}

// TestRootLoginSwitchedOff: tokens from before open nothing any more.
func TestRootLoginSwitchedOff(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	set := rootLogin(t, s, stacktest.RootEmailA)
	spec := stacktest.Site()
	spec.Realms[0].RootLoginDisabled = true
	if _, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false); err != nil {
		t.Fatal(err)
	}
	if _, err := webIdentity(t, s, rootA, set.AccessToken, 0); identity.KindOf(err) != identity.KindAccessDenied {
		t.Errorf("root by a token from before: %v", err)
	}
}

// TestRevocationOutlivesLongTokens: a realm whose tokens live shorter from now
// on has longer ones out, which a revocation must hold down to their end.
func TestRevocationOutlivesLongTokens(t *testing.T) {
	t.Parallel()
	const month = 30 * 24 * 3600
	s := stacktest.New(t, stacktest.WithSite(func(spec *directory.SiteSpec) { spec.Realms[1].RefreshTokenSeconds = month }))
	set := shastaLogin(t, s)
	spec := stacktest.Site() // 30 minutes
	if _, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false); err != nil {
		t.Fatal(err)
	}
	if changes, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false); err != nil || len(changes) > 0 {
		t.Errorf("the same site again: %v, %v", changes, err)
	}
	if _, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		return s.Access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: claimsOf(t, set.AccessToken)["dp_uid"].(string)})
	}); err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(40 * time.Hour)
	if err := s.Access.PruneRevocations(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Issuer.Refresh(t.Context(), issue.RefreshGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, RefreshToken: set.RefreshToken}); identity.KindOf(err) != identity.KindInvalidGrant {
		t.Errorf("a revoked refresh token came back to life: %v", err)
	}
}

func TestDeletedUserTakesItsSessionsAlong(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	tok := shastaLogin(t, s)
	if _, err := webIdentity(t, s, roleA, tok.AccessToken, 0); err != nil {
		t.Fatal(err)
	}
	made, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), stacktest.AccountA)
	if err != nil {
		t.Fatal(err)
	}
	root := &identity.Caller{
		Kind: identity.RootUser, AccountID: stacktest.AccountA, Partition: "aws", PrincipalID: stacktest.AccountA,
		ARN: rootA, AccessKeyID: made.Key.ID,
	}
	// Taking the password away by the API would end the sessions already.
	if _, err := s.DB.Update(t.Context(), func(tx store.Tx) error { return store.Passwords.Delete(tx, identityOf(t, tok)) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.DeleteUser(t.Context(), root, stacktest.TestUser); err != nil {
		t.Fatal(err)
	}
	if _, err := webIdentity(t, s, roleA, tok.AccessToken, 0); identity.KindOf(err) != identity.KindExpiredIdentity {
		t.Errorf("a deleted user's token: %v", err)
	}
	if _, err := s.Issuer.Refresh(t.Context(), issue.RefreshGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, RefreshToken: tok.RefreshToken}); identity.KindOf(err) != identity.KindInvalidGrant {
		t.Errorf("a deleted user's refresh token: %v", err)
	}
	if err := s.DB.View(t.Context(), func(r store.Reader) error {
		_, err := store.Revocations.Get(r, string(identity.LineagePrincipal)+"/"+identityOf(t, tok))
		return err
	}); err != nil {
		t.Errorf("no revocation reaches the role sessions that the user took: %v", err)
	}
}

func identityOf(t testing.TB, tok issue.TokenSet) string {
	return claimsOf(t, tok.AccessToken)["dp_uid"].(string)
}
