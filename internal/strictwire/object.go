package strictwire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// Object reads a text that is one JSON object in UTF-8 into the members that it
// may have, by their exact names: none that is not among them, and none twice.
// What else is wrong is a Fault too; of one of the reason Type, Err is what reading
// the member gave.
func Object(text []byte, members map[string]any) error {
	malformed := &Fault{Reason: Syntax}
	if !utf8.Valid(text) {
		return malformed
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return malformed
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return malformed
		}
		into, known := members[name]
		switch {
		case !known:
			return &Fault{Reason: Unknown, Member: name}
		case seen[name]:
			return &Fault{Reason: Twice, Member: name}
		}
		seen[name] = true
		if err := d.Decode(into); err != nil {
			if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
				return malformed
			}
			return &Fault{Reason: Type, Member: name, Err: err}
		}
	}
	if _, err := d.Token(); err != nil {
		return malformed
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return malformed
	}
	return nil
}
