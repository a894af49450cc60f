package ibm

import (
	"daypass/internal/issue"
)

func (h *Handler) byAPIKey(c *call, f form, client issue.IBMClient) (issue.IBMTokens, error) {
	key, err := f.needSecret("apikey")
	if err != nil {
		return issue.IBMTokens{}, err
	}
	return h.Issuer.IBMAPIKey(c.ctx, key, f["account"], client)
}
