package ibm_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strconv"
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
		form, _ := url.ParseQuery(body)
		byKey := form.Get("grant_type") == "urn:ibm:params:oauth:grant-type:apikey"
		switch {
		case w.Code == 200 && answer.AccessToken != "" && (!byKey || form.Get("apikey") == apiKey):
		case w.Code >= 400 && w.Code < 500 && answer.ErrorCode != "":
		case w.Code == 501 && answer.ErrorCode != "":
		default:
			t.Errorf("%q: status %d, %s", body, w.Code, w.Body)
		}
	})
}

// FuzzKeyBody sends bodies to what makes an API key: whatever they are, the
// answer is JSON, and a key has the name that was asked for.
func FuzzKeyBody(f *testing.F) {
	for _, s := range []string{
		`{"name":"ci","iam_id":"IBMid-A","description":"","store_value":true,"expires_at":"2027-01-01T00:00+0000"}`,
		`{"account_id":"1","name":"deployer","apikey":{"name":"first"}}`, `{}`, `[]`, `{"name":"a","name":"b"}`, `{"apikey":null}`, "", "{\"\xff\":1}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, target := range []string{"/v1/apikeys", "/v1/serviceids/"} {
			r := httptest.NewRequest("POST", target, strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer good")
			w := httptest.NewRecorder()
			newHandler(t).ServeHTTP(w, r)
			var answer struct {
				Name   string
				Status string `json:"status_code"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatalf("%q: %v", w.Body, err)
			}
			switch {
			case w.Code == 201 && answer.Name != "":
			case w.Code >= 400 && answer.Status == strconv.Itoa(w.Code):
			default:
				t.Errorf("%s, %q: status %d, %s", target, body, w.Code, w.Body)
			}
		}
	})
}
