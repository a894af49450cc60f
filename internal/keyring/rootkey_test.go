package keyring_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

func TestRootKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "root.key")
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	_, _, err := keyring.LoadRootKeyFile(path, data)
	wantKind(t, err, identity.KindNotFound)
	must[keyring.RootKey](t)(keyring.NewRootKeyFile(path))
	_, err = keyring.NewRootKeyFile(path)
	wantKind(t, err, identity.KindAlreadyExists)
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if _, inside, err := keyring.LoadRootKeyFile(path, data); err != nil || inside {
		t.Errorf("inside = %v, err = %v", inside, err)
	}
	if _, inside, err := keyring.LoadRootKeyFile(path, dir); err != nil || !inside {
		t.Errorf("inside = %v, err = %v, want inside", inside, err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, inside, err := keyring.LoadRootKeyFile(path, link); err != nil || !inside {
		t.Errorf("through a link: inside = %v, err = %v, want inside", inside, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, _, err = keyring.LoadRootKeyFile(path, data)
	wantKind(t, err, identity.KindValidation)
	for _, text := range []string{"", "AAAA\n", "not base64", strings.Repeat("A", 2000)} {
		bad := filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := keyring.LoadRootKeyFile(bad, data)
		wantKind(t, err, identity.KindValidation)
	}
}

func TestPassphrase(t *testing.T) {
	t.Parallel()
	_, err := keyring.RootKeyFromPassphrase("short")
	wantKind(t, err, identity.KindValidation)
	pass := must[keyring.RootKey](t)(keyring.RootKeyFromPassphrase("correct horse battery staple"))
	db := openDB(t, store.NewMemory())
	must[*keyring.Keyring](t)(keyring.Open(t.Context(), db, pass, keyring.Options{}))
	must[*keyring.Keyring](t)(keyring.Open(t.Context(), db, pass, keyring.Options{}))
	other := must[keyring.RootKey](t)(keyring.RootKeyFromPassphrase("correct horse battery stable"))
	_, err = keyring.Open(t.Context(), db, other, keyring.Options{})
	wantKind(t, err, identity.KindValidation)
}
