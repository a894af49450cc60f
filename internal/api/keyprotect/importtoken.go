package keyprotect

import (
	"net/http"
	"time"

	"daypass/internal/kms"
)

// importToken is the instance's import token. Bytes are base64 in JSON; payload is
// the public key, PEM.
type importToken struct {
	ID        string     `json:"id"`
	CreatedAt *time.Time `json:"creationDate"`
	ExpiresAt *time.Time `json:"expirationDate"`
	Max       int        `json:"maxAllowedRetrievals"`
	Remaining int        `json:"remainingRetrievals"`
	Payload   []byte     `json:"payload,omitempty"`
	Nonce     []byte     `json:"nonce,omitempty"`
}

func showImportToken(status int, t *kms.ImportToken) answer {
	return answer{status, bare(importTokenType, importToken{
		t.ID, at(t.CreatedAt), at(t.ExpiresAt), t.Max, t.Remaining, t.PublicKey, t.Nonce,
	})}
}

func (h *Handler) createImportToken(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	o, err := c.body()
	if err != nil {
		return answer{}, err
	}
	seconds, retrievals := 0, 0
	if err := o.read(map[string]any{"expiration": &seconds, "maxAllowedRetrievals": &retrievals}); err != nil {
		return answer{}, err
	}
	if seconds < 0 || seconds > maxOffset {
		return answer{}, bad("The field expiration is a number of seconds.")
	}
	t, err := h.KMS.CreateImportToken(c.ctx, c.caller, c.at, time.Duration(seconds)*time.Second, retrievals)
	if err != nil {
		return answer{}, err
	}
	return showImportToken(http.StatusCreated, t), nil
}

func (h *Handler) getImportToken(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	t, err := h.KMS.ImportToken(c.ctx, c.caller, c.at)
	if err != nil {
		return answer{}, err
	}
	return showImportToken(http.StatusOK, t), nil
}
