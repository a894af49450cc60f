package ibm_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzPolicyBody sends bodies to what makes policies: whatever they are, the
// answer is JSON, and a policy is of the one subject that was asked for.
func FuzzPolicyBody(f *testing.F) {
	v1 := `{"type":"access","subjects":[{"attributes":[{"name":"iam_id","value":"` + userIAMID + `"}]}],` +
		`"roles":[{"role_id":"crn:v1:bluemix:public:iam::::role:Viewer"}],"resources":[{"attributes":[{"name":"accountId","value":"1"}]}]}`
	v2 := `{"type":"access","control":{"grant":{"roles":[{"role_id":"crn:v1:bluemix:public:iam::::role:Viewer"}]}},` +
		`"subject":{"attributes":[{"key":"iam_id","operator":"stringEquals","value":"` + userIAMID + `"}]},"resource":{"attributes":[]}}`
	for _, s := range []string{
		v1, v2, strings.Replace(v1, "iam_id", "access_group_id", 1), strings.Replace(v2, `"value"`, `"value":1,"value"`, 1), `{"subjects":[null]}`,
		`{"type":"access","subjects":[{"attributes":[{}]}],"resources":[{"attributes":[{}]}]}`, `{"control":{"grant":{"roles":[[]]}}}`, "[]", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, target := range []string{"/v1/policies", "/v2/policies"} {
			r := httptest.NewRequest("POST", target, strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer good")
			w := httptest.NewRecorder()
			newHandler(t).ServeHTTP(w, r)
			var answer struct {
				ID     string
				Status int `json:"status_code"`
				Errors []struct{ Code, Message string }
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatalf("%q: %v", w.Body, err)
			}
			switch {
			case w.Code == 201 && answer.ID == policyID && (strings.Contains(body, "iam_id") || strings.Contains(body, `\u`)):
			case w.Code >= 400 && w.Code < 500 && answer.Status == w.Code && len(answer.Errors) == 1 && answer.Errors[0].Message != "":
			default:
				t.Errorf("%s, %q: status %d, %s", target, body, w.Code, w.Body)
			}
		}
	})
}
