package identity

import "testing"

func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain text": "plain text", "grün 日本 🗝": "grün 日本 🗝", "a\x1b[31mb\a\r\nc": "a[31mbc", "\u009b2J": "2J", "\u202eevil": "evil", "a\xffb": "ab", "": "",
	} {
		if got := Printable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
