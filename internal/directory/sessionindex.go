package directory

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	// maxIndexed bounds the sessions that wait to be written; more are dropped
	// and counted.
	maxIndexed = 16384
	// indexBatch is how many rows one transaction removes, and sessionBatch how
	// many sessions one writes: the more of them, the more share a page, and 1,024
	// keep other writers waiting for less than a tenth of a second.
	indexBatch   = 256
	sessionBatch = 1024
	// indexKeeps is how long a session stays in the index when its time is over.
	indexKeeps = 24 * time.Hour
	// loginPrecision is how exact the last log-in of a web identity is.
	loginPrecision = time.Hour
	// maxLogins bounds the web identities whose last log-in is in memory.
	maxLogins = 65536
	// loginKeeps is longer than any key may sleep after.
	loginKeeps = (maxSleepDays + 30) * 24 * time.Hour
)

// SessionIndex writes the index of sessions, behind the answers that issued
// them: for people, and no decision reads it. With it goes the last log-in of
// each foreign web identity, by which the keys that it made stay awake.
type SessionIndex struct {
	db    *store.DB
	clock identity.Clock

	mu      sync.Mutex
	waiting []store.SessionRecord
	logins  map[string]time.Time // to be written
	noted   map[string]time.Time // written or to be written lately
	dropped atomic.Uint64
	writing sync.Mutex
}

// NewSessionIndex makes an empty queue; Flush writes it.
func NewSessionIndex(db *store.DB, clock identity.Clock) *SessionIndex {
	return &SessionIndex{db: db, clock: clock, logins: map[string]time.Time{}, noted: map[string]time.Time{}}
}

// Add takes a session that was minted. It never waits: beyond a bound the
// session is only counted.
func (x *SessionIndex) Add(s store.SessionRecord) {
	x.mu.Lock()
	defer x.mu.Unlock()
	// Tokens of our own realms have a log-in session; their users are ours to
	// switch off.
	if who := s.Lineage.Get(identity.LineageWebIdentity); who != "" && s.Lineage.Get(identity.LineageLogin) == "" &&
		s.Lineage.Get(identity.LineageAccessKey) == "" {
		x.loggedIn(who, s.IssuedAt)
	}
	if len(x.waiting) >= maxIndexed {
		x.dropped.Add(1)
		return
	}
	x.waiting = append(x.waiting, s)
}

func (x *SessionIndex) loggedIn(who string, at time.Time) {
	if last, ok := x.noted[who]; ok && at.Sub(last) < loginPrecision {
		return
	}
	if len(x.noted) >= maxLogins {
		clear(x.noted)
	}
	x.noted[who], x.logins[who] = at, at
}

// Dropped is how many sessions were issued without an entry in the index.
func (x *SessionIndex) Dropped() uint64 { return x.dropped.Load() }

// Flush writes what waits, in small transactions, so that others get between.
// What fails to be written is tried again the next time.
func (x *SessionIndex) Flush(ctx context.Context) error {
	x.writing.Lock()
	defer x.writing.Unlock()
	x.mu.Lock()
	sessions, logins := x.waiting, x.logins
	x.waiting, x.logins = nil, map[string]time.Time{}
	x.mu.Unlock()
	for len(sessions) > 0 || len(logins) > 0 {
		batch := sessions[:min(sessionBatch, len(sessions))]
		some := take(logins, indexBatch)
		if _, err := x.db.Update(ctx, func(tx store.Tx) error { return writeIndex(tx, batch, some) }); err != nil {
			x.putBack(sessions, logins)
			return err
		}
		sessions = sessions[len(batch):]
		for who := range some {
			delete(logins, who)
		}
	}
	return nil
}

func take(m map[string]time.Time, n int) map[string]time.Time {
	out := make(map[string]time.Time, min(n, len(m)))
	for k, v := range m {
		if len(out) == n {
			break
		}
		out[k] = v
	}
	return out
}

func writeIndex(tx store.Tx, sessions []store.SessionRecord, logins map[string]time.Time) error {
	for i := range sessions {
		if err := store.SessionRecords.Put(tx, &sessions[i]); err != nil {
			return err
		}
	}
	for who, at := range logins {
		have, err := store.LoginsSeen.Get(tx, who)
		if err == nil && !have.At.Before(at) {
			continue
		}
		if err := store.LoginsSeen.Put(tx, &store.LoginSeen{Identity: who, At: at}); err != nil {
			return err
		}
	}
	return nil
}

func (x *SessionIndex) putBack(sessions []store.SessionRecord, logins map[string]time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.waiting = append(sessions, x.waiting...)
	if over := len(x.waiting) - maxIndexed; over > 0 {
		x.dropped.Add(uint64(over))
		x.waiting = x.waiting[:maxIndexed]
	}
	for who, at := range logins {
		if x.logins[who].Before(at) {
			x.logins[who] = at
		}
	}
}

// Prune removes sessions whose time is long over, and log-ins that nobody can
// ask for any more.
func (x *SessionIndex) Prune(ctx context.Context) error {
	for {
		gone, err := x.pruneSome(ctx)
		if err != nil || gone < indexBatch {
			return err
		}
	}
}

func (x *SessionIndex) pruneSome(ctx context.Context) (gone int, err error) {
	now := x.clock.Now()
	var sessions []string
	var logins []string
	err = x.db.View(ctx, func(r store.Reader) error {
		list, err := store.SessionRecords.List(r, "expires", "", store.After{}, indexBatch)
		for _, s := range list {
			if now.After(s.ExpiresAt.Add(indexKeeps)) {
				sessions = append(sessions, s.AccessKeyID)
			}
		}
		if err != nil {
			return err
		}
		seen, err := store.LoginsSeen.List(r, "at", "", store.After{}, indexBatch)
		for _, l := range seen {
			if now.After(l.At.Add(loginKeeps)) {
				logins = append(logins, l.Identity)
			}
		}
		return err
	})
	gone = max(len(sessions), len(logins))
	if err != nil || gone == 0 {
		return 0, err
	}
	_, err = x.db.Update(ctx, func(tx store.Tx) error {
		for _, id := range sessions {
			if err := store.SessionRecords.Delete(tx, id); err != nil && identity.KindOf(err) != identity.KindNotFound {
				return err
			}
		}
		for _, id := range logins {
			l, err := store.LoginsSeen.Get(tx, id)
			if err != nil || !now.After(l.At.Add(loginKeeps)) { // logged in meanwhile
				continue
			}
			if err := store.LoginsSeen.Delete(tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	return gone, err
}
