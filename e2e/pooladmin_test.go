package e2e

import (
	"strings"
	"testing"
)

// provisioned is a user pool that a script makes, with what it holds.
type provisioned struct {
	*Client
	t                    testing.TB
	aws, region          string
	pool, client, server string // server is a client with a secret
	identities           string // the identity pool
}

// text runs an aws command that must succeed and returns one value.
func (p *provisioned) text(query string, args ...string) string {
	p.t.Helper()
	return strings.TrimSpace(p.OK(p.aws, append(args, "--query", query, "--output", "text")...))
}

// inPool runs a cognito-idp command on the pool that must succeed.
func (p *provisioned) inPool(command string, args ...string) string {
	p.t.Helper()
	return p.OK(p.aws, append([]string{"cognito-idp", command, "--user-pool-id", p.pool}, args...)...)
}

// TestPoolAdmin provisions a user pool and an identity pool from nothing by the
// aws CLI, as the root user, works as a user of it, and takes everything away.
func TestPoolAdmin(t *testing.T) {
	t.Parallel()
	path := needAWS1(t)
	s := Start(t)
	p := &provisioned{Client: s.NewClient(t).With(s.RootKeys()), t: t, aws: path, region: s.Region}
	p.make(s)
	nobody := &provisioned{Client: s.NewClient(t), t: t, aws: path}
	keys, refresh := p.workAsAnn(nobody)
	ann := s.NewClient(t).With(keys)
	if got := ann.OK(path, "sts", "get-caller-identity"); !strings.Contains(got, ":assumed-role/pool-user/CognitoIdentityCredentials") {
		t.Errorf("ann is %s", got)
	}
	p.endAnn(nobody, ann, refresh)
	p.takeAway()
}

// make makes pool, clients, group, user, role and identity pool.
func (p *provisioned) make(s *Server) {
	p.t.Helper()
	p.pool = p.text("UserPool.Id", "cognito-idp", "create-user-pool", "--pool-name", "people",
		"--policies", "PasswordPolicy={MinimumLength=10,RequireNumbers=true}", "--admin-create-user-config", "AllowAdminCreateUserOnly=true", "--user-pool-tags", "team=blue")
	p.client = p.text("UserPoolClient.ClientId", "cognito-idp", "create-user-pool-client", "--user-pool-id", p.pool, "--client-name", "app",
		"--explicit-auth-flows", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH")
	p.server = p.text("UserPoolClient.ClientId", "cognito-idp", "create-user-pool-client", "--user-pool-id", p.pool, "--client-name", "server", "--generate-secret")
	p.Refused("InvalidPasswordException", p.aws, "cognito-idp", "admin-create-user", "--user-pool-id", p.pool, "--username", "ann", "--temporary-password", "short")
	p.inPool("admin-create-user", "--username", "ann", "--user-attributes", "Name=email,Value=ann@example.com", "--message-action", "SUPPRESS")
	p.Refused("UsernameExistsException", p.aws, "cognito-idp", "admin-create-user", "--user-pool-id", p.pool, "--username", "Ann")
	p.inPool("admin-set-user-password", "--username", "ann", "--password", "Permanent-12", "--permanent")

	p.identities = p.text("IdentityPoolId", "cognito-identity", "create-identity-pool", "--identity-pool-name", "people", "--no-allow-unauthenticated-identities",
		"--cognito-identity-providers", "ProviderName=cognito-idp."+s.Region+".amazonaws.com/"+p.pool+",ClientId="+p.client)
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":"sts:AssumeRoleWithWebIdentity",` +
		`"Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":"` + p.identities + `"}}}}`
	role := p.text("Role.Arn", "iam", "create-role", "--role-name", "pool-user", "--assume-role-policy-document", trust)
	p.OK(p.aws, "cognito-identity", "set-identity-pool-roles", "--identity-pool-id", p.identities, "--roles", "authenticated="+role)
	p.inPool("create-group", "--group-name", "staff", "--role-arn", role, "--precedence", "1")
	p.inPool("admin-add-user-to-group", "--username", "ann", "--group-name", "staff")
}

// workAsAnn logs in as the pool's user, who signs nothing, and returns session
// keys and a refresh token.
func (p *provisioned) workAsAnn(nobody *provisioned) (Keys, string) {
	p.t.Helper()
	type login struct {
		AuthenticationResult struct{ IdToken, RefreshToken string }
	}
	p.Refused("NotAuthorizedException", p.aws, "cognito-idp", "admin-initiate-auth", "--user-pool-id", p.pool, "--client-id", p.client,
		"--auth-flow", "ADMIN_USER_PASSWORD_AUTH", "--auth-parameters", "USERNAME=ann,PASSWORD=wrong")
	decode[login](p.t, p.inPool("admin-initiate-auth", "--client-id", p.client, "--auth-flow", "ADMIN_USER_PASSWORD_AUTH", "--auth-parameters", "USERNAME=ann,PASSWORD=Permanent-12"))
	in := decode[login](p.t, nobody.OK(p.aws, "cognito-idp", "initiate-auth", "--client-id", p.client, "--auth-flow", "USER_PASSWORD_AUTH", "--auth-parameters", "USERNAME=ann,PASSWORD=Permanent-12"))
	logins := "cognito-idp." + p.region + ".amazonaws.com/" + p.pool + "=" + in.AuthenticationResult.IdToken
	id := nobody.text("IdentityId", "cognito-identity", "get-id", "--identity-pool-id", p.identities, "--logins", logins)
	got := decode[struct {
		Credentials struct{ AccessKeyId, SecretKey, SessionToken string }
	}](p.t, nobody.OK(p.aws, "cognito-identity", "get-credentials-for-identity", "--identity-id", id, "--logins", logins)).Credentials
	return Keys{got.AccessKeyId, got.SecretKey, got.SessionToken}, in.AuthenticationResult.RefreshToken
}

// endAnn disables the user: what it holds is refused by the next call, which an
// aws CLI makes well within a second of the answer.
func (p *provisioned) endAnn(nobody *provisioned, ann *Client, refresh string) {
	p.t.Helper()
	again := []string{"cognito-idp", "initiate-auth", "--client-id", p.client, "--auth-flow", "REFRESH_TOKEN_AUTH", "--auth-parameters", "REFRESH_TOKEN=" + refresh}
	nobody.OK(p.aws, again...)
	p.inPool("admin-disable-user", "--username", "ann")
	ann.Refused("ExpiredToken", p.aws, "sts", "get-caller-identity")
	nobody.Refused("NotAuthorizedException", p.aws, again...)
	nobody.Refused("NotAuthorizedException", p.aws, "cognito-idp", "initiate-auth", "--client-id", p.client, "--auth-flow", "USER_PASSWORD_AUTH", "--auth-parameters", "USERNAME=ann,PASSWORD=Permanent-12")
	if got := p.text("Users[].Username", "cognito-idp", "list-users", "--user-pool-id", p.pool, "--filter", `status = "Disabled"`); got != "ann" {
		p.t.Errorf("disabled users: %s", got)
	}
	// Enabling again brings nothing back but the right to log in.
	p.inPool("admin-enable-user", "--username", "ann")
	ann.Refused("ExpiredToken", p.aws, "sts", "get-caller-identity")
	nobody.Refused("NotAuthorizedException", p.aws, again...)
}

// takeAway deletes all that was made.
func (p *provisioned) takeAway() {
	p.t.Helper()
	p.Refused("InvalidParameterException", p.aws, "cognito-idp", "delete-user-pool", "--user-pool-id", p.pool) // an identity pool names it
	p.OK(p.aws, "cognito-identity", "delete-identity-pool", "--identity-pool-id", p.identities)
	p.inPool("delete-user-pool-client", "--client-id", p.server)
	p.inPool("admin-delete-user", "--username", "ann")
	p.Refused("UserNotFoundException", p.aws, "cognito-idp", "admin-get-user", "--user-pool-id", p.pool, "--username", "ann")
	p.inPool("delete-user-pool")
	p.Refused("ResourceNotFoundException", p.aws, "cognito-idp", "describe-user-pool", "--user-pool-id", p.pool)
	p.Refused("ResourceNotFoundException", p.aws, "cognito-idp", "initiate-auth", "--client-id", p.client, "--auth-flow", "USER_PASSWORD_AUTH", "--auth-parameters", "USERNAME=ann,PASSWORD=Permanent-12")
	if got := p.text("UserPools[].Name", "cognito-idp", "list-user-pools", "--max-results", "60"); strings.Contains(got, "people") {
		p.t.Errorf("pools: %s", got)
	}
}
