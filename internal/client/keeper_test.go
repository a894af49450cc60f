package client

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass/internal/identity"
)

func TestKeysAreRenewedWhenLittleIsLeft(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name                      string
		lifetime, elapsed, window time.Duration
		renewed                   bool
	}{
		{"much is left", time.Hour, 30 * time.Minute, 5 * time.Minute, false},
		{"just outside the window", time.Hour, 54*time.Minute + 59*time.Second, 5 * time.Minute, false},
		{"inside the window", time.Hour, 55 * time.Minute, 5 * time.Minute, true},
		{"a window of a third at most", 15 * time.Minute, 9 * time.Minute, 15 * time.Minute, false},
		{"inside that third", 15 * time.Minute, 10 * time.Minute, 15 * time.Minute, true},
		{"short-lived keys are used", 2 * time.Second, time.Second, 15 * time.Minute, false},
		{"expired", time.Hour, 61 * time.Minute, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := newInstallation(t)
			f.lifetime = tc.lifetime
			p := newPerson(t, f)
			first := p.logIn()
			f.clock.add(tc.elapsed)
			got, err := p.keeper().Keys(t.Context(), tc.window)
			if err != nil {
				t.Fatal(err)
			}
			if renewed := got.AccessKeyID != first.AccessKeyID; renewed != tc.renewed || f.calls("refresh_token") == 1 != tc.renewed {
				t.Errorf("renewed %t with %d refreshes, want %t", renewed, f.calls("refresh_token"), tc.renewed)
			}
			if f.calls("password") != 1 {
				t.Errorf("%d log-ins by password, want 1", f.calls("password"))
			}
		})
	}
}

func TestManyProcessesMakeOneRenewal(t *testing.T) {
	t.Parallel()
	f := newInstallation(t)
	p := newPerson(t, f)
	p.logIn()
	f.clock.add(80 * time.Minute)
	var group sync.WaitGroup
	got := make([]Keys, 8)
	for i := range got {
		k := p.keeper()
		group.Go(func() {
			keys, err := k.Keys(t.Context(), RenewalWindow)
			if err != nil {
				t.Error(err)
			}
			got[i] = keys
		})
	}
	group.Wait()
	for _, k := range got {
		if k != got[0] || k.AccessKeyID != "ASIA2" {
			t.Errorf("got %s and %s, want ASIA2 for all", got[0].AccessKeyID, k.AccessKeyID)
		}
	}
	if n := f.calls("refresh_token"); n != 1 {
		t.Errorf("%d renewals, want 1", n)
	}
}

// TestASpentRefreshTokenIsReplaced: the token that a failed exchange used up
// must not be what is shown next.
func TestASpentRefreshTokenIsReplaced(t *testing.T) {
	t.Parallel()
	f := newInstallation(t)
	p := newPerson(t, f)
	p.logIn()
	f.clock.add(61 * time.Minute)
	f.set(func() { f.refuse["AssumeRoleWithWebIdentity"] = "ServiceUnavailable" })
	if _, err := p.keeper().Keys(t.Context(), 0); identity.KindOf(err) != identity.KindUnavailable {
		t.Fatalf("got %v, want unavailable", err)
	}
	f.set(func() { f.refuse = map[string]string{} })
	if _, err := p.keeper().Keys(t.Context(), 0); err != nil {
		t.Errorf("the next try failed: %v", err)
	}
}

func TestOldKeysOutliveAFailedRenewal(t *testing.T) {
	t.Parallel()
	f := newInstallation(t)
	p := newPerson(t, f)
	first := p.logIn()
	f.clock.add(50 * time.Minute)
	f.Close()
	got, err := p.keeper().Keys(t.Context(), 15*time.Minute)
	if err != nil || got != first {
		t.Fatalf("got %v, %v, want the keys that live", got.AccessKeyID, err)
	}
	if len(p.notices) != 1 || !strings.HasPrefix(p.notices[0], "the keys end in 10m and could not be renewed: renewing the log-in failed at http://") {
		t.Errorf("notices %q", p.notices)
	}
	f.clock.add(10 * time.Minute)
	if _, err := p.keeper().Keys(t.Context(), 0); identity.KindOf(err) != identity.KindUnavailable {
		t.Errorf("dead keys: got %v, want unavailable", err)
	}
}

func TestAnEndedLogInIsNotShownAgain(t *testing.T) {
	t.Parallel()
	f := newInstallation(t)
	p := newPerson(t, f)
	p.logIn()
	f.clock.add(61 * time.Minute)
	f.set(func() { f.current = "" })
	for _, want := range []string{
		"renewing the log-in failed at " + f.URL + " (profile p): Token is not active; run: daypass login --profile p [request REQ1]",
		"the log-in of ",
	} {
		_, err := p.keeper().Keys(t.Context(), 0)
		if identity.KindOf(err) != identity.KindExpiredToken || !strings.HasPrefix(identity.AsError(err).Public, want) {
			t.Errorf("got %v (%q), want %q…", err, identity.AsError(err).Public, want)
		}
	}
	if n := f.calls("refresh_token"); n != 1 {
		t.Errorf("the token was shown %d times, want once", n)
	}
}

// TestARefreshTokenIsShownWhereItWasIssued: neither another endpoint in the
// profile nor a redirect leads it elsewhere.
func TestARefreshTokenIsShownWhereItWasIssued(t *testing.T) {
	t.Parallel()
	f, other := newInstallation(t), newInstallation(t)
	p := newPerson(t, f)
	p.logIn()
	for name, change := range map[string]func(*Profile){
		"endpoint": func(p *Profile) { p.Endpoint = other.URL },
		"realm":    func(p *Profile) { p.Realm = "another" },
		"client":   func(p *Profile) { p.ClientID = "another" },
		"user":     func(p *Profile) { p.Username = "another" },
	} {
		q := *p
		change(&q.profile)
		if _, err := q.keeper().Keys(t.Context(), 0); identity.KindOf(err) != identity.KindExpiredToken {
			t.Errorf("%s: got %v, want not logged in", name, err)
		}
	}
	if n := other.calls("refresh_token") + f.calls("refresh_token"); n != 0 {
		t.Errorf("the token was shown %d times", n)
	}
	f.clock.add(80 * time.Minute)
	f.Config.Handler = redirectTo(other.URL)
	_, err := p.keeper().Keys(t.Context(), 0)
	if err == nil || !strings.Contains(identity.AsError(err).Public, "redirects to "+other.URL) || other.calls("refresh_token") != 0 {
		t.Errorf("a redirect: got %v, and %d calls elsewhere", err, other.calls("refresh_token"))
	}
}

func TestKeysPerRole(t *testing.T) {
	t.Parallel()
	f := newInstallation(t)
	p := newPerson(t, f)
	root := p.logIn()
	p.profile.Role = "arn:aws:iam::123456789012:role/dev"
	dev, err := p.keeper().Keys(t.Context(), 0)
	if err != nil || dev.ARN != p.profile.Role {
		t.Fatalf("got %v, %v", dev.ARN, err)
	}
	p.profile.Role = ""
	again, err := p.keeper().Keys(t.Context(), 0)
	if err != nil || again != root || f.calls("password") != 1 {
		t.Errorf("got %v, %v and %d log-ins, want the keys kept for the first role", again.AccessKeyID, err, f.calls("password"))
	}
}

func TestWebIdentityTokenFile(t *testing.T) {
	t.Parallel()
	f := newInstallation(t)
	p := newPerson(t, f)
	file := filepath.Join(t.TempDir(), "token")
	p.profile.WebIdentityTokenFile, p.profile.Role = file, "arn:aws:iam::123456789012:role/ci"
	_, err := p.keeper().Keys(t.Context(), 0)
	if err == nil || !strings.Contains(identity.AsError(err).Public, file) {
		t.Errorf("a file that is not there: got %v", err)
	}
	// {"sub":"build 7"}
	if err := os.WriteFile(file, []byte("e30.eyJzdWIiOiJidWlsZCA3In0.c2ln\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Without a log-in first: the file is proof enough.
	keys, err := p.keeper().Keys(t.Context(), 0)
	if err != nil || keys.SessionToken != "build-7" {
		t.Fatalf("got %q, %v, want a session named by the subject", keys.SessionToken.Reveal(), err)
	}
	f.clock.add(61 * time.Minute)
	again, err := p.keeper().Keys(t.Context(), 0)
	if err != nil || again.AccessKeyID == keys.AccessKeyID {
		t.Errorf("got %v, %v, want new keys", again.AccessKeyID, err)
	}
	f.set(func() { f.refuse["AssumeRoleWithWebIdentity"] = "ExpiredToken" })
	f.clock.add(61 * time.Minute)
	_, err = p.keeper().Keys(t.Context(), 0)
	if identity.KindOf(err) != identity.KindExpiredToken || !strings.Contains(identity.AsError(err).Public, "put a new token into "+file) {
		t.Errorf("an old token: got %v", err)
	}
}

func TestLogOut(t *testing.T) {
	t.Parallel()
	f := newInstallation(t)
	p := newPerson(t, f)
	p.logIn()
	alive, err := p.keeper().LogOut(t.Context())
	if err != nil || !alive.IsZero() || f.calls("logout") != 1 {
		t.Errorf("got %v, %v and %d calls", alive, err, f.calls("logout"))
	}
	if _, live, err := p.keeper().Held(); live || err != nil {
		t.Errorf("held %t, %v after logging out", live, err)
	}
	p.logIn()
	elsewhere := *p
	elsewhere.profile.Endpoint = newInstallation(t).URL
	if _, err := elsewhere.keeper().LogOut(t.Context()); err != nil || f.calls("logout") != 2 {
		t.Errorf("another endpoint in the profile: got %v and %d calls where the session was", err, f.calls("logout"))
	}
	keys := p.logIn()
	f.Close()
	alive, err = p.keeper().LogOut(t.Context())
	if identity.KindOf(err) != identity.KindUnavailable || !alive.Equal(keys.ExpiresAt) {
		t.Errorf("server away: got %v, %v, want the keys' end and unavailable", alive, err)
	}
	if _, live, _ := p.keeper().Held(); live {
		t.Error("still held")
	}
}

func TestWithoutAStore(t *testing.T) {
	t.Parallel()
	f := newInstallation(t)
	k, err := NewKeeper(Profile{Name: "p", Endpoint: f.URL}, Options{Clock: f.clock})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Keys(t.Context(), 0); identity.KindOf(err) != identity.KindMissingAuthentication {
		t.Errorf("got %v, want missing authentication", err)
	}
	keys, err := k.LogIn(t.Context(), "demo@example.com", "right")
	if err != nil {
		t.Fatal(err)
	}
	if who, err := k.WhoAmI(t.Context(), keys); err != nil || who.AccountID != "123456789012" {
		t.Errorf("got %v, %v", who, err)
	}
}
