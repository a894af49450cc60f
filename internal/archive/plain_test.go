package archive_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"filippo.io/age"

	"daypass/internal/archive"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// plainOf are the lines of an archive, as age and gunzip show them.
func plainOf(t testing.TB, id *age.X25519Identity, file []byte) []string {
	t.Helper()
	plain, err := age.Decrypt(bytes.NewReader(file), id)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := gzip.NewReader(plain)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func packed(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := io.WriteString(w, text)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// FuzzLines reads what somebody encrypted who knows the recipient.
func FuzzLines(f *testing.F) {
	id := key(f)
	f.Add(strings.Join(plainOf(f, id, write(f, header, rows(2), id)), "\n") + "\n")
	f.Add(`{"format":"daypass-backup","version":1,"kind":"slots","tables":["kms_slots"]}` + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		var file bytes.Buffer
		w, err := age.Encrypt(&file, id.Recipient())
		if err == nil {
			_, err = w.Write(packed(t, text))
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		facts, err := archive.Read(&file, []age.Identity{id}, func(archive.Header, store.Row) error { n++; return nil })
		if err == nil && facts.Rows != n || err != nil && identity.KindOf(err) != identity.KindValidation {
			t.Errorf("%d rows of %d, %v", n, facts.Rows, err)
		}
	})
}
