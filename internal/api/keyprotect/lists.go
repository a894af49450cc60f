package keyprotect

import (
	"net/http"
	"strconv"

	"daypass/internal/kms"
)

// Bounds of limit.
const (
	defaultLimit = 200
	maxLimit     = 5000
	maxOffset    = 1 << 30
)

// page reads limit and offset.
func (q query) page() (limit, offset int, err error) {
	if limit, err = q.number("limit", defaultLimit, maxLimit); err != nil {
		return 0, 0, err
	}
	offset, err = q.number("offset", 0, maxOffset)
	return limit, offset, err
}

// chosen reads what HEAD and GET keys choose keys by.
func (q query) chosen() (out kms.KeyQuery, err error) {
	if out.Extractable, err = q.flag("extractable"); err != nil {
		return out, err
	}
	if text, ok := q["state"]; ok {
		if out.States, err = kms.ParseStates(text); err != nil {
			return out, err
		}
	}
	out.Search, out.Sort, out.Filter = q["search"], q["sort"], q["filter"]
	return out, nil
}

func (h *Handler) listKeys(c *call) (answer, error) {
	q, err := c.query("limit", "offset", "state", "extractable", "search", "sort", "filter")
	if err != nil {
		return answer{}, err
	}
	asked, err := q.chosen()
	if err != nil {
		return answer{}, err
	}
	if asked.Limit, asked.Offset, err = q.page(); err != nil {
		return answer{}, err
	}
	list, err := h.KMS.Keys(c.ctx, c.caller, c.at, asked)
	if err != nil {
		return answer{}, err
	}
	out := make([]key, len(list.Keys))
	for i, k := range list.Keys {
		out[i] = showKey(k)
	}
	return answer{http.StatusOK, collectionOf(keyType, out).counted(list.Total)}, nil
}

// countKeys tells how many keys there are, in a header.
func (h *Handler) countKeys(c *call) (answer, error) {
	q, err := c.query("state", "extractable", "search", "filter")
	if err != nil {
		return answer{}, err
	}
	asked, err := q.chosen()
	if err != nil {
		return answer{}, err
	}
	asked.CountOnly = true
	list, err := h.KMS.Keys(c.ctx, c.caller, c.at, asked)
	if err != nil {
		return answer{}, err
	}
	c.w.Header().Set("Key-Total", strconv.Itoa(list.Total))
	return answer{status: http.StatusOK}, nil
}
