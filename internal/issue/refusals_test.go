package issue_test

import (
	"encoding/json"
	"strings"
	"testing"

	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

// TestOneEventPerRefusal: a caller without rights leaves one event for each
// call, whoever in the core noticed it first.
func TestOneEventPerRefusal(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ctx := t.Context()
	root := identity.RootARN("demo", stacktest.AccountB)
	calls := map[string]func() error{
		"CreateAccessKey": func() error { _, err := o.Issuer.AccessKey(ctx, o.bob, "alice"); return err },
		"AssumeRole": func() error {
			_, err := o.Issuer.AssumeRole(ctx, o.bob, issue.AssumeRoleRequest{RoleARN: "arn:aws:iam::" + stacktest.AccountA + ":role/" + stacktest.RoleName, RoleSessionName: "s"})
			return err
		},
		"AssumeRoot": func() error {
			_, err := o.Issuer.AssumeRoot(ctx, o.bob, issue.AssumeRootRequest{TargetPrincipal: root, TaskPolicyARN: "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"})
			return err
		},
		"GetFederationToken": func() error {
			_, err := o.Issuer.FederationToken(ctx, o.bob, issue.FederationTokenRequest{Name: "guest"})
			return err
		},
		"GetWebIdentityToken": func() error {
			_, err := o.Issuer.OutboundToken(ctx, o.bob, issue.OutboundTokenRequest{Audience: []string{"a"}, Algorithm: "ES384"})
			return err
		},
	}
	for name, call := range calls {
		if err := call(); err == nil {
			t.Errorf("%s: bob may", name)
		}
	}
	events := map[string]int{}
	for line := range strings.Lines(o.AuditLines(t)) {
		var ev struct {
			EventName, ErrorCode string
			UserIdentity         struct{ PrincipalID string }
		}
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Fatal(err)
		}
		if ev.ErrorCode != "" && ev.UserIdentity.PrincipalID == o.bob.PrincipalID {
			events[ev.EventName]++
		}
	}
	for name := range calls {
		if events[name] != 1 {
			t.Errorf("%s left %d events of its refusal, want 1", name, events[name])
		}
	}
}

// TestGuessesCountByUser: a name and an e-mail address lead to one allowance, and
// so do the doors.
func TestGuessesCountByUser(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools(), stacktest.WithLimits(authn.Limits{PrincipalBurst: 4, PairBurst: 4}))
	client := issue.ClientProof{ID: "shasta"}
	grant := func(name string) error {
		_, err := s.Issuer.Password(t.Context(), issue.PasswordGrant{Realm: "shasta", Client: client, Username: name, Password: "wrong"})
		return err
	}
	console := func(name string) error {
		_, err := s.Issuer.ConsoleLogin(t.Context(), issue.ConsoleLogin{Place: "shasta", Username: name, Password: "wrong"})
		return err
	}
	for i, try := range []func() error{
		func() error { return grant(stacktest.TestUser) },
		func() error { return grant("T@example.com") },
		func() error { return console(stacktest.TestUser) },
		func() error { return console("t@example.com") },
	} {
		if err := try(); identity.KindOf(err) != identity.KindInvalidCredentials {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	for _, name := range []string{stacktest.TestUser, "t@example.com"} {
		if err := grant(name); identity.KindOf(err) != identity.KindThrottled {
			t.Errorf("the fifth try as %s: got %v", name, err)
		}
	}
}
