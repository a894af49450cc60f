package kms

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
)

var filterNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestFilter(t *testing.T) {
	t.Parallel()
	key := identity.KMSKey{
		State: identity.KeyActive, CreatedAt: filterNow.Add(-time.Hour), UpdatedAt: filterNow.Add(-time.Minute), ExpiresAt: filterNow,
	}
	for text, want := range map[string]bool{
		"": true, "   ": true,
		"state=3": true, "state=1,2": false, "state=0,3,5": true, "extractable=false": true, "extractable=TRUE": false,
		`creationDate="2026-03-01T11:00:00Z"`: true, `creationDate="2026-03-01T12:00:00+01:00"`: true, `creationDate="2026-03-01T11:00:01Z"`: false,
		`creationDate=gt:"2026-03-01T11:00:00Z"`: false, `creationDate=gte:"2026-03-01T11:00:00Z"`: true,
		`creationDate=lt:"2026-03-01T11:00:00.000000001Z"`: true, `creationDate=lte:"2026-03-01T10:59:59.999999999Z"`: false,
		"lastRotateDate=none": true, "creationDate=None": false, `lastRotateDate=lt:"2030-01-01T00:00:00Z"`: false,
		` creationDate=gt:"2026-01-01T00:00:00Z" creationDate=lt:"2027-01-01T00:00:00Z" state=3`:                 true,
		`creationDate=gt:"2026-01-01T00:00:00Z" state=1`:                                                         false,
		`expirationDate="2026-03-01T12:00:00Z" deletionDate=none lastUpdateDate=gte:"2026-03-01T11:59:00.0000Z"`: true,
	} {
		conditions, err := parseFilter(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := !slices.ContainsFunc(conditions, func(c condition) bool { return !c(&key, filterNow) })
		if got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestBadFilter(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"state", "state=", "state=4", "state=1,", "state=1,,2", "state=01", "extractable=", "extractable=1", "extractable=yes", "name=x", "=", "x",
		"creationDate=", "creationDate=2026-03-01T11:00:00Z", `creationDate="2026-03-01"`, `creationDate=eq:"2026-03-01T11:00:00Z"`,
		`creationDate=gt"2026-03-01T11:00:00Z"`, `creationDate=:"2026-03-01T11:00:00Z"`, `creationDate=gt:gt:"2026-03-01T11:00:00Z"`,
		`creationDate="2026-03-01T11:00:00Z`, `creationDate=gt:none`, `creationDate="2026-03-01T11:00:00Z""`,
		strings.Repeat("state=1 ", maxAlike+1), strings.Repeat("x", maxFilter+1),
	} {
		if c, err := parseFilter(text); ReasonOf(err) != ReasonBadField {
			t.Errorf("%q: %d conditions, %v", text, len(c), err)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{`creationDate=gt:"2026-03-01T11:00:00Z" state=1,2`, "lastRotateDate=none extractable=false", `a=b "x" = :`, "state=,,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		conditions, err := parseFilter(s)
		if err != nil && ReasonOf(err) != ReasonBadField {
			t.Fatalf("%q: %v", s, err)
		}
		if len(conditions) > maxConditions {
			t.Fatalf("%q: %d conditions", s, len(conditions))
		}
		for _, c := range conditions {
			c(&identity.KMSKey{}, filterNow)
		}
	})
}

func TestOrder(t *testing.T) {
	t.Parallel()
	keys := []identity.KMSKey{
		{ID: "a", State: identity.KeyActive, CreatedAt: filterNow, Extractable: true},
		{ID: "b", State: identity.KeySuspended, CreatedAt: filterNow.Add(-time.Hour), Imported: true},
		{ID: "c", State: identity.KeyActive, CreatedAt: filterNow.Add(time.Hour), RotatedAt: filterNow},
		{ID: "d", State: identity.KeyActive, CreatedAt: filterNow.Add(time.Minute), ExpiresAt: filterNow},
	}
	for text, want := range map[string]string{
		"id": "abcd", "-id": "dcba", "creationDate": "badc", "-creationDate": "cdab", "state": "acbd", "-state,-id": "dbca",
		"extractable,-creationDate": "cdba", "-imported": "bacd", "lastRotateDate": "abdc", "-expirationDate": "dabc", "lastUpdateDate,deletionDate": "abcd",
	} {
		compare, err := parseOrder(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		sorted := slices.Clone(keys)
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(sorted), func(i, j int) { sorted[i], sorted[j] = sorted[j], sorted[i] })
		slices.SortFunc(sorted, func(a, b identity.KMSKey) int { return compare(&a, &b, filterNow) })
		got := ""
		for _, k := range sorted {
			got += k.ID
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "name", "id,", ",id", "id,id", "id,-id", "--id", "ID", "creationDate desc"} {
		if _, err := parseOrder(text); ReasonOf(err) != ReasonBadField {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzOrder(f *testing.F) {
	for _, s := range []string{"id,-creationDate", "-", ",", "state,state"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		compare, err := parseOrder(s)
		if err != nil {
			if ReasonOf(err) != ReasonBadField {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		a, b := identity.KMSKey{ID: "a"}, identity.KMSKey{ID: "b", Imported: true}
		if compare(&a, &b, filterNow) != -compare(&b, &a, filterNow) || compare(&a, &a, filterNow) != 0 {
			t.Fatalf("%q is no order", s)
		}
	})
}
