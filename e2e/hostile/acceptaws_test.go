package hostile

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// acceptance is the closed table for the endpoints of realms, STS, IAM, S3 and
// the token service. A row is a kind, a column an endpoint; "*" stands for the
// kinds without a row, which nobody here takes. What a cell says is what that
// endpoint must answer:
//
//	ok          accepted
//	on, off     introspection says active or not
//	it  401 invalid_token          ig  400 invalid_grant
//	IIT 400 InvalidIdentityToken   AD  403 AccessDenied           ET4 400 ExpiredToken
//	IA  400 InvalidArgument        IS  400 IncompleteSignature    IT  400 InvalidToken
//	UA  401                        BR  400
//	ICT 403 InvalidClientTokenId   IAK 403 InvalidAccessKeyId     ET3 403 ExpiredToken
//
// Columns: ui userinfo by realm; rf grant refresh_token; in introspect; wi web
// identity for a role that trusts shasta, one that trusts the foreign issuer,
// the root of A and of B; Bearer at S3, there with IBM's instance (b-s3i), at
// STS and IAM; Basic at S3; signed by SigV4: S3 by header and presigned,
// GetCallerIdentity, IAM, both presigned; ts the token service, as bearer, as the header that a proxy sets, and as
// bearer on the host of a service for the foreign issuer; there signed, and
// presigned; lo logout. By then a token has been introspected, which changes nothing.
const acceptance = `
kind                ui-root ui-shasta ui-else rf-root rf-shasta in-root in-shasta wi-role wi-foreign wi-rootA wi-rootB b-s3 b-s3i b-sts b-iam basic s3  s3-q sts iam sts-q iam-q lo-root lo-shasta ts ts-fwd ts-for ts-s ts-q
root-access         ok      it        it      ig      ig        on      off       AD      AD         ok       AD       AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
shasta-access       it      ok        it      ig      ig        off     on        ok      AD         AD       AD       AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        ok ok     UA     BR   BR
elsewhere-access    it      it        ok      ig      ig        off     off       AD      AD         AD       AD       AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
service-access      it      ok        it      ig      ig        off     on        ok      AD         AD       AD       AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        ok ok     UA     BR   BR
brief-expired       it      it        it      ig      ig        off     off       ET4     ET4        ET4      ET4      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
logged-out-access   it      it        it      ig      ig        off     off       ET4     ET4        ET4      ET4      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
root-refresh        it      it        it      ok      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ok      ig        UA UA     UA     BR   BR
shasta-refresh      it      it        it      ig      ok        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ok        UA UA     UA     BR   BR
unknown-refresh     it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-id          it      it        it      ig      ig        off     off       AD      ok         AD       IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-root-claims it      it        it      ig      ig        off     off       AD      AD         AD       IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-wrong-aud   it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-two-auds    it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-access      it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     ok     BR   BR
foreign-bearer-typ  it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     ok     BR   BR
foreign-expired     it      it        it      ig      ig        off     off       ET4     ET4        ET4      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-early       it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-no-exp      it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-crit        it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
foreign-iss-slash   it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
stranger-issuer     it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
stranger-key-root   it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
stranger-jwk-root   it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
shasta-as-root      it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
unsigned-root       it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
root-session        it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    ok  ok   ok  ok  ok    IS    ig      ig        UA UA     UA     BR   BR
role-session        it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    ok  ok   ok  AD  ok    IS    ig      ig        UA UA     UA     BR   BR
foreign-session     it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    ok  ok   ok  AD  ok    IS    ig      ig        UA UA     UA     BR   BR
logged-out-session  it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    ET4 ET4  ET3 ET3 ET3   IS    ig      ig        UA UA     UA     BR   BR
expired-session     it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    ET4 ET4  ET3 ET3 ET3   IS    ig      ig        UA UA     UA     BR   BR
session-other-key   it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
long-term           it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    ok  ok   ok  ok  ok    IS    ig      ig        UA UA     UA     BR   BR
long-term-inactive  it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IAK IAK  ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
long-term-deleted   it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IAK IAK  ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
long-term-token     it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
api-secret          it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IAK IAK  ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
identity-token      it      it        it      ig      ig        off     off       AD      AD         AD       IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
pool-session        it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    ok  ok   ok  AD  ok    IS    ig      ig        UA UA     UA     BR   BR
classic-session     it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    ok  ok   ok  AD  ok    IS    ig      ig        UA UA     UA     BR   BR
ibm-session         it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    ok  ok   ok  AD  ok    IS    ig      ig        UA UA     UA     BR   BR
ibm-access          it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   ok    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
*                   it      it        it      ig      ig        off     off       IIT     IIT        IIT      IIT      AD   AD    IS    IS    IA    IT  IT   ICT ICT ICT   IS    ig      ig        UA UA     UA     BR   BR
`

// cells are the meanings of the table.
var cells = map[string]struct {
	status int
	code   string
}{
	"ok": {200, ""}, "on": {200, "on"}, "off": {200, "off"},
	"it": {401, "invalid_token"}, "ig": {400, "invalid_grant"},
	"IIT": {400, "InvalidIdentityToken"}, "AD": {403, "AccessDenied"}, "ET4": {400, "ExpiredToken"}, "ET3": {403, "ExpiredToken"},
	"IA": {400, "InvalidArgument"}, "IS": {400, "IncompleteSignature"}, "IT": {400, "InvalidToken"},
	"UA": {401, ""}, "BR": {400, ""},
	"ICT": {403, "InvalidClientTokenId"}, "IAK": {403, "InvalidAccessKeyId"},
}

// foreignHost is the host of the token service for the foreign issuer.
const foreignHost = "sts.foreign.localhost"

// awsDoors are the columns of the table.
func (r *rig) awsDoors() doors {
	rows := map[string][]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(acceptance), "\n") {
		row := strings.Fields(line)
		rows[row[0]] = row[1:]
	}
	columns := rows["kind"]
	delete(rows, "kind")
	place := map[string]int{}
	for i, column := range columns {
		place[column] = i
	}
	kinds := map[string]bool{}
	for kind, row := range rows {
		if kinds[kind] = true; len(row) != len(columns) {
			r.t.Fatalf("row %s: %d cells, want %d", kind, len(row), len(columns))
		}
	}
	delete(kinds, "*")
	return doors{names: columns, kinds: kinds, show: r.present, want: func(kind, door string) []string {
		row, ok := rows[kind]
		if !ok {
			row = rows["*"]
		}
		cell, ok := cells[row[place[door]]]
		if !ok {
			r.t.Fatalf("row %s: cell %q", kind, row[place[door]])
		}
		return []string{fmt.Sprintf("%d %s", cell.status, cell.code)}
	}}
}

// present shows a credential at an endpoint.
func (r *rig) present(column string, c credential) (got, body string) {
	r.t.Helper()
	account := r.facts().AccountID
	realms := map[string][2]string{"root": {"root-accounts", "root-client"}, "shasta": {"shasta", "shasta"}, "else": {"elsewhere", "elsewhere"}}
	verb, where, _ := strings.Cut(column, "-")
	realm := realms[where]
	authorization := func(scheme string, q call) call {
		q.header = append(q.header, [2]string{"Authorization", scheme})
		return q
	}
	identityOf := query("sts", keys{}, "Action", "GetCallerIdentity")
	users := query("iam", keys{}, "Action", "ListUsers")
	var q call
	switch column {
	case "ui-root", "ui-shasta", "ui-else":
		q = authorization("Bearer "+c.text, call{target: "/auth/realms/" + realm[0] + "/protocol/openid-connect/userinfo"})
	case "rf-root", "rf-shasta":
		q = realmCall(realm[0], "token", "grant_type", "refresh_token", "client_id", realm[1], "refresh_token", c.text)
	case "in-root", "in-shasta":
		q = realmCall(realm[0], "token/introspect", "client_id", realm[1], "token", c.text)
	case "lo-root", "lo-shasta":
		q = realmCall(realm[0], "logout", "client_id", realm[1], "refresh_token", c.text)
	case "wi-role":
		q = webIdentity(roleARN(account, "shasta-admin"), c.text)
	case "wi-foreign":
		q = webIdentity(roleARN(account, "foreign"), c.text)
	case "wi-rootA":
		q = webIdentity(rootARN(account), c.text)
	case "wi-rootB":
		q = webIdentity(rootARN(accountB), c.text)
	case "b-s3":
		q = authorization("Bearer "+c.text, call{target: "/"})
	case "b-s3i": // as IBM's clients send it
		q = authorization("Bearer "+c.text, call{target: "/", header: [][2]string{{"ibm-service-instance-id", r.facts().IBM.StorageID}}})
	case "b-sts":
		q = authorization("Bearer "+c.text, identityOf)
	case "b-iam":
		q = authorization("Bearer "+c.text, users)
	case "basic":
		q = authorization("Basic "+base64.StdEncoding.EncodeToString([]byte(c.keys.AccessKeyID+":"+c.text)), call{target: "/"})
	case "s3":
		q = call{target: "/", keys: c.keys}
	case "s3-q":
		q = call{target: "/", keys: c.keys, presign: time.Minute}
	case "sts":
		q = identityOf
		q.keys = c.keys
	case "iam":
		q = users
		q.keys = c.keys
	case "sts-q":
		q = call{target: "/?Action=GetCallerIdentity&Version=2011-06-15", service: "sts", keys: c.keys, presign: time.Minute}
	case "iam-q":
		q = call{target: "/?Action=ListUsers&Version=2010-05-08", service: "iam", keys: c.keys, presign: time.Minute}
	case "ts", "ts-fwd", "ts-for", "ts-s", "ts-q":
		q = r.tokenService(column, c)
	default:
		r.t.Fatalf("column %s", column)
	}
	a := r.do(q)
	code := a.code()
	if verb == "in" && a.status == 200 {
		var out map[string]any
		if err := json.Unmarshal(a.body, &out); err != nil {
			r.t.Fatal(err)
		}
		code = map[bool]string{true: "on", false: "off"}[out["active"] == true]
		if code == "off" && len(out) != 1 {
			r.t.Errorf("introspection tells of what is not active: %s", a.body)
		}
	}
	status := a.status
	if (status == 201 || status == 204) && code == "" {
		status = 200
	}
	return fmt.Sprintf("%d %s", status, code), string(a.body)
}

// tokenService shows a credential at a token service.
func (r *rig) tokenService(column string, c credential) call {
	q := call{method: "PUT", target: "/apis/sts/token"}
	name, value := "Authorization", "Bearer "+c.text
	switch column {
	case "ts-fwd":
		name, value = "X-Forwarded-Access-Token", c.text
	case "ts-for":
		q.host = foreignHost
	case "ts-s":
		q.keys = c.keys
		return q
	case "ts-q":
		q.keys, q.presign = c.keys, time.Minute
		return q
	}
	q.header = [][2]string{{name, value}}
	return q
}
