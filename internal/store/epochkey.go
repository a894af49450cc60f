package store

import "fmt"

// epochKey makes numbers sort as text.
func epochKey(n uint32) string { return fmt.Sprintf("%010d", n) }

// EpochKey is the key of an epoch's row.
func EpochKey(n uint32) string { return epochKey(n) }
