package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	cognitosrp "github.com/alexrudd/cognito-srp/v4"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	idp "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// goPool is a user pool, to the Go SDK and the SRP library that Stax's own
// client for Go stands on.
type goPool struct {
	t      *testing.T
	config *staxConfig
	idp    *idp.Client
	pools  *cognitoidentity.Client
}

func newGoPool(t *testing.T, s *Server) *goPool {
	t.Helper()
	config := staxConfigOf(t, s)
	region := config.ApiAuth.Region
	return &goPool{
		t: t, config: config,
		idp:   idp.New(idp.Options{Region: region, BaseEndpoint: &s.URL, Credentials: aws.AnonymousCredentials{}}),
		pools: cognitoidentity.New(cognitoidentity.Options{Region: region, BaseEndpoint: &s.URL, Credentials: aws.AnonymousCredentials{}}),
	}
}

// challenge begins a log-in by SRP.
func (p *goPool) challenge(username, password string) (*cognitosrp.CognitoSRP, *idp.InitiateAuthOutput, error) {
	srp, err := cognitosrp.NewCognitoSRP(username, password, p.config.ApiAuth.UserPoolID, p.config.ApiAuth.UserPoolWebClientID, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	out, err := p.idp.InitiateAuth(p.t.Context(), &idp.InitiateAuthInput{
		AuthFlow: types.AuthFlowTypeUserSrpAuth, ClientId: aws.String(srp.GetClientId()), AuthParameters: srp.GetAuthParams(),
	})
	return srp, out, err
}

// answer is what a client answers to a challenge at a time of day; the library
// writes hours on a clock of twelve.
func (p *goPool) answer(srp *cognitosrp.CognitoSRP, challenge *idp.InitiateAuthOutput, at time.Time) *idp.RespondToAuthChallengeInput {
	responses, err := srp.PasswordVerifierChallenge(challenge.ChallengeParameters, at)
	if err != nil {
		p.t.Fatal(err)
	}
	return &idp.RespondToAuthChallengeInput{
		ChallengeName: types.ChallengeNameTypePasswordVerifier, ClientId: aws.String(srp.GetClientId()), ChallengeResponses: responses,
	}
}

func (p *goPool) logIn(username, password string, at time.Time) (*types.AuthenticationResultType, error) {
	srp, challenge, err := p.challenge(username, password)
	if err != nil {
		return nil, err
	}
	out, err := p.idp.RespondToAuthChallenge(p.t.Context(), p.answer(srp, challenge, at))
	if err != nil {
		return nil, err
	}
	return out.AuthenticationResult, nil
}

// keys exchanges an ID token for session keys.
func (p *goPool) keys(idToken string) (aws.Credentials, error) {
	ctx, logins := p.t.Context(), map[string]string{p.config.provider(): idToken}
	id, err := p.pools.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: &p.config.ApiAuth.IdentityPoolID, Logins: logins})
	if err != nil {
		return aws.Credentials{}, err
	}
	out, err := p.pools.GetCredentialsForIdentity(ctx, &cognitoidentity.GetCredentialsForIdentityInput{IdentityId: id.IdentityId, Logins: logins})
	if err != nil {
		return aws.Credentials{}, err
	}
	return aws.Credentials{
		AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretKey, SessionToken: *out.Credentials.SessionToken,
		CanExpire: true, Expires: *out.Credentials.Expiration,
	}, nil
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// TestCognitoGo logs in with the SRP library of Stax's client at every time of
// day, right and wrong, and uses the keys.
func TestCognitoGo(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := newGoPool(t, s)
	const wrong = "NotAuthorizedException: Incorrect username or password."
	for _, text := range srpTimes {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.logIn(s.Stax.AccessKey, s.Stax.SecretKey, at); err != nil {
			t.Errorf("at %s: %v", text, err)
		}
		if _, err := p.logIn(s.Stax.AccessKey, altered(s.Stax.SecretKey, 3), at); codeOf(err) != wrong {
			t.Errorf("at %s, wrong secret: got %q", text, codeOf(err))
		}
	}
	if _, err := p.logIn("6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "wrong", time.Now()); codeOf(err) != wrong {
		t.Errorf("an unknown API token: got %q", codeOf(err))
	}

	tokens, err := p.logIn(s.Stax.AccessKey, s.Stax.SecretKey, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := p.keys(*tokens.IdToken)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(keys.Expires); left < 58*time.Minute || left > time.Hour {
		t.Errorf("the keys live %s", left)
	}
	client := sts.New(sts.Options{Region: "us-east-1", BaseEndpoint: &s.URL, Credentials: credentials.StaticCredentialsProvider{Value: keys}})
	who, err := client.GetCallerIdentity(t.Context(), nil)
	if err != nil || !strings.HasSuffix(*who.Arn, ":assumed-role/api_admin/CognitoIdentityCredentials") {
		t.Fatalf("GetCallerIdentity: %v, %v", who, err)
	}

	// One answer to a challenge is good once.
	srp, challenge, err := p.challenge(s.Stax.AccessKey, s.Stax.SecretKey)
	if err != nil {
		t.Fatal(err)
	}
	answer := p.answer(srp, challenge, time.Now())
	if _, err := p.idp.RespondToAuthChallenge(t.Context(), answer); err != nil {
		t.Fatal(err)
	}
	if _, err := p.idp.RespondToAuthChallenge(t.Context(), answer); !strings.HasPrefix(codeOf(err), "NotAuthorizedException") {
		t.Errorf("a challenge answered twice: got %q", codeOf(err))
	}

	// A global sign-out ends tokens and keys.
	if _, err := p.idp.GlobalSignOut(t.Context(), &idp.GlobalSignOutInput{AccessToken: tokens.AccessToken}); err != nil {
		t.Fatal(err)
	}
	ended := func(what, code string, call func(context.Context) error) {
		t.Helper()
		if err := call(t.Context()); !strings.HasPrefix(codeOf(err), code) {
			t.Errorf("%s after a global sign-out: got %q, want %s", what, codeOf(err), code)
		}
	}
	ended("keys", "ExpiredToken", func(ctx context.Context) error { _, err := client.GetCallerIdentity(ctx, nil); return err })
	ended("the access token", "NotAuthorizedException", func(ctx context.Context) error {
		_, err := p.idp.GetUser(ctx, &idp.GetUserInput{AccessToken: tokens.AccessToken})
		return err
	})
	ended("the ID token", "NotAuthorizedException", func(context.Context) error { _, err := p.keys(*tokens.IdToken); return err })
	ended("the refresh token", "NotAuthorizedException", func(ctx context.Context) error {
		_, err := p.idp.InitiateAuth(ctx, &idp.InitiateAuthInput{
			AuthFlow: types.AuthFlowTypeRefreshTokenAuth, ClientId: &p.config.ApiAuth.UserPoolWebClientID,
			AuthParameters: map[string]string{"REFRESH_TOKEN": *tokens.RefreshToken},
		})
		return err
	})
}
