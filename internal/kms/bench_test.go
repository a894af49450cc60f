package kms_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// BenchmarkUse compares uses of a key with the bare AEAD on the same 32 bytes. The
// audit log of a stack is buffered: its fsync, which uses share, is not in it.
func BenchmarkUse(b *testing.B) {
	s, ctx := newOffice(b), b.Context()
	c := s.robot("Reader")
	key := s.key()
	plain, aad := make([]byte, 32), []string{"tenant", "bucket"}
	bare := must(keyring.NewXAES(make([]byte, 32)))(b)
	bound := make([]byte, 100)
	box := must(bare.Encrypt(plain, bound))(b)
	wrapped := must(s.KMS.Wrap(ctx, c, here, key.ID, plain, aad))(b).Ciphertext
	for name, fn := range map[string]func() error{
		"encrypt/bare": func() error { _, err := bare.Encrypt(plain, bound); return err },
		"decrypt/bare": func() error { _, err := bare.Decrypt(box, bound); return err },
		"wrap":         func() error { _, err := s.KMS.Wrap(ctx, c, here, key.ID, plain, aad); return err },
		"unwrap":       func() error { _, err := s.KMS.Unwrap(ctx, c, here, key.ID, wrapped, aad); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := fn(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkManyKeys tells what 100,000 keys cost at start and in memory.
func BenchmarkManyKeys(b *testing.B) {
	const keys = 100_000
	e := store.NewMemory()
	db := must(store.OpenDB(b.Context(), e, store.Options{}))(b)
	defer db.Close()
	for at := 0; at < keys; at += 1000 {
		must(db.Update(b.Context(), func(tx store.Tx) error {
			for i := at; i < at+1000; i++ {
				id := fmt.Sprintf("0b8ff2f5-0001-4222-8333-%012x", i)
				now := time.Unix(int64(i), 0).UTC()
				ok(b, store.KMSKeys.Put(tx, &identity.KMSKey{
					ID: id, Instance: here.Instance, Ring: "default", Name: fmt.Sprint("key ", i), State: identity.KeyActive,
					CreatedBy: "IBMid-123456789012", CreatedAt: now, UpdatedAt: now, Version: identity.KMSVersionID{ID: id, CreatedAt: now}, Versions: 1,
					Aliases: []identity.KMSAlias{{Name: fmt.Sprint("alias-", i), CreatedBy: "IBMid-123456789012", CreatedAt: now}},
				}))
			}
			return nil
		}))(b)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		before := heap()
		begin := time.Now()
		again := must(store.OpenDB(b.Context(), e, store.Options{}))(b)
		took := time.Since(begin)
		b.ReportMetric(float64(took.Milliseconds()), "ms/start")
		b.ReportMetric(float64(heap()-before)/keys, "bytes/key")
		runtime.KeepAlive(again)
	}
}
