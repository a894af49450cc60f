package stax_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"daypass/internal/api/stax"
	"daypass/internal/identity"
	"daypass/internal/wiretest"
)

func TestWire(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, func(t *testing.T) http.Handler { return newHandler(t) })
	for _, k := range identity.Kinds() {
		if !possible(k) {
			continue
		}
		if _, err := os.Stat("testdata/wire/error-" + string(k) + ".txtar"); err != nil {
			t.Errorf("no transcript of the error kind %s: %v", k, err)
		}
	}
}

// possible are the kinds that access, issue and directory return to this
// dialect, or that it makes itself.
func possible(k identity.Kind) bool {
	return slices.Contains([]identity.Kind{
		identity.KindInternal, identity.KindUnavailable, identity.KindThrottled, identity.KindInvalidAction,
		identity.KindMissingParameter, identity.KindValidation, identity.KindTooLarge, identity.KindMethodNotAllowed,
		identity.KindNotFound, identity.KindLimitExceeded, identity.KindAccessDenied, identity.KindConflict,
		identity.KindMissingAuthentication, identity.KindAuthAlgorithm, identity.KindSignatureV2, identity.KindAuthTwice,
		identity.KindAuthMalformed, identity.KindAuthCredential, identity.KindScopeTerminator, identity.KindScopeRegion,
		identity.KindScopeService, identity.KindScopeDate, identity.KindDateMissing, identity.KindTimeSkewed,
		identity.KindUnknownAccessKey, identity.KindSignatureMismatch, identity.KindHostNotSigned,
		identity.KindHeadersNotSigned, identity.KindIncompleteBody, identity.KindInvalidToken, identity.KindExpiredToken,
	}, k)
}

// TestEveryKindIsAnswered walks all kinds: each has a status, a code in the
// header and in the body, and a sentence.
func TestEveryKindIsAnswered(t *testing.T) {
	t.Parallel()
	for _, k := range identity.Kinds() {
		w := httptest.NewRecorder()
		stax.WriteError(w, requestID, &identity.Error{Kind: k, Op: "test", Err: os.ErrPermission})
		var body map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatalf("%s: %v", k, err)
		}
		code, wrong := body["Error"], k != identity.KindInternal && body["Error"] == "InternalServerError"
		if w.Code < 400 || code == "" || wrong || code != w.Header().Get("X-Amzn-Errortype") || body["Cause"] == "" {
			t.Errorf("%s: status %d, code %q, header %q, cause %q", k, w.Code, code, w.Header().Get("X-Amzn-Errortype"), body["Cause"])
		}
		if m, ok := body["message"]; ok != strings.HasSuffix(code, "Exception") || ok && m != body["Cause"] {
			t.Errorf("%s: code %s with message %q", k, code, m)
		}
		if strings.Contains(w.Body.String(), "permission") {
			t.Errorf("%s: the answer tells the cause that is for the log: %s", k, w.Body)
		}
	}
	w := httptest.NewRecorder()
	stax.WriteError(w, requestID, &identity.Error{Kind: "of-no-table", Public: "secret"})
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("an unknown kind: %d %s", w.Code, w.Body)
	}
}

// signed is a raw signed request, as the fake takes it.
func signed(target, body string) string {
	return target + " HTTP/1.1\nHost: api.example.com\nAuthorization: AWS4-HMAC-SHA256 x\n\n" + body + "\n"
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	const post, put = "POST /20190206/api-tokens", "PUT /20190206/api-tokens/" + accessKey
	long := strings.Repeat("x", 1025)
	for name, c := range map[string]struct {
		target, body string
		status       int
		cause        string // part of it
	}{
		"no body":                {post, "", 400, "one JSON object"},
		"not JSON":               {post, "{", 400, "one JSON object"},
		"a list":                 {post, "[]", 400, "one JSON object"},
		"null":                   {post, "null", 400, "one JSON object"},
		"two objects":            {post, `{"Name":"ab","Role":"api_user"}{}`, 400, "one JSON object"},
		"cut off":                {post, `{"Name":"ab","Role":"api_u`, 400, "one JSON object"},
		"not UTF-8":              {post, "{\"Name\":\"a\xff\",\"Role\":\"api_user\"}", 400, "one JSON object"},
		"deep":                   {post, `{"Tags":` + strings.Repeat(`{"a":`, 20000), 400, "one JSON object"},
		"unknown member":         {post, `{"Name":"ab","Role":"api_user","Owner":"x"}`, 400, "not of this operation"},
		"member in another case": {post, `{"name":"ab","Role":"api_user"}`, 400, "not of this operation"},
		"member twice":           {post, `{"Name":"ab","Role":"api_user","Role":"api_admin"}`, 400, "Role stands twice"},
		"no name":                {post, `{"Role":"api_user"}`, 400, "Name is required"},
		"null name":              {post, `{"Name":null,"Role":"api_user"}`, 400, "Name is required"},
		"no role":                {post, `{"Name":"ab"}`, 400, "Role is required"},
		"name of a number":       {post, `{"Name":12,"Role":"api_user"}`, 400, "Name is of another type"},
		"name of one letter":     {post, `{"Name":"a","Role":"api_user"}`, 400, "Name must"},
		"name too long":          {post, `{"Name":"` + strings.Repeat("n", 65) + `","Role":"api_user"}`, 400, "Name must"},
		"name with a blank":      {post, `{"Name":"a b","Role":"api_user"}`, 400, "Name must"},
		"name with a line feed":  {post, `{"Name":"ab\n","Role":"api_user"}`, 400, "Name must"},
		"role of another kind":   {post, `{"Name":"ab","Role":"root"}`, 400, "Role must"},
		"description too long":   {post, `{"Name":"ab","Role":"api_user","Description":"` + long + `"}`, 400, "Description must"},
		"tags of numbers":        {post, `{"Name":"ab","Role":"api_user","Tags":{"a":1}}`, 400, "Tags is of another type"},
		"tags with null":         {post, `{"Name":"ab","Role":"api_user","Tags":{"a":null}}`, 400, "Tags is of another type"},
		"a tag without key":      {post, `{"Name":"ab","Role":"api_user","Tags":{"":"x"}}`, 400, "tag's key"},
		"a tag too long":         {post, `{"Name":"ab","Role":"api_user","Tags":{"a":"` + long + `"}}`, 400, "tag's key"},
		"store of a string":      {post, `{"Name":"ab","Role":"api_user","StoreToken":"yes"}`, 400, "StoreToken is of another type"},
		"short key ID":           {post, `{"Name":"ab","Role":"api_user","TokenKeyId":"a"}`, 400, "TokenKeyId must"},
		"empty key ID":           {post, `{"Name":"ab","Role":"api_user","TokenKeyId":""}`, 400, "TokenKeyId must"},
		"body too large":         {post, `{"Name":"` + strings.Repeat("n", 1<<20) + `"}`, 413, "larger"},
		"short description":      {put, `{"Description":"a"}`, 400, "Description must have 2"},
		"a new name":             {put, `{"Name":"other"}`, 400, "not of this operation"},
		"another role":           {put, `{"Role":"administrator"}`, 400, "Role must"},
		"unknown parameter":      {"GET /20190206/api-tokens?owner=x", "", 400, "not of this operation"},
		"unknown status":         {"GET /20190206/api-tokens?status=ALL", "", 400, "status must"},
		"two statuses":           {"GET /20190206/api-tokens?status=ACTIVE&status=DELETED", "", 400, "status must"},
		"bad escape":             {"GET /20190206/api-tokens?status=%zz", "", 400, "cannot be read"},
		"too many parameters":    {"GET /20190206/api-tokens?" + strings.Repeat("id_filter=a&", 17), "", 400, "too many parameters"},
		"too many keys":          {"GET /20190206/api-tokens?id_filter=" + strings.Repeat("a,", 101), "", 400, "too many tokens"},
		"parameter of users/me":  {"GET /20190206/users/me?x=1", "", 400, "not of this operation"},
		"no such path":           {"GET /20190206/accounts", "", 404, "nothing at this path"},
		"the prefix alone":       {"GET /20190206/", "", 404, "nothing at this path"},
		"no name behind":         {"GET /20190206/api-tokens/", "", 404, "nothing at this path"},
		"more behind the name":   {"GET /20190206/api-tokens/" + accessKey + "/x", "", 404, "nothing at this path"},
		"an endless name":        {"GET /20190206/api-tokens/" + strings.Repeat("n", 129), "", 404, "nothing at this path"},
		"dots":                   {"GET /20190206/public/../users/me", "", 404, "nothing at this path"},
		"two slashes":            {"GET /20190206//users/me", "", 404, "nothing at this path"},
		"escaped path":           {"GET /20190206/users%2Fme", "", 404, "nothing at this path"},
		"wrong method":           {"PATCH /20190206/users/me", "", 405, "method"},
		"post to the config":     {"POST /20190206/public/config", "", 405, "method"},
		"unknown token":          {"GET /20190206/api-tokens/fred", "", 404, "no API token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			newHandler(t).ServeHTTP(w, wiretest.Request(t, signed(c.target, c.body)))
			var body struct{ Error, Cause string }
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			if w.Code != c.status || !strings.Contains(body.Cause, c.cause) || body.Error == "" {
				t.Errorf("got %d %q, want %d with %q", w.Code, body.Cause, c.status, c.cause)
			}
		})
	}
}

// TestUnsignedGetsNothing calls every signed route without a signature.
func TestUnsignedGetsNothing(t *testing.T) {
	t.Parallel()
	for _, target := range []string{
		"GET /20190206/users/me", "HEAD /20190206/users/me", "GET /20190206/api-tokens", "POST /20190206/api-tokens",
		"GET /20190206/api-tokens/" + accessKey, "PUT /20190206/api-tokens/" + accessKey, "DELETE /20190206/api-tokens/" + accessKey,
	} {
		w := httptest.NewRecorder()
		newHandler(t).ServeHTTP(w, wiretest.Request(t, target+" HTTP/1.1\nHost: api.example.com\n\n"))
		if got := w.Header().Get("X-Amzn-Errortype"); w.Code != 403 || got != "MissingAuthenticationTokenException" {
			t.Errorf("%s: %d %s", target, w.Code, got)
		}
	}
}
