package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/stacktest"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.logIn(t, boss)
	b.want(b.get("/profile"), http.StatusOK, "My own (up to 36 hours)", "Role "+role+" (up to 1 hour)")
	for _, tc := range []struct{ name, role, arn string }{
		{"own", "", identity.UserARN("aws", stacktest.AccountA, "/", boss)},
		{"role", roleARN, identity.AssumedRoleARN("aws", stacktest.AccountA, role, boss)},
	} {
		a := b.post("/keys", "role", tc.role, "seconds", "900")
		b.want(a, http.StatusOK, tc.arn, "AWS_ENDPOINT_URL='https://api.example.com'", "$Env:AWS_SESSION_TOKEN = '", "set -gx AWS_ACCESS_KEY_ID '", "[daypass]", `"Version": 1`)
		c, err := s.caller(t, a.keys(t))
		if err != nil || c.ARN != tc.arn || c.Lineage.Get(identity.LineageLogin) == "" || c.ExpiresAt.Sub(s.Clock.Now()) != 15*time.Minute {
			t.Errorf("%s: %+v, %v", tc.name, c, err)
		}
	}
	for _, tc := range []struct {
		name, role, seconds string
		status              int
	}{
		{"foreign role", identity.RoleARN("aws", stacktest.AccountA, "/", stacktest.RoleName), "900", http.StatusForbidden},
		{"absent role", identity.RoleARN("aws", stacktest.AccountA, "/", "nosuch"), "900", http.StatusForbidden},
		{"too long for the role", roleARN, "7200", http.StatusBadRequest},
		{"too long", "", "129601", http.StatusBadRequest},
		{"too short", "", "899", http.StatusBadRequest},
		{"no time", "", "", http.StatusBadRequest},
		{"overflow", "", "99999999999999999999", http.StatusBadRequest},
	} {
		if a := b.post("/keys", "role", tc.role, "seconds", tc.seconds); a.StatusCode != tc.status || strings.Contains(a.body, "ASIA") {
			t.Errorf("%s: %d, want %d", tc.name, a.StatusCode, tc.status)
		}
	}
	if a := b.get("/keys?role=&seconds=900"); a.StatusCode != http.StatusNotFound {
		t.Errorf("GET: %d", a.StatusCode)
	}
	if lines := s.log.String() + s.AuditLines(t); strings.Contains(lines, b.cookie) {
		t.Error("the cookie is in the logs")
	}
}

// TestKeysNeedFreshLogin: credentials come within five minutes of a proof.
func TestKeysNeedFreshLogin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.logIn(t, boss)
	s.Clock.Advance(5 * time.Minute)
	b.want(b.get("/profile"), http.StatusOK, "asked for your password first")
	a := b.post("/keys", "role", roleARN, "seconds", "900")
	next := "/profile?" + url.Values{"role": {roleARN}, "seconds": {"900"}}.Encode()
	b.wantSent(a, "/again?"+url.Values{"next": {next}}.Encode())
	b.want(b.get(a.Header.Get("Location")), http.StatusOK, "Show your password again")
	b.want(b.post("/again", "password", "wrong", "next", next), http.StatusUnauthorized, "do not fit together")
	b.wantSent(b.post("/keys", "role", "", "seconds", "900"), "/again?next=%2Fprofile%3Frole%3D%26seconds%3D900")
	b.wantSent(b.post("/again", "password", stacktest.TestPassword, "next", next), "/profile?done=proved&"+url.Values{"role": {roleARN}, "seconds": {"900"}}.Encode())
	b.post("/keys", "role", "", "seconds", "900").keys(t)
	// The renewed session ends when the first would have.
	s.Clock.Advance(59 * time.Minute)
	b.want(b.get("/profile"), http.StatusOK)
}

// TestPoolKeys gets what the identity pool gives, and nothing else of it.
func TestPoolKeys(t *testing.T) {
	t.Parallel()
	s := newSiteOf(t, stacktest.AddPools)
	b := s.logIn(t, stacktest.TestUser)
	given := identity.RoleARN("aws", stacktest.AccountA, "/", "api_readonly")
	offer := stacktest.IdentityPoolID + " " + given
	b.want(b.get("/profile"), http.StatusOK, `value="`+offer+`"`, "Role api_readonly, from identity pool stack (up to 1 hour)")
	var identities []string
	for range 2 {
		c, err := s.caller(t, b.post("/keys", "role", offer, "seconds", "900").keys(t))
		if err != nil || c.Name != "api_readonly" || c.SessionName != "CognitoIdentityCredentials" || c.ExpiresAt.Sub(s.Clock.Now()) != 15*time.Minute {
			t.Fatalf("%+v, %v", c, err)
		}
		identities = append(identities, c.Lineage.Get(identity.LineagePoolIdentity))
	}
	if identities[0] == "" || identities[0] != identities[1] {
		t.Errorf("identities %q, want one", identities)
	}
	for _, tc := range []struct {
		name, role, seconds string
		status              int
	}{
		{"a role that the log-in does not name", stacktest.IdentityPoolID + " " + identity.RoleARN("aws", stacktest.AccountA, "/", "api_admin"), "900", http.StatusForbidden},
		{"no such pool", "us-east-1:0a1b2c3d-1111-4222-8333-444455556666 " + given, "900", http.StatusForbidden},
		{"too long", offer, "3601", http.StatusBadRequest},
	} {
		if a := b.post("/keys", "role", tc.role, "seconds", tc.seconds); a.StatusCode != tc.status {
			t.Errorf("%s: %d, want %d", tc.name, a.StatusCode, tc.status)
		}
	}
	keys := b.post("/keys", "role", offer, "seconds", "900").keys(t)
	b.wantSent(b.post("/logout"), "/login?done=logged-out")
	s.wantKeys(t, "after the log-out", keys, false)
}
