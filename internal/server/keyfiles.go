package server

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"daypass/internal/identity"
)

// maxKeyFile is far more than any key is long.
const maxKeyFile = 4 << 10

// readKeyFile reads a file that holds one key and perhaps white space around
// it. Errors never hold what it reads.
func readKeyFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return "", err
	}
	key := strings.TrimSpace(string(raw))
	if !isKey(key) {
		return "", errors.New("does not hold one key of visible characters on one line")
	}
	return key, nil
}

func isKey(s string) bool {
	return s != "" && len(s) <= maxKeyFile && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// keyPair is an upstream's, read again when its files change.
type keyPair struct {
	id, idFile, secretFile string
	now                    atomic.Pointer[readKeys]
	stamp                  string
}

type readKeys struct {
	id     string
	secret identity.Secret
}

// openKeyPair reads the files for the first time.
func openKeyPair(c UpstreamConfig) (*keyPair, error) {
	k := &keyPair{id: c.AccessKeyID, idFile: c.AccessKeyFile, secretFile: c.SecretKeyFile}
	_, err := k.reload(true)
	return k, err
}

// reload reads the files again if they changed, or anyway with force. Files
// that cannot be read change nothing and are tried again at the next call.
func (k *keyPair) reload(force bool) (changed bool, err error) {
	stamp := stampOf(k.idFile, k.secretFile)
	if stamp == k.stamp && !force {
		return false, nil
	}
	next := readKeys{id: k.id}
	if k.idFile != "" {
		if next.id, err = readKeyFile(k.idFile); err != nil {
			return false, err
		}
	}
	secret, err := readKeyFile(k.secretFile)
	if err != nil {
		return false, err
	}
	next.secret, k.stamp = identity.Secret(secret), stamp
	old := k.now.Swap(&next)
	return old == nil || old.id != next.id || !old.secret.Equal(next.secret), nil
}

// credentials is upstream.S3.Credentials.
func (k *keyPair) credentials() (string, identity.Secret, error) {
	now := k.now.Load()
	return now.id, now.secret, nil
}
