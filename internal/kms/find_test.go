package kms

import (
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// counter counts what is read.
type counter struct {
	store.Reader
	reads int
}

func (c *counter) Row(table, key string) (store.Row, error) {
	c.reads++
	return c.Reader.Row(table, key)
}

func (c *counter) Rows(table, index, prefix string, after store.After, limit int) ([]store.Row, error) {
	c.reads++
	return c.Reader.Rows(table, index, prefix, after, limit)
}

// TestFindReadsAlike: to find that a key is absent, elsewhere, or in a ring that is
// not asked for, takes the same reads.
func TestFindReadsAlike(t *testing.T) {
	t.Parallel()
	db, err := store.OpenDB(t.Context(), store.NewMemory(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const mine, theirs = "0b8ff2f5-0001-4222-8333-444455556666", "0b8ff2f5-0002-4222-8333-444455556666"
	if _, err := db.Update(t.Context(), func(tx store.Tx) error {
		for id, instance := range map[string]string{mine: "here", theirs: "there"} {
			key := &identity.KMSKey{
				ID: id, Instance: instance, Ring: "red", State: identity.KeyActive, CreatedAt: time.Unix(1, 0),
				Aliases: []identity.KMSAlias{{Name: "alias-" + instance}},
			}
			if err := store.KMSKeys.Put(tx, key); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	p := &place{ServiceInstance: &identity.ServiceInstance{ID: "here"}}
	look := func(at At, id string) (bool, int) {
		c := &counter{Reader: db.Snapshot()}
		key, err := find(c, p, at, id)
		if err != nil {
			t.Fatal(err)
		}
		return key != nil, c.reads
	}
	_, want := look(At{}, "0b8ff2f5-0003-4222-8333-444455556666")
	for _, id := range []string{theirs, "alias-there", "alias-nowhere"} {
		if found, n := look(At{}, id); found || n != want {
			t.Errorf("%s: found %v with %d reads, want %d", id, found, n, want)
		}
	}
	for _, id := range []string{mine, "alias-here"} {
		if found, _ := look(At{}, id); !found {
			t.Errorf("%s is not found", id)
		}
		if found, _ := look(At{Ring: "red"}, id); !found {
			t.Errorf("%s is not found in its ring", id)
		}
		if found, _ := look(At{Ring: "blue"}, id); found {
			t.Errorf("%s is found in another ring", id)
		}
	}
}

// FuzzCiphertext: what parses is what was written, and nothing else parses.
func FuzzCiphertext(f *testing.F) {
	h := header{"0b8ff2f5-0001-4222-8333-444455556666", 7}
	f.Add(append(appendHeader(nil, h), make([]byte, boxOverhead)...))
	f.Add(appendHeader(nil, h))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, box, ok := parseCiphertext(b)
		if !ok {
			return
		}
		if !identity.IsUUID(h.key) || h.number == 0 {
			t.Fatalf("%+v", h)
		}
		if again := append(appendHeader(nil, h), box...); string(again) != string(b) {
			t.Errorf("%x came back as %x", b, again)
		}
	})
}

// FuzzBound: two lists of items give the same bytes only when they are the same.
func FuzzBound(f *testing.F) {
	f.Add("ab", "c", "a", "bc", true, true)
	f.Add("", "", "", "", true, false)
	f.Fuzz(func(t *testing.T, a, b, c, d string, two, both bool) {
		one, other := []string{a}, []string{c}
		if two {
			one = append(one, b)
		}
		if both {
			other = append(other, d)
		}
		same := len(one) == len(other) && one[0] == other[0] && (len(one) == 1 || one[1] == other[1])
		x, y := appendBound(nil, "i", "k", 1, one), appendBound(nil, "i", "k", 1, other)
		if (string(x) == string(y)) != same {
			t.Errorf("%q and %q", one, other)
		}
		if string(appendBound(nil, "i", "k", 1, nil)) == string(x) {
			t.Errorf("%q is like nothing", one)
		}
	})
}
