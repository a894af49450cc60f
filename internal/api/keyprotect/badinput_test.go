package keyprotect_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/wiretest"
)

const (
	auth = "Authorization: Bearer good\nBluemix-Instance: " + instance + "\n"
	one  = `{"metadata":{"collectionTotal":1},"resources":[`
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	const post, wrap, unwrap, list = "POST keys", "POST keys/k/actions/wrap", "POST keys/k/actions/unwrap", "GET keys"
	const patch, policies, instancePolicies = "PATCH keys/k", "PUT keys/k/policies", "PUT instance/policies"
	for name, c := range map[string]struct {
		target, head, body string
		status             int
		code               string
	}{
		"no body":                  {post, "", "", 400, "NO_BODY_ERR"},
		"null":                     {post, "", "null", 400, "NO_BODY_ERR"},
		"not JSON":                 {post, "", "{", 400, "BAD_BODY_ERR"},
		"a list":                   {post, "", "[]", 400, "BAD_BODY_ERR"},
		"two objects":              {post, "", one + `{"name":"k"}]}{}`, 400, "BAD_BODY_ERR"},
		"not UTF-8":                {post, "", one + "{\"name\":\"\xff\"}]}", 400, "BAD_BODY_ERR"},
		"deep":                     {post, "", `{"resources":` + strings.Repeat("[", 20000), 400, "BAD_BODY_ERR"},
		"too large":                {post, "", one + `{"name":"` + strings.Repeat("n", 64<<10) + `"}]}`, 413, "REQUEST_TOO_LARGE_ERR"},
		"no resources":             {post, "", `{"metadata":{"collectionTotal":0},"resources":[]}`, 400, "NUM_COLLECTION_RESOURCE_ERR"},
		"resource of null":         {post, "", one + "null]}", 400, "NUM_COLLECTION_RESOURCE_ERR"},
		"two keys":                 {post, "", `{"metadata":{"collectionTotal":2},"resources":[{"name":"a"},{"name":"b"}]}`, 400, "NUM_COLLECTION_RESOURCE_ERR"},
		"another total":            {post, "", `{"metadata":{"collectionTotal":2},"resources":[{"name":"a"}]}`, 400, "COLLECTION_TOTAL_MISMATCH_ERR"},
		"name twice":               {post, "", one + `{"name":"a","name":"b"}]}`, 400, "BAD_BODY_ERR"},
		"name of a number":         {post, "", one + `{"name":1}]}`, 400, "BAD_BODY_ERR"},
		"extractable of a word":    {post, "", one + `{"name":"a","extractable":"no"}]}`, 400, "BAD_BODY_ERR"},
		"end of a word":            {post, "", one + `{"name":"a","expirationDate":"tomorrow"}]}`, 400, "BAD_BODY_ERR"},
		"payload that is not base": {post, "", one + `{"name":"a","payload":"?"}]}`, 400, "INVALID_FIELD_ERR"},
		"preference":               {post, "Prefer: return=all\n", one + `{"name":"a"}]}`, 400, "INVALID_FIELD_ERR"},
		"parameter of a list":      {post + "?limit=1", "", one + `{"name":"a"}]}`, 400, "INVALID_QUERY_PARAM_ERR"},
		"two instances":            {list, "Bluemix-Instance: " + instance + "\n", "", 400, "INVALID_FIELD_ERR"},
		"ring with a blank":        {list, "X-Kms-Key-Ring: a b\n", "", 400, "INVALID_FIELD_ERR"},
		"long ring":                {list, "X-Kms-Key-Ring: " + strings.Repeat("r", 129) + "\n", "", 400, "INVALID_FIELD_ERR"},
		"plaintext of a number":    {wrap, "", `{"plaintext":1}`, 400, "BAD_BODY_ERR"},
		"plaintext not base64":     {wrap, "", `{"plaintext":"a"}`, 400, "INVALID_FIELD_ERR"},
		"plaintext of URLs":        {wrap, "", `{"plaintext":"_-8="}`, 400, "INVALID_FIELD_ERR"},
		"data of a text":           {wrap, "", `{"aad":"x"}`, 400, "BAD_BODY_ERR"},
		"data of half a pair":      {wrap, "", `{"aad":["\ud800"]}`, 400, "BAD_BODY_ERR"},
		"the other half":           {unwrap, "", `{"aad":["\udc00"],"ciphertext":"AAAA"}`, 400, "BAD_BODY_ERR"},
		"two first halves":         {wrap, "", `{"aad":["\ud83d\ud83d\ude00"]}`, 400, "BAD_BODY_ERR"},
		"a whole pair":             {wrap, "", `{"aad":["\ud83d\ude00 \\ud800 \ufffd"]}`, 200, ""},
		"no ciphertext":            {unwrap, "", `{"aad":["x"]}`, 400, "INVALID_FIELD_ERR"},
		"no body to unwrap":        {unwrap, "", "", 400, "INVALID_FIELD_ERR"},
		"unknown action":           {"POST keys/k/actions/Wrap", "", "", 404, "RESOURCE_NOT_FOUND_ERR"},
		"old form without action":  {"POST keys/k", "", "", 404, "RESOURCE_NOT_FOUND_ERR"},
		"bad body of an action":    {"POST keys/k/actions/disable", "", "[", 400, "BAD_BODY_ERR"},
		"limit of a word":          {list + "?limit=all", "", "", 400, "INVALID_QUERY_PARAM_ERR"},
		"limit below nothing":      {list + "?limit=-1", "", "", 400, "INVALID_QUERY_PARAM_ERR"},
		"limit too large":          {list + "?limit=5001", "", "", 400, "INVALID_QUERY_PARAM_ERR"},
		"offset too large":         {list + "?offset=99999999999999999999", "", "", 400, "INVALID_QUERY_PARAM_ERR"},
		"limit twice":              {list + "?limit=1&limit=1", "", "", 400, "INVALID_QUERY_PARAM_ERR"},
		"unknown parameter":        {list + "?owner=x", "", "", 400, "INVALID_QUERY_PARAM_ERR"},
		"bad escape":               {list + "?search=%zz", "", "", 400, "INVALID_QUERY_PARAM_ERR"},
		"not UTF-8 in the query":   {list + "?search=%ff", "", "", 400, "INVALID_QUERY_PARAM_ERR"},
		"too many parameters":      {list + "?" + strings.Repeat("a=1&", 17), "", "", 400, "INVALID_QUERY_PARAM_ERR"},
		"state of a word":          {list + "?state=active", "", "", 400, "INVALID_FIELD_ERR"},
		"no state":                 {list + "?state=", "", "", 400, "INVALID_FIELD_ERR"},
		"extractable of a number":  {list + "?extractable=1", "", "", 400, "INVALID_QUERY_PARAM_ERR"},
		"total of a number":        {"HEAD keys?limit=1", "", "", 400, "INVALID_QUERY_PARAM_ERR"},
		"no ring":                  {patch, "", "{}", 400, "INVALID_FIELD_ERR"},
		"two rings":                {patch, "", `{"keyRingID":"a","KeyRingID":"b"}`, 400, "INVALID_FIELD_ERR"},
		"force of a word":          {"DELETE keys/k?force=yes", "", "", 400, "INVALID_QUERY_PARAM_ERR"},
		"both policies in one":     {policies, "", one + `{"rotation":{"interval_month":1},"dualAuthDelete":{"enabled":true}}]}`, 400, "INVALID_FIELD_ERR"},
		"no policy":                {policies, "", one + `{"type":"x"}]}`, 400, "INVALID_FIELD_ERR"},
		"empty rotation":           {policies, "", one + `{"rotation":{}}]}`, 400, "INVALID_FIELD_ERR"},
		"rotation twice":           {policies, "", `{"metadata":{"collectionTotal":2},"resources":[{"rotation":{"interval_month":1}},{"rotation":{"interval_month":2}}]}`, 400, "INVALID_FIELD_ERR"},
		"empty dualAuthDelete":     {policies, "", one + `{"dualAuthDelete":{}}]}`, 400, "INVALID_FIELD_ERR"},
		"another policy":           {policies + "?policy=rotation", "", one + `{"dualAuthDelete":{"enabled":true}}]}`, 400, "BODY_QUERY_PARAM_MISMATCH_ERR"},
		"unknown policy":           {policies + "?policy=metrics", "", one + `{"rotation":{"interval_month":1}}]}`, 400, "INVALID_QUERY_PARAM_ERR"},
		"override without months":  {"POST keys_with_policy_overrides", "", one + `{"name":"a","rotation":{"enabled":true}}]}`, 400, "INVALID_FIELD_ERR"},
		"instance, no switch":      {instancePolicies, "", one + `{"policy_type":"metrics","policy_data":{}}]}`, 400, "INVALID_FIELD_ERR"},
		"instance, no data":        {instancePolicies, "", one + `{"policy_type":"metrics"}]}`, 400, "INVALID_FIELD_ERR"},
		"instance, other policy":   {instancePolicies + "?policy=allowedIP", "", one + `{"policy_type":"metrics","policy_data":{"enabled":true}}]}`, 400, "BODY_QUERY_PARAM_MISMATCH_ERR"},
		"instance, long attribute": {instancePolicies, "", one + `{"policy_type":"keyCreateImportAccess","policy_data":{"enabled":true,"attributes":{"` + strings.Repeat("a", 60000) + `":1}}}]}`, 400, "INVALID_FIELD_ERR"},
		"instance, switch of text": {instancePolicies, "", one + `{"policy_type":"keyCreateImportAccess","policy_data":{"enabled":true,"attributes":{"enforce_token":"yes"}}}]}`, 400, "BAD_BODY_ERR"},
		"seconds below nothing":    {"POST import_token", "", `{"expiration":-1}`, 400, "INVALID_FIELD_ERR"},
		"method":                   {"PUT keys/k", "", "", 405, "METHOD_NOT_ALLOWED_ERR"},
		"HEAD of a key":            {"HEAD keys/k", "", "", 405, "METHOD_NOT_ALLOWED_ERR"},
		"unknown path":             {"GET key", "", "", 404, "RESOURCE_NOT_FOUND_ERR"},
		"slash at the end":         {"GET keys/", "", "", 404, "RESOURCE_NOT_FOUND_ERR"},
		"star":                     {"GET keys/*/metadata", "", "", 404, "RESOURCE_NOT_FOUND_ERR"},
		"long segment":             {"GET keys/" + strings.Repeat("k", 1025), "", "", 404, "RESOURCE_NOT_FOUND_ERR"},
		"dots are a name":          {"GET keys/..", "", "", 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method, path, _ := strings.Cut(c.target, " ")
			w := httptest.NewRecorder()
			newHandler(t).ServeHTTP(w, wiretest.Request(t, method+" /api/v2/"+path+" HTTP/1.1\nHost: h\n"+auth+c.head+"\n"+c.body+"\n"))
			if c.code == "" {
				if w.Code != c.status {
					t.Errorf("got %d: %s", w.Code, w.Body)
				}
				return
			}
			code, message := refused(t, w)
			if len(message) > 512 {
				t.Errorf("a message of %d bytes", len(message))
			}
			if w.Code != c.status || code != c.code {
				t.Errorf("got %d %s: %s; want %d %s", w.Code, code, message, c.status, c.code)
			}
		})
	}
}

// TestCorrelation: an ID that can be repeated is, any other is replaced by that of
// the request.
func TestCorrelation(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]string{
		"": requestID, "Correlation-Id: 0b8ff2f5-1111-4222-8333-444455556666\n": "0b8ff2f5-1111-4222-8333-444455556666", "correlation-id: x\n": "x",
		"Correlation-Id: a b\n": requestID, "Correlation-Id: a\nCorrelation-Id: b\n": requestID, "Correlation-Id: \xc3\xa9\n": requestID,
		"Correlation-Id: " + strings.Repeat("x", 129) + "\n": requestID,
	} {
		for _, target := range []string{"keys", "nowhere"} {
			w := httptest.NewRecorder()
			newHandler(t).ServeHTTP(w, wiretest.Request(t, "GET /api/v2/"+target+" HTTP/1.1\nHost: h\n"+auth+head+"\n"))
			if got := w.Header().Get("Correlation-Id"); got != want {
				t.Errorf("%q at %s: got %q, want %q", head, target, got, want)
			}
		}
	}
}
