package policy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// reader walks JSON text and keeps offsets, which encoding/json does not. It
// is stricter, too: members are told apart by case, none may occur twice, and
// text must be valid UTF-8. It never descends deeper than its caller does.
type reader struct {
	s string
	i int
}

// syntax is the error of text that is not JSON, or not the JSON expected.
func (r *reader) syntax(format string, args ...any) error {
	at := positionIn(r.s, r.i)
	return refused("Syntax errors in policy: line %d, column %d: %s.", at.Line, at.Column, fmt.Sprintf(format, args...))
}

func (r *reader) space() {
	for r.i < len(r.s) && (r.s[r.i] == ' ' || r.s[r.i] == '\t' || r.s[r.i] == '\n' || r.s[r.i] == '\r') {
		r.i++
	}
}

// peek returns the next byte that is not space, 0 at the end.
func (r *reader) peek() byte {
	r.space()
	if r.i == len(r.s) {
		return 0
	}
	return r.s[r.i]
}

func (r *reader) expect(c byte) error {
	if r.peek() != c {
		return r.syntax("%q expected", c)
	}
	r.i++
	return nil
}

// object calls member for each member, after its name and colon.
func (r *reader) object(member func(name string) error) error {
	if err := r.expect('{'); err != nil {
		return err
	}
	if r.peek() == '}' {
		r.i++
		return nil
	}
	seen := map[string]bool{}
	for {
		r.space()
		name, err := r.text()
		if err != nil {
			return err
		}
		if seen[name] {
			return r.syntax("the member %q occurs twice", name)
		}
		seen[name] = true
		if err := r.expect(':'); err != nil {
			return err
		}
		r.space()
		if err := member(name); err != nil {
			return err
		}
		if r.peek() != ',' {
			return r.expect('}')
		}
		r.i++
	}
}

// oneOrMany calls item for a value that stands alone or for each in a list,
// and reports whether it was a list.
func (r *reader) oneOrMany(item func() error) (list bool, err error) {
	if r.peek() != '[' {
		return false, item()
	}
	r.i++
	if r.peek() == ']' {
		r.i++
		return true, nil
	}
	for {
		r.space()
		if err := item(); err != nil {
			return true, err
		}
		if r.peek() != ',' {
			return true, r.expect(']')
		}
		r.i++
	}
}

// texts reads a string or a list of strings.
func (r *reader) texts() ([]string, error) {
	out := []string{}
	_, err := r.oneOrMany(func() error {
		s, err := r.text()
		out = append(out, s)
		return err
	})
	return out, err
}

// scalars reads a string, number or boolean, or a list of them, as text.
func (r *reader) scalars() ([]string, error) {
	out := []string{}
	_, err := r.oneOrMany(func() error {
		s, err := r.scalar()
		out = append(out, s)
		return err
	})
	return out, err
}

func (r *reader) scalar() (string, error) {
	rest := r.s[r.i:]
	switch {
	case strings.HasPrefix(rest, "true"):
		r.i += 4
		return "true", nil
	case strings.HasPrefix(rest, "false"):
		r.i += 5
		return "false", nil
	case rest != "" && (rest[0] == '-' || isDigit(rest[0])):
		n := 1
		for n < len(rest) && (isDigit(rest[n]) || strings.IndexByte(".eE+-", rest[n]) >= 0) {
			n++
		}
		if !isJSONNumber(rest[:n]) {
			return "", r.syntax("a number expected")
		}
		r.i += n
		return rest[:n], nil
	}
	return r.text()
}

// text reads a string.
func (r *reader) text() (string, error) {
	if r.i == len(r.s) || r.s[r.i] != '"' {
		return "", r.syntax("a string expected")
	}
	r.i++
	start := r.i
	for r.i < len(r.s) {
		switch c := r.s[r.i]; {
		case c == '"':
			s := r.s[start:r.i]
			r.i++
			return s, nil
		case c == '\\':
			return r.escaped(start)
		case c < 0x20:
			return "", r.syntax("a control character in a string")
		}
		r.i++
	}
	return "", r.syntax("a string without an end")
}

// escaped goes on with a string that holds an escape sequence.
func (r *reader) escaped(start int) (string, error) {
	b := []byte(r.s[start:r.i])
	for r.i < len(r.s) {
		c := r.s[r.i]
		r.i++
		switch {
		case c == '"':
			return string(b), nil
		case c < 0x20:
			return "", r.syntax("a control character in a string")
		case c != '\\':
			b = append(b, c)
			continue
		}
		if r.i == len(r.s) {
			break
		}
		c = r.s[r.i]
		r.i++
		if c == 'u' {
			u, ok := r.unicode()
			if !ok {
				return "", r.syntax("an escape sequence that is no character")
			}
			b = utf8.AppendRune(b, u)
			continue
		}
		n := strings.IndexByte(`"\/bfnrt`, c)
		if n < 0 {
			return "", r.syntax("an unknown escape sequence")
		}
		b = append(b, "\"\\/\b\f\n\r\t"[n])
	}
	return "", r.syntax("a string without an end")
}

func (r *reader) unicode() (rune, bool) {
	u, ok := r.hex4()
	if !ok || !utf16.IsSurrogate(u) {
		return u, ok
	}
	if !strings.HasPrefix(r.s[r.i:], `\u`) {
		return 0, false
	}
	r.i += 2
	second, ok := r.hex4()
	u = utf16.DecodeRune(u, second)
	return u, ok && u != utf8.RuneError
}

func (r *reader) hex4() (rune, bool) {
	if len(r.s)-r.i < 4 {
		return 0, false
	}
	digits := r.s[r.i : r.i+4]
	if strings.ContainsAny(digits, "+-_") {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 16)
	r.i += 4
	return rune(n), err == nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isJSONNumber(s string) bool {
	t := strings.TrimPrefix(s, "-")
	whole := digits(t)
	if whole == 0 || (whole > 1 && t[0] == '0') {
		return false
	}
	t = t[whole:]
	if strings.HasPrefix(t, ".") {
		n := digits(t[1:])
		if n == 0 {
			return false
		}
		t = t[1+n:]
	}
	if t != "" && (t[0] == 'e' || t[0] == 'E') {
		t = t[1:]
		if t != "" && (t[0] == '+' || t[0] == '-') {
			t = t[1:]
		}
		n := digits(t)
		return n > 0 && n == len(t)
	}
	return t == ""
}

// digits counts the digits that s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// Position is a place in a document: line and column, both from 1, the column
// counted in characters. It is what SimulatePrincipalPolicy reports.
type Position struct {
	Line   int `json:"Line"`
	Column int `json:"Column"`
}

func positionIn(s string, offset int) Position {
	c := cursor{text: s, at: Position{1, 1}}
	return c.forward(offset)
}

// cursor finds the positions of rising offsets in one pass.
type cursor struct {
	text   string
	offset int
	at     Position
}

func (c *cursor) forward(offset int) Position {
	passed := c.text[c.offset:offset]
	c.offset = offset
	if n := strings.Count(passed, "\n"); n > 0 {
		c.at.Line += n
		c.at.Column = 1
		passed = passed[strings.LastIndexByte(passed, '\n')+1:]
	}
	c.at.Column += utf8.RuneCountInString(passed)
	return c.at
}
