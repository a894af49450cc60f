package hostile

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// keyStates is what an API key does in each state, and what was obtained with it
// before: key the log-in, refresh and access the tokens of before, s3 the access
// token at S3, det the details, del the deletion.
const keyStates = `
state           key               refresh           access            s3                 det               del
as-made         200-              200-              200-              200-               200-              204-
locked          200-              200-              200-              200-               200-              409-BXNIM0104E
disabled        400-BXNIM0415E    400-BXNIM0408E    401-BXNIM0407E    403-AccessDenied   200-              204-
enabled-again   200-              400-BXNIM0408E    401-BXNIM0407E    403-AccessDenied   200-              204-
expired         400-BXNIM0415E    400-BXNIM0408E    401-BXNIM0407E    403-AccessDenied   200-              204-
shortened       200-              400-BXNIM0408E    401-BXNIM0407E    403-AccessDenied   200-              204-
deleted         400-BXNIM0415E    400-BXNIM0408E    401-BXNIM0407E    403-AccessDenied   404-BXNIM0102E    404-BXNIM0102E
leaked-none     200-              200-              200-              200-               200-              204-
leaked-disable  400-BXNIM0415E    400-BXNIM0408E    401-BXNIM0407E    403-AccessDenied   200-              204-
leaked-delete   400-BXNIM0415E    400-BXNIM0408E    401-BXNIM0407E    403-AccessDenied   404-BXNIM0102E    404-BXNIM0102E
leaked-locked   400-BXNIM0415E    400-BXNIM0408E    401-BXNIM0407E    403-AccessDenied   404-BXNIM0102E    404-BXNIM0102E
`

// cloudKey is an API key of testuser with what it gave.
type cloudKey struct {
	ID, APIKey string
	ibmTokens
}

// newCloudKey makes one; more are members of the request.
func (r *rig) newCloudKey(more string) cloudKey {
	r.t.Helper()
	k := cloudKey{}
	made := r.ibmAPI("POST", "/v1/apikeys", `{"name":"key","iam_id":"`+claimOf(r.t, r.ibmTokens("", r.facts().IBM.APIKey).Access, "iam_id")+`"`+more+`}`)
	k.ID, _ = made["id"].(string)
	k.APIKey, _ = made["apikey"].(string)
	k.ibmTokens = r.ibmTokens("bx:bx", k.APIKey)
	r.secret("an API key", k.APIKey)
	r.secret("a token of an API key", k.Access)
	return k
}

// into brings a new key into a state.
func (r *rig) into(state string) cloudKey {
	r.t.Helper()
	report := func(k cloudKey) {
		a := r.must(call{method: "POST", target: "/v1/apikeys/leaked", header: [][2]string{{"Authorization", "Bearer " + k.Access}, {"IAM-ApiKey", k.APIKey}}})
		if strings.Contains(string(a.body), k.APIKey) {
			r.t.Errorf("%s: the answer shows the key", state)
		}
	}
	action, leaked := strings.CutPrefix(state, "leaked-")
	switch {
	case action == "locked" && leaked: // a lock is against mistakes
		k := r.newCloudKey(`,"action_when_leaked":"delete"`)
		r.ibmAPI("POST", "/v1/apikeys/"+k.ID+"/lock", "")
		report(k)
		return k
	case leaked:
		k := r.newCloudKey(`,"action_when_leaked":"` + action + `"`)
		report(k)
		return k
	case state == "expired":
		end := time.Now().Add(2 * time.Second).UTC()
		k := r.newCloudKey(`,"expires_at":"` + end.Format(time.RFC3339) + `"`)
		time.Sleep(time.Until(end))
		return k
	}
	k := r.newCloudKey("")
	path := "/v1/apikeys/" + k.ID
	switch state {
	case "as-made":
	case "locked":
		r.ibmAPI("POST", path+"/lock", "")
	case "disabled", "enabled-again":
		r.ibmAPI("POST", path+"/disable", "")
		if state == "enabled-again" {
			r.ibmAPI("DELETE", path+"/disable", "")
		}
	case "shortened":
		r.must(call{method: "PUT", target: path, body: `{"expires_at":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"}`, header: [][2]string{
			{"Authorization", "Bearer " + r.ibmTokens("", r.facts().IBM.APIKey).Access}, {"If-Match", "*"},
		}})
	case "deleted":
		r.ibmAPI("DELETE", path, "")
	default:
		r.t.Fatalf("state %s", state)
	}
	return k
}

// keyAt shows a key, or what it gave, at a door.
func (r *rig) keyAt(door string, k cloudKey) string {
	r.t.Helper()
	own := [2]string{"Authorization", "Bearer " + r.ibmTokens("", r.facts().IBM.APIKey).Access}
	var q call
	switch door {
	case "key":
		q = ibmGrant("bx:bx", "urn:ibm:params:oauth:grant-type:apikey", "apikey", k.APIKey)
	case "refresh":
		q = ibmGrant("bx:bx", "refresh_token", "refresh_token", k.Refresh)
	case "access":
		q = call{target: "/v1/apikeys", header: [][2]string{{"Authorization", "Bearer " + k.Access}}}
	case "s3":
		q = call{target: "/", header: [][2]string{{"Authorization", "Bearer " + k.Access}, {"ibm-service-instance-id", r.facts().IBM.StorageID}}}
	case "det":
		q = call{target: "/v1/apikeys/details", header: [][2]string{own, {"IAM-ApiKey", k.APIKey}}}
	case "del":
		q = call{method: "DELETE", target: "/v1/apikeys/" + k.ID, header: [][2]string{own}}
	default:
		r.t.Fatalf("door %s", door)
	}
	a := r.do(q)
	return fmt.Sprintf("%d-%s", a.status, a.code())
}

// TestAPIKeyStates: a key that ended ends what it gave, at every door and at once.
func TestAPIKeyStates(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	lines := strings.Split(strings.TrimSpace(keyStates), "\n")
	doors := strings.Fields(lines[0])[1:]
	for _, line := range lines[1:] {
		row := strings.Fields(line)
		k := r.into(row[0])
		for i, door := range doors {
			if got := r.keyAt(door, k); got != row[i+1] {
				t.Errorf("%s at %s: got %s, want %s", row[0], door, got, row[i+1])
			}
		}
	}
}

// TestCloudGuesses: wrong API keys and passwords at the doors of IBM's dialect
// count with all others of an address, and who has the right key is not kept out.
func TestCloudGuesses(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	access := r.ibmTokens("", r.facts().IBM.APIKey).Access
	n := 0
	unknown := func() string { n++; return fmt.Sprintf("unknown%037d", n) }
	byKey := func() answer {
		return r.do(ibmGrant("", "urn:ibm:params:oauth:grant-type:apikey", "apikey", unknown()))
	}
	named := func(method, path string) func() answer {
		return func() answer {
			return r.do(call{method: method, target: path, header: [][2]string{{"Authorization", "Bearer " + access}, {"IAM-ApiKey", unknown()}}})
		}
	}
	doors := map[string]func() answer{
		"key": byKey, "details": named("GET", "/v1/apikeys/details"), "leaked": named("POST", "/v1/apikeys/leaked"),
		"password": func() answer { return r.do(ibmGrant("", "password", "username", unknown(), "password", "x")) },
		"passcode": func() answer {
			return r.do(ibmGrant("", "urn:ibm:params:oauth:grant-type:passcode", "passcode", unknown()))
		},
		"realm": func() answer {
			return r.do(realmCall("shasta", "token", "grant_type", "password", "client_id", "shasta", "username", unknown(), "password", "x"))
		},
	}
	began := time.Now()
	for range 4 {
		for name, try := range doors {
			if a := try(); a.status == 429 || a.status < 400 {
				t.Fatalf("%s after %d tries: %s", name, n, a)
			}
		}
	}
	for byKey().status != 429 {
		if n > 1000 {
			t.Fatal("1000 guesses, and no end")
		}
	}
	// 100 at once and 30 a minute.
	if most := 102 + int(time.Since(began).Minutes()*30); n < 100 || n > most {
		t.Errorf("refused at the %dth guess, want 100 to %d", n, most)
	}
	for name, try := range doors {
		if a := eventuallyLimited(try); a.status != 429 || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %s, want 429 with Retry-After", name, a)
		}
	}
	if a := r.do(ibmGrant("", "urn:ibm:params:oauth:grant-type:apikey", "apikey", r.facts().IBM.APIKey)); a.status != 200 {
		t.Errorf("the right key: %s", a)
	}
}

// eventuallyLimited tries thrice: an allowance may have come back meanwhile.
func eventuallyLimited(try func() answer) (a answer) {
	for range 3 {
		if a = try(); a.status == 429 {
			break
		}
	}
	return a
}

// TestCloudOfOneAccount: what is another account's is answered as what is not
// there, word for word.
func TestCloudOfOneAccount(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	r.apply(secondSite)
	r.apply(fmt.Sprintf("users:\n  - {account: %q, name: eve}\n", accountB))
	other := r.otherRoot()
	eve := r.must(query("iam", other, "Action", "GetUser", "UserName", "eve")).between("UserId")
	own := "Bearer " + r.ibmTokens("", r.facts().IBM.APIKey).Access
	const nobody = "999999999999"
	for what, q := range map[string]struct {
		method, target, body string
	}{
		"settings":             {"GET", "/v1/accounts/ACCOUNT/settings/identity", ""},
		"new settings":         {"PUT", "/v1/accounts/ACCOUNT/settings/identity", `{"session_expiration_in_seconds":"3600"}`},
		"API keys":             {"GET", "/v1/apikeys?account_id=ACCOUNT", ""},
		"API keys of a user":   {"GET", "/v1/apikeys?iam_id=USER", ""},
		"a key for a user":     {"POST", "/v1/apikeys", `{"name":"x","iam_id":"USER","account_id":"ACCOUNT"}`},
		"a key for a user, us": {"POST", "/v1/apikeys", `{"name":"x","iam_id":"USER"}`},
		"service IDs":          {"GET", "/v1/serviceids/?account_id=ACCOUNT", ""},
		"a service ID":         {"POST", "/v1/serviceids/", `{"name":"x","account_id":"ACCOUNT"}`},
		"profiles":             {"GET", "/v1/profiles?account_id=ACCOUNT", ""},
		"a profile":            {"POST", "/v1/profiles", `{"name":"x","account_id":"ACCOUNT"}`},
	} {
		var said [2]string
		for i, names := range [][2]string{{accountB, "IBMid-" + eve}, {nobody, "IBMid-" + strings.Repeat("A", len(eve))}} {
			fill := strings.NewReplacer("ACCOUNT", names[0], "USER", names[1])
			a := r.do(call{method: q.method, target: fill.Replace(q.target), body: fill.Replace(q.body), header: [][2]string{{"Authorization", own}, {"If-Match", "*"}}})
			if a.status < 400 && strings.Contains(string(a.body), names[0]) {
				t.Errorf("%s of %s: %s", what, names[0], a)
			}
			said[i] = fmt.Sprint(a.status, strings.NewReplacer(names[0], "ACCOUNT", names[1], "USER", url.QueryEscape(names[1]), "USER").Replace(words(t, a)))
		}
		if said[0] != said[1] {
			t.Errorf("%s: of another account\n%s\nof none\n%s", what, said[0], said[1])
		}
	}
}

// words is an answer of the identity API without what differs each time.
func words(t testing.TB, a answer) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		t.Fatalf("%v: %s", err, a)
	}
	delete(m, "context")
	delete(m, "trace")
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
