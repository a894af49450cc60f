package ibm_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/wiretest"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	const post, put, list = "POST /v1/apikeys", "PUT /v1/apikeys/" + keyID, "GET /v1/apikeys"
	const service, good = "POST /v1/serviceids", `{"name":"ci","iam_id":"IBMid-A"}`
	for name, c := range map[string]struct {
		target, head, body string
		status             int
		text               string // part of the sentence
	}{
		"no body":                  {post, "", "", 400, "one JSON object"},
		"not JSON":                 {post, "", "{", 400, "one JSON object"},
		"a list":                   {post, "", "[]", 400, "one JSON object"},
		"two objects":              {post, "", good + "{}", 400, "one JSON object"},
		"not UTF-8":                {post, "", "{\"name\":\"\xff\"}", 400, "one JSON object"},
		"deep":                     {post, "", `{"name":` + strings.Repeat(`[`, 20000), 400, "one JSON object"},
		"too large":                {post, "", `{"name":"` + strings.Repeat("n", 64<<10) + `"}`, 413, "larger"},
		"unknown property":         {post, "", `{"name":"ci","iam_id":"IBMid-A","root":true}`, 400, "not of this operation"},
		"property in another case": {post, "", `{"Name":"ci","iam_id":"IBMid-A"}`, 400, "not of this operation"},
		"property twice":           {post, "", `{"name":"ci","name":"di","iam_id":"IBMid-A"}`, 400, "twice"},
		"name of a number":         {post, "", `{"name":1,"iam_id":"IBMid-A"}`, 400, "another type"},
		"no name":                  {post, "", `{"iam_id":"IBMid-A"}`, 400, "'name'"},
		"null name":                {post, "", `{"name":null,"iam_id":"IBMid-A"}`, 400, "'name'"},
		"no owner":                 {post, "", `{"name":"ci"}`, 400, "'iam_id'"},
		"a text of one's own":      {post, "", `{"name":"ci","iam_id":"IBMid-A","apikey":"0123456789012345678901234567890123456789"}`, 400, "'apikey'"},
		"bad end":                  {post, "", `{"name":"ci","iam_id":"IBMid-A","expires_at":"tomorrow"}`, 400, "'expires_at'"},
		"another action":           {post, "", `{"name":"ci","iam_id":"IBMid-A","action_when_leaked":"shout"}`, 400, "action_when_leaked"},
		"bad lock":                 {post, "Entity-Lock: yes\n", good, 400, "Entity-Lock"},
		"two locks":                {post, "Entity-Disable: true\nEntity-Disable: true\n", good, 400, "Entity-Disable"},
		"parameter of a list":      {post + "?pagesize=1", "", good, 400, "not of this operation"},
		"change of the owner":      {put, "If-Match: *\n", `{"iam_id":"IBMid-B"}`, 400, "not of this operation"},
		"two tags":                 {put, "If-Match: *\nIf-Match: *\n", `{"name":"x"}`, 400, "If-Match"},
		"bad new end":              {put, "If-Match: *\n", `{"expires_at":"x"}`, 400, "'expires_at'"},
		"page of nothing":          {list + "?pagesize=0", "", "", 400, "'pagesize'"},
		"page too large":           {list + "?pagesize=101", "", "", 400, "'pagesize'"},
		"page of a word":           {list + "?pagesize=ten", "", "", 400, "'pagesize'"},
		"page twice":               {list + "?pagesize=1&pagesize=1", "", "", 400, "'pagesize'"},
		"token without offset":     {list + "?pagetoken=a-marker_", "", "", 400, "'pagetoken'"},
		"token below nothing":      {list + "?pagetoken=-1.a-marker_", "", "", 400, "'pagetoken'"},
		"token without marker":     {list + "?pagetoken=1.", "", "", 400, "'pagetoken'"},
		"token of another list":    {list + "?pagetoken=1.x", "", "", 400, "Marker"},
		"unknown parameter":        {list + "?owner=x", "", "", 400, "not of this operation"},
		"unknown scope":            {list + "?scope=all", "", "", 400, "'scope'"},
		"unknown type":             {list + "?type=root", "", "", 400, "'type'"},
		"unknown order":            {list + "?order=up", "", "", 400, "'order'"},
		"history of a word":        {list + "?include_history=yes", "", "", 400, "'include_history'"},
		"bad escape":               {list + "?iam_id=%zz", "", "", 400, "cannot be read"},
		"not UTF-8 in the query":   {list + "?iam_id=%ff", "", "", 400, "'iam_id'"},
		"too many parameters":      {list + "?" + strings.Repeat("a=1&", 17), "", "", 400, "too many"},
		"a group":                  {list + "?group_id=x", "", "", 501, "'group_id'"},
		"no key in the header":     {"GET /v1/apikeys/details", "", "", 400, "'IAM-ApiKey'"},
		"two keys in headers":      {"GET /v1/apikeys/details", "IAM-ApiKey: a\nIAM-ApiKey: b\n", "", 400, "'IAM-ApiKey'"},
		"key in the query":         {"GET /v1/apikeys/details?apikey=x", "", "", 400, "not of this operation"},
		"two tokens":               {list, "Authorization: Bearer good\n", "", 400, "more than one"},
		"service ID, no account":   {service, "", `{"name":"x"}`, 400, "'account_id'"},
		"service ID, no name":      {service, "", `{"account_id":"1"}`, 400, "'name'"},
		"its key of a number":      {service, "", `{"account_id":"1","name":"x","apikey":1}`, 400, "one JSON object"},
		"its key without a name":   {service, "", `{"account_id":"1","name":"x","apikey":{}}`, 400, "'name'"},
		"its key, another's":       {service, "", `{"account_id":"1","name":"x","apikey":{"name":"k","iam_id":"IBMid-A"}}`, 400, "not of this operation"},
		"its key, and locked":      {service, "Entity-Lock: true\n", `{"account_id":"1","name":"x","apikey":{"name":"k"}}`, 400, "locked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			newHandler(t).ServeHTTP(w, wiretest.Request(t, c.target+" HTTP/1.1\nHost: h\nAuthorization: Bearer good\n"+c.head+"\n"+c.body+"\n"))
			var got struct{ Errors []struct{ Message string } }
			unmarshal(t, w, &got)
			if w.Code != c.status || len(got.Errors) != 1 || !strings.Contains(got.Errors[0].Message, c.text) {
				t.Errorf("got %d %+v, want %d with %q", w.Code, got, c.status, c.text)
			}
		})
	}
}
