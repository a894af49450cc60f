package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// passkeys is somebody who adds a passkey, logs in by it, and removes it.
func (s *consoleSite) passkeys(t *testing.T) {
	v := s.visitor(t)
	v.device()
	v.logIn("shasta", "carol", consolePassword)
	v.pressNamed("Security")
	v.fill("passkey-name", "Laptop")
	v.pressNamed("Add a passkey")
	v.at("/login", "passkey")
	v.pressNamed("Log in with a passkey")
	v.at("/profile", "carol", "with a second factor")
	v.pressNamed("Get keys")
	v.at("/keys")
	keys := v.keys()
	if status, arn := s.whoami(t, keys); status != http.StatusOK || arn != "arn:aws:iam::"+s.AccountID+":user/carol" {
		t.Errorf("with the passkey's keys: %d %s", status, arn)
	}
	v.to("/again?next=/security")
	v.pressNamed("Use a passkey")
	v.at("/security")
	v.press(`button[aria-label="Remove the passkey Laptop"]`)
	v.at("/login", "passkey")
	if !s.endsWithin(t, keys) {
		t.Error("keys of a passkey that is gone still work")
	}
	v.pressNamed("Log in with a passkey")
	v.at("/login/passkey")
	if v.cookie() != nil {
		t.Error("a passkey that is gone logs in")
	}
}

// invited is somebody new, from the link to keys; and somebody who lost the
// password.
func (s *consoleSite) invited(t *testing.T) {
	v := s.visitor(t)
	link := s.invite(t, "invite", "frank", "shasta")
	v.open(link)
	v.at("/welcome", "frank", "Demo")
	v.fill("new", "short", "repeated", "short")
	v.pressNamed("Set the password")
	v.at("/welcome", "frank")
	v.fill("new", consolePassword, "repeated", consolePassword+"!")
	v.pressNamed("Set the password")
	v.at("/welcome", "differ")
	v.fill("new", consolePassword, "repeated", consolePassword)
	v.pressNamed("Set the password")
	v.at("/login")
	if got := v.value("place") + "," + v.value("username"); got != "shasta,frank" {
		t.Errorf("the log-in page is filled in with %s", got)
	}
	v.fill("password", consolePassword)
	v.pressNamed("Log in")
	v.at("/profile", "user/frank")

	other := s.visitor(t)
	other.open(link)
	other.at("/welcome", "Go to")
	if text := other.shown(); strings.Contains(text, "frank") {
		t.Errorf("a link that was used up says\n%s", text)
	}
	other.device()
	other.open(s.invite(t, "reset", "frank", "shasta"))
	other.at("/welcome", "frank")
	other.fill("name", "Phone")
	other.pressNamed("Register a passkey")
	other.at("/login")
	v.to("/profile")
	v.at("/login", "Your session has ended")
	other.pressNamed("Log in with a passkey")
	other.at("/profile", "frank", "with a second factor")
}

// byAnotherProvider is somebody who is known elsewhere.
func (s *consoleSite) byAnotherProvider(t *testing.T) {
	v := s.visitor(t)
	v.to("/login?realm=" + partners)
	v.pressNamed("Log in with example")
	v.at("/login/callback/"+partners+"/example", "Go to")
	if v.cookie() != nil {
		t.Error("whom nobody knows is logged in")
	}
	v.open(s.invite(t, "invite", "sam", partners))
	v.pressNamed("Use example")
	v.at("/login/callback/"+partners+"/example", foreignPerson, "Shall that log you in")
	v.pressNamed("Link it")
	v.at("/login")
	v.pressNamed("Log in with example")
	v.run(chromedp.WaitVisible("#get", chromedp.ByQuery)) // the profile, to which a page leads
	v.at("/profile", "user/sam")
	v.pressNamed("Get keys")
	if status, arn := s.whoami(t, v.keys()); status != http.StatusOK || !strings.HasSuffix(arn, ":user/sam") {
		t.Errorf("sam's keys: %d %s", status, arn)
	}
	v.pressNamed("Security")
	v.at("/security", "Other providers", foreignPerson)
}
