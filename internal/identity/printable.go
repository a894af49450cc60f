package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable is a stranger's text for a terminal: what steers one, and what is
// no UTF-8, is left out.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
}
