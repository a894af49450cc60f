package identity

import (
	"crypto/subtle"
	"log/slog"
)

// Secret is a value that must never reach a log, an error text or a terminal
// by accident. Every way of printing it yields "[redacted]"; Reveal is the one
// way to the value, so a search for Reveal finds every place that handles it.
type Secret string

const redacted = "[redacted]"

// Reveal returns the value.
func (s Secret) Reveal() string { return string(s) }

// Equal compares in constant time.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(other)) == 1
}

func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
