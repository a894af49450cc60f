package oidc

import (
	"net/http"
	"strings"

	"daypass/internal/identity"
)

// outboundDocument is the discovery document of an account's issuer, whose
// tokens are got from STS.
type outboundDocument struct {
	Issuer            string   `json:"issuer"`
	JWKSURI           string   `json:"jwks_uri"`
	ResponseTypes     []string `json:"response_types_supported"`
	SubjectTypes      []string `json:"subject_types_supported"`
	SigningAlgorithms []string `json:"id_token_signing_alg_values_supported"`
	ClaimTypes        []string `json:"claim_types_supported"`
}

const (
	outboundDiscovery = "/.well-known/openid-configuration"
	outboundKeys      = "/.well-known/jwks.json"
)

// outbound serves the issuer of an account: path is what follows the prefix.
func (h *Handler) outbound(w http.ResponseWriter, r *http.Request, path string) error {
	account, _, _ := strings.Cut(path, "/")
	rest := path[len(account):]
	if rest != outboundDiscovery && rest != outboundKeys {
		return refusal(codeNotFound, "No such endpoint")
	}
	facts, keys, err := h.issuer.Outbound(account)
	if identity.KindOf(err) == identity.KindNotFound {
		return refusal(codeNotFound, "No such issuer")
	}
	if err != nil {
		return err
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return identity.NewError(identity.KindMethodNotAllowed, "oidc.outbound", "")
	}
	cacheable(w.Header())
	if rest == outboundKeys {
		writeBody(w, http.StatusOK, keys)
		return nil
	}
	writeJSON(w, http.StatusOK, outboundDocument{
		Issuer: facts.Issuer, JWKSURI: facts.Issuer + outboundKeys, ResponseTypes: []string{"id_token"}, SubjectTypes: []string{"public"},
		SigningAlgorithms: facts.Algorithms, ClaimTypes: []string{"normal"},
	})
	return nil
}
