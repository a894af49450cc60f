package sqlite_test

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/store/sqlite"
)

// model is what the engines should hold: users by ID.
type model map[string]*identity.User

func (m model) clone() model {
	out := model{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// taken says whether the user's names are another's; as the Users table has it.
func (m model) taken(u *identity.User) bool {
	for _, o := range m {
		if o.ID == u.ID {
			continue
		}
		if store.Fold(o.Name) == store.Fold(u.Name) || o.Subject == u.Subject {
			return true
		}
		for _, a := range []string{store.Fold(u.Name), store.Fold(u.Email)} {
			if a != "" && (a == store.Fold(o.Name) || a == store.Fold(o.Email)) {
				return true
			}
		}
	}
	return false
}

type op struct {
	remove bool
	user   *identity.User
}

var (
	genName = rapid.SampledFrom([]string{"a", "b", "B", "ab", "abc", "é", "zz"})
	genID   = rapid.SampledFrom([]string{"1", "2", "3", "11", "12", "4", "5"})
	genOp   = rapid.Custom(func(t *rapid.T) op {
		id := genID.Draw(t, "id")
		return op{
			remove: rapid.IntRange(0, 3).Draw(t, "remove") == 0,
			user: &identity.User{
				ID: id, AccountID: "1", Name: genName.Draw(t, "name"), Realm: "r", Subject: "s" + id,
				Path:  rapid.SampledFrom([]string{"/", "/x/"}).Draw(t, "path"),
				Email: rapid.SampledFrom([]string{"", "e@x", "E@X", "a"}).Draw(t, "email"),
			},
		}
	})
)

// do is one transaction: all of ops, or nothing.
func do(tx store.Tx, ops []op) error {
	for _, o := range ops {
		err := error(nil)
		if o.remove {
			if err = store.Users.Delete(tx, o.user.ID); identity.KindOf(err) == identity.KindNotFound {
				err = nil
			}
		} else {
			err = store.Users.Put(tx, o.user)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// expect applies ops to the model and says whether they commit.
func (m model) expect(ops []op) (model, bool) {
	next := m.clone()
	for _, o := range ops {
		if o.remove {
			delete(next, o.user.ID)
		} else {
			next[o.user.ID] = o.user
		}
	}
	for _, o := range ops {
		if u := next[o.user.ID]; u != nil && next.taken(u) {
			return m, false
		}
	}
	return next, true
}

// listed is the model's answer to a listing of the "login" index.
func (m model) listed(prefix string, after store.After, limit int) []string {
	var all []store.After
	for _, u := range m {
		logins := []string{store.Fold(u.Name)}
		if u.Email != "" && store.Fold(u.Email) != store.Fold(u.Name) {
			logins = append(logins, store.Fold(u.Email))
		}
		for _, l := range logins {
			if v := store.Join("r", l); strings.HasPrefix(v, prefix) && less(after, store.After{Value: v, Key: u.ID}) < 0 {
				all = append(all, store.After{Value: v, Key: u.ID})
			}
		}
	}
	slices.SortFunc(all, less)
	out := []string{}
	for i, a := range all {
		if limit == 0 || i < limit {
			out = append(out, a.Key)
		}
	}
	return out
}

func less(a, b store.After) int {
	return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.Key, b.Key))
}

func (m model) compare(t *rapid.T, what string, r store.Reader, prefix string, after store.After, limit int) {
	for _, id := range []string{"1", "2", "3", "11", "12", "4", "5"} {
		got, err := store.Users.Get(r, id)
		want := m[id]
		if (want == nil) != (identity.KindOf(err) == identity.KindNotFound) || want != nil && (err != nil || fmt.Sprint(*got) != fmt.Sprint(*want)) {
			t.Fatalf("%s: user %s: got %+v, %v; want %+v", what, id, got, err, want)
		}
		if want == nil {
			continue
		}
		got, err = store.Users.By(r, "name", store.Join("1", store.Fold(want.Name)))
		if err != nil || got.ID != id {
			t.Fatalf("%s: user by name %q: got %+v, %v; want ID %s", what, want.Name, got, err, id)
		}
	}
	users, err := store.Users.List(r, "login", prefix, after, limit)
	got := []string{}
	for _, u := range users {
		got = append(got, u.ID)
	}
	if want := m.listed(prefix, after, limit); err != nil || !slices.Equal(got, want) {
		t.Fatalf("%s: listing of %q after %q, limit %d: got %v, %v; want %v", what, prefix, after, limit, got, err, want)
	}
}

// TestModel runs random transactions on both engines and compares engines,
// open transactions and snapshots with a model.
func TestModel(t *testing.T) {
	t.Parallel()
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		ctx := context.Background()
		file, err := sqlite.Open(ctx, filepath.Join(dir, fmt.Sprint(n, ".db")), sqlite.Options{Readers: 2})
		if err != nil {
			t.Fatal(err)
		}
		dbs := map[string]*store.DB{}
		for name, e := range map[string]store.Engine{"memory": store.NewMemory(), "sqlite": file} {
			db, err := store.OpenDB(ctx, e, store.Options{Heartbeat: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			dbs[name] = db
		}
		m := model{}
		for range rapid.IntRange(1, 12).Draw(t, "transactions") {
			ops := rapid.SliceOfN(genOp, 1, 4).Draw(t, "ops")
			prefix := store.Join("r", rapid.SampledFrom([]string{"", "a", "ab", "e", "é"}).Draw(t, "prefix"))
			after := store.After{Value: store.Join("r", rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "value")), Key: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "key")}
			limit := rapid.IntRange(0, 3).Draw(t, "limit")
			next, commits := m.expect(ops)
			for name, db := range dbs {
				_, err := db.Update(ctx, func(tx store.Tx) error {
					m.compare(t, name+" before", tx, prefix, after, limit)
					if err := do(tx, ops); err != nil {
						return err
					}
					if commits {
						next.compare(t, name+" in the transaction", tx, prefix, after, limit)
					}
					return nil
				})
				if commits != (err == nil) || !commits && identity.KindOf(err) != identity.KindAlreadyExists {
					t.Fatalf("%s: got %v, want success %v", name, err, commits)
				}
				next.compare(t, name+" snapshot", db.Snapshot(), prefix, after, limit)
				if err := db.View(ctx, func(r store.Reader) error {
					next.compare(t, name+" view", r, prefix, after, limit)
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			m = next
		}
	})
}
