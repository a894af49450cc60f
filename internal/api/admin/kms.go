package admin

import (
	"context"
	"net/http"
	"net/url"

	"daypass/internal/identity"
	"daypass/internal/kms"
)

// KeyUses tells who uses the keys of key management: *kms.KMS.
type KeyUses interface {
	Usage(ctx context.Context, c *identity.Caller, at kms.At, id string) ([]kms.Use, error)
}

func (h *Handler) handleKeyUses(u KeyUses) {
	h.handle("GET /v1/kms/usage", func(r *http.Request, c *identity.Caller) (any, error) {
		q := r.URL.Query()
		list, err := u.Usage(r.Context(), c, kms.At{Instance: q.Get("instance")}, q.Get("key"))
		return orEmpty(list), err
	})
}

type openRequest struct {
	Instance string `json:"instance"`
}

// openInstance lets calls to an instance of key management come from anywhere again.
func (h *Handler) openInstance(r *http.Request, c *identity.Caller) (any, error) {
	var in openRequest
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	return struct{}{}, h.config.OpenInstance(r.Context(), c, in.Instance)
}

// OpenInstance disables the policies of an instance of key management that say where
// calls may come from.
func (c *Client) OpenInstance(ctx context.Context, instance string) error {
	return c.call(ctx, http.MethodPost, "/v1/kms/open", openRequest{instance}, &struct{}{})
}

// KeyUsage lists who used the keys of key management: one, those of an instance,
// or all.
func (c *Client) KeyUsage(ctx context.Context, instance, key string) ([]kms.Use, error) {
	var out []kms.Use
	q := url.Values{"instance": {instance}, "key": {key}}
	err := c.call(ctx, http.MethodGet, "/v1/kms/usage?"+q.Encode(), nil, &out)
	return out, err
}
