package keyprotect_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"daypass/internal/api/keyprotect"
	"daypass/internal/identity"
	"daypass/internal/kms"
	"daypass/internal/wiretest"
)

func TestWire(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, func(t *testing.T) http.Handler { return newHandler(t) })
}

type envelope struct {
	Metadata struct {
		CollectionType  string
		CollectionTotal int
	}
	Resources []struct {
		ErrorMsg string
		Reasons  []struct {
			Code, Message string
			Status        int
		}
	}
}

func refused(t *testing.T, w *httptest.ResponseRecorder) (code, message string) {
	t.Helper()
	var e envelope
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if len(e.Resources) != 1 || len(e.Resources[0].Reasons) != 1 || e.Metadata.CollectionTotal != 1 ||
		e.Metadata.CollectionType != "application/vnd.ibm.kms.error+json" || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("envelope: %s", w.Body)
	}
	r := e.Resources[0].Reasons[0]
	if r.Status != w.Code || r.Code == "" || r.Message == "" || !strings.HasPrefix(e.Resources[0].ErrorMsg, http.StatusText(w.Code)+": ") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	return r.Code, r.Message
}

// TestEveryErrorIsAnswered walks all kinds and all reasons: each has a status and a
// code, tells nothing of what is for the log, and none is our own fault by chance.
func TestEveryErrorIsAnswered(t *testing.T) {
	t.Parallel()
	secret := "only for the log"
	answer := func(err *identity.Error) (*httptest.ResponseRecorder, string) {
		err.Err = os.ErrPermission
		w := httptest.NewRecorder()
		keyprotect.WriteError(w, httptest.NewRequest("GET", "/api/v2/keys", nil), requestID, err)
		code, _ := refused(t, w)
		if strings.Contains(w.Body.String(), "permission") || w.Header().Get("Correlation-Id") != requestID || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s %v", err.Kind, w.Body, w.Header())
		}
		return w, code
	}
	for _, k := range append(identity.Kinds(), "of-no-table") {
		w, code := answer(&identity.Error{Kind: k, Op: "test", Public: secret})
		alike := w.Code == 401 || w.Code >= 500 && w.Code != 501
		if alike && strings.Contains(w.Body.String(), secret) {
			t.Errorf("%s tells its sentence: %s", k, w.Body)
		}
		if (w.Code == 401) != (code == "UNAUTHORIZED_ERR") {
			t.Errorf("%s: %d %s", k, w.Code, code)
		}
	}
	for _, r := range kms.Reasons() {
		w, code := answer(&identity.Error{Kind: identity.KindInternal, Op: "test", Public: "why", Detail: []identity.Detail{{Name: "Reason", Value: string(r)}}})
		if w.Code >= 500 {
			t.Errorf("reason %s has no row: %d %s", r, w.Code, code)
		}
		if told := strings.Contains(w.Body.String(), `"why"`); told == (r == kms.ReasonNotAllowedFrom) {
			t.Errorf("reason %s: %s", r, w.Body)
		}
	}
}

// TestUnauthorizedIsOneAnswer: a bad token, none, an absent instance, and one that
// is not the caller's look the same, byte for byte.
func TestUnauthorizedIsOneAnswer(t *testing.T) {
	t.Parallel()
	want := ""
	for _, head := range []string{
		"Authorization: Bearer bad\nBluemix-Instance: " + instance, "Bluemix-Instance: " + instance, "Authorization: Basic Yng6Yng=",
		"Authorization: Bearer good", "Authorization: Bearer good\nBluemix-Instance: 99999999-1111-4222-8333-444444444444",
		"Authorization: Bearer good\nBluemix-Instance: x/../y", "Authorization: Bearer good\nAuthorization: Bearer good\nBluemix-Instance: " + instance,
		"Authorization: bearer\nBluemix-Instance: " + instance,
	} {
		got := wiretest.Exchange(t, newHandler(t), "GET /api/v2/keys/"+keyID+" HTTP/1.1\nHost: h\n"+head+"\n\n")
		if want == "" {
			want = got
		}
		if got != want || !strings.HasPrefix(got, "HTTP/1.1 401 ") {
			t.Errorf("%q: %s\nwant %s", head, got, want)
		}
	}
}
