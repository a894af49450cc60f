package access

import (
	"context"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/store"
)

// usePrecision is how exact a key's last use is: one note per key and period.
const usePrecision = time.Minute

// used notes the use of a long-term key in memory; FlushUses writes it.
func (a *Access) used(keyID string, now time.Time, s *sigv4.Signed) {
	a.usesMu.Lock()
	defer a.usesMu.Unlock()
	if have, ok := a.uses[keyID]; ok && now.Sub(have.At) < usePrecision && have.Service == s.Service {
		return
	}
	a.uses[keyID] = identity.KeyUse{KeyID: keyID, At: now.UTC(), Service: strings.Clone(s.Service), Region: strings.Clone(s.Region)}
}

// FlushUses writes the last uses of long-term keys. The server calls it now
// and then, and once before it ends.
func (a *Access) FlushUses(ctx context.Context) error {
	a.usesMu.Lock()
	batch := a.uses
	a.uses = make(map[string]identity.KeyUse, len(batch))
	a.usesMu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	_, err := a.db.Update(ctx, func(tx store.Tx) error {
		for id, use := range batch {
			if _, err := store.AccessKeys.Get(tx, id); err != nil {
				continue // deleted meanwhile
			}
			if err := store.KeyUses.Put(tx, &use); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}
