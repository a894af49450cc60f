package iam

import (
	"context"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// Providers manages OIDC providers, which are named by ARN.
type Providers interface {
	CreateOpenIDConnectProvider(ctx context.Context, c *identity.Caller, in directory.NewProvider) (directory.ProviderDetails, error)
	GetOpenIDConnectProvider(ctx context.Context, c *identity.Caller, arn string) (directory.ProviderDetails, error)
	ListOpenIDConnectProviders(ctx context.Context, c *identity.Caller) ([]directory.ProviderDetails, error)
	DeleteOpenIDConnectProvider(ctx context.Context, c *identity.Caller, arn string) error
	AddClientID(ctx context.Context, c *identity.Caller, arn, clientID string) error
	RemoveClientID(ctx context.Context, c *identity.Caller, arn, clientID string) error
	UpdateThumbprints(ctx context.Context, c *identity.Caller, arn string, thumbprints []string) error
	TagOpenIDConnectProvider(ctx context.Context, c *identity.Caller, arn string, tags map[string]string) error
	UntagOpenIDConnectProvider(ctx context.Context, c *identity.Caller, arn string, tagKeys []string) error
	ListOpenIDConnectProviderTags(ctx context.Context, c *identity.Caller, arn string, p directory.Page) (directory.Listing[directory.Tag], error)
}

var providerActions = map[string]action{
	"AddClientIDToOpenIDConnectProvider":      serveClientID(func(h *Handler) clientIDCall { return h.directory.AddClientID }),
	"CreateOpenIDConnectProvider":             (*Handler).createProvider,
	"DeleteOpenIDConnectProvider":             (*Handler).deleteProvider,
	"GetOpenIDConnectProvider":                (*Handler).getProvider,
	"ListOpenIDConnectProviders":              (*Handler).listProviders,
	"ListOpenIDConnectProviderTags":           serveListTags(func(h *Handler) listTagsCall { return h.directory.ListOpenIDConnectProviderTags }, (*fields).providerARN),
	"RemoveClientIDFromOpenIDConnectProvider": serveClientID(func(h *Handler) clientIDCall { return h.directory.RemoveClientID }),
	"TagOpenIDConnectProvider":                serveTag(func(h *Handler) tagCall { return h.directory.TagOpenIDConnectProvider }, (*fields).providerARN),
	"UntagOpenIDConnectProvider":              serveUntag(func(h *Handler) untagCall { return h.directory.UntagOpenIDConnectProvider }, (*fields).providerARN),
	"UpdateOpenIDConnectProviderThumbprint":   (*Handler).updateThumbprint,
}

func (in *fields) providerARN() string { return in.arn("OpenIDConnectProviderArn") }

func (in *fields) thumbprints() []string {
	return in.texts("ThumbprintList", maxThumbprints, thumbprint, thumbprint)
}

func (h *Handler) createProvider(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	provider := directory.NewProvider{
		ClientIDs: in.texts("ClientIDList", maxClientIDs, 1, maxClientID), Thumbprints: in.thumbprints(), Tags: in.tags(),
	}
	provider.URL, _ = in.required("Url", 1, maxURL)
	if in.err != nil {
		return nil, in.err
	}
	created, err := h.directory.CreateOpenIDConnectProvider(c.ctx, c.caller, provider)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Elem("OpenIDConnectProviderArn", created.ARN)
		writeTags(x, created.Tags)
	}, nil
}

func (h *Handler) getProvider(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	arn := in.providerARN()
	if in.err != nil {
		return nil, in.err
	}
	p, err := h.directory.GetOpenIDConnectProvider(c.ctx, c.caller, arn)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Elem("Url", identity.TrimScheme(p.Issuer)) // as the API does
		x.List("ClientIDList", p.ClientIDs)
		x.List("ThumbprintList", p.Thumbprints)
		x.Time("CreateDate", p.CreatedAt)
		writeTags(x, p.Tags)
	}, nil
}

func (h *Handler) listProviders(c *call) (func(*awswire.XML), error) {
	list, err := h.directory.ListOpenIDConnectProviders(c.ctx, c.caller)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("OpenIDConnectProviderList")
		for i := range list {
			x.Open("member")
			x.Elem("Arn", list[i].ARN)
			x.Close("member")
		}
		x.Close("OpenIDConnectProviderList")
	}, nil
}

func (h *Handler) deleteProvider(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	arn := in.providerARN()
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.DeleteOpenIDConnectProvider(c.ctx, c.caller, arn)
}

type clientIDCall func(ctx context.Context, c *identity.Caller, arn, clientID string) error

func serveClientID(of func(*Handler) clientIDCall) action {
	return func(h *Handler, c *call) (func(*awswire.XML), error) {
		in := fields{form: c.form}
		arn := in.providerARN()
		id, _ := in.required("ClientID", 1, maxClientID)
		if in.err != nil {
			return nil, in.err
		}
		return nil, of(h)(c.ctx, c.caller, arn, id)
	}
}

func (h *Handler) updateThumbprint(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	arn, list := in.providerARN(), in.thumbprints()
	if in.err == nil && len(list) == 0 {
		in.fail(awswire.Constraint("ThumbprintList", "", "Member must not be null"))
	}
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.UpdateThumbprints(c.ctx, c.caller, arn, list)
}
