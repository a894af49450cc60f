package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"daypass/internal/identity"
)

// awsMark stands above the section that is ours: only such a one is changed.
const awsMark = "# kept by daypass configure"

// Setting is a key of a section and its value; nested settings are the lines
// below it.
type Setting struct {
	Key, Value string
	Nested     []Setting
}

// AWSConfig is an AWS configuration file (~/.aws/config), of which only one
// section is changed: comments, order and everything else stay.
type AWSConfig struct {
	path string
	mode os.FileMode
	// Before and After are the lines of the file.
	Before, After []string
}

// LoadAWSConfig reads a file; one that does not exist is empty.
func LoadAWSConfig(path string) (*AWSConfig, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	c := &AWSConfig{path: path, mode: 0o600}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, unreadable(err)
	}
	if info, err := os.Stat(path); err == nil {
		c.mode = info.Mode().Perm()
	}
	c.Before = strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	c.After = c.Before
	return c, nil
}

// Set makes After hold the settings in the section of a profile. Other keys of
// the section stay. A section without our mark is KindAlreadyExists, unless
// force takes it over.
func (c *AWSConfig) Set(profile string, settings []Setting, force bool) error {
	header := "[profile " + profile + "]"
	if profile == DefaultProfile {
		header = "[default]"
	}
	lines := slices.Clone(c.Before)
	at := slices.IndexFunc(lines, func(line string) bool { return headerOf(line) == header })
	switch {
	case at < 0:
		if len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) != "" {
			lines = append(lines, "")
		}
		lines = append(lines, awsMark, header)
		at = len(lines) - 1
	case at > 0 && lines[at-1] == awsMark:
	case !force:
		return identity.NewError(identity.KindAlreadyExists, "client.aws-config",
			fmt.Sprintf("%s:%d: %s is not daypass's; choose another name with --aws-profile NAME, or take it over with --force", c.path, at+1, header))
	default:
		lines = slices.Insert(lines, at, awsMark)
		at++
	}
	end := at + 1
	for end < len(lines) && headerOf(lines[end]) == "" && lines[end] != awsMark {
		end++
	}
	c.After = slices.Concat(lines[:at+1], withSettings(lines[at+1:end], settings), lines[end:])
	return nil
}

// headerOf is a section's header, with its blanks made regular; "" for other
// lines.
func headerOf(line string) string {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "[") {
		return ""
	}
	name, _, _ := strings.Cut(line[1:], "]")
	return "[" + strings.Join(strings.Fields(name), " ") + "]"
}

// withSettings sets keys in the body of a section: in place where the key is,
// else at the end of what is there, before blank lines and comments.
func withSettings(body []string, settings []Setting) []string {
	body = slices.Clone(body)
	for _, s := range settings {
		from := slices.IndexFunc(body, func(line string) bool { return keyOf(line) == s.Key })
		to := from + 1
		if from < 0 {
			from = len(body)
			for from > 0 && (strings.TrimSpace(body[from-1]) == "" || strings.HasPrefix(strings.TrimSpace(body[from-1]), "#")) {
				from--
			}
			to = from
		}
		for to > from && to < len(body) && indented(body[to]) {
			to++
		}
		body = slices.Replace(body, from, to, s.lines(body[from:to])...)
	}
	return body
}

// lines writes a setting over old lines; nested keys that are not ours stay.
func (s *Setting) lines(old []string) []string {
	first := s.Key + " = " + s.Value
	out := []string{strings.TrimRight(first, " ")}
	for _, n := range s.Nested {
		out = append(out, "  "+n.Key+" = "+n.Value)
	}
	for _, line := range old[min(1, len(old)):] {
		if !slices.ContainsFunc(s.Nested, func(n Setting) bool { return keyOf(strings.TrimSpace(line)) == n.Key }) {
			out = append(out, line)
		}
	}
	return out
}

func indented(line string) bool {
	return strings.TrimSpace(line) != "" && (line[0] == ' ' || line[0] == '\t')
}

// keyOf is the key of a line that is not indented.
func keyOf(line string) string {
	if indented(line) || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
		return ""
	}
	key, _, ok := strings.Cut(line, "=")
	if !ok {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(key))
}

// Save writes After, by renaming, with the permissions that the file had.
func (c *AWSConfig) Save() error {
	if slices.Equal(c.Before, c.After) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return unreadable(err)
	}
	if err := writeFile(c.path, []byte(strings.Join(c.After, "\n")+"\n"), c.mode); err != nil {
		return unreadable(err)
	}
	return nil
}

// Path is the file, behind symbolic links.
func (c *AWSConfig) Path() string { return c.path }
