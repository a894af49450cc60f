package store_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// crowded is a DB with n users.
func crowded(b *testing.B, n int) *store.DB {
	b.Helper()
	e := store.NewMemory()
	for at := 0; at < n; at += 1000 {
		if _, err := e.Update(b.Context(), func(tx store.Tx) error {
			for i := at; i < at+1000; i++ {
				u := &identity.User{
					ID: fmt.Sprintf("AIDA%016d", i*7919), AccountID: "123456789012", Name: fmt.Sprint("user", i), Path: "/",
					Realm: "shasta", Subject: fmt.Sprintf("subject-%d", i), Email: fmt.Sprintf("user%d@example.com", i),
				}
				if err := store.Users.Put(tx, u); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	db, err := store.OpenDB(b.Context(), e, store.Options{Heartbeat: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.Cleanup(func() { db.Close() })
	b.Logf("%d users: loaded in %v, %d bytes each", n, took, (int64(after.HeapAlloc)-int64(before.HeapAlloc))/int64(n))
	return db
}

func BenchmarkSnapshot(b *testing.B) {
	const n = 200_000
	db := crowded(b, n)
	ids, logins := make([]string, n), make([]string, n)
	for i := range n {
		ids[i] = fmt.Sprintf("AIDA%016d", i*7919)
		logins[i] = store.Join("shasta", fmt.Sprint("user", i))
	}
	at := func(i int) int { return i * 7919 % n }
	b.Run("Get", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := store.Users.Get(db.Snapshot(), ids[at(i)]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("GetSame", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := store.Users.Get(db.Snapshot(), ids[7]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("GetAbsent", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := store.Users.Get(db.Snapshot(), "nobody"); err == nil {
				b.Fatal("found")
			}
		}
	})
	b.Run("By", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := store.Users.By(db.Snapshot(), "login", logins[at(i)]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("BySame", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := store.Users.By(db.Snapshot(), "login", logins[7]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Update", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := db.Update(context.Background(), func(tx store.Tx) error {
				u, err := store.Users.Get(tx, ids[at(i)])
				if err != nil {
					return err
				}
				u.Disabled = !u.Disabled
				return store.Users.Put(tx, u)
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
