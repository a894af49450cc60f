package s3

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
)

// TestHeldBack: whatever is wrong with a body, it is never whole behind it.
func TestHeldBack(t *testing.T) {
	t.Parallel()
	shapes := map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "end with data": iotest.DataErrReader,
	}
	for shape, as := range shapes {
		for _, n := range []int{0, 1, 2, 70_000} {
			t.Run(fmt.Sprint(shape, n), func(t *testing.T) {
				t.Parallel()
				text := strings.Repeat("x", n)
				read := func(body io.Reader, want string) (string, error) {
					r, err := heldBack(content{body: as(body), length: int64(n)}, sigv4.CRC32C, base64Sum(sigv4.CRC32C, want))
					if err != nil {
						t.Fatal(err)
					}
					raw, err := io.ReadAll(r)
					return string(raw), err
				}
				if got, err := read(strings.NewReader(text), text); err != nil || got != text {
					t.Errorf("got %d bytes, %v", len(got), err)
				}
				wrong := map[string]io.Reader{
					"tampered": strings.NewReader(text), "long": strings.NewReader(text + "x"),
					"failing": io.MultiReader(strings.NewReader(text), iotest.ErrReader(errors.New("gone"))),
				}
				if n > 0 {
					wrong["short"] = strings.NewReader(text[1:])
				}
				for name, body := range wrong {
					want := text
					if name == "tampered" {
						want += "?"
					}
					got, err := read(body, want)
					if err == nil || n > 0 && len(got) >= n {
						t.Errorf("%s: %d of %d bytes, %v", name, len(got), n, err)
					}
					if name == "tampered" && identity.KindOf(err) != identity.KindBadDigest {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
	}
	for _, value := range []string{"AAAA", "!", base64.StdEncoding.EncodeToString(make([]byte, 32))} {
		if _, err := heldBack(content{body: strings.NewReader("x"), length: 1}, sigv4.CRC32C, value); identity.KindOf(err) != identity.KindInvalidRequest {
			t.Errorf("%s: %v", value, err)
		}
	}
}
