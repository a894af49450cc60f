// Package audit writes what happened: one event type in the shape of
// CloudTrail records, one JSON object a line, in DATA/audit/audit.jsonl.
//
// Record returns when its event is on disk, so that nothing is issued, revoked
// or changed without a trace; many callers share one fsync. Refuse never
// waits. Where there is no room, Record fails with KindUnavailable, which
// refuses minting, and Refuse drops and counts.
//
// The package refuses to know what deserves an event, who may read them, and
// any secret: an event holds the SHA-256 of what was issued (Event.Issued), and
// names that nobody has proved only as keyed hashes, which the caller makes.
// An event of a change in the store commits with that change (Commit) and is
// delivered to the log from there.
package audit
