package keyprotect

import (
	"net/http"
	"time"
)

// ring is a key ring.
type ring struct {
	ID        string     `json:"id"`
	CreatedAt *time.Time `json:"creationDate,omitempty"`
	CreatedBy string     `json:"createdBy,omitempty"`
}

func (h *Handler) listRings(c *call) (answer, error) {
	q, err := c.query("limit", "offset", "totalCount")
	if err != nil {
		return answer{}, err
	}
	limit, offset, err := q.page()
	if err != nil {
		return answer{}, err
	}
	counted, err := q.on("totalCount")
	if err != nil {
		return answer{}, err
	}
	list, err := h.KMS.Rings(c.ctx, c.caller, c.at)
	if err != nil {
		return answer{}, err
	}
	total := len(list)
	list = list[min(offset, total):min(total, offset+limit)]
	out := make([]ring, len(list))
	for i, r := range list {
		out[i] = ring{r.ID, at(r.CreatedAt), r.CreatedBy}
	}
	body := collectionOf(ringType, out)
	if counted {
		body.counted(total)
	}
	return answer{http.StatusOK, body}, nil
}

// createRing answers without a body: IBM's client for Go fails on one.
func (h *Handler) createRing(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated}, h.KMS.CreateRing(c.ctx, c.caller, c.at, c.id())
}

// deleteRing takes force from the query. IBM's client for Go sends it in a body as
// well.
func (h *Handler) deleteRing(c *call) (answer, error) {
	q, err := c.query("force")
	if err != nil {
		return answer{}, err
	}
	force, err := q.on("force")
	if err != nil {
		return answer{}, err
	}
	return noContent, h.KMS.DeleteRing(c.ctx, c.caller, c.at, c.id(), force)
}
