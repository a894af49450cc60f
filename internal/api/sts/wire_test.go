package sts_test

import (
	"bytes"
	"encoding/xml"
	"log/slog"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"daypass/internal/api/sts"
	"daypass/internal/awswire"
	"daypass/internal/identity"
	"daypass/internal/wiretest"
)

// possible are the kinds that access and issue return to this dialect.
var possible = []identity.Kind{
	identity.KindInternal, identity.KindUnavailable, identity.KindThrottled, identity.KindValidation, identity.KindInvalidInput,
	identity.KindNotImplemented, identity.KindLimitExceeded, identity.KindAccessDenied, identity.KindMalformedPolicy,
	identity.KindPolicyTooLarge, identity.KindInvalidMessage,
	identity.KindMissingAuthentication, identity.KindAuthAlgorithm, identity.KindSignatureV2, identity.KindAuthTwice,
	identity.KindAuthMalformed, identity.KindAuthCredential, identity.KindScopeTerminator, identity.KindScopeRegion,
	identity.KindScopeService, identity.KindScopeDate, identity.KindDateMissing, identity.KindTimeSkewed,
	identity.KindUnknownAccessKey, identity.KindSignatureMismatch, identity.KindPresignMalformed,
	identity.KindPresignExpired, identity.KindPresignNotYet, identity.KindHostNotSigned, identity.KindHeadersNotSigned,
	identity.KindInvalidToken, identity.KindExpiredToken, identity.KindMFARequired, identity.KindInvalidIdentity,
	identity.KindExpiredIdentity, identity.KindIdentityRejected, identity.KindProviderUnreachable,
}

func TestWire(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, newWireHandler)
	for _, k := range possible {
		if _, err := os.Stat("testdata/wire/error-" + string(k) + ".txtar"); err != nil {
			t.Errorf("no transcript of the error kind %s: %v", k, err)
		}
	}
}

const (
	form   = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\n"
	signed = "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=00\n"
)

func post(headers, body string) string {
	return "POST / HTTP/1.1\nHost: sts.example.com\n" + form + headers + "\n" + body + "\n"
}

// errorResponse is the envelope as clients read it.
type errorResponse struct {
	XMLName xml.Name `xml:"ErrorResponse"`
	Error   struct {
		Type    string
		Code    string
		Message string
	}
	RequestID string `xml:"RequestId"`
}

// checkError holds an answer against code, status and message, and against
// the shape that every error of a query service has.
func checkError(t *testing.T, w *httptest.ResponseRecorder, status int, code, message, namespace string) {
	t.Helper()
	var got errorResponse
	if err := xml.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	if w.Code != status || got.Error.Code != code || got.Error.Message != message {
		t.Errorf("got %d %s %q, want %d %s %q", w.Code, got.Error.Code, got.Error.Message, status, code, message)
	}
	party := "Sender"
	if status >= 500 {
		party = "Receiver"
	}
	if got.Error.Type != party || got.RequestID != requestID || got.XMLName.Space != namespace {
		t.Errorf("got type %s, request ID %s, namespace %s", got.Error.Type, got.RequestID, got.XMLName.Space)
	}
	if ct := w.Header().Get("Content-Type"); ct != "text/xml" {
		t.Errorf("got content type %q", ct)
	}
	if cl := w.Header().Get("Content-Length"); cl != strconv.Itoa(w.Body.Len()) {
		t.Errorf("got Content-Length %q for %d bytes", cl, w.Body.Len())
	}
}

func TestEveryKindAnswersInTheEnvelope(t *testing.T) {
	t.Parallel()
	for _, k := range identity.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			want := failure(wiretest.Fault("fail-" + string(k)))
			namespace := awswire.NamespaceSTS
			if k == identity.KindInvalidAction {
				namespace = awswire.NamespaceFault
			}
			for _, raw := range []string{
				post(signed+"X-Fault: fail-"+string(k)+"\n", "Action=GetCallerIdentity&Version=2011-06-15"),
				post("", "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn="+roleARN+"&WebIdentityToken=eyJ.x&RoleSessionName=fail-"+string(k)),
			} {
				w := httptest.NewRecorder()
				newHandler(sts.Config{}).ServeHTTP(w, wiretest.Request(t, raw))
				checkError(t, w, want.Status, want.Code, want.Message, namespace)
			}
		})
	}
}

func TestNoSecretInLogs(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	h := newHandler(sts.Config{Log: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	const base = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" + roleARN + "&RoleSessionName=ok"
	bad := []string{
		base + "&WebIdentityToken=SECRET",
		base + "&WebIdentityToken=SECRET" + strings.Repeat("x", 20000),
		base + "&WebIdentityToken=SECRET&WebIdentityToken=SECRET",
		base + "&WebIdentityToken=SECRET%zz",
		base + "&WebIdentityToken=SECRET&DurationSeconds=1",
		"Action=SECRET&Version=2011-06-15",
	}
	for _, body := range bad[:len(bad)-1] {
		if answer := wiretest.Exchange(t, h, post("", body)); strings.Contains(answer, "SECRET") {
			t.Errorf("the answer repeats the token:\n%s", answer)
		}
	}
	wiretest.Exchange(t, h, post("", bad[len(bad)-1]))
	if got := strings.Count(logged.String(), requestID); got != len(bad) {
		t.Errorf("got %d log lines, want %d", got, len(bad))
	}
	if strings.Contains(strings.ReplaceAll(logged.String(), "Could not find operation SECRET", ""), "SECRET") {
		t.Errorf("the log holds a token:\n%s", logged.String())
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	const base = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" + roleARN + "&WebIdentityToken=eyJ.web.identity"
	w := httptest.NewRecorder()
	h := newHandler(sts.Config{MinDurationSeconds: 2, LongExpiredCode: true})
	h.ServeHTTP(w, wiretest.Request(t, post("", base+"&RoleSessionName=ok&DurationSeconds=2")))
	if w.Code != 200 || !strings.Contains(w.Body.String(), "<Expiration>2026-01-02T03:04:07Z</Expiration>") {
		t.Errorf("2 seconds: got %d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, wiretest.Request(t, post("", base+"&RoleSessionName=ok&DurationSeconds=1")))
	checkError(t, w, 400, "ValidationError", "1 validation error detected: Value '1' at 'durationSeconds' failed to satisfy "+
		"constraint: Member must have value greater than or equal to 2", awswire.NamespaceSTS)
	w = httptest.NewRecorder()
	h.ServeHTTP(w, wiretest.Request(t, post("", base+"&RoleSessionName=fail-expired-identity")))
	checkError(t, w, 400, "ExpiredTokenException", "Token is expired", awswire.NamespaceSTS)
}
