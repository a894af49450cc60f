package egress

import (
	"errors"
	"io"
	"os"
	"strings"

	"daypass/internal/identity"
)

// maxToken bounds a file with a bearer token.
const maxToken = 16 << 10

var errToken = errors.New("the file of the bearer token holds none")

// readToken reads the bearer token of a provider; "" names no file. Errors name
// the file and nothing that is in it.
func readToken(file string) (identity.Secret, error) {
	if file == "" {
		return "", nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errToken
	}
	b, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", err
	}
	token := strings.TrimRight(string(b), "\r\n")
	visible := strings.IndexFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
	if token == "" || len(token) > maxToken || !visible {
		return "", errToken
	}
	return identity.Secret(token), nil
}
