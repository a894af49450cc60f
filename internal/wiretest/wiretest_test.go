package wiretest

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"daypass/internal/identity"
)

func TestExchange(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		w.Header().Set("X-B", "2")
		w.Header().Set("X-A", "1")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %d %q %v", r.Method, r.URL, r.ContentLength, body, err)
	})
	for name, tt := range map[string]struct{ raw, want string }{
		"no body":  {"GET /a?b HTTP/1.1\nHost: x\n\n", `GET /a?b 0 "" <nil>`},
		"body":     {"POST / HTTP/1.1\nHost: x\n\na\n\nb\n", `POST / 4 "a\n\nb" <nil>`},
		"cut body": {"POST / HTTP/1.1\nHost: x\nContent-Length: 9\n\nab\n", `POST / 9 "ab" unexpected EOF`},
	} {
		want := "HTTP/1.1 418 I'm a teapot\nX-A: 1\nX-B: 2\n\n" + tt.want + "\n"
		if got := Exchange(t, h, tt.raw); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestFault(t *testing.T) {
	t.Parallel()
	for _, k := range identity.Kinds() {
		if got := identity.KindOf(Fault("x", "fail-"+string(k))); got != k {
			t.Errorf("got %q, want %q", got, k)
		}
	}
	if err := Fault("", "fail-", "fail-nonsense", "internal"); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}
