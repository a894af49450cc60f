package hostile

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// at calls f n times at once.
func at(n int, f func(i int)) {
	var all sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		all.Go(func() { <-gate; f(i) })
	}
	close(gate)
	all.Wait()
}

// tally counts answers by status and code.
type tally struct {
	mu sync.Mutex
	m  map[string]int
}

func (c *tally) add(a answer, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[string]int{}
	}
	key := strings.TrimSpace(fmt.Sprintf("%d %s", a.status, a.code()))
	if err != nil {
		key = err.Error()
	}
	c.m[key]++
}

func (c *tally) is(t *testing.T, what string, want map[string]int) {
	t.Helper()
	if fmt.Sprint(c.m) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, c.m, want)
	}
}

// TestContests: of many who want the same thing at once, as many get it as may.
func TestContests(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	other := r.otherRoot()
	root := r.rootSession()
	const n = 16

	var users tally
	at(n, func(i int) {
		name := []string{"same", "SAME", "Same"}[i%3]
		users.add(r.try(query("iam", root, "Action", "CreateUser", "UserName", name)))
	})
	users.is(t, "one user", map[string]int{"200": 1, "409 EntityAlreadyExists": n - 1})

	r.must(query("iam", root, "Action", "CreateUser", "UserName", "keyed"))
	var made tally
	at(n, func(int) { made.add(r.try(query("iam", root, "Action", "CreateAccessKey", "UserName", "keyed"))) })
	made.is(t, "two keys", map[string]int{"200": 2, "409 LimitExceeded": n - 2})

	for round := range 5 {
		name := fmt.Sprintf("/contested-%d", round)
		var created [2]tally
		at(n, func(i int) {
			created[i%2].add(r.try(call{method: "PUT", target: name, keys: []keys{root, other}[i%2]}))
		})
		winners := 0
		for side, k := range []keys{root, other} {
			winners += created[side].m["200"]
			for outcome := range created[side].m {
				switch outcome {
				case "200", "409 OperationAborted", "409 BucketAlreadyExists", "409 BucketAlreadyOwnedByYou":
				default:
					t.Errorf("creating %s at once: %v %v", name, created[0].m, created[1].m)
				}
			}
			if a := r.do(call{method: "HEAD", target: name, keys: k}); (a.status == 200) != (created[side].m["200"] == 1) {
				t.Errorf("%s: side %d was told %v and finds %d", name, side, created[side].m, a.status)
			}
		}
		if winners != 1 {
			t.Errorf("%s has %d winners: %v %v", name, winners, created[0].m, created[1].m)
		}
	}

	tokens := r.shastaTokens()
	var mu sync.Mutex
	successors := map[string]int{}
	at(n, func(int) {
		a, err := r.try(refreshCall(tokens.Refresh))
		mu.Lock()
		defer mu.Unlock()
		if err != nil || a.status != 200 {
			t.Errorf("a refresh at the same time: %v %s", err, a)
			return
		}
		successors[tokensOf(t, a).Refresh]++
	})
	if len(successors) != 1 {
		t.Errorf("one refresh token has %d successors", len(successors))
	}
}

// TestRevokedAtOnce: what is taken away stops with the answer that says so, and
// takes along what came of it.
func TestRevokedAtOnce(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	root := r.rootSession()
	account := r.facts().AccountID
	works := func(k keys) bool {
		return r.do(query("sts", k, "Action", "GetCallerIdentity")).status == 200
	}
	r.must(query("iam", root, "Action", "CreateUser", "UserName", "dora"))
	for _, end := range [][]string{
		{"Action", "UpdateAccessKey", "Status", "Inactive"}, {"Action", "DeleteAccessKey"},
	} {
		k := keysOf(r.must(query("iam", root, "Action", "CreateAccessKey", "UserName", "dora")))
		if !works(k) {
			t.Fatal("a new key does not work")
		}
		r.must(query("iam", root, append(end, "UserName", "dora", "AccessKeyId", k.AccessKeyID)...))
		if works(k) {
			t.Errorf("the key works after %v", end)
		}
		r.do(query("iam", root, "Action", "DeleteAccessKey", "UserName", "dora", "AccessKeyId", k.AccessKeyID))
	}
	for name, end := range map[string]func(tokenSet) call{
		"logout": func(s tokenSet) call {
			return realmCall("shasta", "logout", "client_id", "shasta", "refresh_token", s.Refresh)
		},
		"revoke, refresh token": func(s tokenSet) call { return realmCall("shasta", "revoke", "client_id", "shasta", "token", s.Refresh) },
		"revoke, access token":  func(s tokenSet) call { return realmCall("shasta", "revoke", "client_id", "shasta", "token", s.Access) },
	} {
		s := r.shastaTokens()
		k := r.exchange(roleARN(account, "shasta-admin"), s.Access)
		s2 := tokensOf(t, r.must(refreshCall(s.Refresh)))
		k2 := r.exchange(roleARN(account, "shasta-admin"), s2.Access)
		bystander := r.roleSession()
		r.must(end(s2))
		if works(k) || works(k2) {
			t.Errorf("%s: session keys of the log-in still work", name)
		}
		if a := r.do(refreshCall(s2.Refresh)); a.status != 400 {
			t.Errorf("%s: the refresh token still works: %s", name, a)
		}
		if a := r.do(refreshCall(s.Refresh)); a.status != 400 {
			t.Errorf("%s: the refresh token before still works: %s", name, a)
		}
		if a := r.do(webIdentity(roleARN(account, "shasta-admin"), s2.Access)); a.status != 400 {
			t.Errorf("%s: the access token still works: %s", name, a)
		}
		if !works(bystander) {
			t.Errorf("%s: the keys of another log-in died too", name)
		}
	}
	// Somebody else's client, and nobody's token, end nothing.
	s := r.shastaTokens()
	for _, c := range []call{
		realmCall("shasta", "revoke", "client_id", "shasta", "token", "garbage"),
		realmCall("root-accounts", "revoke", "client_id", "root-client", "token", s.Refresh),
		realmCall("root-accounts", "revoke", "client_id", "root-client", "token", s.Access),
	} {
		r.must(c)
	}
	r.must(refreshCall(s.Refresh))
}

// TestGuessing: a stranger who tries passwords is slowed down, and whoever
// knows the password still gets in.
func TestGuessing(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	u := r.facts().Realms["shasta"]
	guess := func(name, password string) call {
		return realmCall("shasta", "token", "grant_type", "password", "client_id", "shasta", "username", name, "password", password)
	}
	r.must(guess(u.Username, u.Password))
	for _, name := range []string{u.Username, "nobody"} {
		var got tally
		for i := range 60 {
			got.add(r.try(guess(name, fmt.Sprint("guess ", i))))
		}
		if got.m["429 temporarily_unavailable"] == 0 || got.m["401 invalid_grant"] == 0 || len(got.m) != 2 {
			t.Errorf("guessing at %s: %v", name, got.m)
		}
	}
}

// TestSlowClients: connections that dribble are cut off, and do not keep others
// from being served.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for time-outs")
	}
	r := startRig(t, "")
	u, err := url.Parse(r.facts().URL)
	if err != nil {
		t.Fatal(err)
	}
	k := r.rootSession()
	r.must(call{method: "PUT", target: "/slow", keys: k})
	began := time.Now()
	var open []net.Conn
	for range 200 {
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "POST /auth/realms/shasta/protocol/openid-connect/token HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		open = append(open, c)
	}
	for range 50 {
		if a := r.do(call{target: "/", keys: k}); a.status != 200 {
			t.Fatalf("with %d slow connections: %s", len(open), a)
		}
	}
	for _, c := range open {
		c.SetReadDeadline(began.Add(20 * time.Second))
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil && resp.StatusCode != http.StatusRequestTimeout && resp.StatusCode != http.StatusBadRequest {
			t.Fatalf("a slow header was answered %d", resp.StatusCode)
		}
		if e, ok := err.(net.Error); ok && e.Timeout() {
			t.Fatal("a connection that sends no header is still open after 20 s")
		}
	}
}

// TestForeignDeletion: the answer to deleting in somebody else's bucket tells
// nothing of whose it is or what is in it.
func TestForeignDeletion(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	other := r.otherRoot()
	root := r.rootSession()
	r.must(call{method: "PUT", target: "/theirs", keys: root})
	r.must(call{method: "PUT", target: "/theirs/kept", keys: root, body: "kept"})
	var answers []string
	for _, owner := range []string{r.facts().AccountID, accountB, "000000000000"} {
		a := r.do(call{
			method: "POST", target: "/theirs?delete", keys: other, header: header("X-Amz-Expected-Bucket-Owner", owner),
			body: "<Delete><Object><Key>kept</Key></Object><Object><Key>none</Key></Object></Delete>",
		})
		answers = append(answers, strings.ReplaceAll(a.String(), "none", "kept"))
		if a.status != 200 || strings.Count(string(a.body), "<Code>AccessDenied</Code>") != 2 || strings.Contains(string(a.body), "<Deleted>") {
			t.Errorf("%s", a)
		}
	}
	if answers[0] != answers[1] || answers[1] != answers[2] {
		t.Errorf("the answers differ by the owner expected: %q", answers)
	}
	r.must(call{target: "/theirs/kept", keys: root})
	if a := r.do(call{
		method: "POST", target: "/theirs?delete", keys: root, header: header("X-Amz-Expected-Bucket-Owner", accountB),
		body: "<Delete><Object><Key>kept</Key></Object></Delete>",
	}); a.status != 403 {
		t.Errorf("the owner, expecting another: %s", a)
	}
	r.must(call{target: "/theirs/kept", keys: root})
}
