package operate_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
)

// forge makes an archive that is whole, from one that it opens: with something in
// it replaced, and the seal of the old one.
func forge(t *testing.T, id *age.X25519Identity, archive *bytes.Buffer, from, to string) *bytes.Buffer {
	t.Helper()
	plain, err := age.Decrypt(bytes.NewReader(archive.Bytes()), id)
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
	changed := string(text)
	if from != "" {
		if changed = strings.ReplaceAll(changed, from, to); changed == string(text) {
			t.Fatalf("there is no %s in the archive", from)
		}
	}
	end := strings.LastIndex(strings.TrimSuffix(changed, "\n"), "\n") + 1
	var closing struct {
		End map[string]json.RawMessage `json:"end"`
	}
	if err := json.Unmarshal([]byte(changed[end:]), &closing); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(changed[:end]))
	closing.End["sha256"], _ = json.Marshal(hex.EncodeToString(sum[:]))
	last, err := json.Marshal(closing)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	sealed, err := age.Encrypt(&out, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	packed := gzip.NewWriter(sealed)
	if _, err := io.WriteString(packed, changed[:end]+string(last)+"\n"); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := sealed.Close(); err != nil {
		t.Fatal(err)
	}
	return &out
}
