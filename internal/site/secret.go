package site

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"daypass/internal/identity"
)

// maxSecretBytes bounds a file that holds one secret.
const maxSecretBytes = 64 << 10

// Secret is how a file names a secret: {file: PATH}, {env: NAME}, or the
// plain text itself.
type Secret struct {
	File string
	Env  string
	// Plain is the text itself; IsPlain tells an empty one from none.
	Plain   identity.Secret
	IsPlain bool
}

// UnmarshalYAML takes a string or a mapping with exactly one of file and env.
func (s *Secret) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		s.Plain, s.IsPlain = identity.Secret(n.Value), true
		return nil
	}
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		return secretShape(n)
	}
	key, value := n.Content[0].Value, n.Content[1]
	if value.Kind != yaml.ScalarNode || value.Value == "" {
		return secretShape(n)
	}
	switch key {
	case "file":
		s.File = value.Value
	case "env":
		s.Env = value.Value
	default:
		return secretShape(n)
	}
	return nil
}

// secretShape never repeats what stood there: it may be the secret.
func secretShape(n *yaml.Node) error {
	return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d:%d: a secret is {file: PATH}, {env: NAME} or a plain string", n.Line, n.Column)}}
}

// resolve fetches the text. A relative file name is relative to dir; one final
// newline in a file does not count.
func (s *Secret) resolve(dir string, lookup func(string) (string, bool)) (identity.Secret, error) {
	switch {
	case s.File != "":
		path := s.File
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		return readSecretFile(path)
	case s.Env != "":
		value, ok := lookup(s.Env)
		if !ok {
			return "", fmt.Errorf("the environment has no variable %s", s.Env)
		}
		return nonEmpty(value)
	}
	return nonEmpty(s.Plain.Reveal())
}

func readSecretFile(path string) (identity.Secret, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", unreadable(path, err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxSecretBytes {
		return "", fmt.Errorf("%s is not a file of at most %d bytes", path, maxSecretBytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", unreadable(path, err)
	}
	return nonEmpty(strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"))
}

// unreadable names the file once, without the operation that Go puts before it.
func unreadable(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("the secret's file %s: %w", path, err)
}

func nonEmpty(text string) (identity.Secret, error) {
	if text == "" {
		return "", errors.New("the secret is empty")
	}
	return identity.Secret(text), nil
}
