package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// trust registers an issuer of ours at the cluster, with one audience, and makes
// a role that takes its tokens and may do everything with S3. It returns the
// role's ARN.
func (c *Ceph) trust(t testing.TB, issuer, audience, role string) string {
	t.Helper()
	api := iam.NewFromConfig(c.Config(c.Keys()))
	_, err := api.CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{
		Url: aws.String(issuer), ClientIDList: []string{audience}, ThumbprintList: []string{strings.Repeat("0", 40)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c.trusting(t, issuer, audience, role)
}

// trusting makes a role for an issuer that is registered.
func (c *Ceph) trusting(t testing.TB, issuer, audience, role string) string {
	t.Helper()
	api := iam.NewFromConfig(c.Config(c.Keys()))
	name := issuer[strings.Index(issuer, "://")+3:]
	// No blanks: this generation of Ceph reads "+" in a form as a plus.
	out, err := api.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String(role), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":["arn:aws:iam:::oidc-provider/` + name +
			`"]},"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"],"Condition":{"StringEquals":{"` + name + `:app_id":"` + audience + `"}}}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = api.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String(role), PolicyName: aws.String("s3"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.Role.Arn)
}

// exchange gives a token to the cluster's own STS.
func (c *Ceph) exchange(ctx context.Context, role, token string) (Keys, error) {
	out, err := sts.NewFromConfig(c.Config(Keys{})).AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String(role), RoleSessionName: aws.String("somebody"), WebIdentityToken: aws.String(token),
	})
	if err != nil {
		return Keys{}, err
	}
	return Keys{aws.ToString(out.Credentials.AccessKeyId), aws.ToString(out.Credentials.SecretAccessKey), aws.ToString(out.Credentials.SessionToken)}, nil
}

// wantForbidden looks for the status alone: Ceph's STS answers errors in the
// form of S3, in which SDKs find no code.
func wantForbidden(t testing.TB, what string, err error) {
	t.Helper()
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) || answer.HTTPStatusCode() != http.StatusForbidden {
		t.Errorf("%s: got %v, want 403", what, err)
	}
}

// keepAndFetch writes an object and reads it back.
func keepAndFetch(t testing.TB, api *s3.Client, bucket, text string) {
	t.Helper()
	if _, err := api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("note"), Body: strings.NewReader(text)}); err != nil {
		t.Fatal(err)
	}
	out, err := api.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("note")})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	if got, err := io.ReadAll(out.Body); err != nil || string(got) != text {
		t.Fatalf("got %q, %v; want %q", got, err, text)
	}
}

// claims are those of a JWT, and header its header; nothing is verified.
func claims(t testing.TB, token string) (header, payload map[string]any) {
	t.Helper()
	for i, into := range []*map[string]any{&header, &payload} {
		data, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, payload
}

// userToken logs the demo's user in at the realm shasta.
func (s *Server) userToken(t testing.TB) string {
	t.Helper()
	realm := s.Realms["shasta"]
	return logIn(t, s.TokenURL("shasta"), realm.ClientID, realm.Username, realm.Password)
}

// keyIDs are the keys that a realm shows, in their order.
func (s *Server) keyIDs(t testing.TB, realm string) []string {
	t.Helper()
	r, err := http.Get(s.URL + "/auth/realms/" + realm + "/protocol/openid-connect/certs")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, key := range decode[struct {
		Keys []struct {
			Kid string
			X5C []string
		}
	}](t, string(body)).Keys {
		if len(key.X5C) == 0 {
			t.Errorf("key %s has no certificate", key.Kid)
		}
		out = append(out, key.Kid)
	}
	return out
}

// TestCephTakesOurTokens registers a realm of ours as an OIDC provider of Ceph:
// its STS gives keys for our tokens, before and after our keys are rotated.
func TestCephTakesOurTokens(t *testing.T) {
	t.Parallel()
	c, s := StartCeph(t), Start(t)
	token := s.userToken(t)
	_, payload := claims(t, token)
	issuer := payload["iss"].(string)
	role := c.trust(t, issuer, "shasta", "trust-shasta")

	keys, err := c.exchange(t.Context(), role, token)
	if err != nil {
		t.Fatal(err)
	}
	api := c.S3(keys)
	bucket := "trust-shasta"
	if _, err := api.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	keepAndFetch(t, api, bucket, "before")

	t.Run("refused", func(t *testing.T) {
		other := c.trusting(t, issuer, "somebody-else", "trust-nobody")
		dot := strings.LastIndexByte(token, '.')
		for _, v := range []struct{ name, role, token string }{
			{"the role is for another audience", other, token},
			{"a realm that nobody registered", role, s.RootToken(t)},
			{"another signature", role, altered(token, dot+20)},
			{"another payload", role, altered(token, dot-20)},
			{"no signature", role, token[:dot+1]},
			{"garbage", role, "not.a.token"},
		} {
			_, err := c.exchange(t.Context(), v.role, v.token)
			wantForbidden(t, v.name, err)
		}
	})

	t.Run("rotation", func(t *testing.T) {
		client := s.NewClient(t)
		check := func(when string) (kid string) {
			t.Helper()
			token := s.userToken(t)
			header, _ := claims(t, token)
			kid = header["kid"].(string)
			// Ceph 16 looks at the first key alone.
			if shown := s.keyIDs(t, "shasta"); shown[0] != kid {
				t.Errorf("%s: %s signs, and %q are shown", when, kid, shown)
			}
			keys, err := c.exchange(t.Context(), role, token)
			if err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			keepAndFetch(t, c.S3(keys), bucket, when)
			return kid
		}
		first := check("at first")
		client.OK(s.binary, "keyring", "rotate", "realm/shasta", "--data", s.Data)
		if n := len(s.keyIDs(t, "shasta")); n != 2 {
			t.Errorf("%d keys are shown while a successor waits, want 2", n)
		}
		if kid := check("while the successor waits"); kid != first {
			t.Errorf("the successor %s signs too early", kid)
		}
		client.OK(s.binary, "keyring", "rotate", "realm/shasta", "--now", "--data", s.Data)
		if kid := check("after the rotation"); kid == first {
			t.Errorf("%s still signs", kid)
		}
	})
}

// TestCephRefusesOurOldTokens has a realm whose tokens live for seconds, and a
// client of it whose tokens are for somebody else.
func TestCephRefusesOurOldTokens(t *testing.T) {
	t.Parallel()
	c, s := StartCeph(t), Start(t)
	const password = "Right-horse-77-battery"
	s.Apply(t, `realms:
  - name: hasty
    account: "`+s.AccountID+`"
    algorithm: RS256
    access_token_seconds: 3
    clients:
      - {id: hasty, public: true, grants: [password], audience: [hasty]}
      - {id: stranger, public: true, grants: [password], audience: [elsewhere]}
users:
  - {account: "`+s.AccountID+`", name: hasty, realm: hasty, password: `+password+`}
`)
	token := logIn(t, s.TokenURL("hasty"), "hasty", "hasty", password)
	_, payload := claims(t, token)
	role := c.trust(t, payload["iss"].(string), "hasty", "trust-hasty")

	_, err := c.exchange(t.Context(), role, logIn(t, s.TokenURL("hasty"), "stranger", "hasty", password))
	wantForbidden(t, "a token for another audience", err)
	token = logIn(t, s.TokenURL("hasty"), "hasty", "hasty", password)
	if _, err := c.exchange(t.Context(), role, token); err != nil {
		t.Fatal(err)
	}
	_, payload = claims(t, token)
	time.Sleep(time.Until(time.Unix(int64(payload["exp"].(float64))+1, 0)))
	_, err = c.exchange(t.Context(), role, token)
	wantForbidden(t, "an expired token", err)
}
