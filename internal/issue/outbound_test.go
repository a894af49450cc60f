package issue_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

func TestOutboundToken(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ask := func(c *identity.Caller, change ...func(*issue.OutboundTokenRequest)) (issue.OutboundToken, error) {
		r := issue.OutboundTokenRequest{Audience: []string{"https://api.example.com"}, Algorithm: "ES384"}
		for _, fn := range change {
			fn(&r)
		}
		return o.Issuer.OutboundToken(t.Context(), c, r)
	}
	code := func(err error) string {
		if err == nil {
			return ""
		}
		return identity.AsError(err).DetailValue("QueryCode")
	}
	_, err := ask(o.alice)
	if code(err) != "OutboundWebIdentityFederationDisabledException" {
		t.Errorf("before it is enabled: %v", err)
	}
	on, err := o.Directory.EnableOutboundFederation(t.Context(), o.alice)
	if err != nil {
		t.Fatal(err)
	}
	facts, keys, err := o.Issuer.Outbound(stacktest.AccountA)
	if err != nil || facts.Issuer != on.Issuer || on.Issuer != stacktest.ExternalURL+"/auth/accounts/"+stacktest.AccountA {
		t.Fatalf("issuer %+v and %+v, %v", facts, on, err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(keys, &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("keys: %v in %s", err, keys)
	}
	for _, alg := range []string{"RS256", "ES384"} {
		out, err := ask(o.alice, func(r *issue.OutboundTokenRequest) {
			r.Algorithm, r.Tags, r.Audience = alg, []issue.Tag{{Key: "team", Value: "blue"}}, []string{"a", "b"}
		})
		if err != nil {
			t.Fatal(err)
		}
		// Whoever takes it knows the key set alone.
		jws, err := jose.ParseSignedCompact(out.Token.Reveal(), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatal(err)
		}
		payload, err := jws.Verify(set)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		var c map[string]any
		if err := json.Unmarshal(payload, &c); err != nil {
			t.Fatal(err)
		}
		details, _ := c["https://sts.amazonaws.com/"].(map[string]any)
		if c["iss"] != on.Issuer || c["sub"] != o.alice.ARN || fmt.Sprint(c["aud"]) != "[a b]" || c["jti"] == "" || details["aws_account"] != stacktest.AccountA ||
			fmt.Sprint(details["request_tags"]) != "map[team:blue]" || c["https://aws.amazon.com/tags"] != nil {
			t.Errorf("%s: claims %v", alg, c)
		}
		if life := out.Expiration.Sub(o.Clock.Now()); life != 5*time.Minute || c["exp"] != float64(out.Expiration.Unix()) {
			t.Errorf("%s: it lives for %v, and its exp is %v", alg, life, c["exp"])
		}
		// It is trusted nowhere here.
		_, err = webIdentity(t, o.Stack, roleA, out.Token, 0)
		wantKind(t, "as a web identity", err, identity.KindInvalidIdentity)
		_, err = o.Issuer.UserInfo(t.Context(), "shasta", out.Token)
		wantKind(t, "as a realm's token", err, identity.KindInvalidBearer)
	}
	for name, tt := range map[string]struct {
		by     *identity.Caller
		change func(*issue.OutboundTokenRequest)
		want   identity.Kind
		code   string
	}{
		"without rights":   {o.bob, func(*issue.OutboundTokenRequest) {}, identity.KindAccessDenied, ""},
		"another account":  {o.carol, func(*issue.OutboundTokenRequest) {}, identity.KindAccessDenied, "OutboundWebIdentityFederationDisabledException"},
		"too short":        {o.alice, func(r *issue.OutboundTokenRequest) { r.DurationSeconds = 59 }, identity.KindValidation, ""},
		"too long":         {o.alice, func(r *issue.OutboundTokenRequest) { r.DurationSeconds = 3601 }, identity.KindValidation, ""},
		"no audience":      {o.alice, func(r *issue.OutboundTokenRequest) { r.Audience = nil }, identity.KindValidation, ""},
		"eleven audiences": {o.alice, func(r *issue.OutboundTokenRequest) { r.Audience = slices.Repeat([]string{"a"}, 11) }, identity.KindValidation, ""},
		"a weak algorithm": {o.alice, func(r *issue.OutboundTokenRequest) { r.Algorithm = "HS256" }, identity.KindValidation, ""},
		"too large": {o.alice, func(r *issue.OutboundTokenRequest) {
			for i := range 50 {
				r.Tags = append(r.Tags, issue.Tag{Key: fmt.Sprint("k", i), Value: strings.Repeat("v", 250)})
			}
		}, identity.KindValidation, "JWTPayloadSizeExceededException"},
		"an unfit tag": {o.alice, func(r *issue.OutboundTokenRequest) { r.Tags = []issue.Tag{{Key: "aws:x"}} }, identity.KindInvalidInput, ""},
	} {
		_, err := ask(tt.by, tt.change)
		wantKind(t, name, err, tt.want)
		if code(err) != tt.code {
			t.Errorf("%s: code %q", name, code(err))
		}
	}
	// Not longer than the session that asks.
	admin := o.role(stacktest.AccountA, "admin", trusting(accountRootA, allActions, ""), adminPolicy)
	short := o.assumed(o.alice, admin, func(r *issue.AssumeRoleRequest) { r.DurationSeconds = 900 })
	out, err := ask(short, func(r *issue.OutboundTokenRequest) { r.DurationSeconds = 900 })
	if err != nil || out.Expiration.After(short.ExpiresAt) {
		t.Errorf("as long as the session: %v", err)
	}
	_, err = ask(short, func(r *issue.OutboundTokenRequest) { r.DurationSeconds = 901 })
	if code(err) != "SessionDurationEscalationException" {
		t.Errorf("longer than the session: %v", err)
	}
	o.Clock.Advance(11 * time.Minute)
	_, err = ask(short)
	if code(err) != "SessionDurationEscalationException" {
		t.Errorf("the ordinary time at the session's end: %v", err)
	}
	if err := o.Directory.DisableOutboundFederation(t.Context(), o.alice); err != nil {
		t.Fatal(err)
	}
	_, err = ask(o.alice)
	if code(err) != "OutboundWebIdentityFederationDisabledException" {
		t.Errorf("after it is disabled: %v", err)
	}
	if _, keys, err := o.Issuer.Outbound(stacktest.AccountA); err != nil || len(keys) == 0 {
		t.Errorf("the keys are gone while tokens are out: %v", err)
	}
	for _, id := range []string{stacktest.AccountB, "nope", ""} {
		_, _, err := o.Issuer.Outbound(id)
		wantKind(t, "issuer of "+id, err, identity.KindNotFound)
	}
}
