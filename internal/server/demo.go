package server

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"strings"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/site"
	"daypass/internal/store"
)

//go:embed demo.yaml
var demoSite []byte

const (
	demoEmail    = "demo@example.com"
	demoClient   = "root-client"
	demoRealm    = "shasta"
	demoUsername = "testuser"
	rootName     = "root"
)

// metaMadeBy says in the store whether --dev made it.
const (
	metaMadeBy  = "made_by"
	madeByDev   = "dev"
	madeByOther = "site"
)

// demoSpec is the demo site with the secrets and the address of this start.
func demoSpec(creds *devCredentials, account, partition, externalURL string) (directory.SiteSpec, error) {
	variables := map[string]string{
		"DEMO_ACCOUNT_ID":          account,
		"DEMO_PARTITION":           partition,
		"DEMO_HOST":                identity.TrimScheme(strings.TrimSuffix(externalURL, "/")),
		"DEMO_ROOT_PASSWORD":       creds.RootPassword,
		"DEMO_TESTUSER_PASSWORD":   creds.TestuserPassword,
		"DEMO_ADMIN_CLIENT_SECRET": creds.AdminClientSecret,
		"DEMO_API_ACCESS_KEY":      creds.APIAccessKey,
		"DEMO_API_SECRET_KEY":      creds.APISecretKey,
		"DEMO_IDENTITY_POOL":       creds.IdentityPool,
		"DEMO_IBM_API_KEY":         creds.IBMAPIKey,
		"DEMO_IBM_SERVICE_API_KEY": creds.IBMServiceAPIKey,
		"DEMO_IBM_INSTANCE":        creds.IBMInstance,
		"DEMO_IBM_STORAGE":         creds.IBMStorage,
	}
	return site.Read(site.Source{Name: "demo.yaml", Lookup: func(name string) (string, bool) {
		v, ok := variables[name]
		return v, ok
	}}, demoSite)
}

// provision brings the demo site into line under Dev; without it, it refuses a
// store that Dev made unless it is to be adopted.
func (s *server) provision(ctx context.Context) error {
	made, err := s.core.madeBy()
	if err != nil {
		return err
	}
	operator := access.OperatorCaller(identity.RequestFacts{ID: newRequestID(), SourceIP: "local", Dialect: "server", Secure: true})
	switch {
	case s.Dev && made == madeByOther:
		return invalid("the data directory " + s.data.path + " belongs to a real site: name another one with --data, or leave --dev out")
	case s.Dev:
		return s.applyDemo(ctx, &operator, made)
	case made == madeByDev && !s.Adopt:
		return invalid("--dev made the data directory " + s.data.path + ", and its passwords are known to whoever can read that: use another one with --data, or --adopt to switch the demo's principals off and keep the rest")
	case made == madeByDev:
		return s.adopt(ctx, &operator)
	}
	return s.core.setMadeBy(ctx, made, madeByOther)
}

func (s *server) applyDemo(ctx context.Context, operator *identity.Caller, made string) error {
	// The mark comes first: a start that dies half-way leaves no demo secrets
	// in a directory that looks like a real one.
	if err := s.core.setMadeBy(ctx, made, madeByDev); err != nil {
		return err
	}
	spec, err := demoSpec(s.creds, s.AccountID, s.Partition, s.externalURL)
	if err != nil {
		return err
	}
	if _, err := s.core.directory.Apply(ctx, operator, spec, false); err != nil {
		return fmt.Errorf("the demo site cannot be applied: %w", err)
	}
	return s.rootKey(ctx, operator)
}

// rootKey gives the demo's root user its one long-term key. A key in the store
// that the file does not know is one that an earlier start could not write
// down: it goes, so that one slot stays free.
func (s *server) rootKey(ctx context.Context, operator *identity.Caller) error {
	in := inAccount(*operator, s.AccountID, s.Partition)
	if _, known := s.creds.RootKeys[s.AccountID]; known {
		return nil
	}
	if err := s.deleteKeys(ctx, in); err != nil {
		return err
	}
	key, err := s.core.issuer.RootAccessKey(ctx, operator, s.AccountID)
	if err != nil {
		return fmt.Errorf("the demo's root key cannot be made: %w", err)
	}
	return s.creds.remember(s.AccountID, key.Key.ID, key.Secret)
}

func (s *server) deleteKeys(ctx context.Context, in *identity.Caller) error {
	keys, _, err := s.core.directory.ListAccessKeys(ctx, in, rootName, directory.Page{})
	if err != nil {
		return err
	}
	for _, k := range keys.Items {
		if err := s.core.directory.DeleteAccessKey(ctx, in, rootName, k.ID); err != nil {
			return err
		}
	}
	return nil
}

// inAccount is the operator, acting on one account's users.
func inAccount(operator identity.Caller, account, partition string) *identity.Caller {
	operator.AccountID, operator.Partition = account, partition
	return &operator
}

// adopt switches the demo's principals off: its users are disabled, root gets a
// password that nobody knows and loses its keys.
func (s *server) adopt(ctx context.Context, operator *identity.Caller) error {
	accounts, err := store.Accounts.List(s.core.db.Snapshot(), "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	known, err := loadDevCredentials(s.data.file(credsName))
	if err != nil {
		return err
	}
	for _, a := range accounts {
		unknown := &devCredentials{APIAccessKey: known.APIAccessKey, IdentityPool: known.IdentityPool, IBMInstance: known.IBMInstance, IBMStorage: known.IBMStorage}
		unknown.complete()
		spec, err := demoSpec(unknown, a.ID, a.Partition, s.externalURL)
		if err != nil {
			return err
		}
		if owner, err := store.Realms.Get(s.core.db.Snapshot(), demoRealm); err != nil || owner.AccountID != a.ID {
			continue // an account that the demo did not make
		}
		for i := range spec.Users {
			spec.Users[i].Disabled = true
		}
		for i := range spec.APITokens {
			spec.APITokens[i].Disabled = true
		}
		for i := range spec.IBM.ServiceIDs {
			spec.IBM.ServiceIDs[i].Disabled = true
		}
		for i := range spec.IBM.APIKeys {
			spec.IBM.APIKeys[i].Disabled = true
		}
		if _, err := s.core.directory.Apply(ctx, operator, spec, false); err != nil {
			return fmt.Errorf("the demo's principals of account %s cannot be switched off: %w", a.ID, err)
		}
		if err := s.deleteKeys(ctx, inAccount(*operator, a.ID, a.Partition)); err != nil {
			return err
		}
	}
	if err := removeIfThere(s.data.file(credsName)); err != nil {
		return err
	}
	s.Log.Warn("the data directory was adopted: the demo's users are disabled, and root has a password that nobody knows; give it a new one with daypass apply")
	return s.core.setMadeBy(ctx, madeByDev, madeByOther)
}

func (s *server) describeDemo(r *Ready) {
	key := s.creds.RootKeys[s.AccountID]
	r.Partition, r.AccountID = s.Partition, s.AccountID
	r.Root = &ReadyRoot{demoEmail, s.creds.RootPassword, key.AccessKeyID, key.SecretAccessKey}
	r.Realms = map[string]ReadyRealm{
		identity.RootRealm: {ClientID: demoClient},
		demoRealm:          {ClientID: demoRealm, Username: demoUsername, Password: s.creds.TestuserPassword},
	}
	r.Stax = &ReadyStax{r.URL + "/20190206/public/config/base64", s.creds.APIAccessKey, s.creds.APISecretKey}
	r.IBM = &ReadyIBM{s.creds.IBMAPIKey, s.creds.IBMServiceAPIKey, s.creds.IBMInstance, s.creds.IBMStorage}
}

// printDemo writes the commands of each row, ready to paste into a shell.
func printDemo(w io.Writer, r *Ready) error {
	tlsLines := ""
	if r.TLSURL != "" {
		tlsLines = fmt.Sprintf("TLS at %s (export AWS_CA_BUNDLE=%s)\n", r.TLSURL, r.CAFile)
	}
	_, err := fmt.Fprintf(w, `Daypass serves a demo site at %[1]s (Ctrl-C ends it)
Pages for people: %[8]s (as root: leave the account empty, e-mail %[2]s, password %[3]s)
%[7]s
# From e-mail and password to keys that expire in an hour, and a bucket (a second
# time, mb and create-access-key say that what they make is there). Paste:
TOKEN=$(curl -s %[1]s/auth/realms/root-accounts/protocol/openid-connect/token \
  --data-urlencode client_id=root-client --data-urlencode grant_type=password \
  --data-urlencode username=%[2]s --data-urlencode 'password=%[3]s' | jq -r .access_token)
echo "$TOKEN" | cut -d'.' -f2 | base64 --decode | jq -c .
export AWS_ENDPOINT_URL=%[1]s AWS_DEFAULT_REGION=%[4]s
KEYS=$(aws sts assume-role-with-web-identity --endpoint-url %[1]s \
  --role-arn arn:%[5]s:iam::%[6]s:root --role-session-name demo --web-identity-token "$TOKEN")
export AWS_ACCESS_KEY_ID=$(echo "$KEYS" | jq -r .Credentials.AccessKeyId)
export AWS_SECRET_ACCESS_KEY=$(echo "$KEYS" | jq -r .Credentials.SecretAccessKey)
export AWS_SESSION_TOKEN=$(echo "$KEYS" | jq -r .Credentials.SessionToken)
aws sts get-caller-identity --endpoint-url %[1]s
aws s3 mb s3://tutorial --endpoint-url %[1]s
aws s3 ls --endpoint-url %[1]s
aws iam create-access-key --endpoint-url %[1]s

# From an API token to keys by Cognito's calls, and a signed call that says who
# that is. Paste:
CONFIG=$(curl -s %[9]s | base64 --decode); REGION=$(echo "$CONFIG" | jq -r .ApiAuth.region)
export AWS_DEFAULT_REGION=$REGION; unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
ID_TOKEN=$(aws cognito-idp initiate-auth --endpoint-url %[1]s --auth-flow USER_PASSWORD_AUTH \
  --client-id "$(echo "$CONFIG" | jq -r .ApiAuth.userPoolWebClientId)" \
  --auth-parameters USERNAME=%[10]s,PASSWORD=%[11]s | jq -r .AuthenticationResult.IdToken)
LOGINS="cognito-idp.$REGION.amazonaws.com/$(echo "$CONFIG" | jq -r .ApiAuth.userPoolId)=$ID_TOKEN"
IDENTITY_ID=$(aws cognito-identity get-id --endpoint-url %[1]s --logins "$LOGINS" \
  --identity-pool-id "$(echo "$CONFIG" | jq -r .ApiAuth.identityPoolId)" | jq -r .IdentityId)
KEYS=$(aws cognito-identity get-credentials-for-identity --endpoint-url %[1]s --identity-id "$IDENTITY_ID" --logins "$LOGINS")
export AWS_ACCESS_KEY_ID=$(echo "$KEYS" | jq -r .Credentials.AccessKeyId)
export AWS_SECRET_ACCESS_KEY=$(echo "$KEYS" | jq -r .Credentials.SecretKey)
export AWS_SESSION_TOKEN=$(echo "$KEYS" | jq -r .Credentials.SessionToken)
curl -s --aws-sigv4 "aws:amz:$REGION:execute-api" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
  -H "x-amz-security-token: $AWS_SESSION_TOKEN" %[1]s/20190206/users/me | jq -c .

# From a log-in at a realm to keys by the token service of Cray system management,
# and a bucket. Paste:
TOKEN=$(curl -s %[1]s/keycloak/realms/shasta/protocol/openid-connect/token -d grant_type=password \
  -d client_id=shasta -d username=%[12]s --data-urlencode 'password=%[13]s' | jq -r .access_token)
KEYS=$(curl -s -X PUT -H "Authorization: Bearer $TOKEN" %[1]s/apis/sts/token); echo "$KEYS" | jq .Credentials.Expiration
export AWS_ACCESS_KEY_ID=$(echo "$KEYS" | jq -r .Credentials.AccessKeyId)
export AWS_SECRET_ACCESS_KEY=$(echo "$KEYS" | jq -r .Credentials.SecretAccessKey)
export AWS_SESSION_TOKEN=$(echo "$KEYS" | jq -r .Credentials.SessionToken)
export AWS_DEFAULT_REGION=%[4]s ENDPOINT=$(echo "$KEYS" | jq -r .Credentials.EndpointURL)
aws s3 mb s3://cray-demo --endpoint-url $ENDPOINT
aws s3 ls --endpoint-url $ENDPOINT

# From an API key to a Bearer token, as IBM Cloud's clients get it, and the API
# keys of whoever that is. Paste:
IAM_TOKEN=$(curl -s %[1]s/identity/token -u bx:bx --data-urlencode apikey=%[14]s \
  --data-urlencode grant_type=urn:ibm:params:oauth:grant-type:apikey | jq -r .access_token)
curl -s -H "Authorization: Bearer $IAM_TOKEN" "%[1]s/v1/apikeys?account_id=%[6]s" | jq -c '.apikeys[] | {id, name, iam_id}'

# With that token, a root key and a data key of yours wrapped under it. Paste:
kp() { curl -s -X POST "%[1]s/api/v2/$1" -H "Authorization: Bearer $IAM_TOKEN" -H "Bluemix-Instance: %[15]s" -d "$2"; }
KEY=$(kp keys '{"metadata":{"collectionTotal":1},"resources":[{"name":"demo","extractable":false}]}' | jq -r '.resources[0].id')
WRAPPED=$(kp keys/$KEY/actions/wrap "{\"plaintext\":\"$(printf 'a data key' | base64)\"}" | jq -c '{ciphertext}'); echo "$WRAPPED"
kp keys/$KEY/actions/unwrap "$WRAPPED" | jq -r .plaintext | base64 -d; echo
`, r.URL, r.Root.Email, r.Root.Password, r.Region, r.Partition, r.AccountID, tlsLines, r.ConsoleURL,
		r.Stax.ConfigURL, r.Stax.AccessKey, r.Stax.SecretKey, demoUsername, r.Realms[demoRealm].Password, r.IBM.APIKey, r.IBM.InstanceID)
	return err
}
