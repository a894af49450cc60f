package client

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/identity"
)

func aSession() *Session {
	at := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	return &Session{
		Endpoint: "https://x", Realm: "r", ClientID: "c", Username: "u", Source: SourcePassword, LoggedInAt: at,
		RefreshToken: "refresh", RefreshExpiresAt: at,
		Keys: map[string]Keys{"role": {"ASIA", "secret", "token", at, at.Add(time.Hour), "arn", "acc", "uid", SourcePassword}},
	}
}

func TestEveryBackendKeepsSessions(t *testing.T) {
	t.Parallel()
	for _, name := range Backends() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			passphrase := func() (identity.Secret, error) { return "correct horse", nil }
			store, err := OpenStore(StoreOptions{Dir: dir, Backend: name, Passphrase: passphrase})
			if err != nil {
				t.Fatal(err)
			}
			profile := "p-" + name
			none, err := store.Get(profile)
			if err != nil || none.Source != "" {
				t.Fatalf("before: got %+v, %v", none, err)
			}
			if err := store.Put(profile, aSession()); err != nil {
				t.Fatal(err)
			}
			got, err := store.Get(profile)
			if diff := cmp.Diff(aSession(), got); diff != "" || err != nil {
				t.Errorf("%v; (-want +got):\n%s", err, diff)
			}
			for _, file := range []string{profile + ".json", profile + ".age"} {
				data, err := os.ReadFile(filepath.Join(dir, file))
				if (err == nil) != (name == BackendFile && filepath.Ext(file) == ".json" || name == BackendAge && filepath.Ext(file) == ".age") {
					t.Errorf("%s: %v", file, err)
				}
				if name == BackendAge && strings.Contains(string(data), "refresh") {
					t.Errorf("%s is not sealed", file)
				}
			}
			if err := store.Remove(profile); err != nil {
				t.Fatal(err)
			}
			if err := store.Remove(profile); err != nil {
				t.Errorf("a second time: %v", err)
			}
			if gone, err := store.Get(profile); err != nil || gone.Source != "" {
				t.Errorf("after: got %+v, %v", gone, err)
			}
		})
	}
}

func TestAgeWithAnotherPassphrase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i, passphrase := range []identity.Secret{"one", "another", ""} {
		store, err := OpenStore(StoreOptions{Dir: dir, Backend: BackendAge, Passphrase: func() (identity.Secret, error) { return passphrase, nil }})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := store.Put("p", aSession()); err != nil {
				t.Fatal(err)
			}
			continue
		}
		_, err = store.Get("p")
		want := []string{1: "is sealed by another passphrase", 2: "there is none: set DAYPASS_KEYRING_PASSPHRASE_FILE"}[i]
		if err == nil || !strings.Contains(identity.AsError(err).Public, want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestSessionsPrintRedacted: no verb of fmt shows what a session holds.
func TestSessionsPrintRedacted(t *testing.T) {
	t.Parallel()
	s := aSession()
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		text := fmt.Sprintf(format, *s) + fmt.Sprintf(format, s.Keys["role"])
		if strings.Contains(text, `"refresh"`) || strings.Contains(text, ":refresh") || strings.Contains(text, `"token"`) || strings.Contains(text, ":token") {
			t.Errorf("%s shows %s", format, text)
		}
	}
}

func TestAnEntryThatCannotBeReadIsNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "[]", "null", `{"keys": 1}`} {
		if s := decodeSession([]byte(text)); s.Source != "" || s.RefreshToken != "" || len(s.Keys) != 0 {
			t.Errorf("%q: got %+v", text, s)
		}
	}
}

func TestKeysOfASessionAreBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	s := &Session{}
	for i := range 3 * maxKeys {
		s.put(fmt.Sprint(i), Keys{AccessKeyID: fmt.Sprint(i), IssuedAt: now, ExpiresAt: now.Add(time.Hour)}, now)
	}
	if len(s.Keys) > maxKeys || s.Keys[fmt.Sprint(3*maxKeys-1)].AccessKeyID == "" {
		t.Errorf("%d keys are kept, the newest among them: %t", len(s.Keys), s.Keys[fmt.Sprint(3*maxKeys-1)].AccessKeyID != "")
	}
	s.put("new", Keys{AccessKeyID: "new", IssuedAt: now, ExpiresAt: now.Add(3 * time.Hour)}, now.Add(2*time.Hour))
	if len(s.Keys) != 1 {
		t.Errorf("%d keys are kept, want the one that lives", len(s.Keys))
	}
}
