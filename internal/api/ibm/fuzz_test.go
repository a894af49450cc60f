package ibm_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzToken sends forms to the token endpoint: whatever they are, the answer is
// JSON in one of its two forms, and only the right API key gets tokens.
func FuzzToken(f *testing.F) {
	for _, s := range []string{
		keyForm, keyForm + "&response_type=cloud_iam,ims_portal&account=1", "grant_type=password&username=a&password=b", "&&=&;=%", "grant_type", "",
	} {
		f.Add(s, "Basic Yng6Yng=")
	}
	f.Fuzz(func(t *testing.T, body, authorization string) {
		r := httptest.NewRequest("POST", "/identity/token", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		w := httptest.NewRecorder()
		newHandler(t).ServeHTTP(w, r)
		var answer struct {
			AccessToken string `json:"access_token"`
			ErrorCode   string `json:"errorCode"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%q: %v", w.Body, err)
		}
		switch {
		case w.Code == 200 && answer.AccessToken != "" && strings.Contains(body, "EXAMPLEabc"):
		case w.Code >= 400 && w.Code < 500 && answer.ErrorCode != "":
		case w.Code == 501 && answer.ErrorCode != "":
		default:
			t.Errorf("%q: status %d, %s", body, w.Code, w.Body)
		}
	})
}
