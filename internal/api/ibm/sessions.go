package ibm

import (
	"net/http"
	"time"
)

// sessions are what our own command line calls besides: IBM's clients know
// neither.
var sessions = map[string]endpoint{
	"/v1/session_keys": {"SessionKeys", map[string]operation{http.MethodPost: signed((*Handler).sessionKeys)}},
	"/v1/sessions/*":   {"Session", map[string]operation{http.MethodDelete: signed((*Handler).endSession)}},
}

// sessionKeys are keys for requests signed by SigV4, and whose they are.
type sessionKeys struct {
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	SessionToken    string `json:"session_token"`
	Expiration      string `json:"expiration"` // RFC 3339
	ARN             string `json:"arn"`
	AccountID       string `json:"account_id"`
	UserID          string `json:"user_id"`
}

func (h *Handler) sessionKeys(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	seconds := 0
	if err := c.decode(members{"duration_seconds": &seconds}); err != nil {
		return answer{}, err
	}
	if seconds < 0 {
		return answer{}, invalidValue("duration_seconds")
	}
	k, err := h.Issuer.IBMSessionKeys(c.ctx, c.caller, seconds)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, body: sessionKeys{
		k.Keys.AccessKeyID, k.Keys.SecretAccessKey.Reveal(), k.Keys.SessionToken.Reveal(), k.Keys.Expiration.UTC().Format(time.RFC3339),
		k.ARN, k.AccountID, k.UserID,
	}}, nil
}

func (h *Handler) endSession(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	return noContent, h.Issuer.IBMLogout(c.ctx, c.caller, c.names[0])
}
