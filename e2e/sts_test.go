package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

const readOnlyARN = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"

// roleSite is a role of the demo account, as a site file has it; trust is JSON.
func (s *Server) roleSite(name, trust, policy string) string {
	return fmt.Sprintf("roles:\n  - {account: %q, name: %s, managed_policies: [%q], trust: %s}\n", s.AccountID, name, policy, trust)
}

// userKeys makes a user with a long-term key.
func (s *Server) userKeys(t testing.TB, c *Client, name string) Keys {
	t.Helper()
	root := c.With(s.RootKeys())
	root.OK(awsV1(), "iam", "create-user", "--user-name", name)
	return decode[struct{ AccessKey Keys }](t, root.OK(awsV1(), "iam", "create-access-key", "--user-name", name)).AccessKey
}

type credentialsAnswer struct {
	Credentials      Keys
	PackedPolicySize int
	SourceIdentity   string
}

// TestSTSWithCLI leads a user through the calls of STS by the aws CLI.
func TestSTSWithCLI(t *testing.T) {
	t.Parallel()
	path := needAWS1(t)
	s := Start(t)
	c := s.NewClient(t)
	keys := s.userKeys(t, c, "dev")
	devARN := "arn:" + s.Partition + ":iam::" + s.AccountID + ":user/dev"
	s.Apply(t, s.roleSite("deploy", `{Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {AWS: "`+devARN+`"}, `+
		`Action: ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"], Condition: {StringEquals: {"sts:ExternalId": "ticket-7"}}}]}`, "arn:aws:iam::aws:policy/AdministratorAccess"))
	dev := c.With(keys)
	whoami := func(c *Client) string {
		t.Helper()
		return decode[struct{ Arn string }](t, c.OK(path, "sts", "get-caller-identity")).Arn
	}
	assume := []string{"sts", "assume-role", "--role-arn", s.roleARN("deploy"), "--role-session-name", "cli"}
	dev.Refused("AccessDenied", path, assume...)
	assume = append(assume, "--external-id", "ticket-7")
	role := decode[credentialsAnswer](t, dev.OK(path, append(assume,
		"--tags", "Key=team,Value=blue", "--transitive-tag-keys", "team", "--source-identity", "dev", "--policy-arns", "arn="+readOnlyARN,
		"--policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:List*","Resource":"*"}]}`, "--duration-seconds", "900")...))
	if role.SourceIdentity != "dev" || role.PackedPolicySize < 1 || role.PackedPolicySize > 100 {
		t.Errorf("assume-role: %+v", role)
	}
	as := dev.With(role.Credentials)
	if got := whoami(as); got != "arn:"+s.Partition+":sts::"+s.AccountID+":assumed-role/deploy/cli" {
		t.Errorf("the role's session is %s", got)
	}
	as.OK(path, "s3", "ls")
	as.Refused("AccessDenied", path, "iam", "list-users")
	as.Refused("AccessDenied", path, "sts", "get-session-token")
	dev.Refused("ValidationError", path, append(assume, "--duration-seconds", "43201")...)
	dev.Refused("AccessDenied", path, "sts", "assume-role", "--role-arn", s.roleARN("none"), "--role-session-name", "cli")

	// A profile is all that people write down.
	dev.Write(".aws/config", "[profile deploy]\nrole_arn = "+s.roleARN("deploy")+"\nsource_profile = base\nexternal_id = ticket-7\nrole_session_name = profile\n"+
		"[profile base]\naws_access_key_id = "+keys.AccessKeyID+"\naws_secret_access_key = "+keys.SecretAccessKey+"\n")
	byProfile := c.With(Keys{})
	if got := decode[struct{ Arn string }](t, byProfile.OK(path, "--profile", "deploy", "sts", "get-caller-identity")).Arn; !strings.HasSuffix(got, ":assumed-role/deploy/profile") {
		t.Errorf("by profile: %s", got)
	}

	session := decode[credentialsAnswer](t, dev.OK(path, "sts", "get-session-token", "--duration-seconds", "900"))
	if got := whoami(dev.With(session.Credentials)); got != devARN {
		t.Errorf("get-session-token: %s", got)
	}
	dev.Refused("AccessDenied", path, "sts", "get-session-token", "--serial-number", devARN, "--token-code", "123456")
	root := c.With(s.RootKeys())
	federated := decode[credentialsAnswer](t, root.OK(path, "sts", "get-federation-token", "--name", "guest", "--policy-arns", "arn="+readOnlyARN, "--tags", "Key=team,Value=red"))
	guest := c.With(federated.Credentials)
	if got := whoami(guest); got != "arn:"+s.Partition+":sts::"+s.AccountID+":federated-user/guest" {
		t.Errorf("get-federation-token: %s", got)
	}
	guest.OK(path, "s3", "ls")
	guest.Refused("AccessDenied", path, "iam", "list-users")
	if got := decode[struct{ Account string }](t, root.OK(path, "sts", "get-access-key-info", "--access-key-id", keys.AccessKeyID)).Account; got != s.AccountID {
		t.Errorf("get-access-key-info: %s", got)
	}
	t.Run("tokens for others", func(t *testing.T) { outboundByCLI(t, s, path) })
	t.Run("root of another account", func(t *testing.T) { assumeRootByCLI(t, s, path) })
}

func outboundByCLI(t *testing.T, s *Server, path string) {
	root := s.NewClient(t).With(s.RootKeys())
	ask := []string{"sts", "get-web-identity-token", "--audience", "api.example.com", "--signing-algorithm", "ES384"}
	root.Refused("OutboundWebIdentityFederationDisabledException", path, ask...)
	enabled := decode[struct{ IssuerIdentifier string }](t, root.OK(path, "iam", "enable-outbound-web-identity-federation"))
	root.Refused("FeatureEnabled", path, "iam", "enable-outbound-web-identity-federation")
	token := decode[struct{ WebIdentityToken string }](t, root.OK(path, append(ask, "--tags", "Key=team,Value=blue")...)).WebIdentityToken
	if strings.Count(token, ".") != 2 {
		t.Errorf("the token is %q", token)
	}
	discovery := root.OK("curl", "-sS", enabled.IssuerIdentifier+"/.well-known/openid-configuration")
	jwks := decode[struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}](t, discovery)
	keys := root.OK("curl", "-sS", jwks.JWKS)
	if jwks.Issuer != enabled.IssuerIdentifier || !strings.Contains(keys, `"ES384"`) || !strings.Contains(keys, `"RS256"`) {
		t.Errorf("discovery %s, keys %s", discovery, keys)
	}
	root.Refused("InvalidIdentityToken", path, "sts", "assume-role-with-web-identity", "--role-arn", s.RootARN(), "--role-session-name", "x1", "--web-identity-token", token)
}

func assumeRootByCLI(t *testing.T, s *Server, path string) {
	root := s.NewClient(t).With(s.RootKeys())
	const task = "arn=arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"
	ask := []string{"sts", "assume-root", "--target-principal", secondAccount, "--task-policy-arn", task}
	root.Refused("AccessDenied", path, ask...)
	s.Apply(t, `accounts:
  - {id: "`+secondAccount+`", name: Second, alias: second, root: {email: `+secondEmail+`, password: `+secondPassword+`}}
  - {id: "`+s.AccountID+`", partition: `+s.Partition+`, alias: demo, root: {email: `+s.Root.Email+`}, assume_root_in: ["`+secondAccount+`"]}
`)
	keys := decode[credentialsAnswer](t, root.OK(path, ask...)).Credentials
	as := root.With(keys)
	if got := decode[struct{ Arn string }](t, as.OK(path, "sts", "get-caller-identity")).Arn; got != "arn:aws:iam::"+secondAccount+":root" {
		t.Errorf("assume-root: %s", got)
	}
	as.OK(path, "iam", "list-access-keys")
	as.Refused("AccessDenied", path, "iam", "list-users")
}

// workload is a token of a platform as it gives one to what runs there.
type workload struct {
	name, trust string
	claims      map[string]any
}

func workloads(host string) []workload {
	return []workload{
		{"kubernetes", `Condition: {StringEquals: {"` + host + `:sub": "system:serviceaccount:shop:checkout", "` + host + `:aud": "sts.amazonaws.com"}}`, map[string]any{
			"sub": "system:serviceaccount:shop:checkout", "aud": []string{"sts.amazonaws.com"}, "jti": "1f0c",
			"kubernetes.io": map[string]any{"namespace": "shop", "serviceaccount": map[string]any{"name": "checkout", "uid": "7"}},
		}},
		{"github", `Condition: {StringLike: {"` + host + `:sub": "repo:octo/app:*"}, StringEquals: {"` + host + `:repository_owner_id": "65", "` + host + `:environment": "production"}}`, map[string]any{
			"sub": "repo:octo/app:environment:production", "aud": "sts.amazonaws.com", "repository": "octo/app", "repository_owner": "octo", "repository_owner_id": "65",
			"environment": "production", "ref": "refs/heads/main", "run_attempt": "1", "job_workflow_ref": "octo/app/.github/workflows/ci.yml@refs/heads/main",
		}},
	}
}

// TestWorkloadsByEnvironmentAlone: nothing but the variables that platforms
// set leads clients from their token to their role.
func TestWorkloadsByEnvironmentAlone(t *testing.T) {
	t.Parallel()
	path, python := needAWS1(t), needPython(t, "boto3")
	issuer := startIssuer(t)
	s := StartWith(t, []string{"DAYPASS_EGRESS_EXEMPT=" + issuer.Host()})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(issuer.CA), 0o600); err != nil {
		t.Fatal(err)
	}
	site := fmt.Sprintf("providers:\n  - {account: %q, url: %q, client_ids: [sts.amazonaws.com], ca_bundle: {file: %q}}\nroles:\n", s.AccountID, issuer.URL, ca)
	all := workloads(issuer.Host())
	for _, w := range all {
		site += fmt.Sprintf("  - {account: %q, name: %s, managed_policies: [%q], trust: {Version: \"2012-10-17\", Statement: [{Effect: Allow, "+
			"Principal: {Federated: \"arn:%s:iam::%s:oidc-provider/%s\"}, Action: \"sts:AssumeRoleWithWebIdentity\", %s}]}}\n",
			s.AccountID, w.name, readOnlyARN, s.Partition, s.AccountID, issuer.Host(), w.trust)
	}
	s.Apply(t, site)
	for _, w := range all {
		want := "arn:" + s.Partition + ":sts::" + s.AccountID + ":assumed-role/" + w.name + "/job-1"
		c, file := s.platform(t, w.name, issuer.Token(w.claims))
		if got := decode[struct{ Arn string }](t, c.OK(path, "sts", "get-caller-identity")).Arn; got != want {
			t.Errorf("%s, aws CLI: %s", w.name, got)
		}
		c.OK(path, "s3", "ls")
		if got := strings.TrimSpace(c.OK(python, "-c", "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])")); got != want {
			t.Errorf("%s, boto3: %s", w.name, got)
		}
		config := aws.Config{Region: s.Region, BaseEndpoint: aws.String(s.URL)}
		config.Credentials = aws.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(config), s.roleARN(w.name),
			stscreds.IdentityTokenFile(file), func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = "job-1" }))
		who, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), nil)
		if err != nil || *who.Arn != want {
			t.Errorf("%s, aws-sdk-go-v2: %+v, %v", w.name, who, err)
		}
		// Somebody else's job of the same platform.
		w.claims["sub"] = "repo:evil/app:environment:production"
		c, _ = s.platform(t, w.name, issuer.Token(w.claims))
		c.Refused("AccessDenied", path, "sts", "get-caller-identity")
	}
}

// platform is a client in the environment that platforms give their jobs, and
// the file that holds its token.
func (s *Server) platform(t testing.TB, role, token string) (*Client, string) {
	c := s.NewClient(t)
	file := c.Write("token", token)
	c.Set("AWS_ROLE_ARN", s.roleARN(role))
	c.Set("AWS_WEB_IDENTITY_TOKEN_FILE", file)
	c.Set("AWS_ROLE_SESSION_NAME", "job-1")
	return c, file
}

// TestAssumeRoleWithSDKs: the providers of aws-sdk-go-v2 and boto3.
func TestAssumeRoleWithSDKs(t *testing.T) {
	t.Parallel()
	needAWS1(t)
	needPython(t, "boto3")
	s := Start(t)
	c := s.NewClient(t)
	keys := s.userKeys(t, c, "dev")
	s.Apply(t, s.roleSite("deploy", `{Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {AWS: "arn:`+s.Partition+`:iam::`+s.AccountID+`:user/dev"}, `+
		`Action: ["sts:AssumeRole", "sts:TagSession"], Condition: {StringEquals: {"aws:RequestTag/team": "blue"}}}]}`, readOnlyARN))
	config := aws.Config{Region: s.Region, BaseEndpoint: aws.String(s.URL), Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, "")}
	base := sts.NewFromConfig(config)
	tagged := func(team string) aws.CredentialsProvider {
		return stscreds.NewAssumeRoleProvider(base, s.roleARN("deploy"), func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName, o.Duration, o.Tags = "go", 20*time.Minute, stsTags("team", team)
		})
	}
	got, err := tagged("blue").Retrieve(t.Context())
	if err != nil || got.SessionToken == "" || time.Until(got.Expires) > 20*time.Minute {
		t.Fatalf("AssumeRoleProvider: %v", err)
	}
	config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return got, nil })
	who, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), nil)
	if err != nil || !strings.HasSuffix(*who.Arn, ":assumed-role/deploy/go") {
		t.Errorf("the role is %+v, %v", who, err)
	}
	if _, err := tagged("red").Retrieve(t.Context()); apiCode(err) != "AccessDenied" {
		t.Errorf("with a tag that is not trusted: %v", err)
	}

	with := map[string]any{"RoleArn": s.roleARN("deploy"), "RoleSessionName": "py", "Tags": []any{map[string]any{"Key": "team", "Value": "blue"}}}
	answers := must(t, c, Call{Keys: keys, Service: "sts", Call: "assume_role", With: with},
		Call{Keys: keys, Service: "sts", Call: "get_session_token", With: map[string]any{"DurationSeconds": 900}},
		Call{Keys: s.RootKeys(), Service: "sts", Call: "get_federation_token", With: map[string]any{"Name": "guest"}},
		Call{Keys: s.RootKeys(), Service: "sts", Call: "get_access_key_info", With: map[string]any{"AccessKeyId": keys.AccessKeyID}})
	for i, call := range []string{"assume_role", "get_session_token", "get_federation_token"} {
		k := answers[i].Answer["Credentials"].(map[string]any)
		who := must(t, c, Call{Keys: Keys{k["AccessKeyId"].(string), k["SecretAccessKey"].(string), k["SessionToken"].(string)}, Service: "sts", Call: "get_caller_identity"})[0]
		if arn := who.Answer["Arn"].(string); !strings.Contains(arn, s.AccountID) || call == "assume_role" && !strings.HasSuffix(arn, ":assumed-role/deploy/py") {
			t.Errorf("boto3, %s: %s", call, arn)
		}
	}
}

func stsTags(key, value string) []types.Tag {
	return []types.Tag{{Key: aws.String(key), Value: aws.String(value)}}
}

// TestMFAWithCLI registers a virtual device and opens with it what its user
// cannot have by keys alone.
func TestMFAWithCLI(t *testing.T) {
	t.Parallel()
	path := needAWS1(t)
	s := Start(t)
	c := s.NewClient(t)
	keys := s.userKeys(t, c, "dev")
	s.Apply(t, s.roleSite("vault", `{Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {AWS: "arn:`+s.Partition+`:iam::`+s.AccountID+`:user/dev"}, `+
		`Action: "sts:AssumeRole", Condition: {Bool: {"aws:MultiFactorAuthPresent": "true"}}}]}`, readOnlyARN))
	root, dev := c.With(s.RootKeys()), c.With(keys)
	serial := decode[struct {
		VirtualMFADevice struct{ SerialNumber string }
	}](t, root.OK(path, "iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", "phone", "--bootstrap-method", "Base32StringSeed", "--outfile", "seed")).VirtualMFADevice.SerialNumber
	seed, err := base32.StdEncoding.DecodeString(strings.TrimSpace(root.Read("seed")))
	if err != nil {
		t.Fatal(err)
	}
	step := time.Now().Unix() / 30
	root.OK(path, "iam", "enable-mfa-device", "--user-name", "dev", "--serial-number", serial,
		"--authentication-code1", totpCode(seed, step-1), "--authentication-code2", totpCode(seed, step))
	assume := []string{"sts", "assume-role", "--role-arn", s.roleARN("vault"), "--role-session-name", "cli"}
	dev.Refused("AccessDenied", path, assume...)
	get := []string{"sts", "get-session-token", "--serial-number", serial, "--token-code"}
	dev.Refused("AccessDenied", path, append(get, totpCode(seed, step))...) // enabling used it up
	next := max(step+1, time.Now().Unix()/30)
	session := decode[credentialsAnswer](t, dev.OK(path, append(get, totpCode(seed, next))...)).Credentials
	dev.Refused("AccessDenied", path, append(get, totpCode(seed, next))...)
	role := decode[credentialsAnswer](t, dev.With(session).OK(path, assume...)).Credentials
	dev.With(role).OK(path, "s3", "ls")
}

// totpCode is RFC 6238's code of a time step of 30 s.
func totpCode(seed []byte, step int64) string {
	mac := hmac.New(sha1.New, seed)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1_000_000)
}
