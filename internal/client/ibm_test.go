package client

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass/internal/identity"
)

// cloud is a token service and an identity API, as small as the client's view of
// them: refresh tokens rotate, tokens and keys are numbered.
type cloud struct {
	clock *handClock

	mu      sync.Mutex
	forms   []url.Values // shown at the token service
	clients []string     // and by whom
	current string       // the one good refresh token
	offered string       // what stands for it, where none is given
	refuse  string       // an answer to all but log-ins: "STATUS BODY"
	bearers []string
	pages   int // of API keys
	// keyCount is how many keys there are; posted are paths, rings and bodies.
	keyCount int
	posted   []string
	revoked  int
}

func newCloud(t *testing.T) (*cloud, *person) {
	t.Helper()
	c := &cloud{clock: &handClock{now: time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	f := &installation{Server: server, clock: c.clock}
	p := newPerson(t, f)
	p.profile.Kind = KindIBM
	return c, p
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Transaction-Id", "REQ1")
	if r.URL.Path == "/identity/token" {
		c.token(w, r)
		return
	}
	c.bearers = append(c.bearers, r.Header.Get("Authorization"))
	if status, body, ok := strings.Cut(c.refuse, " "); ok {
		var code int
		fmt.Sscan(status, &code)
		w.WriteHeader(code)
		io.WriteString(w, body)
		return
	}
	switch {
	case r.URL.Path == "/v1/session_keys":
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"access_key_id":"ASIA%d","secret_access_key":"secret","session_token":"token","expiration":%q,"arn":"arn:aws:iam::123456789012:user/alice","account_id":"123456789012","user_id":"AIDA"}`,
			len(c.bearers), c.clock.Now().Add(time.Hour).Format(time.RFC3339))
	case r.URL.Path == "/v1/sessions/sid" && r.Method == http.MethodDelete:
		c.revoked++
		w.WriteHeader(http.StatusNoContent)
	case r.URL.Path == "/v1/apikeys/leaked" && r.Method == http.MethodPost:
		fmt.Fprintf(w, `{"id":"ApiKey-1","name":%q,"disabled":true,"action_when_leaked":"disable"}`, r.Header.Get("IAM-ApiKey"))
	case strings.HasPrefix(r.URL.Path, pathKMSKeys):
		c.keys(w, r)
	case r.URL.Path == "/v1/apikeys":
		c.pages++
		next := ""
		if r.URL.Query().Get("pagetoken") == "" {
			next = "https://elsewhere.example.com/v1/apikeys?pagetoken=two"
		}
		fmt.Fprintf(w, `{"next":%q,"apikeys":[{"id":"ApiKey-%d","name":"a"}]}`, next, c.pages)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (c *cloud) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	_ = r.ParseForm()
	c.forms, c.clients = append(c.forms, r.PostForm), append(c.clients, id+":"+secret)
	switch grant := r.FormValue("grant_type"); {
	case grant == "refresh_token" && r.FormValue("refresh_token") != c.current:
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"errorCode":"BXNIM0408E","errorMessage":"Provided refresh token is expired.","context":{}}`)
		return
	case r.FormValue("password") == "wrong":
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"errorCode":"BXNIM0602E","errorMessage":"The credentials you entered are incorrect.","context":{}}`)
		return
	case r.FormValue("password") == "half" && r.FormValue("security_code") == "":
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"errorCode":"BXNIM0400E","errorMessage":"External authentication is required.","requirements":{"code":"TOTP","error":"x"},"context":{}}`)
		return
	}
	c.current = fmt.Sprintf("refresh-%d", len(c.forms))
	shown := c.current
	if c.offered != "" {
		shown = c.offered
	}
	payload := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"iam_id":"IBMid-AIDA","sub":"alice","n":%d,"account":{"bss":"123456789012"}}`, len(c.forms)))
	fmt.Fprintf(w, `{"access_token":"e30.%s.c2ln","refresh_token":%q,"expires_in":3600,"session_id":"sid"}`, payload, shown)
}

func TestIBMProofs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		proof  IBMProof
		want   string
		source string
	}{
		"API key":        {IBMProof{APIKey: "k"}, "apikey=k&grant_type=urn:ibm:params:oauth:grant-type:apikey", SourceIBMAPIKey},
		"with account":   {IBMProof{APIKey: "k", Account: "a"}, "account=a&apikey=k&grant_type=urn:ibm:params:oauth:grant-type:apikey", SourceIBMAPIKey},
		"passcode":       {IBMProof{Passcode: "c"}, "grant_type=urn:ibm:params:oauth:grant-type:passcode&passcode=c", SourceIBMPasscode},
		"password":       {IBMProof{Username: "u", Password: "p"}, "grant_type=password&password=p&username=u", SourceIBMPassword},
		"with code":      {IBMProof{Username: "u", Password: "half", Code: "1"}, "grant_type=password&password=half&security_code=1&username=u", SourceIBMPassword},
		"compute by ID":  {IBMProof{CRToken: "t", ProfileID: "Profile-1"}, "cr_token=t&grant_type=urn:ibm:params:oauth:grant-type:cr-token&profile_id=Profile-1", SourceIBMCRToken},
		"compute byname": {IBMProof{CRToken: "t", ProfileName: "n"}, "cr_token=t&grant_type=urn:ibm:params:oauth:grant-type:cr-token&profile_name=n", SourceIBMCRToken},
	} {
		c, p := newCloud(t)
		got, err := p.keeper().IBMLogIn(t.Context(), tc.proof)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if form, _ := url.QueryUnescape(c.forms[0].Encode()); form != tc.want || c.clients[0] != "bx:bx" {
			t.Errorf("%s: got %s by %s, want %s", name, form, c.clients[0], tc.want)
		}
		if got.User != "alice" || got.IAMID != "IBMid-AIDA" || got.Account != "123456789012" || got.SessionID != "sid" || !got.ExpiresAt.Equal(c.clock.Now().Add(time.Hour)) {
			t.Errorf("%s: %+v", name, got)
		}
		held, live, err := p.keeper().IBMHeld()
		if err != nil || !live || held.Text != got.Text || held.Source != tc.source {
			t.Errorf("%s: held %+v, %v, %v", name, held, live, err)
		}
		data, err := os.ReadFile(filepath.Join(p.dir, "p.json"))
		if proof := string(tc.proof.Password); err != nil || proof != "" && strings.Contains(string(data), `"`+proof+`"`) {
			t.Errorf("%s: the password is kept: %s, %v", name, data, err)
		}
	}
}

func TestIBMTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	c, p := newCloud(t)
	first, err := p.keeper().IBMLogIn(t.Context(), IBMProof{APIKey: "k"})
	if err != nil {
		t.Fatal(err)
	}
	c.clock.add(50 * time.Minute)
	if same, err := p.keeper().IBMToken(t.Context(), RenewalWindow); err != nil || same.Text != first.Text {
		t.Errorf("with ten minutes left: %v", err)
	}
	c.clock.add(6 * time.Minute)
	var group sync.WaitGroup
	got := make([]IBMToken, 8)
	for i := range got {
		k := p.keeper()
		group.Go(func() {
			var err error
			if got[i], err = k.IBMToken(t.Context(), RenewalWindow); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, other := range got {
		if other.Text == first.Text || other.Text != got[0].Text {
			t.Errorf("%q and %q after %q", other.Text.Reveal(), got[0].Text.Reveal(), first.Text.Reveal())
		}
	}
	if len(c.forms) != 2 || c.forms[1].Get("refresh_token") != "refresh-1" {
		t.Errorf("%v were shown", c.forms)
	}
}

// TestIBMLogInEnds: a refresh token that has ended, or none, is for people to mend.
func TestIBMLogInEnds(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*cloud){
		"ended":         func(c *cloud) { c.current = "another" },
		"not supported": func(c *cloud) {},
	} {
		c, p := newCloud(t)
		if name == "not supported" {
			c.offered = noRefreshToken
		}
		if _, err := p.keeper().IBMLogIn(t.Context(), IBMProof{APIKey: "k"}); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		change(c)
		c.mu.Unlock()
		c.clock.add(2 * time.Hour)
		for range 2 { // and it is not shown again
			_, err := p.keeper().IBMToken(t.Context(), 0)
			if e := identity.AsError(err); e.Kind != identity.KindExpiredToken || !strings.Contains(e.Public, "run: daypass login --profile p") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(c.forms) > 2 {
			t.Errorf("%s: %v", name, c.forms)
		}
	}
}

// TestIBMLogInByFile: the token of a machine is read again when the log-in ends,
// and no other way is tried.
func TestIBMLogInByFile(t *testing.T) {
	t.Parallel()
	c, p := newCloud(t)
	c.offered = noRefreshToken
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first\n")
	if _, err := p.keeper().IBMLogIn(t.Context(), IBMProof{CRTokenFile: file, ProfileName: "n", Account: "a"}); err != nil {
		t.Fatal(err)
	}
	write("second\n")
	c.clock.add(2 * time.Hour)
	later, err := p.keeper().IBMToken(t.Context(), RenewalWindow)
	if err != nil || !later.ExpiresAt.Equal(c.clock.Now().Add(time.Hour)) {
		t.Fatalf("%+v, %v", later, err)
	}
	for i, token := range []string{"first", "second"} {
		if form, _ := url.QueryUnescape(c.forms[i].Encode()); form != "account=a&cr_token="+token+"&grant_type=urn:ibm:params:oauth:grant-type:cr-token&profile_name=n" {
			t.Errorf("log-in %d: %s", i, form)
		}
	}
	if data, err := os.ReadFile(filepath.Join(p.dir, "p.json")); err != nil || strings.Contains(string(data), `"second"`) {
		t.Errorf("the machine's token is kept: %s, %v", data, err)
	}

	// A file that is away is no reason to throw away what lives.
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Remove(file))
	c.clock.add(56 * time.Minute)
	if same, err := p.keeper().IBMToken(t.Context(), RenewalWindow); err != nil || same.Text != later.Text {
		t.Errorf("with four minutes left: %v", err)
	}
	c.clock.add(5 * time.Minute)
	if _, err := p.keeper().IBMToken(t.Context(), 0); identity.KindOf(err) != identity.KindValidation || !strings.Contains(identity.AsError(err).Public, file) {
		t.Errorf("without its file: %v", err)
	}
	write(" \n")
	if _, err := p.keeper().IBMToken(t.Context(), 0); identity.KindOf(err) != identity.KindValidation || !strings.Contains(identity.AsError(err).Public, "is empty") {
		t.Errorf("with an empty file: %v", err)
	}
	write("third")
	if _, err := p.keeper().IBMToken(t.Context(), 0); err != nil {
		t.Error(err)
	}
	c.clock.add(2 * time.Hour)
	if _, err := p.keeper().LogOut(t.Context()); err != nil || len(c.forms) != 3 || c.revoked != 0 {
		t.Errorf("the log-out: %v, %d log-ins, %d ended", err, len(c.forms), c.revoked)
	}
}

func TestIBMLeakedKeyIsReported(t *testing.T) {
	t.Parallel()
	c, p := newCloud(t)
	if _, err := p.keeper().IBMLogIn(t.Context(), IBMProof{APIKey: "k"}); err != nil {
		t.Fatal(err)
	}
	got, err := p.keeper().ReportLeakedIBMAPIKey(t.Context(), "found")
	if err != nil || got.Name != "found" || !got.Disabled || got.ActionWhenLeaked != "disable" {
		t.Errorf("%+v, %v", got, err)
	}
	c.refuse = `404 {"errors":[{"code":"not_found","message_code":"BXNIM0102E","message":"Gone."}]}`
	if _, err := p.keeper().ReportLeakedIBMAPIKey(t.Context(), "found"); identity.KindOf(err) != identity.KindNotFound || strings.Contains(err.Error(), "found\"") {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestIBMSessionKeysOfAKeeper(t *testing.T) {
	t.Parallel()
	c, p := newCloud(t)
	if _, err := p.keeper().Keys(t.Context(), 0); identity.KindOf(err) != identity.KindExpiredToken {
		t.Errorf("logged out: %v", err)
	}
	if _, err := p.keeper().IBMLogIn(t.Context(), IBMProof{APIKey: "k"}); err != nil {
		t.Fatal(err)
	}
	first, err := p.keeper().Keys(t.Context(), RenewalWindow)
	if err != nil || first.ARN != "arn:aws:iam::123456789012:user/alice" || first.Source != SourceIBMAPIKey {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, err := p.keeper().Keys(t.Context(), RenewalWindow); err != nil || again != first {
		t.Errorf("%+v, %v", again, err)
	}
	c.clock.add(56 * time.Minute)
	if later, err := p.keeper().Keys(t.Context(), RenewalWindow); err != nil || later == first || len(c.forms) != 2 {
		t.Errorf("%+v, %v, after %d log-ins", later, err, len(c.forms))
	}
	if alive, err := p.keeper().LogOut(t.Context()); err != nil || !alive.IsZero() || c.revoked != 1 {
		t.Errorf("logged out: %v, %v, %d ended", alive, err, c.revoked)
	}
	if _, live, err := p.keeper().IBMHeld(); live || err != nil {
		t.Errorf("held after the log-out: %v, %v", live, err)
	}
}

// TestIBMListsGoOnByTheirToken: the next page is asked of the same host.
func TestIBMListsGoOnByTheirToken(t *testing.T) {
	t.Parallel()
	c, p := newCloud(t)
	if _, err := p.keeper().IBMLogIn(t.Context(), IBMProof{APIKey: "k"}); err != nil {
		t.Fatal(err)
	}
	list, err := p.keeper().IBMAPIKeys(t.Context(), "")
	if err != nil || len(list) != 2 || list[1].ID != "ApiKey-2" || c.pages != 2 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestIBMFailures(t *testing.T) {
	t.Parallel()
	for refuse, want := range map[string]struct {
		kind identity.Kind
		text string
	}{
		`401 {"errors":[{"code":"invalid_token","message_code":"BXNIM0407E","message":"No."}]}`:                   {identity.KindExpiredToken, "No (BXNIM0407E); run: daypass login --profile p --force [request REQ1]"},
		`403 {"errors":[{"code":"forbidden","message_code":"BXNIM0513E","message":"You are not authorized."}]}`:   {identity.KindAccessDenied, "You are not authorized (BXNIM0513E) [request REQ1]"},
		`403 {"trace":"x","errors":[{"code":"insufficent_permissions","message":"Not that."}],"status_code":403}`: {identity.KindAccessDenied, "Not that (insufficent_permissions) [request REQ1]"},
		`404 {"errors":[{"code":"not_found","message_code":"BXNIM0102E","message":"Gone."}]}`:                     {identity.KindNotFound, "Gone (BXNIM0102E)"},
		`409 {"errors":[{"code":"conflict","message_code":"BXNIM0104E","message":"Changed."}]}`:                   {identity.KindConflict, "Changed (BXNIM0104E)"},
		`400 {"errors":[{"code":"invalid_request","message_code":"BXNIM0106E","message":"Bad."}]}`:                {identity.KindValidation, "Bad (BXNIM0106E)"},
		`500 {"errors":[{"code":"internal_error","message_code":"BXNIM0001E","message":"Oh."}]}`:                  {identity.KindInternal, "show the request ID"},
		`503 {"errors":[{"code":"unavailable","message_code":"BXNIM0002E","message":"Later."}]}`:                  {identity.KindUnavailable, "try again in a moment"},
		`502 <html>a proxy's page</html>`: {identity.KindUnavailable, "is not one of Daypass"},
		`400 {"errors":[]}`:               {identity.KindUnavailable, "is not one of Daypass"},
	} {
		c, p := newCloud(t)
		if _, err := p.keeper().IBMLogIn(t.Context(), IBMProof{APIKey: "k"}); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		c.refuse = refuse
		c.mu.Unlock()
		_, err := p.keeper().IBMAPIKeys(t.Context(), "")
		if e := identity.AsError(err); e.Kind != want.kind || !strings.HasPrefix(e.Public, "listing API keys failed at http://127.0.0.1:") || !strings.Contains(e.Public, want.text) {
			t.Errorf("%s: %s: %s", refuse, e.Kind, e.Public)
		}
	}
	_, p := newCloud(t)
	for password, want := range map[identity.Secret]identity.Kind{"wrong": identity.KindInvalidCredentials, "half": identity.KindMFARequired} {
		if _, err := p.keeper().IBMLogIn(t.Context(), IBMProof{Username: "u", Password: password}); identity.KindOf(err) != want {
			t.Errorf("%s: %v", password.Reveal(), err)
		}
	}
}
