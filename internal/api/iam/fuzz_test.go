package iam_test

import (
	"encoding/xml"
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/api/iam"
)

// FuzzHandler: whatever is sent to whichever action, the answer is well-formed
// XML and either a success or an error of the caller's.
func FuzzHandler(f *testing.F) {
	for i := range iam.Actions() {
		f.Add(byte(i), "UserName=alice&AccessKeyId="+keyID+"&Status=Active")
	}
	f.Add(byte(0), "UserName=%00&Tags.member.1.Key=x&Tags.member.1.Value=%ff")
	f.Add(byte(0), "MaxItems=-1&Marker=%F0%9F%98%80&PathPrefix=/&Path=/")
	h := newCoreHandler(f)
	f.Fuzz(func(t *testing.T, action byte, parameters string) {
		names := iam.Actions()
		body := "Action=" + names[int(action)%len(names)] + "&Version=2010-05-08&" + parameters
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 x")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var any struct {
			XMLName xml.Name
		}
		if err := xml.Unmarshal(w.Body.Bytes(), &any); err != nil || w.Code >= 500 && !strings.Contains(parameters, "fail") {
			t.Errorf("got %d, %v: %s", w.Code, err, w.Body)
		}
	})
}
