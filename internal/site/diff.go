package site

import (
	"fmt"
	"io"

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

func shown(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}
