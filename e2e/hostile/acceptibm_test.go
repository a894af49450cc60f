package hostile

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// ibmRefused are the endpoints of IBM's dialect, and what each answers whatever it
// does not accept: status and number.
//
// v1 the bearer of the identity API, v1-basic its Basic credentials, v1-s a
// signature there, v1-ck a cookie; ak the API key of a log-in, rf the refresh
// token of the public client, rf-other of another client, det the API key that
// details are asked of; v2 the bearer of the second version, ui-ibm of userinfo;
// in-ibm the token that introspection is asked of, which answers off or on.
var ibmRefused = map[string][]string{
	"v1": {"401 BXNIM0407E"}, "v1-basic": {"401 BXNIM0308E"}, "v1-s": {"400 BXNIM0106E"}, "v1-ck": {"401 BXNIM0308E"},
	"ak": {"400 BXNIM0415E", "429 BXNIM0429E"},
	"rf": {"400 BXNIM0407E", "400 BXNIM0408E"}, "rf-other": {"400 BXNIM0407E", "400 BXNIM0408E"},
	"det": {"404 BXNIM0102E", "429 BXNIM0429E"}, "v2": {"401 BXNIM0407E"}, "ui-ibm": {"401 BXNIM0407E"}, "in-ibm": {"200 off"},
}

// ibmAccepted is all that is accepted there.
var ibmAccepted = map[string]map[string]string{
	"api-key":            {"ak": "200 ", "det": "200 "},
	"api-key-disabled":   {"det": "200 "}, // its owner may see that it is disabled
	"ibm-access":         {"v1": "200 ", "v2": "200 ", "ui-ibm": "200 ", "in-ibm": "200 on"},
	"ibm-service-access": {"v1": "403 BXNIM0513E", "v2": "403 BXNIM0513E", "ui-ibm": "200 ", "in-ibm": "200 on"}, // without policies
	"ibm-profile-access": {"v1": "403 BXNIM0513E", "v2": "403 BXNIM0513E", "ui-ibm": "200 ", "in-ibm": "200 on"},
	"ibm-refresh":        {"rf": "200 "},
	"ibm-other-refresh":  {"rf-other": "200 "},
}

func (r *rig) ibmDoors() doors {
	return closedDoors(ibmRefused, ibmAccepted, func(door string, c credential) (got, body string) {
		a := r.atIBM(door, c)
		if a.status == 200 && door == "in-ibm" {
			return map[bool]string{true: "200 on", false: "200 off"}[bytes.Contains(a.body, []byte(`"active":true`))], string(a.body)
		}
		return fmt.Sprintf("%d %s", a.status, a.code()), string(a.body)
	})
}

// atIBM shows a credential at an endpoint of IBM's dialect.
func (r *rig) atIBM(column string, c credential) answer {
	r.t.Helper()
	header := func(pairs ...string) call {
		q := call{target: "/v1/apikeys"}
		for i := 0; i < len(pairs); i += 2 {
			q.header = append(q.header, [2]string{pairs[i], pairs[i+1]})
		}
		return q
	}
	switch column {
	case "v1":
		return r.do(header("Authorization", "Bearer "+c.text))
	case "v2":
		q := header("Authorization", "Bearer "+c.text)
		q.target = "/v2/resource_groups"
		return r.do(q)
	case "ui-ibm":
		q := header("Authorization", "Bearer "+c.text)
		q.target = "/identity/userinfo"
		return r.do(q)
	case "in-ibm":
		q := ibmGrant("", "", "token", c.text)
		q.target = "/identity/introspect"
		q.header = append(q.header, [2]string{"Authorization", "Bearer " + r.ibmTokens("", r.facts().IBM.APIKey).Access})
		return r.do(q)
	case "v1-basic":
		return r.do(header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("bx:"+c.text))))
	case "v1-s":
		q := header()
		q.keys = c.keys
		return r.do(q)
	case "v1-ck":
		return r.do(header("Cookie", "daypass="+c.text))
	case "ak":
		return r.do(ibmGrant("", "urn:ibm:params:oauth:grant-type:apikey", "apikey", c.text))
	case "rf":
		return r.do(ibmGrant("bx:bx", "refresh_token", "refresh_token", c.text))
	case "rf-other":
		return r.do(ibmGrant("my-client:my-secret", "refresh_token", "refresh_token", c.text))
	case "det":
		q := header("Authorization", "Bearer "+r.ibmTokens("", r.facts().IBM.APIKey).Access, "IAM-ApiKey", c.text)
		q.target = "/v1/apikeys/details"
		return r.do(q)
	}
	r.t.Fatalf("column %s", column)
	return answer{}
}

// ibmGrant is a request to the token service, by a client ("id:secret") or none.
func ibmGrant(client, grant string, parameters ...string) call {
	form := url.Values{"grant_type": {grant}}
	for i := 0; i < len(parameters); i += 2 {
		form.Set(parameters[i], parameters[i+1])
	}
	q := call{method: "POST", target: "/identity/token", body: form.Encode(), header: [][2]string{{"Content-Type", "application/x-www-form-urlencoded"}}}
	if client != "" {
		q.header = append(q.header, [2]string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(client))})
	}
	return q
}

type ibmTokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (r *rig) ibmTokens(client, key string) ibmTokens {
	r.t.Helper()
	var out ibmTokens
	if err := json.Unmarshal(r.must(ibmGrant(client, "urn:ibm:params:oauth:grant-type:apikey", "apikey", key)).body, &out); err != nil {
		r.t.Fatal(err)
	}
	return out
}

// ibmAPI calls the identity API with the demo's API key.
func (r *rig) ibmAPI(method, target, body string) map[string]any {
	r.t.Helper()
	a := r.must(call{method: method, target: target, body: body, header: [][2]string{
		{"Authorization", "Bearer " + r.ibmTokens("", r.facts().IBM.APIKey).Access},
	}})
	var out map[string]any
	if len(a.body) > 0 {
		if err := json.Unmarshal(a.body, &out); err != nil {
			r.t.Fatal(err)
		}
	}
	return out
}

// ibmCredentials makes one of each kind.
func (r *rig) ibmCredentials(out map[string]credential) {
	r.t.Helper()
	key := r.facts().IBM.APIKey
	own := r.ibmTokens("bx:bx", key)
	out["api-key"], out["ibm-access"], out["ibm-refresh"] = bearer(key), bearer(own.Access), bearer(own.Refresh)
	out["ibm-other-refresh"] = bearer(r.ibmTokens("my-client:my-secret", key).Refresh)

	page := r.ibmAPI("GET", "/v1/apikeys", "")
	me, _ := page["apikeys"].([]any)[0].(map[string]any)
	iamID, _ := me["iam_id"].(string)
	made := r.ibmAPI("POST", "/v1/apikeys", `{"name":"leaving","iam_id":"`+iamID+`"}`)
	id, _ := made["id"].(string)
	text, _ := made["apikey"].(string)
	gone := r.ibmTokens("bx:bx", text)
	r.ibmAPI("POST", "/v1/apikeys/"+id+"/disable", "")
	out["api-key-disabled"] = bearer(text)
	out["ibm-gone-access"], out["ibm-gone-refresh"] = bearer(gone.Access), bearer(gone.Refresh)

	service := r.ibmAPI("POST", "/v1/serviceids", `{"name":"robot","account_id":"`+r.facts().AccountID+`","apikey":{"name":"its own"}}`)
	first, _ := service["apikey"].(map[string]any)
	text, _ = first["apikey"].(string)
	out["ibm-service-access"] = bearer(r.ibmTokens("", text).Access)
	out["ibm-forged-access"] = bearer(own.Access[:strings.LastIndexByte(own.Access, '.')+1] + strings.Repeat("A", 342))
}
