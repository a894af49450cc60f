package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"daypass/internal/client"
	"daypass/internal/identity"
)

// keyFileFields are what a file of an API key holds, in IBM's order.
type keyFileFields struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	APIKey      string `json:"apikey"`
	CreatedAt   string `json:"createdAt"`
	Locked      bool   `json:"locked"`
	UUID        string `json:"uuid"`
}

// keyFile is the file that a new API key goes to; nil for none. It is opened
// before the key is made, so that no key is made in vain.
type keyFile struct {
	f    *os.File
	made bool // by us
}

func newKeyFile(path string, force bool) (*keyFile, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return &keyFile{f, true}, nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if !force {
		return nil, fmt.Errorf("%s is there already: name another file, or give --force", path)
	}
	if f, err = os.OpenFile(path, os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	return &keyFile{f, false}, nil
}

func (k *keyFile) write(key *client.IBMAPIKey) error {
	if k == nil {
		return nil
	}
	text, err := json.MarshalIndent(keyFileFields{key.Name, key.Description, key.Text, key.CreatedAt, key.Locked, ""}, "", "\t")
	if err == nil {
		err = k.f.Chmod(0o600) // of a file that was there
	}
	if err == nil {
		err = k.f.Truncate(0)
	}
	if err == nil {
		_, err = k.f.Write(append(text, '\n'))
	}
	if err != nil {
		return k.abandon(err)
	}
	return k.f.Close()
}

// abandon takes back a file that got no key, and returns why.
func (k *keyFile) abandon(why error) error {
	if k == nil {
		return why
	}
	why = errors.Join(why, k.f.Close())
	if k.made {
		why = errors.Join(why, os.Remove(k.f.Name()))
	}
	return why
}

// keyOf finds the API key in a text: one of the two JSON forms of IBM's files, or
// the key alone.
func keyOf(text identity.Secret, name string) (identity.Secret, error) {
	data := bytes.TrimSpace([]byte(text.Reveal()))
	if len(data) > 0 && data[0] == '{' {
		var in struct {
			APIKey string `json:"apikey"`
		}
		if json.Unmarshal(data, &in) != nil || in.APIKey == "" {
			return "", errors.New(name + " holds no API key: JSON with a member apikey, or the key alone")
		}
		return identity.Secret(in.APIKey), nil
	}
	return readSecret(strings.NewReader(string(data)), name)
}
