package client

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"daypass/internal/identity"
)

const versionSTS = "2011-06-15"

// assumeRoleResponse is STS's AssumeRoleWithWebIdentityResponse.
type assumeRoleResponse struct {
	Result struct {
		Credentials struct {
			AccessKeyID     string    `xml:"AccessKeyId"`
			SecretAccessKey string    `xml:"SecretAccessKey"`
			SessionToken    string    `xml:"SessionToken"`
			Expiration      time.Time `xml:"Expiration"`
		} `xml:"Credentials"`
		User struct {
			ARN string `xml:"Arn"`
			ID  string `xml:"AssumedRoleId"`
		} `xml:"AssumedRoleUser"`
	} `xml:"AssumeRoleWithWebIdentityResult"`
}

// Identity is who the keys belong to (STS GetCallerIdentity).
type Identity struct {
	ARN       string `xml:"Arn" json:"arn"`
	AccountID string `xml:"Account" json:"account"`
	UserID    string `xml:"UserId" json:"user_id"`
}

// queryError is the error envelope of STS.
type queryError struct {
	Error struct {
		Code    string
		Message string
	}
}

// assumeRole exchanges a JWT for session keys. It fails with KindAccessDenied,
// KindExpiredIdentity and the kinds of queryFailure.
func (w *wire) assumeRole(ctx context.Context, role, session string, token identity.Secret) (Keys, error) {
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {versionSTS},
		"RoleArn": {role}, "RoleSessionName": {session}, "WebIdentityToken": {token.Reveal()},
	}
	if d := w.profile.Duration; d > 0 {
		form.Set("DurationSeconds", strconv.FormatInt(int64(d/time.Second), 10))
	}
	doing := "assuming " + role
	now := w.clock.Now()
	a, err := w.post(ctx, doing, "/", form, nil)
	if err != nil {
		return Keys{}, err
	}
	var answer assumeRoleResponse
	if err := w.result(doing, a, &answer); err != nil {
		return Keys{}, err
	}
	c, user := answer.Result.Credentials, answer.Result.User
	arn, ok := identity.ParseARN(user.ARN)
	if c.AccessKeyID == "" || c.Expiration.IsZero() || !ok {
		return Keys{}, w.notOurs(doing, a)
	}
	return Keys{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: identity.Secret(c.SecretAccessKey), SessionToken: identity.Secret(c.SessionToken),
		IssuedAt: now.UTC().Truncate(time.Second), ExpiresAt: c.Expiration, ARN: user.ARN, AccountID: arn.Account, UserID: user.ID,
	}, nil
}

// callerIdentity asks the server whose keys these are. Keys that it no longer
// accepts are KindExpiredToken.
func (w *wire) callerIdentity(ctx context.Context, k *Keys) (Identity, error) {
	const doing = "asking who the keys belong to"
	a, err := w.post(ctx, doing, "/", url.Values{"Action": {"GetCallerIdentity"}, "Version": {versionSTS}}, k)
	if err != nil {
		return Identity{}, err
	}
	var answer struct {
		Result Identity `xml:"GetCallerIdentityResult"`
	}
	if err := w.result(doing, a, &answer); err != nil {
		return Identity{}, err
	}
	if answer.Result.ARN == "" {
		return Identity{}, w.notOurs(doing, a)
	}
	return answer.Result, nil
}

// result reads an answer of STS.
func (w *wire) result(doing string, a *answer, into any) error {
	if a.status != http.StatusOK {
		return w.queryFailure(doing, a)
	}
	if err := xml.Unmarshal(a.body, into); err != nil {
		return w.notOurs(doing, a)
	}
	return nil
}

// queryFailure turns a refusal of STS into an error.
func (w *wire) queryFailure(doing string, a *answer) error {
	var e queryError
	if xml.Unmarshal(a.body, &e) != nil || e.Error.Code == "" {
		return w.notOurs(doing, a)
	}
	p := w.profile
	kind, next := identity.KindInternal, "show the request ID to whoever runs the installation"
	switch e.Error.Code {
	case "AccessDenied":
		kind, next = identity.KindAccessDenied, "the role, its account and its trust policy must all fit; name another role with --role"
		if doing == openingMessage {
			next = "name a profile that may with --profile"
		}
	case "InvalidAuthorizationMessageException":
		kind, next = identity.KindValidation, "paste the whole error, or name a profile of its account with --profile"
	case "ExpiredToken", "ExpiredTokenException":
		kind, next = identity.KindExpiredToken, "run: "+p.loginCommand()+" --force"
		if p.WebIdentityTokenFile != "" {
			next = "put a new token into " + p.WebIdentityTokenFile
		}
	case "InvalidClientTokenId", "InvalidToken":
		kind, next = identity.KindExpiredToken, "run: "+p.loginCommand()+" --force"
	case "InvalidIdentityToken", "IDPRejectedClaim":
		kind, next = identity.KindInvalidIdentity, "the token must be of an issuer that the account trusts"
	case "ValidationError":
		kind, next = identity.KindValidation, ""
	case "Throttling", "ServiceUnavailable", "IDPCommunicationError":
		kind, next = identity.KindUnavailable, "try again in "+retryAfter(a)
	case "SignatureDoesNotMatch", "RequestTimeTooSkewed":
		kind, next = identity.KindSignatureMismatch, "check this machine's clock"
	}
	return w.failed(kind, doing, e.Error.Code+": "+e.Error.Message, next, a.requestID, nil)
}
