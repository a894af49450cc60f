package issue_test

import (
	"strings"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

func TestAdminPoolLogin(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	ctx, pool := t.Context(), shasta(t, s).PoolID()
	root := func(account, partition string) *identity.Caller {
		made, err := s.Issuer.RootAccessKey(ctx, s.Operator(), account)
		if err != nil {
			t.Fatal(err)
		}
		return &identity.Caller{
			Kind: identity.RootUser, AccountID: account, Partition: partition, PrincipalID: account, Name: "root",
			ARN: identity.RootARN(partition, account), AccessKeyID: made.Key.ID,
		}
	}
	a, b := root(stacktest.AccountA, "aws"), root(stacktest.AccountB, "demo")
	auth := func(flow, client, name, password string) issue.PoolAuth {
		return issue.PoolAuth{ClientID: client, Flow: flow, Parameters: map[string]string{"USERNAME": name, "PASSWORD": password}}
	}
	const admin = "ADMIN_USER_PASSWORD_AUTH"
	for _, c := range []struct {
		name string
		by   *identity.Caller
		pool string
		auth issue.PoolAuth
		want identity.Kind
	}{
		{"a user", a, pool, auth(admin, stacktest.PoolClient, stacktest.TestUser, stacktest.TestPassword), ""},
		{"by the older name", a, pool, auth("ADMIN_NO_SRP_AUTH", stacktest.PoolClient, stacktest.TestUser, stacktest.TestPassword), ""},
		{"a wrong password", a, pool, auth(admin, stacktest.PoolClient, stacktest.TestUser, "wrong"), identity.KindInvalidCredentials},
		{"another account", b, pool, auth(admin, stacktest.PoolClient, stacktest.TestUser, stacktest.TestPassword), identity.KindNotFound},
		{"no pool", a, "us-east-1_Nowhere", auth(admin, stacktest.PoolClient, stacktest.TestUser, stacktest.TestPassword), identity.KindNotFound},
		{"no client", a, pool, auth(admin, "nobody", stacktest.TestUser, stacktest.TestPassword), identity.KindNotFound},
	} {
		out, err := s.Issuer.AdminPoolLogin(ctx, c.by, c.pool, c.auth)
		if identity.KindOf(err) != c.want || (err == nil) != (out.Tokens != nil) {
			t.Errorf("%s: %v, tokens %v", c.name, err, out.Tokens != nil)
		}
	}
	if _, err := s.Issuer.PoolLogin(ctx, auth(admin, stacktest.PoolClient, stacktest.TestUser, stacktest.TestPassword)); identity.KindOf(err) != identity.KindUnsupportedGrant {
		t.Errorf("without a signature: %v", err)
	}
	if lines := s.AuditLines(t); !strings.Contains(lines, `"AdminInitiateAuth"`) || !strings.Contains(lines, `"calledBy":"`+a.ARN+`"`) {
		t.Error("the log does not say who called")
	}
}
