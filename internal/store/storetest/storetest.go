// Package storetest is the suite that every storage engine passes: the contract
// of store.Engine as tests. An engine's own tests call Run.
//
// It refuses to know how an engine keeps its rows.
package storetest

import (
	"testing"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Option adds to what Run checks.
type Option func(*suite)

// Reopen makes Run check durability: fn closes the engine and opens another one
// on the same storage.
func Reopen(fn func(t *testing.T, old store.Engine) store.Engine) Option {
	return func(s *suite) { s.reopen = fn }
}

// Incarnation makes Run check new incarnations, as a restore begins one.
func Incarnation() Option { return func(s *suite) { s.incarnation = true } }

type suite struct {
	open        func(t *testing.T) store.Engine
	reopen      func(t *testing.T, old store.Engine) store.Engine
	incarnation bool
}

// Run checks an engine against the contract of store.Engine. open returns a
// fresh, empty engine and sees to its Close.
func Run(t *testing.T, open func(t *testing.T) store.Engine, options ...Option) {
	s := &suite{open: open}
	for _, o := range options {
		o(s)
	}
	for _, c := range []struct {
		name string
		run  func(t *testing.T, e store.Engine)
	}{
		{"CRUD", testCRUD},
		{"RollbackOnError", testRollback},
		{"RollbackOnPanic", testPanic},
		{"ReadsOwnWrites", testOwnWrites},
		{"BlindWrites", testBlindWrites},
		{"EndedTx", testEnded},
		{"UniqueIndexes", testUnique},
		{"UniqueSwap", testUniqueSwap},
		{"Listing", testListing},
		{"ListingOddBytes", testOddBytes},
		{"Paging", testPaging},
		{"RerunsAfterRowChanged", testRerunRow},
		{"RerunsAfterListingChanged", testRerunListing},
		{"RerunsAfterLookupChanged", testRerunLookup},
		{"NoRerunForOthers", testNoRerun},
		{"CommitOrderIsFeedOrder", testCommitOrder},
		{"ConflictIsBounded", testConflict},
		{"WriteSkew", testWriteSkew},
		{"Counter", testCounter},
		{"ReadOnlyUpdate", testReadOnlyUpdate},
		{"ViewIsOneState", testViewIsOneState},
		{"Changes", testChanges},
		{"FeedHasNoGaps", testFeedOrder},
		{"Reload", testReload},
		{"Load", testLoad},
		{"Wait", testWait},
		{"Cancel", testCancel},
		{"Closed", testClosed},
		{"Crowd", testCrowd},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open(t))
		})
	}
	if s.reopen != nil {
		t.Run("Durability", func(t *testing.T) {
			t.Parallel()
			s.testDurability(t)
		})
	}
	if s.incarnation {
		t.Run("Incarnation", func(t *testing.T) {
			t.Parallel()
			testIncarnation(t, open(t))
		})
	}
}

func row(key, value string, entries ...store.IndexEntry) store.Row {
	return store.Row{Table: "things", Key: key, Value: []byte(value), Index: entries}
}

func uniq(name, value string) store.IndexEntry {
	return store.IndexEntry{Name: name, Value: value, Unique: true}
}

func multi(name, value string) store.IndexEntry { return store.IndexEntry{Name: name, Value: value} }

// update commits what fn does and fails the test when that does not work.
func update(t *testing.T, e store.Engine, fn func(store.Tx) error) identity.Position {
	t.Helper()
	pos, err := e.Update(t.Context(), fn)
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
	return pos
}

func put(t *testing.T, e store.Engine, rows ...store.Row) identity.Position {
	t.Helper()
	return update(t, e, func(tx store.Tx) error { return putAll(tx, rows...) })
}

func putAll(tx store.Tx, rows ...store.Row) error {
	for _, r := range rows {
		if err := tx.Put(r); err != nil {
			return err
		}
	}
	return nil
}

func view(t *testing.T, e store.Engine, fn func(store.Reader) error) identity.Position {
	t.Helper()
	pos, err := e.View(t.Context(), fn)
	if err != nil {
		t.Fatalf("View: %v", err)
	}
	return pos
}

// value is the value of a row, "-" when it is absent.
func value(t *testing.T, r store.Reader, key string) string {
	t.Helper()
	got, err := r.Row("things", key)
	switch identity.KindOf(err) {
	case "":
		return string(got.Value)
	case identity.KindNotFound:
		return "-"
	default:
		t.Errorf("Row(%q): %v", key, err)
		return "!"
	}
}

func stored(t *testing.T, e store.Engine, key string) string {
	t.Helper()
	got := ""
	view(t, e, func(r store.Reader) error {
		got = value(t, r, key)
		return nil
	})
	return got
}

func keys(rows []store.Row) []string {
	out := []string{}
	for _, r := range rows {
		out = append(out, r.Key)
	}
	return out
}

func wantKind(t *testing.T, what string, err error, want identity.Kind) {
	t.Helper()
	if got := identity.KindOf(err); got != want {
		t.Errorf("%s: got %v, want kind %q", what, err, want)
	}
}
