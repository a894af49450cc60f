package hostile

import (
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
)

// from is the rig's client at another address of this machine.
func (r *rig) from(address string) *rig {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	v := &rig{t: r.t, dir: r.dir, binary: r.binary}
	v.now.Store(r.facts())
	v.process.Store(r.process.Load())
	v.client = &http.Client{
		Timeout: r.client.Timeout, CheckRedirect: r.client.CheckRedirect,
		Transport: &http.Transport{DialContext: d.DialContext, MaxIdleConnsPerHost: 1, DisableCompression: true},
	}
	r.t.Cleanup(v.client.CloseIdleConnections)
	return v
}

// dialects are the places where a password can be guessed: what each answers to
// a right one, a wrong one, and too many.
var dialects = []struct {
	name                string
	right, wrong, later string
	try                 func(r *rig, p *poolFacts, name, password string) answer
}{
	{"realm", "200 ", "401 invalid_grant", "429 temporarily_unavailable", func(r *rig, _ *poolFacts, name, password string) answer {
		return r.do(realmCall("shasta", "token", "grant_type", "password", "client_id", "shasta", "username", name, "password", password))
	}},
	{"pool", "200 ", "400 NotAuthorizedException", "400 TooManyRequestsException", func(r *rig, p *poolFacts, name, password string) answer {
		return r.do(r.poolLogin(p.ClientID, "USER_PASSWORD_AUTH", "USERNAME", name, "PASSWORD", password))
	}},
	{"SRP", "200 ", "400 NotAuthorizedException", "400 TooManyRequestsException", func(r *rig, p *poolFacts, name, password string) answer {
		return r.do(r.beginSRP(p, name, password).answer(r.t, p.ClientID, name))
	}},
	{"console", "303 ", "401 ", "429 ", func(r *rig, _ *poolFacts, name, password string) answer {
		a, err := r.atConsole("POST", "/login", url.Values{"place": {"shasta"}, "username": {name}, "password": {password}}.Encode(), "")
		if err != nil {
			r.t.Fatal(err)
		}
		return a
	}},
}

func (a answer) said() string { return fmt.Sprintf("%d %s", a.status, a.code()) }

// TestGuessesOverAllDialects: guesses of one principal's password count together
// wherever they are made, and never lock it out of its own address. Who does not
// exist is treated alike.
func TestGuessesOverAllDialects(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	p := r.pool()
	user := r.facts().Realms["shasta"]
	for _, d := range dialects {
		if a := d.try(r, p, user.Username, user.Password); a.said() != d.right {
			t.Fatalf("%s: %s", d.name, a)
		}
	}
	tries, perAddress := 160, 20
	if soak() {
		tries, perAddress = 10_000, 90
	}
	for name, password := range map[string]string{user.Username: user.Password, "nobody-at-all": "x"} {
		checked := 0
		var at *rig
		for n := range tries {
			if n%perAddress == 0 {
				at = r.from(fmt.Sprintf("127.0.%d.%d", 1+len(name)%100, 1+n/perAddress))
			}
			d := dialects[n%len(dialects)]
			switch a := d.try(at, p, name, fmt.Sprintf("guess-%d", n)); a.said() {
			case d.wrong:
				checked++
			case d.later:
			default:
				t.Fatalf("%s, guess %d: %s", d.name, n, a)
			}
		}
		// 10, and 2 a minute.
		if checked < 10 || checked > 10+tries/100+4 {
			t.Errorf("%d of %d guesses at %s were checked", checked, tries, name)
		}
		for i, d := range dialects {
			if a := d.try(r.from(fmt.Sprintf("127.0.200.%d", i+1)), p, name, password); a.said() != d.later {
				t.Errorf("%s from elsewhere, after the guesses at %s: %s", d.name, name, a)
			}
		}
	}
	for _, d := range dialects {
		if a := d.try(r, p, user.Username, user.Password); a.said() != d.right {
			t.Errorf("%s locks the owner out: %s", d.name, a)
		}
	}
}

// TestPoolSRP: numbers that no honest client sends, and answers that are not for
// this client, this user, or the first time.
func TestPoolSRP(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	p := r.pool()
	f := r.facts()
	user := f.Realms["shasta"]
	for what, a := range map[string]string{
		"0": "0", "N": srpModulus, "2N": twice(srpModulus), "longer than N": "1" + strings.Repeat("0", 768), "very long": strings.Repeat("f", 100_000),
		"negative": "-5", "no number": "xyz", "0x": "0x10", "spaces": " 12 ", "with _": "1_0", "nothing": "", "zeros": strings.Repeat("0", 768),
	} {
		if got := r.do(r.poolLogin(p.ClientID, "USER_SRP_AUTH", "USERNAME", user.Username, "SRP_A", a)); got.said() != "400 InvalidParameterException" {
			t.Errorf("SRP_A %s: %s", what, got)
		}
	}
	for what, c := range map[string]struct{ client, name, want string }{
		"another client": {"farclient", user.Username, "400 NotAuthorizedException"},
		"no client":      {"nobody", user.Username, "400 ResourceNotFoundException"},
		"another user":   {p.ClientID, f.Stax.AccessKey, "400 NotAuthorizedException"},
	} {
		if what == "another client" {
			r.apply(secondSite + farSite)
		}
		if got := r.do(r.beginSRP(p, user.Username, user.Password).answer(t, c.client, c.name)); got.said() != c.want {
			t.Errorf("%s: %s", what, got)
		}
	}
	s := r.beginSRP(p, user.Username, user.Password)
	once := s.answer(t, p.ClientID, user.Username)
	statuses := make(chan string, 8)
	for range cap(statuses) { // one of many at once
		go func() {
			a, err := r.try(once)
			if err != nil {
				statuses <- err.Error()
				return
			}
			statuses <- a.said()
		}()
	}
	count := map[string]int{}
	for range cap(statuses) {
		count[<-statuses]++
	}
	if count["200 "] != 1 || count["400 NotAuthorizedException"] != cap(statuses)-1 {
		t.Errorf("a proof shown many times at once: %v", count)
	}
	if a := r.do(once); a.said() != "400 NotAuthorizedException" {
		t.Errorf("a proof shown again: %s", a)
	}
}

const farSite = `
realms:
  - name: elsewhere
    account: "210987654321"
    clients: [{id: elsewhere, public: true, grants: [password]}]
    user_pool:
      region: ap-southeast-2
      clients: [{id: farclient, auth_flows: [ALLOW_USER_SRP_AUTH]}]
`

// srpModulus is N of Cognito's SRP (RFC 5054, appendix A, 3072 bits).
const srpModulus = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD" +
	"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED" +
	"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F" +
	"83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B" +
	"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510" +
	"15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7" +
	"ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C" +
	"BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF"

func twice(hex string) string {
	n, _ := new(big.Int).SetString(hex, 16)
	return n.Lsh(n, 1).Text(16)
}

// cost is what the server holds (KiB) and has used of the processor (ms).
func (r *rig) cost() (memory, cpu int64) {
	r.t.Helper()
	pid := r.process.Load().Pid
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		r.t.Skipf("no /proc on this system: %v", err)
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	for _, at := range []int{11, 12} { // utime and stime, of 100 a second
		ticks, err := strconv.ParseInt(fields[at], 10, 64)
		if err != nil {
			r.t.Fatal(err)
		}
		cpu += ticks * 10
	}
	raw, err = os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		r.t.Fatal(err)
	}
	_, rest, _ = strings.Cut(string(raw), "VmRSS:")
	if memory, err = strconv.ParseInt(strings.Fields(rest)[0], 10, 64); err != nil {
		r.t.Fatal(err)
	}
	return memory, cpu
}

// zeros is a body of so many bytes.
type zeros struct{ left int }

func (z *zeros) Read(b []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), z.left)
	for i := range b[:n] {
		b[i] = '0'
	}
	z.left -= n
	return n, nil
}

// TestPoolBodies: what is too large, too deep, or not what it says costs little
// and gets the right error.
func TestPoolBodies(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	p := r.pool()
	user := r.facts().Realms["shasta"]
	r.poolTokens(p.ClientID, user.Username, user.Password)
	memory, cpu := r.cost()
	start := `{"ClientId":"` + p.ClientID + `","AuthFlow":"USER_SRP_AUTH","AuthParameters":{"USERNAME":"testuser","SRP_A":"`
	for what, chunked := range map[string]bool{"with its length": false, "chunked": true} {
		const size = 200 << 20
		req, err := http.NewRequest("POST", r.facts().URL+"/", io.MultiReader(strings.NewReader(start), &zeros{size}, strings.NewReader(`"}}`)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		req.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
		if !chunked {
			req.ContentLength = int64(len(start) + size + 3)
		}
		resp, err := r.client.Do(req)
		if err != nil {
			continue // it hung up while we still sent, as it may
		}
		if a, err := read(resp); err == nil && a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("200 MB %s: %s", what, a)
		}
	}
	with := func(body string, header ...string) call {
		q := cognitoCall(true, "InitiateAuth", nil)
		q.body = body
		for i := 0; i < len(header); i += 2 {
			q.header = append(q.header, [2]string{header[i], header[i+1]})
		}
		return q
	}
	good := `{"ClientId":"` + p.ClientID + `","AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"nobody","PASSWORD":"x"}}`
	for _, c := range []struct {
		what string
		q    call
		want string
	}{
		{"garbage", with("\x00\xff{"), "400 SerializationException"},
		{"no object", with("[]"), "400 SerializationException"},
		{"half", with(good[:40]), "400 SerializationException"},
		{"two", with(good + good), "400 SerializationException"},
		{"deep", with(strings.Repeat("[", 200_000)), "400 SerializationException"},
		{"deep objects", with(strings.Repeat(`{"a":`, 40_000)), "400 SerializationException"},
		{"deep members", with(`{"ClientId":"x","Deep":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + "}"), "400 InvalidParameterException"},
		{"another type", with(`{"ClientId":5}`), "400 SerializationException"},
		{"nothing", with(""), "400 InvalidParameterException"},
		{"members twice: the last counts", with(strings.Replace(good, `"ClientId"`, `"ClientId":"nobody","ClientId"`, 1)), "400 NotAuthorizedException"},
		{"many entries", with(`{"ClientId":"` + p.ClientID + `","AuthFlow":"USER_SRP_AUTH","AuthParameters":{` + entries(2000) + `}}`), "400 InvalidParameterException"},
		{"unknown client", with(strings.Replace(good, p.ClientID, "nobody", 1)), "400 ResourceNotFoundException"},
		{"client of bad form", with(strings.Replace(good, p.ClientID, "../../x", 1)), "400 InvalidParameterException"},
		{"a longer body than allowed", with(good + strings.Repeat(" ", 300<<10)), "413 RequestEntityTooLargeException"},
		{"two targets", with(good, "X-Amz-Target", "AWSCognitoIdentityService.GetId"), "400 AuthorizationHeaderMalformed"},
		{"unknown operation", retarget("AWSCognitoIdentityProviderService.Nothing"), "400 UnknownOperationException"},
		{"unknown service", retarget("AWSNothingService.InitiateAuth"), "400 AuthorizationHeaderMalformed"},
		{"other service's operation", retarget("AWSCognitoIdentityService.InitiateAuth"), "400 UnknownOperationException"},
		{"no operation", retarget("AWSCognitoIdentityProviderService."), "400 UnknownOperationException"},
	} {
		if a := r.do(c.q); a.said() != c.want {
			t.Errorf("%s: got %q, want %q: %.200s", c.what, a.said(), c.want, a.body)
		}
	}
	typed := with(good)
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", ""} {
		typed.header = [][2]string{{"Content-Type", kind}, typed.header[1]}
		if a := r.do(typed); a.status >= 500 || a.status == 200 {
			t.Errorf("Content-Type %q: %s", kind, a)
		}
	}
	after, used := r.cost()
	t.Logf("%d KiB more, %d ms of CPU", after-memory, used-cpu)
	if after-memory > 64<<10 {
		t.Errorf("the server holds %d KiB more than before", after-memory)
	}
	if used-cpu > 10_000 {
		t.Errorf("the server took %d ms of CPU", used-cpu)
	}
}

func retarget(target string) call {
	q := cognitoCall(true, "InitiateAuth", members{})
	q.header[1][1] = target
	return q
}

func entries(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"k%d":"v"`, i))
	}
	return strings.Join(all, ",")
}
