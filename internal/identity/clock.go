package identity

import "time"

// Clock tells the time; tests bring their own. Times are wall-clock times with
// Go's monotonic reading where the clock has one.
type Clock interface{ Now() time.Time }

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now returns time.Now.
func (SystemClock) Now() time.Time { return time.Now() }
