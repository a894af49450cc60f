package hostile

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// kmsRefused are the endpoints of key management, which accepts access tokens of
// IBM's dialect alone.
//
// kp a bearer token at the list of keys, kp-w at a wrap, kp-basic as Basic
// credentials, kp-ck as a cookie, kp-q in the query, kp-s a signature.
var kmsRefused = map[string][]string{
	"kp": {"401 UNAUTHORIZED_ERR"}, "kp-w": {"401 UNAUTHORIZED_ERR"}, "kp-basic": {"401 UNAUTHORIZED_ERR"}, "kp-ck": {"401 UNAUTHORIZED_ERR"},
	"kp-q": {"401 UNAUTHORIZED_ERR"}, "kp-s": {"400 BAD_REQUEST_ERR", "401 UNAUTHORIZED_ERR"},
}

// kmsAccepted is all that is accepted there. Service IDs and profiles without
// policies are refused as whoever has no token is.
var kmsAccepted = map[string]map[string]string{"ibm-access": {"kp": "200 ", "kp-w": "404 KEY_NOT_FOUND_ERR"}}

func (r *rig) kmsDoors() doors {
	return closedDoors(kmsRefused, kmsAccepted, func(door string, c credential) (got, body string) {
		a := r.atKMS(door, c)
		var refused struct {
			Resources []struct {
				Reasons []struct{ Code string }
			}
		}
		code := ""
		if a.status != 200 && json.Unmarshal(a.body, &refused) == nil && len(refused.Resources) == 1 && len(refused.Resources[0].Reasons) == 1 {
			code = refused.Resources[0].Reasons[0].Code
		}
		return fmt.Sprintf("%d %s", a.status, code), string(a.body)
	})
}

// atKMS shows a credential at an endpoint of key management.
func (r *rig) atKMS(door string, c credential) answer {
	r.t.Helper()
	q := call{target: "/api/v2/keys", header: [][2]string{{"Bluemix-Instance", r.facts().IBM.InstanceID}}}
	header := func(name, value string) { q.header = append(q.header, [2]string{name, value}) }
	switch door {
	case "kp":
		header("Authorization", "Bearer "+c.text)
	case "kp-w":
		header("Authorization", "Bearer "+c.text)
		q.method, q.target, q.body = "POST", "/api/v2/keys/absent/actions/wrap", "null"
	case "kp-basic":
		header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("bx:"+c.text)))
	case "kp-ck":
		header("Cookie", "daypass="+c.text)
	case "kp-q":
		q.target += "?access_token=" + base64.RawURLEncoding.EncodeToString([]byte(c.text))
	case "kp-s":
		q.keys = c.keys
	default:
		r.t.Fatalf("door %s", door)
	}
	return r.do(q)
}
