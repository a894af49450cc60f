package audit

import (
	"context"
	"maps"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Change is the event of an identity change by a caller; params is the safe
// subset of what was asked, empty values left out.
func Change(c *identity.Caller, source, name string, params map[string]string) Event {
	e := Event{UserIdentity: IdentityOf(c), Source: source, Name: name, RequestID: c.Request.ID, SourceIP: c.Request.SourceIP, UserAgent: c.Request.UserAgent}
	for k, v := range params {
		if v == "" {
			continue
		}
		if e.RequestParameters == nil {
			e.RequestParameters = map[string]any{}
		}
		e.RequestParameters[k] = v
	}
	return e
}

// Commit runs fn as one transaction of the store in which the event commits
// too, then delivers the event to the log. Should the log fail after the
// commit, the event stays in the store's outbox, where Deliver finds it: a
// change is never without its event, and an event is delivered at least once.
// When fn fails nothing is written, neither change nor event.
func (l *Log) Commit(ctx context.Context, db *store.DB, e Event, fn func(store.Tx) error) (identity.Position, error) {
	line, err := l.encode(ctx, &e)
	if err != nil {
		return identity.Position{}, err
	}
	row := &store.OutboxEvent{ID: e.ID, Line: line}
	l.committing(e.ID, true)
	defer l.committing(e.ID, false)
	pos, err := db.Update(ctx, func(tx store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return store.Outbox.Put(tx, row)
	})
	if err != nil {
		return pos, err
	}
	if l.deliver(context.WithoutCancel(ctx), row) == nil {
		l.settle(e.ID)
	}
	return pos, nil
}

// deliver writes an encoded event to the log.
func (l *Log) deliver(ctx context.Context, row *store.OutboxEvent) error {
	b, err := l.enqueue(row.Line, false)
	if err == nil {
		select {
		case <-b.done:
			err = b.err
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		l.stats.failed.Add(1)
		return err
	}
	l.stats.recorded.Add(1)
	return nil
}

// committing marks events that Commit is about to deliver itself.
func (l *Log) committing(id string, on bool) {
	l.settledMu.Lock()
	defer l.settledMu.Unlock()
	if on {
		l.inFlight[id] = true
	} else {
		delete(l.inFlight, id)
	}
}

// settle notes that an event of the outbox is in the log.
func (l *Log) settle(id string) {
	l.settledMu.Lock()
	l.settled = append(l.settled, id)
	l.settledMu.Unlock()
}

// Deliver empties the outbox: events that a crash or a full disk kept from the
// log are written to it, and what is in the log is removed. The server calls
// it at start and now and then.
func (l *Log) Deliver(ctx context.Context, db *store.DB) error {
	l.settledMu.Lock()
	done, inFlight := l.settled, maps.Clone(l.inFlight)
	l.settled = nil
	l.settledMu.Unlock()
	isDone := make(map[string]bool, len(done))
	for _, id := range done {
		isDone[id] = true
	}
	var waiting []*store.OutboxEvent
	err := db.View(ctx, func(r store.Reader) (err error) {
		waiting, err = store.Outbox.List(r, "", "", store.After{}, 1000)
		return err
	})
	for _, row := range waiting {
		if isDone[row.ID] || inFlight[row.ID] {
			continue
		}
		if err == nil {
			if err = l.deliver(ctx, row); err == nil {
				isDone[row.ID] = true
			}
		}
	}
	if len(isDone) > 0 {
		_, uerr := db.Update(ctx, func(tx store.Tx) error {
			for id := range isDone {
				if err := store.Outbox.Delete(tx, id); err != nil && identity.KindOf(err) != identity.KindNotFound {
					return err
				}
			}
			return nil
		})
		if uerr != nil {
			for id := range isDone {
				l.settle(id)
			}
			return uerr
		}
	}
	return err
}
