package sts_test

import (
	"encoding/xml"
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/api/sts"
)

// FuzzHandler: whatever is sent, the answer is well-formed XML and either a
// success or an error of the caller's.
func FuzzHandler(f *testing.F) {
	f.Add("", "Action=GetCallerIdentity&Version=2011-06-15")
	f.Add("Action=AssumeRoleWithWebIdentity", "Version=2011-06-15&RoleArn="+rootARN+"&RoleSessionName=rootSession&WebIdentityToken=eyJ.web.identity")
	f.Add("", with("PolicyArns.member.1.arn", "x", "DurationSeconds", "1"))
	f.Add("a=%zz", "a\x00=\xff&PolicyArns.member.-1.arn=x")
	h := newHandler(sts.Config{})
	f.Fuzz(func(t *testing.T, query, body string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 x")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var any struct {
			XMLName xml.Name
		}
		if err := xml.Unmarshal(w.Body.Bytes(), &any); err != nil || w.Code >= 500 && !strings.Contains(query+body, "fail-") {
			t.Errorf("got %d, %v: %s", w.Code, err, w.Body)
		}
	})
}
