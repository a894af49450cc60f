package e2e

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
)

const passcodeGrant = "urn:ibm:params:oauth:grant-type:passcode"

// ibmAnswer is what the token service says.
type ibmAnswer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	SessionID    string `json:"session_id"`
	ErrorCode    string `json:"errorCode"`
	ErrorMessage string `json:"errorMessage"`
}

// ibmToken asks the token service, with curl, as IBM's command line does.
func (s *Server) ibmToken(t *testing.T, pairs ...string) ibmAnswer {
	t.Helper()
	args := []string{"-sS", "-u", "bx:bx", s.URL + "/identity/token", "-H", "Accept: application/json", "-d", "response_type=cloud_iam"}
	for i := 0; i < len(pairs); i += 2 {
		args = append(args, "--data-urlencode", pairs[i]+"="+pairs[i+1])
	}
	return decode[ibmAnswer](t, s.NewClient(t).OK("curl", args...))
}

// useCode logs in by a one-time code.
func (s *Server) useCode(t *testing.T, code string) ibmAnswer {
	t.Helper()
	out := s.ibmToken(t, "grant_type", passcodeGrant, "passcode", code)
	if out.AccessToken == "" || out.RefreshToken == "" {
		t.Fatalf("%+v", out)
	}
	return out
}

// accepts says whether the identity API takes an access token.
func (s *Server) accepts(t *testing.T, token string) bool {
	t.Helper()
	status := s.NewClient(t).OK("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", s.URL+"/v1/apikeys", "-H", "Authorization: Bearer "+token)
	return status == "200"
}

// TestPasscode is what a person does whose program asks for a one-time code: the
// program's address, the log-in at the console, the button, and the code by curl.
func TestPasscode(t *testing.T) {
	t.Parallel()
	s := newConsoleSite(t)
	t.Run("by password", func(t *testing.T) {
		v := s.visitor(t)
		v.open(s.URL + "/identity/passcode")
		v.at("/login")
		v.fill("place", "shasta", "username", "bob", "password", consolePassword)
		v.pressNamed("Log in")
		v.at("/passcode", "without ever seeing your password")
		v.pressNamed("Make a one-time code")
		v.at("/passcode", "Give it to nobody")
		v.copies("passcode")
		s.usesCode(t, v, "bob", []string{"pwd"})
	})
	t.Run("by password and authenticator", func(t *testing.T) {
		v := s.visitor(t)
		v.logIn("shasta", "owing", consolePassword)
		v.at("/login", "Scan the code")
		code := codesOf(v)
		v.fill("password", consolePassword, "code", code(0))
		v.pressNamed("Turn it on")
		v.open(s.URL + "/identity/passcode")
		v.fill("place", "shasta", "username", "owing", "password", consolePassword)
		v.pressNamed("Log in")
		v.at("/login", "asks for a code")
		v.fill("password", consolePassword, "code", code(1))
		v.pressNamed("Log in")
		v.at("/passcode")
		v.pressNamed("Make a one-time code")
		s.usesCode(t, v, "owing", []string{"pwd", "totp", "otp", "mfa"})
	})
	t.Run("without scripts", func(t *testing.T) {
		v := s.visitor(t)
		v.run(emulation.SetScriptExecutionDisabled(true))
		v.logIn("shasta", "erin", consolePassword)
		v.pressNamed("One-time code")
		v.pressNamed("Make a one-time code")
		s.usesCode(t, v, "erin", []string{"pwd"})
	})
	t.Run("by an authorization code", s.authorizes)
	t.Run("root", func(t *testing.T) {
		v := s.visitor(t)
		v.logIn("", s.Root.Email, s.Root.Password)
		v.at("/profile")
		v.to("/passcode")
		v.at("/passcode", "Not allowed", "users of the realm shasta in account "+s.AccountID)
	})
}

// usesCode uses the code that a page shows, once, and ends all that it gave with
// the log-in that made it.
func (s *consoleSite) usesCode(t *testing.T, v *visitor, name string, amr []string) {
	t.Helper()
	code := v.text("#passcode")
	first := s.useCode(t, strings.ToLower(code))
	claims := claimsOf(t, first.AccessToken)
	if claims.Name != name || claims.GrantType != passcodeGrant || !slices.Equal(claims.AMR, amr) {
		t.Errorf("the token says %+v", claims)
	}
	if again := s.ibmToken(t, "grant_type", passcodeGrant, "passcode", code); again.ErrorCode != "BXNIM0407E" || again.ErrorMessage != "Provided passcode is invalid or expired." {
		t.Errorf("the code, shown twice: %+v", again)
	}
	next := s.ibmToken(t, "grant_type", "refresh_token", "refresh_token", first.RefreshToken)
	if next.SessionID != first.SessionID || !s.accepts(t, next.AccessToken) {
		t.Errorf("refreshed: %+v", next)
	}
	v.to("/passcode")
	v.at("/passcode", "Your last code", "127.0.0.1", "curl/")
	v.pressNamed("Sessions")
	v.at("/sessions", "IBM Cloud IAM, client bx")
	v.pressNamed("Log out")
	v.at("/login")
	for deadline := time.Now().Add(5 * time.Second); s.accepts(t, next.AccessToken); {
		if time.Now().After(deadline) {
			t.Fatal("the access token lives on after the log-out")
		}
	}
	if late := s.ibmToken(t, "grant_type", "refresh_token", "refresh_token", next.RefreshToken); late.ErrorCode != "BXNIM0408E" {
		t.Errorf("refreshed after the log-out: %+v", late)
	}
}

// ibmClaims are some of an access token's.
type ibmClaims struct {
	Name      string
	GrantType string `json:"grant_type"`
	AMR       []string
}

func claimsOf(t *testing.T, token string) ibmClaims {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	return decode[ibmClaims](t, string(payload))
}

// The code verifier and challenge of RFC 7636, appendix B.
const (
	codeVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	codeChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// authorizeQuery is how a program asks for an authorization code.
func authorizeQuery(redirect string) string {
	return url.Values{
		"response_type": {"code"}, "client_id": {"bx"}, "redirect_uri": {redirect}, "state": {"of the program"}, "scope": {"openid"},
		"code_challenge": {codeChallenge}, "code_challenge_method": {"S256"},
	}.Encode()
}

// authorizes logs in a program that waits for the browser on this machine.
func (s *consoleSite) authorizes(t *testing.T) {
	got := make(chan url.Values, 1)
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/back" {
			got <- r.URL.Query()
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>back</title><link rel=icon href=data:,><p>The program has it."))
	}))
	t.Cleanup(program.Close)
	redirect := program.URL + "/back"
	v := s.visitor(t)
	v.open(s.URL + "/identity/authorize?" + authorizeQuery(redirect))
	v.at("/login")
	v.fill("place", "shasta", "username", "dave", "password", consolePassword)
	v.pressNamed("Log in")
	v.at("/authorize", program.URL, "dave of account "+s.AccountID)
	v.pressNamed("Log it in")
	v.at("/back", "The program has it.")
	q := <-got
	if q.Get("state") != "of the program" || q.Get("iss") != s.URL+"/identity" || q.Get("code") == "" {
		t.Fatalf("the program is told %v", q)
	}
	grant := []string{"grant_type", "authorization_code", "code", q.Get("code"), "redirect_uri", redirect, "code_verifier", codeVerifier}
	first := s.ibmToken(t, grant...)
	if claims := claimsOf(t, first.AccessToken); claims.Name != "dave" || claims.GrantType != "authorization_code" || !s.accepts(t, first.AccessToken) {
		t.Errorf("%+v", claims)
	}
	next := s.ibmToken(t, "grant_type", "refresh_token", "refresh_token", first.RefreshToken)
	if next.SessionID != first.SessionID || next.AccessToken == "" {
		t.Errorf("refreshed: %+v", next)
	}
	if again := s.ibmToken(t, grant...); again.ErrorCode != "BXNIM0407E" {
		t.Errorf("the code, shown twice: %+v", again)
	}
	if s.accepts(t, next.AccessToken) {
		t.Error("what the code gave lives on when it is shown twice")
	}
}
