package iam

import (
	"context"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// OutboundFederation switches JWTs for others on and off.
type OutboundFederation interface {
	EnableOutboundFederation(ctx context.Context, c *identity.Caller) (directory.OutboundFederation, error)
	DisableOutboundFederation(ctx context.Context, c *identity.Caller) error
	GetOutboundFederation(ctx context.Context, c *identity.Caller) (directory.OutboundFederation, error)
}

var outboundActions = map[string]action{
	"DisableOutboundWebIdentityFederation": (*Handler).disableOutbound,
	"EnableOutboundWebIdentityFederation":  (*Handler).enableOutbound,
	"GetOutboundWebIdentityFederationInfo": (*Handler).getOutbound,
}

func (h *Handler) enableOutbound(c *call) (func(*awswire.XML), error) {
	f, err := h.directory.EnableOutboundFederation(c.ctx, c.caller)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) { x.Elem("IssuerIdentifier", f.Issuer) }, nil
}

func (h *Handler) disableOutbound(c *call) (func(*awswire.XML), error) {
	return nil, h.directory.DisableOutboundFederation(c.ctx, c.caller)
}

func (h *Handler) getOutbound(c *call) (func(*awswire.XML), error) {
	f, err := h.directory.GetOutboundFederation(c.ctx, c.caller)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Elem("IssuerIdentifier", f.Issuer)
		x.Bool("JwtVendingEnabled", f.Enabled)
	}, nil
}
