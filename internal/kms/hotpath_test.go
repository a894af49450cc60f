package kms_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/kms"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// counted is an engine that counts what it is asked, and can be away.
type counted struct {
	store.Engine
	views, updates atomic.Int32
	away           atomic.Bool
}

func (e *counted) View(ctx context.Context, fn func(store.Reader) error) (identity.Position, error) {
	e.views.Add(1)
	if e.away.Load() {
		return identity.Position{}, store.Away("test", errors.New("away"))
	}
	return e.Engine.View(ctx, fn)
}

func (e *counted) Update(ctx context.Context, fn func(store.Tx) error) (identity.Position, error) {
	e.updates.Add(1)
	return e.Engine.Update(ctx, fn)
}

// TestUseReadsNoDatabase once a version is opened; to open one, many who wait ask
// once.
func TestUseReadsNoDatabase(t *testing.T) {
	t.Parallel()
	e := &counted{Engine: store.NewMemory()}
	s, ctx := newOffice(t, stacktest.WithEngine(e)), t.Context()
	key := s.key()
	before := e.views.Load()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := s.KMS.Wrap(ctx, s.root, here, key.ID, nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := e.views.Load() - before; n != 1 {
		t.Errorf("16 at once asked the store %d times", n)
	}
	before = e.views.Load() + e.updates.Load()
	e.away.Store(true)
	for range 3 {
		w := must(s.KMS.Wrap(ctx, s.root, here, key.ID, []byte("x"), nil))(t)
		must(s.KMS.Unwrap(ctx, s.root, here, key.ID, w.Ciphertext, nil))(t)
		must(s.KMS.Rewrap(ctx, s.root, here, key.ID, w.Ciphertext, nil))(t)
	}
	if n := e.views.Load() + e.updates.Load() - before; n != 0 {
		t.Errorf("uses asked the store %d times", n)
	}
	_, err := s.KMS.Wrap(ctx, s.root, here, s.key().ID, nil, nil)
	if identity.KindOf(err) != identity.KindUnavailable {
		t.Errorf("a version that is not opened, the store away: %v", err)
	}
	e.away.Store(false)
}

// TestOpenedIsJudged: what is in memory is of no use when the key's row says no.
func TestOpenedIsJudged(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	key := s.key()
	w := must(s.KMS.Wrap(ctx, s.root, here, key.ID, []byte("x"), nil))(t)
	unwrap := func() error {
		_, err := s.KMS.Unwrap(ctx, s.root, here, key.ID, w.Ciphertext, nil)
		return err
	}
	set := func(change func(*identity.KMSKey)) { // by another node
		must(s.DB.Update(ctx, func(tx store.Tx) error {
			v := *must(store.KMSKeys.Get(tx, key.ID))(t)
			change(&v)
			return store.KMSKeys.Put(tx, &v)
		}))(t)
	}
	set(func(k *identity.KMSKey) { k.State = identity.KeySuspended })
	wantReason(t, "disabled", unwrap(), kms.ReasonState)
	set(func(k *identity.KMSKey) { k.State = identity.KeyDestroyed })
	wantReason(t, "deleted", unwrap(), kms.ReasonDeleted)
	set(func(k *identity.KMSKey) { k.State, k.Instance = identity.KeyActive, stacktest.OtherKMSInstance })
	wantReason(t, "elsewhere", unwrap(), kms.ReasonNotFound)
	set(func(k *identity.KMSKey) { k.Instance = here.Instance })
	ok(t, unwrap())
	must(s.DB.Update(ctx, func(tx store.Tx) error { return store.KMSKeys.Delete(tx, key.ID) }))(t)
	wantReason(t, "gone", unwrap(), kms.ReasonNotFound)
}

// TestFewOpened: a cache that is too small costs work and nothing else.
func TestFewOpened(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	s.settings(func(o *kms.Options) { o.CachedVersions = 2 })
	for range 3 {
		var ids []string
		var wrapped [][]byte
		for range 4 {
			key := s.key()
			ids = append(ids, key.ID)
			wrapped = append(wrapped, must(s.KMS.Wrap(ctx, s.root, here, key.ID, []byte(key.ID), nil))(t).Ciphertext)
		}
		for i, id := range ids {
			if u := must(s.KMS.Unwrap(ctx, s.root, here, id, wrapped[i], nil))(t); string(u.Plaintext) != id {
				t.Errorf("%s: %q", id, u.Plaintext)
			}
		}
		must(s.KMS.Delete(ctx, s.root, here, ids[0], false))(t)
		ok(t, s.KMS.Tick(ctx))
	}
}

// TestUses are counted by key and principal, and audited one by one.
func TestUses(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	key, other := s.key(), s.key()
	reader := s.robot("Reader")
	reader.Request.SourceIP = "192.0.2.1"
	uses := func(id string) []kms.Use {
		ok(t, s.KMS.FlushUses(ctx))
		return must(s.KMS.Usage(ctx, s.root, here, id))(t)
	}
	begin := s.Clock.Now()
	for range 2 {
		w := must(s.KMS.Wrap(ctx, reader, here, key.ID, nil, nil))(t)
		must(s.KMS.Unwrap(ctx, reader, here, key.ID, w.Ciphertext, nil))(t)
		uses(key.ID)
		s.Clock.Advance(time.Minute)
	}
	must(s.KMS.Wrap(ctx, s.root, here, key.ID, nil, nil))(t)
	must(s.KMS.Wrap(ctx, s.root, here, other.ID, nil, nil))(t)
	_, err := s.KMS.Unwrap(ctx, reader, here, key.ID, []byte("x"), nil)
	wantReason(t, "no ciphertext", err, kms.ReasonCiphertext)
	if all, own := uses(""), uses(key.ID); len(all) != 3 || len(own) != 2 {
		t.Errorf("%+v, %+v", all, own)
	}
	for _, u := range uses(key.ID) {
		if u.Principal != reader.IAMID() {
			continue
		}
		if u.Counts["wrap"] != 2 || u.Counts["unwrap"] != 2 || !u.FirstAt.Equal(begin) || !u.LastAt.Equal(begin.Add(time.Minute)) || u.LastIP != "192.0.2.1" {
			t.Errorf("%+v", u)
		}
	}
	if list := must(s.KMS.Usage(ctx, s.Operator(), here, ""))(t); len(list) != 3 {
		t.Errorf("the operator sees %d", len(list))
	}
	log := s.AuditLines(t)
	if n := strings.Count(log, `"eventName":"secrets.wrap"`); n != 4 {
		t.Errorf("%d wraps in the log, want 4", n)
	}
	if !strings.Contains(log, `"eventName":"secrets.unwrap"`) || !strings.Contains(log, "does not belong to the key") || !strings.Contains(log, key.ID) {
		t.Error("the log does not tell of unwraps, or not of the one that failed")
	}
}
