package client

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/zalando/go-keyring"
)

// keyringService is the name of all items.
const keyringService = "daypass"

// keyringTimeout bounds the wait for a keyring, which may be asking its owner
// to unlock it on a screen that nobody looks at.
const keyringTimeout = 30 * time.Second

// keyringBackend keeps an item per profile in the desktop's keyring.
type keyringBackend struct{}

func (keyringBackend) get(profile string) ([]byte, error) {
	text, err := withKeyring(func() (string, error) { return keyring.Get(keyringService, profile) })
	if errors.Is(err, keyring.ErrNotFound) {
		return nil, nil
	}
	return []byte(text), err
}

func (keyringBackend) put(profile string, data []byte) error {
	_, err := withKeyring(func() (string, error) { return "", keyring.Set(keyringService, profile, string(data)) })
	return err
}

func (keyringBackend) remove(profile string) error {
	_, err := withKeyring(func() (string, error) { return "", keyring.Delete(keyringService, profile) })
	if errors.Is(err, keyring.ErrNotFound) {
		return nil
	}
	return err
}

func withKeyring(do func() (string, error)) (string, error) {
	if !hasBus() {
		return "", errors.New("no session bus")
	}
	type answer struct {
		text string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		text, err := do()
		done <- answer{text, err}
	}()
	select {
	case a := <-done:
		return a.text, a.err
	case <-time.After(keyringTimeout):
		return "", errors.New("it does not answer")
	}
}

// hasBus reports whether the keyring can be asked. Without a session bus the
// library would start one of its own, slowly and in vain.
func hasBus() bool {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" || os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	_, err := os.Stat(filepath.Join(dir, "bus"))
	return dir != "" && err == nil
}
