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
		writeAssumedRole(x, res.AssumedRoleID, res.AssumedRoleARN)
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
		RoleARN:         in.roleARN("RoleArn"),
		RoleSessionName: in.roleSessionName(),
		Token:           identity.Secret(strings.TrimSpace(in.required("WebIdentityToken", 4, 20000))),
		ProviderID:      in.optional("ProviderId", 4, 2048),
		Policy:          in.policies(),
		DurationSeconds: in.duration(h.minDuration, maxDurationSeconds),
	}
	return req, in.err
}

func (h *Handler) assumeRole(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	req := issue.AssumeRoleRequest{
		RoleARN:         in.roleARN("RoleArn"),
		RoleSessionName: in.roleSessionName(),
		Policy:          in.policies(),
		DurationSeconds: in.duration(h.minDuration, maxDurationSeconds),
		Tags:            in.tags(),
		TransitiveKeys:  in.list("TransitiveTagKeys", maxTags, 1, 128),
		ExternalID:      in.pattern("ExternalId", in.optional("ExternalId", 2, 1224), "", externalChars, `[\w+=,.@:\/-]*`),
		MFA:             in.mfa(),
		SourceIdentity:  in.word("SourceIdentity", in.optional("SourceIdentity", 2, 64)),
	}
	if contexts, err := c.form.Structs("ProvidedContexts", 5); err != nil || len(contexts) > 0 {
		in.fail(identity.NewError(identity.KindNotImplemented, "sts.AssumeRole", "ProvidedContexts is not served; leave it out."))
	}
	if in.err != nil {
		return nil, in.err
	}
	res, err := h.issuer.AssumeRole(c.ctx, c.caller, req)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.OptElem("SourceIdentity", res.SourceIdentity)
		writeAssumedRole(x, res.AssumedRoleID, res.AssumedRoleARN)
		writeCredentials(x, res.Keys)
		x.Int("PackedPolicySize", int64(res.PackedPolicySize))
	}, nil
}

func (h *Handler) getSessionToken(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	req := issue.SessionTokenRequest{DurationSeconds: in.duration(h.minDuration, maxTokenSeconds), MFA: in.mfa()}
	if in.err != nil {
		return nil, in.err
	}
	keys, err := h.issuer.SessionToken(c.ctx, c.caller, req)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) { writeCredentials(x, keys) }, nil
}

func (h *Handler) getFederationToken(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	req := issue.FederationTokenRequest{
		Name:            in.word("Name", in.required("Name", 2, 32)),
		Policy:          in.policies(),
		DurationSeconds: in.duration(h.minDuration, maxTokenSeconds),
		Tags:            in.tags(),
	}
	if in.err != nil {
		return nil, in.err
	}
	res, err := h.issuer.FederationToken(c.ctx, c.caller, req)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		writeCredentials(x, res.Keys)
		x.Open("FederatedUser")
		x.Elem("FederatedUserId", res.FederatedUserID)
		x.Elem("Arn", res.FederatedUserARN)
		x.Close("FederatedUser")
		x.Int("PackedPolicySize", int64(res.PackedPolicySize))
	}, nil
}

func (h *Handler) assumeRoot(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	req := issue.AssumeRootRequest{TargetPrincipal: in.required("TargetPrincipal", 12, 2048), DurationSeconds: in.duration(0, maxRootSeconds)}
	req.TaskPolicyARN = in.required("TaskPolicyArn.arn", 20, 2048) // a structure of one member
	if in.err != nil {
		return nil, in.err
	}
	res, err := h.issuer.AssumeRoot(c.ctx, c.caller, req)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		writeCredentials(x, res.Keys)
		x.OptElem("SourceIdentity", res.SourceIdentity)
	}, nil
}

func (h *Handler) getWebIdentityToken(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	req := issue.OutboundTokenRequest{
		Audience:        in.list("Audience", 10, 1, 1000),
		Algorithm:       in.required("SigningAlgorithm", 5, 5),
		DurationSeconds: in.duration(60, 3600),
		Tags:            in.tags(),
	}
	if req.Audience == nil {
		in.fail(awswire.MissingParameter("Audience"))
	}
	if req.Algorithm != "RS256" && req.Algorithm != "ES384" {
		in.fail(awswire.Constraint("SigningAlgorithm", req.Algorithm, "Member must satisfy enum value set: [RS256, ES384]"))
	}
	if in.err != nil {
		return nil, in.err
	}
	res, err := h.issuer.OutboundToken(c.ctx, c.caller, req)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Elem("WebIdentityToken", res.Token.Reveal())
		x.Time("Expiration", res.Expiration)
	}, nil
}

func (h *Handler) getAccessKeyInfo(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	const name = "AccessKeyId"
	id := in.pattern(name, in.required(name, 16, 128), "", "_", `[\w]*`)
	if in.err != nil {
		return nil, in.err
	}
	account, err := h.issuer.AccessKeyAccount(c.ctx, c.caller, id)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) { x.Elem("Account", account) }, nil
}

func (h *Handler) getCallerIdentity(c *call) (func(*awswire.XML), error) {
	return func(x *awswire.XML) {
		x.Elem("UserId", c.caller.UserID)
		x.Elem("Account", c.caller.AccountID)
		x.Elem("Arn", c.caller.ARN)
	}, nil
}

func writeAssumedRole(x *awswire.XML, id, arn string) {
	x.Open("AssumedRoleUser")
	x.Elem("AssumedRoleId", id)
	x.Elem("Arn", arn)
	x.Close("AssumedRoleUser")
}

func writeCredentials(x *awswire.XML, k identity.SessionKeys) {
	x.Open("Credentials")
	x.Elem("AccessKeyId", k.AccessKeyID)
	x.Elem("SecretAccessKey", k.SecretAccessKey.Reveal())
	x.Elem("SessionToken", k.SessionToken.Reveal())
	x.Time("Expiration", k.Expiration)
	x.Close("Credentials")
}
