package keyprotect

import (
	"net/http"
	"time"

	"daypass/internal/kms"
)

// useOf is what one principal did with one key. IBM's API has no such thing.
type useOf struct {
	KeyID     string            `json:"keyId"`
	KeyName   string            `json:"keyName,omitempty"`
	Principal string            `json:"principal"`
	Counts    map[string]uint64 `json:"counts"`
	FirstAt   *time.Time        `json:"firstUseDate"`
	LastAt    *time.Time        `json:"lastUseDate"`
	LastIP    string            `json:"lastUseAddress,omitempty"`
}

const usageType = "application/vnd.daypass.key_usage+json"

// usage serves keys/{id}/usage and, of all keys of the instance, instance/usage.
func (h *Handler) usage(c *call) (answer, error) {
	q, err := c.query("limit", "offset")
	if err != nil {
		return answer{}, err
	}
	limit, offset, err := q.page()
	if err != nil {
		return answer{}, err
	}
	id := ""
	if len(c.names) > 0 {
		id = c.id()
	}
	list, err := h.KMS.Usage(c.ctx, c.caller, c.at, id)
	if err != nil {
		return answer{}, err
	}
	total := len(list)
	var out []useOf
	for _, u := range list[min(offset, total):min(total, offset+limit)] {
		out = append(out, showUse(&u))
	}
	return answer{http.StatusOK, collectionOf(usageType, out).counted(total)}, nil
}

func showUse(u *kms.Use) useOf {
	return useOf{u.KeyID, u.KeyName, u.Principal, u.Counts, at(u.FirstAt), at(u.LastAt), u.LastIP}
}
