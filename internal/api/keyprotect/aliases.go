package keyprotect

import (
	"net/http"
	"time"
)

// alias is a further name of a key.
type alias struct {
	KeyID     string     `json:"keyId"`
	Name      string     `json:"alias"`
	CreatedBy string     `json:"createdBy"`
	CreatedAt *time.Time `json:"creationDate"`
}

func (h *Handler) createAlias(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	id, a, err := h.KMS.CreateAlias(c.ctx, c.caller, c.at, c.id(), c.names[1])
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, collectionOf(aliasType, []alias{{id, a.Name, a.CreatedBy, at(a.CreatedAt)}})}, nil
}

func (h *Handler) deleteAlias(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	return noContent, h.KMS.DeleteAlias(c.ctx, c.caller, c.at, c.id(), c.names[1])
}
