package site

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"daypass/internal/directory"
)

// PrintDiff writes one line per change for people: "+" for what is new, "~"
// for what becomes different.
func PrintDiff(w io.Writer, changes []directory.Change, dryRun bool) error {
	created, changed := 0, 0
	for _, c := range changes {
		var err error
		if c.Field == "" {
			created++
			_, err = fmt.Fprintf(w, "+ %s %s\n", c.Kind, c.Name)
		} else {
			changed++
			_, err = fmt.Fprintf(w, "~ %s %s: %s: %s -> %s\n", c.Kind, c.Name, c.Field, shown(c.From), shown(c.To))
		}
		if err != nil {
			return err
		}
	}
	if len(changes) == 0 {
		_, err := fmt.Fprintln(w, "Nothing to do: the site is as the file says.")
		return err
	}
	if dryRun {
		_, err := fmt.Fprintf(w, "%d to create, %d to change. Nothing was written.\n", created, changed)
		return err
	}
	_, err := fmt.Fprintf(w, "%d created, %d changed.\n", created, changed)
	return err
}

// longText is the length from which a text that is no JSON is only described.
const longText = 200

// shown is a JSON value for people: a document within a string as it stands,
// and of a long text, such as a certificate, its length and hash.
func shown(value string) string {
	var text string
	switch {
	case value == "":
		return "(none)"
	case json.Unmarshal([]byte(value), &text) != nil:
		return value
	case json.Valid([]byte(text)) && strings.HasPrefix(text, "{") && !strings.ContainsFunc(text, unprintable):
		return text
	case len(text) > longText:
		return fmt.Sprintf("(%d bytes, SHA-256 %.6x…)", len(text), sha256.Sum256([]byte(text)))
	}
	return strconv.Quote(text)
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
