package client

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// tokens are the form fields that are shown as their first four characters and
// a hash; what is in neither list is shown as it is.
var tokens = []string{"refresh_token", "token", "WebIdentityToken", "apikey", "cr_token"}

// guessable are the form fields of which not even a hash is shown.
var guessable = []string{"password", "client_secret", "totp", "passcode", "security_code"}

func (w *wire) traceRequest(r *http.Request, form url.Values) {
	if w.trace == nil {
		return
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(form)) {
		value := form.Get(name)
		switch {
		case slices.Contains(guessable, name):
			value = "[redacted]"
		case slices.Contains(tokens, name):
			value = Redact(value)
		}
		fmt.Fprintf(&b, " %s=%s", name, value)
	}
	fmt.Fprintf(w.trace, "debug: %s %s%s\n", r.Method, r.URL, b.String())
}

func (w *wire) traceAnswer(a *answer) {
	if w.trace != nil {
		fmt.Fprintf(w.trace, "debug: %d, %d bytes of %s, request %s\n", a.status, len(a.body), a.header.Get("Content-Type"), a.requestID)
	}
}

// Redact shows a token's first four characters and a hash, enough to tell two
// apart.
func Redact(token string) string {
	return token[:min(4, len(token)/4)] + "…sha256:" + hashHex(token)[:12]
}

func hashHex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
