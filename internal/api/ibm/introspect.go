package ibm

import (
	"encoding/json"
	"maps"
	"net/http"

	"daypass/internal/identity"
)

// introspect says whether a token is alive, to a caller of its account (RFC 7662
// §2). A hint of its kind changes nothing: only access tokens are looked at.
func introspect(h *Handler, c *call) (answer, error) {
	f, err := readForm(c.w, c.r)
	if err != nil {
		return answer{}, err
	}
	token, err := f.needSecret("token")
	if err != nil {
		return answer{}, err
	}
	claims, err := h.Issuer.IBMIntrospect(c.ctx, c.caller, token)
	if err != nil {
		return answer{}, err
	}
	out := map[string]json.RawMessage{"active": json.RawMessage("false")}
	if claims != nil {
		maps.Copy(out, claims)
		out["active"] = json.RawMessage("true")
	}
	return answer{status: http.StatusOK, body: out}, nil
}

// userInfoClaims are what a token's user may know of itself (OpenID Connect Core
// §5.3), and how IBM's dialect names it.
var userInfoClaims = []string{"sub", "sub_type", "iam_id", "realmid", "identifier", "name", "email", "account"}

// userInfo says whose the bearer token is.
func userInfo(h *Handler, c *call) (answer, error) {
	token, err := bearer(c.r)
	if err != nil {
		return answer{}, err
	}
	claims, err := h.Issuer.IBMIntrospect(c.ctx, c.caller, token)
	if err != nil {
		return answer{}, err
	}
	if claims == nil { // ended since it was accepted
		return answer{}, identity.NewError(identity.KindInvalidBearer, "ibm.userinfo", "")
	}
	out := map[string]json.RawMessage{}
	for _, name := range userInfoClaims {
		if v, ok := claims[name]; ok {
			out[name] = v
		}
	}
	return answer{status: http.StatusOK, body: out}, nil
}
