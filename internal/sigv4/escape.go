package sigv4

import "strings"

const upperHex = "0123456789ABCDEF"

// unreserved marks the bytes that are never percent-encoded.
var unreserved = func() (t [256]bool) {
	for _, ch := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~" {
		t[ch] = true
	}
	return t
}()

func appendEscaped(b []byte, ch byte) []byte {
	return append(b, '%', upperHex[ch>>4], upperHex[ch&15])
}

// appendEncoded decodes %XX and encodes strictly again. A raw slash stays one
// if keepSlash; an encoded slash stays encoded.
func appendEncoded(b []byte, s string, keepSlash bool) []byte {
	for i := 0; i < len(s); i++ {
		ch := s[i]
		switch {
		case unreserved[ch], ch == '/' && keepSlash:
			b = append(b, ch)
		case ch == '%' && validEscape(s, i):
			ch = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
			if unreserved[ch] {
				b = append(b, ch)
			} else {
				b = appendEscaped(b, ch)
			}
		default:
			b = appendEscaped(b, ch)
		}
	}
	return b
}

// appendQueryEncoded is appendEncoded for a key or value of a query, where +
// means a blank.
func appendQueryEncoded(b []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, '+')
		if i < 0 {
			return appendEncoded(b, s, false)
		}
		b = appendEncoded(b, s[:i], false)
		b = append(b, "%20"...)
		s = s[i+1:]
	}
}

// appendTwice encodes a raw path again, % included.
func appendTwice(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if ch := s[i]; unreserved[ch] || ch == '/' {
			b = append(b, ch)
		} else {
			b = appendEscaped(b, ch)
		}
	}
	return b
}

// decoded decodes a key or value of a query.
func decoded(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		ch := s[i]
		switch {
		case ch == '+':
			ch = ' '
		case ch == '%' && validEscape(s, i):
			ch = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
		}
		b = append(b, ch)
	}
	return string(b)
}

// wellEscaped reports whether every % starts a valid escape.
func wellEscaped(s string) bool {
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			return true
		}
		if !validEscape(s, i) {
			return false
		}
		s = s[i+3:]
	}
}

func validEscape(s string, i int) bool {
	return i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])
}

func isHex(ch byte) bool {
	return '0' <= ch && ch <= '9' || 'a' <= ch && ch <= 'f' || 'A' <= ch && ch <= 'F'
}

func unhex(ch byte) byte {
	switch {
	case ch <= '9':
		return ch - '0'
	case ch <= 'F':
		return ch - 'A' + 10
	}
	return ch - 'a' + 10
}

// lowerHex64 reports whether s is 64 lower-case hexadecimal digits.
func lowerHex64(s string) bool { return len(s) == 64 && lowerHex(s) }

// lowerHex reports whether s is all lower-case hexadecimal digits.
func lowerHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if ch := s[i]; !isHex(ch) || ch < 'a' && ch > '9' {
			return false
		}
	}
	return true
}
