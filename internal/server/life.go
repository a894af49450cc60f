package server

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// maxClockSkew is how far the clock may be off the store's; package issue stops
// minting at the same figure.
const maxClockSkew = 5 * time.Second

// How often work in the background is done.
const (
	keyringEvery = time.Minute
	kmsEvery     = time.Minute
	auditEvery   = 30 * time.Second
	usesEvery    = 15 * time.Second
	indexEvery   = 500 * time.Millisecond
	pruneEvery   = 10 * time.Minute
	bucketsEvery = 2 * time.Second
	probeEvery   = 10 * time.Second
)

// settle does what must be done once at start, when the object store answers:
// buckets that a crash left half-made, events that it kept from the log.
func (c *core) settle(ctx context.Context) error {
	if err := c.audit.Deliver(ctx, c.db); err != nil {
		return err
	}
	if err := c.settleBuckets(ctx); err != nil {
		// An upstream that is away must not keep the rest from being served.
		c.log.Warn("buckets half made or half deleted stay so for now", "error", err)
	}
	return nil
}

// settleBuckets finishes what requests could not: a bucket half made or half
// deleted when the object store went away.
func (c *core) settleBuckets(ctx context.Context) error {
	operator := access.OperatorCaller(identity.RequestFacts{ID: newRequestID(), SourceIP: "local", Dialect: "server", Secure: true})
	return c.gateway.Reconcile(ctx, &operator)
}

// tend does what is due now and then, until ctx ends.
func (c *core) tend(ctx context.Context) {
	for _, job := range []struct {
		name  string
		every time.Duration
		run   func(context.Context) error
	}{
		{"keyring", keyringEvery, func(ctx context.Context) error {
			report, err := c.keys.Tick(ctx)
			for _, change := range report.Changes {
				c.log.Info("keyring", "change", change)
			}
			return err
		}},
		{"root key", rootEvery, c.checkRoot},
		{"audit", auditEvery, func(ctx context.Context) error { return c.audit.Deliver(ctx, c.db) }},
		{"uses", usesEvery, c.access.FlushUses},
		{"key management", kmsEvery, c.kms.Tick},
		{"uses of keys", usesEvery, c.kms.FlushUses},
		{"session index", indexEvery, c.sessions.Flush},
		{"old sessions", pruneEvery, c.sessions.Prune},
		{"revocations", pruneEvery, c.access.PruneRevocations},
		{"buckets", bucketsEvery, c.settleBuckets},
		{"upstreams", probeEvery, c.upstreams.probe},
		{"sessions", pruneEvery, c.issuer.Prune},
	} {
		go func() {
			ticker := time.NewTicker(job.every)
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
				if err := job.run(ctx); err != nil && ctx.Err() == nil {
					c.log.Error("work in the background failed and will be tried again", "job", job.name, "error", err)
				}
			}
		}()
	}
}

// close ends everything, upper layers first. A core that was never opened, or
// only in part, closes too.
func (c *core) close() error {
	if c == nil {
		return nil
	}
	var errs []error
	if c.access != nil {
		ctx, cancel := context.WithTimeout(context.Background(), usesEvery)
		if c.sessions != nil { // first: last uses are written to what is there
			errs = append(errs, c.sessions.Flush(ctx))
		}
		errs = append(errs, c.access.FlushUses(ctx))
		if c.kms != nil {
			errs = append(errs, c.kms.FlushUses(ctx))
		}
		cancel()
	}
	if c.upstreams != nil {
		c.upstreams.close()
	}
	objects := make(chan error, 1)
	go func() {
		if c.objects == nil {
			objects <- nil
			return
		}
		objects <- c.objects.Close()
	}()
	if c.issuers != nil {
		c.issuers.Close()
	}
	if c.audit != nil {
		errs = append(errs, c.audit.Close())
	}
	if c.db != nil {
		errs = append(errs, c.db.Close())
	}
	return errors.Join(append(errs, <-objects)...)
}

// madeBy says who made the store: "" for a new one, madeByDev or madeByOther.
func (c *core) madeBy() (string, error) {
	m, err := store.Metas.Get(c.db.Snapshot(), metaMadeBy)
	switch identity.KindOf(err) {
	case "":
		return m.Value, nil
	case identity.KindNotFound:
		return "", nil
	}
	return "", err
}

func (c *core) setMadeBy(ctx context.Context, have, want string) error {
	if have == want {
		return nil
	}
	_, err := c.db.Update(ctx, func(tx store.Tx) error {
		return store.Metas.Put(tx, &store.Meta{Name: metaMadeBy, Value: want})
	})
	return err
}

// ownAddresses are what egress must not be led to.
func (s *server) ownAddresses() []netip.AddrPort {
	var out []netip.AddrPort
	for _, l := range s.doors.bound {
		if a, err := netip.ParseAddrPort(l.Addr().String()); err == nil {
			out = append(out, a)
		}
	}
	return out
}
