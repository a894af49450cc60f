package issue_test

import (
	"encoding/json"
	"strings"
	"testing"

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
