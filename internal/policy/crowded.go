package policy

import "unicode/utf8"

// maxPlaces bounds the characters of a crowded pattern, and with them the
// memory that matching takes.
const maxPlaces = 4096

// places is a crowded pattern, written out: its characters, and where it has a
// "*". All places that a text could have reached are followed at once, as bits
// of words, so that the time is that of text and pattern multiplied, over 64.
type places struct {
	n     int
	words int
	stays []uint64          // bit i: a "*" stands in front of character i
	any   []uint64          // bit i: character i is a "?"
	is    map[rune][]uint64 // bit i: character i is this one
}

func (p *pattern) matchesCrowded(values []string, s string) bool {
	if places, ok := p.places(values); ok {
		return places.match(s, p.fold)
	}
	return p.search(values, s)
}

// places writes the pattern out; ok is false when it is too long for that.
func (p *pattern) places(values []string) (out places, ok bool) {
	texts := make([]string, len(p.tokens))
	for i := range p.tokens {
		switch tok := &p.tokens[i]; tok.kind {
		case literalText:
			texts[i] = tok.text
		case substituted:
			texts[i] = values[tok.index]
		case oneCharacter:
			texts[i] = "?"
		}
		if out.n += len(texts[i]); out.n > maxPlaces {
			return out, false
		}
	}
	out.words = out.n/64 + 1
	out.stays, out.any, out.is = make([]uint64, out.words), make([]uint64, out.words), map[rune][]uint64{}
	at := 0
	for i := range p.tokens {
		switch p.tokens[i].kind {
		case anyRun:
			out.stays[at/64] |= 1 << (at % 64)
		case oneCharacter:
			out.any[at/64] |= 1 << (at % 64)
			at++
		default:
			for s := texts[i]; s != ""; at++ {
				c, n := character(s, p.fold)
				s = s[n:]
				if out.is[c] == nil {
					out.is[c] = make([]uint64, out.words)
				}
				out.is[c][at/64] |= 1 << (at % 64)
			}
		}
	}
	out.n = at
	return out, true
}

// match follows the text; bit i of reached says that the first i characters of
// the pattern are behind.
func (p *places) match(s string, fold bool) bool {
	reached := make([]uint64, p.words)
	reached[0] = 1
	none := make([]uint64, p.words)
	for s != "" {
		c, n := character(s, fold)
		s = s[n:]
		is := p.is[c]
		if is == nil {
			is = none
		}
		var carry, alive uint64
		for w := range reached {
			step := reached[w] & (is[w] | p.any[w])
			stay := reached[w] & p.stays[w]
			reached[w] = step<<1 | carry | stay
			carry = step >> 63
			alive |= reached[w]
		}
		if alive == 0 {
			return false
		}
	}
	return reached[p.n/64]&(1<<(p.n%64)) != 0
}

// character takes the first character off a text. Bytes that are no UTF-8 are
// characters of their own.
func character(s string, fold bool) (c rune, size int) {
	if b := s[0]; b < utf8.RuneSelf {
		if fold {
			b = lower(b)
		}
		return rune(b), 1
	}
	c, size = utf8.DecodeRuneInString(s)
	if c == utf8.RuneError && size == 1 {
		c = utf8.MaxRune + rune(s[0])
	}
	return c, size
}
