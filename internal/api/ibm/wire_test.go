package ibm_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"daypass/internal/api/ibm"
	"daypass/internal/identity"
	"daypass/internal/wiretest"
)

func TestWire(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, func(t *testing.T) http.Handler { return newHandler(t) })
}

// TestEveryKindIsAnswered walks all kinds in both envelopes: each has a status,
// a code, a number and a sentence, and tells nothing of what is for the log.
func TestEveryKindIsAnswered(t *testing.T) {
	t.Parallel()
	for _, k := range append(identity.Kinds(), "of-no-table") {
		err := &identity.Error{Kind: k, Op: "test", Err: os.ErrPermission}
		if k == identity.KindInternal || k == "of-no-table" {
			err.Public = "permission" // not even that
		}
		token, api := answer(t, "/identity/token", err), answer(t, "/v1/apikeys", err)
		var one struct {
			ErrorCode, ErrorMessage string
			Errors                  []any
			Requirements            map[string]string
			Context                 map[string]string
		}
		var two struct {
			Context    map[string]string
			StatusCode string `json:"status_code"`
			Errors     []struct {
				Code, Message string
				Number        string `json:"message_code"`
			}
			Trace string
		}
		unmarshal(t, token, &one)
		unmarshal(t, api, &two)
		if token.Code < 400 || !strings.HasPrefix(one.ErrorCode, "BXNIM") || one.ErrorMessage == "" || one.Errors != nil {
			t.Errorf("%s: status %d, %+v", k, token.Code, one)
		}
		if (one.Requirements != nil) != (k == identity.KindMFARequired) {
			t.Errorf("%s: requirements %v", k, one.Requirements)
		}
		if api.Code != token.Code || two.StatusCode != strconv.Itoa(api.Code) || len(two.Errors) != 1 || two.Trace != requestID ||
			two.Errors[0].Code == "" || two.Errors[0].Number != one.ErrorCode || two.Errors[0].Message != one.ErrorMessage {
			t.Errorf("%s: status %d, %+v", k, api.Code, two)
		}
		for _, w := range []*httptest.ResponseRecorder{token, api} {
			if strings.Contains(w.Body.String(), "permission") {
				t.Errorf("%s: the answer tells what is for the log: %s", k, w.Body)
			}
			if w.Header().Get("Transaction-Id") != requestID || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s: headers %v", k, w.Header())
			}
		}
		if one.Context["requestId"] != requestID || two.Context["requestId"] != requestID {
			t.Errorf("%s: contexts %v %v", k, one.Context, two.Context)
		}
	}
}

func answer(t *testing.T, target string, err error) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	ibm.WriteError(w, httptest.NewRequest("GET", target, nil), requestID, err)
	return w
}

func unmarshal(t *testing.T, w *httptest.ResponseRecorder, into any) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
}

const (
	formHeader = "Content-Type: application/x-www-form-urlencoded\n"
	keyForm    = "grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey=" + apiKey
)

func TestBadForms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		head, body string
		status     int
		code, text string // text is part of it
	}{
		"no content type":         {"", keyForm, 400, "BXNIM0106E", "Content-Type"},
		"JSON":                    {"Content-Type: application/json\n", "{}", 400, "BXNIM0106E", "Content-Type"},
		"two content types":       {formHeader + formHeader, keyForm, 400, "BXNIM0106E", "Content-Type"},
		"no body":                 {formHeader, "", 400, "BXNIM0109E", "'grant_type'"},
		"no grant type":           {formHeader, "apikey=" + apiKey, 400, "BXNIM0109E", "'grant_type'"},
		"empty grant type":        {formHeader, "grant_type=&apikey=" + apiKey, 400, "BXNIM0109E", "'grant_type'"},
		"unknown grant type":      {formHeader, "grant_type=urn:ibm:params:oauth:grant-type:derive", 400, "BXNIM0106E", "not supported"},
		"grant type of realms":    {formHeader, "grant_type=client_credentials", 400, "BXNIM0106E", "not supported"},
		"no API key":              {formHeader, "grant_type=urn:ibm:params:oauth:grant-type:apikey", 400, "BXNIM0109E", "'apikey'"},
		"API key in the URL":      {formHeader, "grant_type=urn:ibm:params:oauth:grant-type:apikey&", 400, "BXNIM0109E", "'apikey'"},
		"API key twice":           {formHeader, keyForm + "&apikey=" + apiKey, 400, "BXNIM0106E", "twice"},
		"grant type twice":        {formHeader, keyForm + "&grant%5ftype=password", 400, "BXNIM0106E", "twice"},
		"something twice":         {formHeader, keyForm + "&x=1&x=1", 400, "BXNIM0106E", "twice"},
		"bad escape":              {formHeader, keyForm + "&x=%zz", 400, "BXNIM0106E", "valid form"},
		"not UTF-8":               {formHeader, keyForm + "&x=%ff", 400, "BXNIM0106E", "valid form"},
		"too many parameters":     {formHeader, keyForm + manyParameters(), 400, "BXNIM0106E", "too many"},
		"too large":               {formHeader, keyForm + "&x=" + strings.Repeat("x", 64<<10), 413, "BXNIM0106E", "larger"},
		"unknown API key":         {formHeader, keyForm + "x", 400, "BXNIM0415E", "Provided API key could not be found."},
		"Bearer for a client":     {formHeader + "Authorization: Bearer x\n", keyForm, 400, "BXNIM0106E", "Basic"},
		"client of no colon":      {formHeader + "Authorization: Basic Yng=\n", keyForm, 400, "BXNIM0106E", "Basic"},
		"client without ID":       {formHeader + "Authorization: Basic OmJ4\n", keyForm, 400, "BXNIM0106E", "Basic"},
		"client not in base64":    {formHeader + "Authorization: Basic bx:bx\n", keyForm, 400, "BXNIM0106E", "Basic"},
		"two clients":             {formHeader + "Authorization: Basic Yng6Yng=\nAuthorization: Basic Yng6Yng=\n", keyForm, 400, "BXNIM0106E", "Basic"},
		"client that is not UTF8": {formHeader + "Authorization: Basic /zp4\n", keyForm, 400, "BXNIM0106E", "Basic"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, target := range []string{"/identity/token?apikey=" + apiKey, "/oidc/token"} {
				w := httptest.NewRecorder()
				newHandler(t).ServeHTTP(w, wiretest.Request(t, "POST "+target+" HTTP/1.1\nHost: h\n"+c.head+"\n"+c.body+"\n"))
				var got struct{ ErrorCode, ErrorMessage string }
				unmarshal(t, w, &got)
				if w.Code != c.status || got.ErrorCode != c.code || !strings.Contains(got.ErrorMessage, c.text) {
					t.Errorf("%s: got %d %+v, want %d %s with %q", target, w.Code, got, c.status, c.code, c.text)
				}
			}
		})
	}
}

func manyParameters() string {
	var b strings.Builder
	for i := range 64 {
		b.WriteString("&p" + strconv.Itoa(i) + "=")
	}
	return b.String()
}
