package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/store/sqlite"
)

func putUser(e interface {
	Update(context.Context, func(store.Tx) error) (identity.Position, error)
}, i int,
) error {
	_, err := e.Update(context.Background(), func(tx store.Tx) error {
		return store.Users.Insert(tx, &identity.User{ID: fmt.Sprintf("AIDA%09d", i), AccountID: "1", Name: fmt.Sprint("user", i), Path: "/"})
	})
	return err
}

func BenchmarkCommit(b *testing.B) {
	for _, workers := range []int{1, 32, 256} {
		b.Run(fmt.Sprintf("waiting=%d", workers), func(b *testing.B) {
			e := open(b, filepath.Join(b.TempDir(), "x.db"), sqlite.Options{})
			b.ResetTimer()
			next := make(chan int)
			done := make(chan error, workers)
			for range workers {
				go func() {
					var err error
					for i := range next {
						if e := putUser(e, i); e != nil {
							err = e
						}
					}
					done <- err
				}()
			}
			for i := range b.N {
				next <- i
			}
			close(next)
			for range workers {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	e := open(b, filepath.Join(b.TempDir(), "x.db"), sqlite.Options{})
	for i := range 100 {
		if err := putUser(e, i); err != nil {
			b.Fatal(err)
		}
	}
	pos, err := e.View(b.Context(), func(store.Reader) error { return nil })
	if err != nil {
		b.Fatal(err)
	}
	b.Run("View", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := e.View(b.Context(), func(r store.Reader) error {
				_, err := store.Users.Get(r, fmt.Sprintf("AIDA%09d", i%100))
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Heartbeat", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.Changes(b.Context(), pos); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	b.Run("new", func(b *testing.B) {
		for i := range b.N {
			open(b, filepath.Join(dir, fmt.Sprint(b.N, "-", i, ".db")), sqlite.Options{}).Close()
		}
	})
	for _, users := range []int{100, 200_000} {
		path := filepath.Join(dir, fmt.Sprint(users, "users.db"))
		e := open(b, path, sqlite.Options{})
		for at := 0; at < users; at += 100 {
			if _, err := e.Update(b.Context(), func(tx store.Tx) error {
				for i := at; i < at+100; i++ {
					u := &identity.User{ID: fmt.Sprintf("AIDA%09d", i), AccountID: "1", Name: fmt.Sprint("user", i), Path: "/", Realm: "r", Subject: fmt.Sprint("s", i)}
					if err := store.Users.Put(tx, u); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				b.Fatal(err)
			}
		}
		e.Close()
		b.Run(fmt.Sprintf("DB of %d users", users), func(b *testing.B) {
			for b.Loop() {
				db, err := store.OpenDB(b.Context(), open(b, path, sqlite.Options{}), store.Options{})
				if err != nil {
					b.Fatal(err)
				}
				db.Close()
			}
		})
	}
}

// BenchmarkSessions writes the index of sessions, per session.
func BenchmarkSessions(b *testing.B) {
	const batch = 1024
	e := open(b, filepath.Join(b.TempDir(), "x.db"), sqlite.Options{})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for n := 0; n < b.N; n += batch {
		if _, err := e.Update(b.Context(), func(tx store.Tx) error {
			for i := n; i < n+batch; i++ {
				s := &store.SessionRecord{
					AccessKeyID: fmt.Sprintf("ASIA%016d", i*7919%1_000_003), AccountID: "123456789012", Kind: identity.RoleSession, PrincipalID: "AROAEXAMPLEEXAMPLE123",
					ARN: "arn:aws:sts::123456789012:assumed-role/role/session", Proof: "web identity", IssuedAt: at, ExpiresAt: at.Add(time.Hour),
					Lineage: identity.Lineage{{Kind: identity.LineagePrincipal, ID: "AIDAEXAMPLEEXAMPLE123"}, {Kind: identity.LineageLogin, ID: "0c0f1c9e"}},
				}
				if err := store.SessionRecords.Put(tx, s); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
}
