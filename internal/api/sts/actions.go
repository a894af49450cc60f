package sts

import (
	"strings"

	"daypass/internal/awswire"
	"daypass/internal/identity"
	"daypass/internal/issue"
)

func (h *Handler) assumeRoleWithWebIdentity(c *call) (func(*awswire.XML), error) {
	req, err := h.webIdentityRequest(c.form)
	if err != nil {
		return nil, err
	}
	res, err := h.issuer.WebIdentity(c.ctx, req)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		writeCredentials(x, res.Keys)
		x.Elem("SubjectFromWebIdentityToken", res.Subject)
		x.Open("AssumedRoleUser")
		x.Elem("AssumedRoleId", res.AssumedRoleID)
		x.Elem("Arn", res.AssumedRoleARN)
		x.Close("AssumedRoleUser")
		x.Int("PackedPolicySize", int64(res.PackedPolicySize))
		x.Elem("Provider", res.Provider)
		x.Elem("Audience", res.Audience)
		x.OptElem("SourceIdentity", res.SourceIdentity)
	}, nil
}

// webIdentityRequest decodes the parameters of AssumeRoleWithWebIdentity in
// the order of the API's model; the first unfit one is what the error names.
func (h *Handler) webIdentityRequest(f *awswire.Form) (issue.WebIdentityRequest, error) {
	in := fields{form: f}
	req := issue.WebIdentityRequest{
		RoleARN:         in.required("RoleArn", 20, 2048),
		RoleSessionName: in.roleSessionName(),
		Token:           identity.Secret(strings.TrimSpace(in.required("WebIdentityToken", 4, 20000))),
		ProviderID:      in.optional("ProviderId", 4, 2048),
		PolicyARNs:      in.policyARNs(),
		Policy:          in.sessionPolicy(),
		DurationSeconds: in.duration(h.minDuration, maxDurationSeconds),
	}
	return req, in.err
}

func (h *Handler) getCallerIdentity(c *call) (func(*awswire.XML), error) {
	return func(x *awswire.XML) {
		x.Elem("UserId", c.caller.UserID)
		x.Elem("Account", c.caller.AccountID)
		x.Elem("Arn", c.caller.ARN)
	}, nil
}

func writeCredentials(x *awswire.XML, k identity.SessionKeys) {
	x.Open("Credentials")
	x.Elem("AccessKeyId", k.AccessKeyID)
	x.Elem("SecretAccessKey", k.SecretAccessKey.Reveal())
	x.Elem("SessionToken", k.SessionToken.Reveal())
	x.Time("Expiration", k.Expiration)
	x.Close("Credentials")
}
