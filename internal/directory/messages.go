package directory

import (
	"context"

	"daypass/internal/identity"
)

// DecodeMessage opens the encoded message of a refusal in the caller's account
// (STS DecodeAuthorizationMessage) and returns its JSON. KindInvalidMessage for
// one that is malformed, of another account, or older than a day.
func (d *Directory) DecodeMessage(_ context.Context, c *identity.Caller, encoded string) (string, error) {
	if err := d.permit(c, "sts:DecodeAuthorizationMessage", "", c.AccountID); err != nil {
		return "", err
	}
	return d.access.OpenMessage(c.AccountID, encoded)
}
