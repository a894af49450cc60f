package iam_test

import (
	"encoding/xml"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"daypass/internal/api/iam"
	"daypass/internal/awswire"
	"daypass/internal/identity"
	"daypass/internal/wiretest"
)

// possible are the kinds that access, directory and issue return to this
// dialect.
var possible = []identity.Kind{
	identity.KindInternal, identity.KindUnavailable, identity.KindThrottled, identity.KindValidation, identity.KindInvalidInput,
	identity.KindNotFound, identity.KindAlreadyExists, identity.KindConflict, identity.KindDeleteConflict,
	identity.KindLimitExceeded, identity.KindMalformedPolicy, identity.KindAccessDenied, identity.KindMFARequired,
	identity.KindMissingAuthentication, identity.KindAuthAlgorithm, identity.KindSignatureV2, identity.KindAuthTwice,
	identity.KindAuthMalformed, identity.KindAuthCredential, identity.KindScopeTerminator, identity.KindScopeRegion,
	identity.KindScopeService, identity.KindScopeDate, identity.KindDateMissing, identity.KindTimeSkewed,
	identity.KindUnknownAccessKey, identity.KindSignatureMismatch, identity.KindHostNotSigned,
	identity.KindHeadersNotSigned, identity.KindInvalidToken, identity.KindExpiredToken,
}

func TestWire(t *testing.T) {
	t.Parallel()
	paths := wiretest.Run(t, newWireHandler)
	for _, k := range possible {
		if _, err := os.Stat("testdata/wire/error-" + string(k) + ".txtar"); err != nil {
			t.Errorf("no transcript of the error kind %s: %v", k, err)
		}
	}
	for _, action := range iam.Actions() {
		if !slices.Contains(paths, "testdata/wire/"+action+".txtar") {
			t.Errorf("no transcript of the action %s", action)
		}
	}
}

const signed = "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=00\n"

func post(headers, body string) string {
	return "POST / HTTP/1.1\nHost: iam.example.com\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\n" + headers + "\n" + body + "\n"
}

// call is a signed request of an action.
func call(action, parameters string) string {
	return post(signed, "Action="+action+"&Version=2010-05-08&"+parameters)
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
			namespace := awswire.NamespaceIAM
			if k == identity.KindInvalidAction {
				namespace = awswire.NamespaceFault
			}
			for _, raw := range []string{
				post(signed+"X-Fault: fail-"+string(k)+"\n", "Action=GetUser&Version=2010-05-08"),
				call("GetUser", "UserName=fail-"+string(k)),
				call("CreateAccessKey", "UserName=fail-"+string(k)),
			} {
				w := httptest.NewRecorder()
				quietHandler().ServeHTTP(w, wiretest.Request(t, raw))
				checkError(t, w, want.Status, want.Code, want.Message, namespace)
			}
		})
	}
}

// TestEveryActionNeedsASignature sends each action without one: nothing but
// the missing signature may be told.
func TestEveryActionNeedsASignature(t *testing.T) {
	t.Parallel()
	for _, action := range iam.Actions() {
		w := httptest.NewRecorder()
		quietHandler().ServeHTTP(w, wiretest.Request(t, post("", "Action="+action+"&Version=2010-05-08&UserName=alice&AccessKeyId="+keyID)))
		checkError(t, w, 403, "MissingAuthenticationToken", "Request is missing Authentication Token", awswire.NamespaceIAM)
		w = httptest.NewRecorder()
		quietHandler().ServeHTTP(w, wiretest.Request(t, "GET /?Action="+action+"&Version=2010-05-08&X-Amz-Signature=00 HTTP/1.1\nHost: x\n\n"))
		checkError(t, w, 403, "MissingAuthenticationToken", "Request is missing Authentication Token", awswire.NamespaceIAM)
	}
}

// TestSecretIsShownOnce looks for the secret of a new key in every transcript.
func TestSecretIsShownOnce(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir("testdata/wire")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile("testdata/wire/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Contains(string(data), "<SecretAccessKey>"), f.Name() == "CreateAccessKey.txtar"; got != want {
			t.Errorf("%s: a secret is shown: %v, want %v", f.Name(), got, want)
		}
	}
}
