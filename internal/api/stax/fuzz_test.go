package stax_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzBody sends bodies to the two operations that read one: whatever they are,
// the answer is JSON, and a token that is made has bounds.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`{"Name":"gitlab-cicd","Role":"api_admin","Description":"","Tags":{"a":"b"},"StoreToken":true,"TokenKeyId":"alias/stax-api-tokens"}`,
		`{"Description":"ab","Role":"api_user","Tags":{}}`, `{}`, `[]`, `{"Name":"ab","Name":"cd"}`, `{"Tags":null}`, "", "{\"\xff\":1}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, target := range []string{"POST /20190206/api-tokens", "PUT /20190206/api-tokens/" + accessKey} {
			method, path, _ := strings.Cut(target, " ")
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 x")
			w := httptest.NewRecorder()
			newHandler(t).ServeHTTP(w, r)
			var answer struct {
				APITokens []struct{ Name, Role, Description string } `json:"ApiTokens"`
				Error     string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatalf("%q: %v", w.Body, err)
			}
			switch w.Code {
			case 200:
				if got := answer.APITokens; len(got) != 1 || len(got[0].Name) < 2 || !strings.HasPrefix(got[0].Role, "api_") {
					t.Errorf("%q made %+v", body, got)
				}
			case 400, 413:
				if answer.Error == "" {
					t.Errorf("%q: no error in %s", body, w.Body)
				}
			default:
				t.Errorf("%q: status %d", body, w.Code)
			}
		}
	})
}
