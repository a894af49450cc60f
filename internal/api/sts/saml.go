package sts

import (
	"daypass/internal/awswire"
	"daypass/internal/identity"
	"daypass/internal/issue"
)

const maxSAMLAssertion = 100000

func (h *Handler) assumeRoleWithSAML(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	req := issue.SAMLRequest{
		RoleARN:      in.required("RoleArn", 20, 2048),
		PrincipalARN: in.required("PrincipalArn", 20, 2048),
		Assertion:    identity.Secret(in.required("SAMLAssertion", 4, maxSAMLAssertion)),
	}
	req.Policy = in.policies()
	req.DurationSeconds = in.duration(h.minDuration, maxDurationSeconds)
	if in.err != nil {
		return nil, in.err
	}
	res, err := h.issuer.SAML(c.ctx, req)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		writeCredentials(x, res.Keys)
		writeAssumedRole(x, res.AssumedRoleID, res.AssumedRoleARN)
		x.Int("PackedPolicySize", int64(res.PackedPolicySize))
		x.Elem("Subject", res.Subject)
		x.Elem("SubjectType", res.SubjectType)
		x.Elem("Issuer", res.Issuer)
		x.Elem("Audience", res.Audience)
		x.Elem("NameQualifier", res.NameQualifier)
		x.OptElem("SourceIdentity", res.SourceIdentity)
	}, nil
}
