package sts_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"daypass/internal/access"
	"daypass/internal/api/sts"
	"daypass/internal/awswire"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/wiretest"
)

const (
	requestID = "5c0e1111-2222-4333-8444-555566667777"
	account   = "0f5e1c2a-1111-4222-8333-444455556666"
	rootARN   = "arn:demo:iam::" + account + ":root"
	roleARN   = "arn:demo:iam::" + account + ":role/reader"
)

// authenticator is a fake that accepts any signature. The header X-Fault
// chooses an error (see wiretest.Fault).
type authenticator struct{}

func (authenticator) Authenticate(r *http.Request, svc access.Service, bodySHA256 string) (access.Authenticated, error) {
	if err := wiretest.Fault(r.Header.Get("X-Fault")); err != nil {
		return access.Authenticated{}, err
	}
	presigned := svc.Presigned && r.URL.Query().Has("X-Amz-Signature")
	if svc.Name != "sts" || svc.S3 || len(bodySHA256) != 64 || r.Header.Get("Authorization") == "" && !presigned {
		return access.Authenticated{}, identity.NewError(identity.KindMissingAuthentication, "fake", "")
	}
	return access.Authenticated{Caller: identity.Caller{
		Kind: identity.RootUser, AccountID: account, Partition: "demo", ARN: rootARN, UserID: account, Name: "root",
	}}, nil
}

// issuer is a fake that trusts the token "eyJ.web.identity" for the root ARN
// and for one role. A session name chooses an error.
type issuer struct{}

func (issuer) WebIdentity(_ context.Context, r issue.WebIdentityRequest) (issue.WebIdentityResult, error) {
	if err := wiretest.Fault(r.RoleSessionName); err != nil {
		return issue.WebIdentityResult{}, err
	}
	if !r.Token.Equal("eyJ.web.identity") {
		return issue.WebIdentityResult{}, identity.NewError(identity.KindInvalidIdentity, "fake", "Missing a required claim: sub.")
	}
	if r.DurationSeconds == 0 {
		r.DurationSeconds = 3600
	}
	res := issue.WebIdentityResult{
		Keys: identity.SessionKeys{
			AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
			SessionToken: "FwoG/made+up==",
			Expiration:   time.Date(2026, 1, 2, 4, 4, 5, 600, time.FixedZone("CET", 3600)).Add(time.Duration(r.DurationSeconds) * time.Second),
		},
		Subject: account, PackedPolicySize: len(r.Policy.ARNs),
	}
	switch r.RoleARN {
	case rootARN:
		res.AssumedRoleID, res.AssumedRoleARN, res.Audience = "root", rootARN, "root-client"
		res.Provider = "https://idp.example.com/auth/realms/root-accounts/protocol/openid-connect/token"
		res.SourceIdentity = "arn:demo:iam::" + account + ":oidc-provider/idp.example.com/auth/realms/root-accounts"
	case roleARN:
		res.AssumedRoleID = "AROAIOSFODNN7EXAMPLE:" + r.RoleSessionName
		res.AssumedRoleARN = "arn:demo:sts::" + account + ":assumed-role/reader/" + r.RoleSessionName
		res.Provider, res.Audience = "https://login.example.com", "sts <&> \"x\""
	default:
		return issue.WebIdentityResult{}, identity.NewError(identity.KindAccessDenied, "fake", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
	}
	return res, nil
}

// messages is a fake that opens "AQAAAA"; any other text chooses an error.
type messages struct{}

func (messages) DecodeMessage(_ context.Context, _ *identity.Caller, encoded string) (string, error) {
	if err := wiretest.Fault(encoded); err != nil {
		return "", err
	}
	if encoded != "AQAAAA" {
		return "", identity.NewError(identity.KindInvalidMessage, "fake", "")
	}
	return `{"allowed":false,"explicitDeny":true}`, nil
}

func fakeKeys(seconds, standard int) identity.SessionKeys {
	if seconds == 0 {
		seconds = standard
	}
	return identity.SessionKeys{
		AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", SessionToken: "FwoG/made+up==",
		Expiration: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(seconds) * time.Second),
	}
}

// AssumeRole knows one role and one device. What it was given shows in its
// answer.
func (issuer) AssumeRole(_ context.Context, c *identity.Caller, r issue.AssumeRoleRequest) (issue.AssumedRole, error) {
	if err := wiretest.Fault(r.RoleSessionName); err != nil {
		return issue.AssumedRole{}, err
	}
	if r.RoleARN != roleARN {
		return issue.AssumedRole{}, identity.NewError(identity.KindAccessDenied, "fake",
			"User: "+c.ARN+" is not authorized to perform: sts:AssumeRole on resource: "+r.RoleARN)
	}
	if r.MFA != (issue.MFAProof{}) && r.MFA != (issue.MFAProof{SerialNumber: "arn:demo:iam::" + account + ":mfa/phone", TokenCode: "123456"}) {
		return issue.AssumedRole{}, identity.NewError(identity.KindAccessDenied, "fake", "MultiFactorAuthentication failed with invalid MFA one time pass code.")
	}
	return issue.AssumedRole{
		Keys: fakeKeys(r.DurationSeconds, 3600), AssumedRoleID: "AROAIOSFODNN7EXAMPLE:" + r.RoleSessionName,
		AssumedRoleARN: "arn:demo:sts::" + account + ":assumed-role/reader/" + r.RoleSessionName, SourceIdentity: r.SourceIdentity,
		PackedPolicySize: len(r.Policy.ARNs) + 10*len(r.Tags) + 20*len(r.TransitiveKeys) + len(r.ExternalID),
	}, nil
}

func (issuer) SessionToken(_ context.Context, _ *identity.Caller, r issue.SessionTokenRequest) (identity.SessionKeys, error) {
	if r.MFA.TokenCode == "000000" {
		return identity.SessionKeys{}, identity.NewError(identity.KindAccessDenied, "fake", "MultiFactorAuthentication failed with invalid MFA one time pass code.")
	}
	return fakeKeys(r.DurationSeconds, 43200), nil
}

func (issuer) FederationToken(_ context.Context, c *identity.Caller, r issue.FederationTokenRequest) (issue.FederationToken, error) {
	if err := wiretest.Fault(r.Name); err != nil {
		return issue.FederationToken{}, err
	}
	return issue.FederationToken{
		Keys: fakeKeys(r.DurationSeconds, 43200), FederatedUserID: c.AccountID + ":" + r.Name,
		FederatedUserARN: "arn:demo:sts::" + account + ":federated-user/" + r.Name, PackedPolicySize: len(r.Tags) + len(r.Policy.ARNs),
	}, nil
}

func (issuer) AssumeRoot(_ context.Context, c *identity.Caller, r issue.AssumeRootRequest) (issue.AssumedRoot, error) {
	if r.TaskPolicyARN != "arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy" {
		return issue.AssumedRoot{}, identity.NewError(identity.KindAccessDenied, "fake", "User: "+c.ARN+" is not authorized to perform: sts:AssumeRoot on resource: "+r.TargetPrincipal)
	}
	return issue.AssumedRoot{Keys: fakeKeys(r.DurationSeconds, 900), SourceIdentity: "alice"}, nil
}

func (issuer) OutboundToken(_ context.Context, _ *identity.Caller, r issue.OutboundTokenRequest) (issue.OutboundToken, error) {
	if r.Audience[0] == "escalate" {
		return issue.OutboundToken{}, &identity.Error{Kind: identity.KindAccessDenied, Op: "fake", Public: "too long", Detail: []identity.Detail{{Name: "QueryCode", Value: "SessionDurationEscalationException"}}}
	}
	return issue.OutboundToken{Token: identity.Secret("eyJ." + r.Algorithm + "." + r.Audience[0]), Expiration: fakeKeys(r.DurationSeconds, 300).Expiration}, nil
}

// SAML trusts the assertion "PHNhbWw+" for one role. A principal's name chooses
// an error.
func (issuer) SAML(_ context.Context, r issue.SAMLRequest) (issue.SAMLResult, error) {
	_, name, _ := strings.Cut(r.PrincipalARN, ":saml-provider/")
	if err := wiretest.Fault(name); err != nil {
		return issue.SAMLResult{}, err
	}
	if !r.Assertion.Equal("PHNhbWw+") || r.RoleARN != roleARN {
		return issue.SAMLResult{}, identity.NewError(identity.KindAccessDenied, "fake", "Not authorized to perform sts:AssumeRoleWithSAML")
	}
	return issue.SAMLResult{
		AssumedRole: issue.AssumedRole{
			Keys: identity.SessionKeys{
				AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
				SessionToken: "FwoG/made+up==", Expiration: time.Date(2026, 1, 2, 4, 4, 5, 0, time.UTC),
			},
			AssumedRoleID: "AROAIOSFODNN7EXAMPLE:ann", AssumedRoleARN: "arn:demo:sts::" + account + ":assumed-role/reader/ann",
			SourceIdentity: "ann", PackedPolicySize: 4,
		},
		Subject: "ann", SubjectType: "persistent", Issuer: "https://idp.example.org/saml", Audience: "https://daypass.example.com/saml",
		NameQualifier: "SbdGOnUkh1i4+EXAMPLExL/jEvs=",
	}, nil
}

func (issuer) AccessKeyAccount(_ context.Context, _ *identity.Caller, keyID string) (string, error) {
	if keyID != "AKIAIOSFODNN7EXAMPLE" {
		return "", identity.NewError(identity.KindValidation, "fake", "There is no access key "+keyID+".")
	}
	return account, nil
}

func newHandler(c sts.Config) http.Handler {
	c.Access, c.Issuer, c.Messages = authenticator{}, issuer{}, messages{}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	h := sts.New(c)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(identity.WithRequest(r.Context(), identity.RequestFacts{ID: requestID})))
	})
}

func failure(err error) awswire.Failure { return awswire.STS.Failure(err) }

func newWireHandler(*testing.T) http.Handler { return newHandler(sts.Config{}) }
