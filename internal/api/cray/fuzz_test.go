package cray_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/api/cray"
)

// FuzzRequest sends headers and bodies of any kind: only the one token, shown in
// a way that counts, gets keys, and nothing of the request comes back.
func FuzzRequest(f *testing.F) {
	for _, s := range [][3]string{
		{"Bearer " + goodToken, "", ""},
		{"", goodToken, "{}"},
		{"Bearer " + goodToken, goodToken, "x"},
		{"Bearer " + goodToken, "a.b.c", ""},
		{"bearer x", "", ""},
		{"Bearer  x", "", ""},
		{"Basic x", "y", ""},
		{"Bearer fail-internal", "", ""},
		{"Bearer \xff", "", "\x00"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, authorization, forwarded, body string) {
		r := httptest.NewRequest("PUT", cray.Prefix+"token", strings.NewReader(body))
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		if forwarded != "" {
			r.Header.Set("X-Forwarded-Access-Token", forwarded)
		}
		w := httptest.NewRecorder()
		newHandler(t).ServeHTTP(w, r)
		const good = "Bearer " + goodToken
		wanted := authorization == good && (forwarded == "" || forwarded == goodToken) || authorization == "" && forwarded == goodToken
		if (w.Code == 201) != wanted {
			t.Fatalf("%q, %q: status %d", authorization, forwarded, w.Code)
		}
		if w.Code != 201 {
			problemOf(t, w)
		}
	})
}
