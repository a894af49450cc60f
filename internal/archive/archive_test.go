package archive_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"daypass/internal/archive"
	"daypass/internal/identity"
	"daypass/internal/store"
)

var header = archive.Header{
	Kind: archive.KindSite, MadeAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), MadeBy: "v1", Installation: "here",
	Tables: []string{"meta", "users"},
}

func key(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func rows(n int) []store.Row {
	var out []store.Row
	for i := range n {
		out = append(out, store.Row{Table: "users", Key: fmt.Sprint("u", i), Value: fmt.Appendf(nil, `{"id":"u%d","name":"%s"}`, i, strings.Repeat("x", i%100))})
	}
	return out
}

// write makes an archive; its seal is "seal of" and the digest's length.
func write(t testing.TB, h archive.Header, list []store.Row, to ...*age.X25519Identity) []byte {
	t.Helper()
	var recipients []age.Recipient
	for _, id := range to {
		recipients = append(recipients, id.Recipient())
	}
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, recipients, h)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range list {
		if err := w.Row(row); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(identity.Position{Incarnation: "i", N: 7}, func(d []byte) (string, error) { return fmt.Sprint("seal of ", len(d)), nil }); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func read(file []byte, ids ...age.Identity) (archive.Facts, []store.Row, error) {
	var got []store.Row
	facts, err := archive.Read(bytes.NewReader(file), ids, func(_ archive.Header, r store.Row) error {
		got = append(got, r)
		return nil
	})
	return facts, got, err
}

func TestArchive(t *testing.T) {
	t.Parallel()
	one, two := key(t), key(t)
	for _, n := range []int{0, 1, 5000} {
		want := rows(n)
		file := write(t, header, want, one, two)
		for _, id := range []age.Identity{one, two} {
			facts, got, err := read(file, id)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%d rows (-want +got):\n%s", n, diff)
			}
			if facts.Rows != n || facts.Counts["users"] != n || facts.Position.N != 7 || facts.Seal != "seal of 32" || facts.Installation != "here" {
				t.Errorf("%d rows: facts %+v", n, facts)
			}
		}
		h, err := archive.ReadHeader(bytes.NewReader(file), []age.Identity{key(t), two})
		if err != nil || !h.MadeAt.Equal(header.MadeAt) || h.Version != archive.Version {
			t.Errorf("header: %+v, %v", h, err)
		}
	}
}

func refused(t *testing.T, what string, err error, says string) {
	t.Helper()
	e := identity.AsError(err)
	if identity.KindOf(err) != identity.KindValidation || !strings.Contains(e.Public, says) {
		t.Errorf("%s: %v (%q), want KindValidation that says %q", what, err, e.Public, says)
	}
}

// TestDamaged cuts an archive at many lengths and changes many of its bytes, near
// its end each.
func TestDamaged(t *testing.T) {
	t.Parallel()
	id := key(t)
	file := write(t, header, rows(40), id)
	for n := range len(file) {
		if n%5 != 0 && n < len(file)-20 {
			continue
		}
		_, _, err := read(file[:n], id)
		refused(t, fmt.Sprint("cut at ", n), err, "")
		bent := slices.Clone(file)
		bent[n] ^= 0x10
		_, _, err = read(bent, id)
		refused(t, fmt.Sprint("byte ", n, " changed"), err, "")
	}
	_, _, err := read(append(slices.Clone(file), 0), id)
	refused(t, "a byte more", err, "damaged")
	_, _, err = read(file, key(t))
	refused(t, "another identity", err, "other recipients")
}

// seal encrypts what a test wrote by hand.
func seal(t *testing.T, id *age.X25519Identity, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, id.Recipient())
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestHostile reads what somebody made who knows the recipient.
func TestHostile(t *testing.T) {
	t.Parallel()
	id := key(t)
	lines := plainOf(t, id, write(t, header, rows(3), id))
	first, last := lines[0], lines[len(lines)-1]
	for name, c := range map[string]struct {
		lines []string
		says  string
	}{
		"as it was":          {lines, ""},
		"nothing":            {nil, "cut short"},
		"another format":     {[]string{`{"format":"tar","version":1}`}, "no archive"},
		"a newer format":     {[]string{strings.Replace(first, `"version":1`, `"version":2`, 1)}, "newer version"},
		"a kind of its own":  {[]string{strings.Replace(first, `"site"`, `"other"`, 1)}, "kind"},
		"a table of later":   {[]string{strings.Replace(first, `"meta"`, `"later"`, 1)}, "newer version"},
		"no end":             {lines[:3], "cut short"},
		"a row less":         {slices.Delete(slices.Clone(lines), 1, 2), "damaged"},
		"a row twice":        {slices.Insert(slices.Clone(lines), 1, lines[1]), "damaged"},
		"rows in their turn": {[]string{first, lines[2], lines[1], lines[3], last}, "damaged"},
		"more after the end": {append(slices.Clone(lines), last), "damaged"},
		"an undeclared row":  {slices.Insert(slices.Clone(lines), 1, `{"row":{"t":"epochs","k":"1","v":{}}}`), "damaged"},
		"a row without key":  {slices.Insert(slices.Clone(lines), 1, `{"row":{"t":"users","k":"","v":{}}}`), "damaged"},
		"neither row nor end": {
			slices.Insert(slices.Clone(lines), 1, `{}`), "damaged",
		},
		"a line that never ends": {[]string{first, strings.Repeat("x", 33<<20)}, "too long"},
	} {
		text := ""
		for _, l := range c.lines {
			text += l + "\n"
		}
		_, _, err := read(seal(t, id, packed(t, text)), id)
		if c.says == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		refused(t, name, err, c.says)
	}
	_, _, err := read(seal(t, id, []byte("no gzip")), id)
	refused(t, "no gzip", err, "damaged")
	_, err = archive.Recipients([]string{"age1nonsense"})
	refused(t, "a recipient that is none", err, "age recipients")
	_, err = archive.Recipients(nil)
	refused(t, "no recipient", err, "age recipients")
}

func TestTablesAreDeclared(t *testing.T) {
	t.Parallel()
	w, err := archive.NewWriter(io.Discard, []age.Recipient{key(t).Recipient()}, header)
	if err != nil {
		t.Fatal(err)
	}
	if w.Row(store.Row{Table: "epochs", Key: "k", Value: []byte("{}")}) == nil {
		t.Error("a row of a table that the header does not name was taken")
	}
}

func FuzzRead(f *testing.F) {
	id := key(f)
	f.Add(write(f, header, rows(3), id))
	f.Add([]byte("age-encryption.org/v1\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, _, err := read(file, id); err != nil && identity.KindOf(err) != identity.KindValidation {
			t.Errorf("%v, want KindValidation", err)
		}
	})
}
