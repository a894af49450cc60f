package ibm

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// transactionID is on every answer; clients log it.
const transactionID = "Transaction-Id"

// encode writes JSON as it is: nobody embeds it in a page.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		// The types of this package hold only what encodes.
		panic("ibm: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}

// send answers in one write, which nobody may keep unless the header says so
// already.
func send(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	if len(body) > 0 {
		h.Set("Content-Type", "application/json")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	if status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	// A failed write means that the client has gone.
	_, _ = w.Write(body)
}
