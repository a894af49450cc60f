package policy

import (
	"strings"
	"unicode/utf8"
)

// Wildcard reports whether s matches a pattern in which "*" stands for any run
// of characters and "?" for one character. Variables mean nothing in it.
func Wildcard(pattern, s string) bool {
	p, err := compilePattern(pattern, wildcards)
	return err == nil && p.matches(nil, s)
}

// MaxPattern is the most bytes of one action, resource or string compared in a
// condition. It bounds what one comparison can cost.
const MaxPattern = 2048

type tokenKind uint8

const (
	literalText  tokenKind = iota
	anyRun                 // *
	oneCharacter           // ?
	substituted            // ${key}: the value at index, taken literally
)

type token struct {
	kind  tokenKind
	index int
	text  string
}

// variable is "${key}" or "${key, 'fallback'}"; key is in lower case.
type variable struct {
	key, written, fallback string
	hasFallback            bool
}

// pattern is text compiled for matching. A substituted value is compared as
// the characters that it holds: no wildcard comes out of it.
type pattern struct {
	tokens []token
	vars   []variable
	fold   bool // ASCII letters match without regard to case
	shape  shape
	first  string // the text of the shapes exact and prefixed
}

// shape tells the commonest patterns, which are matched without a loop.
type shape uint8

const (
	anyShape   shape = iota
	exact            // text
	prefixed         // text*
	everything       // *
	crowded          // too many "?" and variables behind a "*" to go back to it again and again
)

// maxLoose is the number of "?" and variables that search can bear.
const maxLoose = 16

type patternMode uint8

const (
	wildcards patternMode = 1 << iota // "*" and "?" are wildcards
	variables                         // "${…}" is a variable or an escaped character
	foldCase
)

// compilePattern is the one place that reads wildcards and variables.
func compilePattern(text string, mode patternMode) (pattern, error) {
	p := pattern{fold: mode&foldCase != 0}
	if len(text) > MaxPattern {
		return p, refused("The value is longer than %d bytes.", MaxPattern)
	}
	var run strings.Builder
	flush := func() {
		if run.Len() > 0 {
			p.tokens = append(p.tokens, token{kind: literalText, text: run.String()})
			run.Reset()
		}
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case mode&wildcards != 0 && c == '*':
			flush()
			if n := len(p.tokens); n == 0 || p.tokens[n-1].kind != anyRun {
				p.tokens = append(p.tokens, token{kind: anyRun})
			}
		case mode&wildcards != 0 && c == '?':
			flush()
			p.tokens = append(p.tokens, token{kind: oneCharacter})
		case mode&variables != 0 && c == '$' && i+1 < len(text) && text[i+1] == '{':
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return p, refused("The variable in %q has no closing brace.", text)
			}
			inner := text[i+2 : i+end]
			i += end
			if inner == "*" || inner == "?" || inner == "$" {
				run.WriteString(inner)
				continue
			}
			v, err := parseVariable(inner)
			if err != nil {
				return p, err
			}
			flush()
			p.tokens = append(p.tokens, token{kind: substituted, index: len(p.vars)})
			p.vars = append(p.vars, v)
		default:
			if p.fold {
				c = lower(c)
			}
			run.WriteByte(c)
		}
	}
	flush()
	p.setShape()
	return p, nil
}

func (p *pattern) setShape() {
	switch n := len(p.tokens); {
	case n == 1 && p.tokens[0].kind == anyRun:
		p.shape = everything
	case n == 1 && p.tokens[0].kind == literalText:
		p.shape, p.first = exact, p.tokens[0].text
	case n == 2 && p.tokens[0].kind == literalText && p.tokens[1].kind == anyRun:
		p.shape, p.first = prefixed, p.tokens[0].text
	}
	loose := 0
	for i := range p.tokens {
		if k := p.tokens[i].kind; k == oneCharacter || k == substituted {
			loose++
		}
	}
	if loose > maxLoose {
		p.shape = crowded
	}
}

func parseVariable(inner string) (variable, error) {
	key, rest, hasFallback := strings.Cut(inner, ",")
	key = strings.TrimSpace(key)
	v := variable{key: lowered(key), written: key, hasFallback: hasFallback}
	if key == "" || strings.ContainsAny(key, "${'\"*?") {
		return v, refused("The variable ${%s} is not valid.", inner)
	}
	if hasFallback {
		rest = strings.TrimSpace(rest)
		if len(rest) < 2 || rest[0] != '\'' || rest[len(rest)-1] != '\'' || strings.ContainsAny(rest[1:len(rest)-1], "'${") {
			return v, refused("The default value of the variable ${%s} must stand in single quotes.", inner)
		}
		v.fallback = rest[1 : len(rest)-1]
	}
	return v, nil
}

// matches compares all of s. values are the values of the variables, in order.
func (p *pattern) matches(values []string, s string) bool {
	switch p.shape {
	case everything:
		return true
	case exact:
		return len(s) == len(p.first) && p.hasPrefix(s, p.first)
	case prefixed:
		return p.hasPrefix(s, p.first)
	case crowded:
		return p.matchesCrowded(values, s)
	}
	return p.search(values, s)
}

func (p *pattern) search(values []string, s string) bool {
	t, i := 0, 0
	star, mark := -1, 0
	for {
		if t == len(p.tokens) {
			if i == len(s) {
				return true
			}
		} else {
			switch tok := &p.tokens[t]; tok.kind {
			case anyRun:
				if t == len(p.tokens)-1 {
					return true
				}
				star, mark = t, i
				t++
				continue
			case oneCharacter:
				if i < len(s) {
					_, n := utf8.DecodeRuneInString(s[i:])
					i += n
					t++
					continue
				}
			default:
				text := tok.text
				if tok.kind == substituted {
					text = values[tok.index]
				}
				if p.hasPrefix(s[i:], text) {
					i += len(text)
					t++
					continue
				}
			}
		}
		if star < 0 || mark >= len(s) {
			return false
		}
		mark++
		for mark < len(s) && !utf8.RuneStart(s[mark]) {
			mark++
		}
		if next := &p.tokens[star+1]; next.kind == literalText && !p.fold {
			skip := strings.Index(s[mark:], next.text)
			if skip < 0 {
				return false
			}
			mark += skip
		}
		t, i = star+1, mark
	}
}

func (p *pattern) hasPrefix(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	if !p.fold {
		return s[:len(prefix)] == prefix
	}
	for i := 0; i < len(prefix); i++ {
		if s[i] != prefix[i] && lower(s[i]) != lower(prefix[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
