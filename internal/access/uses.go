package access

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/store"
)

// usePrecision is how exact a last use is: one note per credential and period.
const usePrecision = time.Minute

// lastUses are notes in memory until FlushUses writes them.
type lastUses struct {
	keys   map[string]identity.KeyUse // by key ID
	others map[string]identity.Use    // by unique ID of a role or user
	// sessions are when sessions were seen, by access key ID: for people.
	sessions map[string]time.Time
}

func newLastUses() lastUses {
	return lastUses{keys: map[string]identity.KeyUse{}, others: map[string]identity.Use{}, sessions: map[string]time.Time{}}
}

// used notes the use of a long-term key.
func (a *Access) used(keyID string, now time.Time, s *sigv4.Signed) {
	a.usesMu.Lock()
	defer a.usesMu.Unlock()
	if have, ok := a.uses.keys[keyID]; ok && now.Sub(have.At) < usePrecision && have.Service == s.Service {
		return
	}
	a.uses.keys[keyID] = identity.KeyUse{KeyID: keyID, At: now.UTC(), Service: strings.Clone(s.Service), Region: strings.Clone(s.Region)}
}

const (
	// maxSeen bounds the sessions whose use waits to be written.
	maxSeen = 8192
	// seenBatch is how many of them one transaction writes.
	seenBatch = 256
)

// usedSession notes the use of a session, and of its role. Sessions are many
// and check themselves when they last did so, before they come to the common
// lock; beyond a bound the index of sessions does without.
func (a *Access) usedSession(c *credential, now time.Time, region string) {
	last := c.noted.Load()
	if at := now.UnixNano(); at-last < int64(usePrecision) || !c.noted.CompareAndSwap(last, at) {
		return
	}
	a.usesMu.Lock()
	if len(a.uses.sessions) < maxSeen {
		a.uses.sessions[c.keyID] = now.UTC()
	}
	a.usesMu.Unlock()
	if c.claims.Kind == identity.RoleSession {
		a.note(identity.Use{ID: c.claims.PrincipalID, At: now.UTC(), Region: strings.Clone(region)})
	}
}

// PasswordUsed notes that a user logged in by password.
func (a *Access) PasswordUsed(userID string) {
	a.note(identity.Use{ID: userID, At: a.clock.Now().UTC()})
}

// APIKeyUsed notes that an API key logged its owner in.
func (a *Access) APIKeyUsed(keyID string) {
	now := a.clock.Now().UTC()
	a.usesMu.Lock()
	defer a.usesMu.Unlock()
	a.uses.others[keyID] = identity.Use{ID: keyID, At: now, Count: a.uses.others[keyID].Count + 1}
}

func (a *Access) note(u identity.Use) {
	a.usesMu.Lock()
	defer a.usesMu.Unlock()
	if a.uses.others[u.ID].At.Before(u.At) {
		a.uses.others[u.ID] = u
	}
}

// flushSeen writes when sessions were seen last; those that the index does not
// know are left out.
func (a *Access) flushSeen(ctx context.Context, all map[string]time.Time) error {
	ids := slices.Collect(maps.Keys(all))
	for batch := range slices.Chunk(ids, seenBatch) {
		_, err := a.db.Update(ctx, func(tx store.Tx) error {
			for _, id := range batch {
				have, err := store.SessionRecords.Get(tx, id)
				if err != nil || !have.LastSeen.Before(all[id]) {
					continue
				}
				v := *have
				v.LastSeen = all[id]
				if err := store.SessionRecords.Put(tx, &v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// usable says whether what was used is still there.
func usable(r store.Reader, id string) bool {
	if _, err := store.Roles.Get(r, id); err == nil {
		return true
	}
	if _, err := store.Users.Get(r, id); err == nil {
		return true
	}
	_, err := store.APIKeys.Get(r, id)
	return err == nil
}

// FlushUses writes the last uses of long-term keys, API keys, roles, passwords
// and sessions. The server calls it now and then, and once before it ends.
func (a *Access) FlushUses(ctx context.Context) error {
	a.usesMu.Lock()
	batch := a.uses
	a.uses = newLastUses()
	a.usesMu.Unlock()
	seenErr := a.flushSeen(ctx, batch.sessions)
	if len(batch.keys)+len(batch.others) == 0 {
		return seenErr
	}
	_, err := a.db.Update(ctx, func(tx store.Tx) error {
		for id, use := range batch.keys {
			if _, err := store.AccessKeys.Get(tx, id); err != nil {
				continue // deleted meanwhile
			}
			if err := store.KeyUses.Put(tx, &use); err != nil {
				return err
			}
		}
		for id, use := range batch.others {
			if !usable(tx, id) {
				continue
			}
			if have, err := store.Uses.Get(tx, id); err == nil {
				use.Count += have.Count
			}
			if err := store.Uses.Put(tx, &use); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, seenErr)
}
