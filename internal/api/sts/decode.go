package sts

import (
	"context"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// Messages opens encoded authorization messages; *directory.Directory is the
// implementation.
type Messages interface {
	DecodeMessage(ctx context.Context, c *identity.Caller, encoded string) (string, error)
}

var _ Messages = (*directory.Directory)(nil)

func (h *Handler) decodeAuthorizationMessage(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	encoded := in.required("EncodedMessage", 1, maxEncodedMessage)
	if in.err != nil {
		return nil, in.err
	}
	decoded, err := h.messages.DecodeMessage(c.ctx, c.caller, encoded)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) { x.Elem("DecodedMessage", decoded) }, nil
}
