package stax

import (
	"encoding/json"
	"net/http"
	"strconv"

	"daypass/internal/identity"
)

// WriteError answers err as {"Error": …, "Cause": …}.
func WriteError(w http.ResponseWriter, requestID string, err error) {
	e := identity.AsError(err)
	body, _ := json.Marshal(map[string]string{"Error": string(e.Kind), "Cause": e.Public})
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Amzn-Requestid", requestID)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusBadRequest)
	w.Write(body)
}
