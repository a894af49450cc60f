package authn

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestAPISecretsFavourNoLetter(t *testing.T) {
	t.Parallel()
	random := rand.NewChaCha8([32]byte{1})
	seen := map[rune]int{}
	const secrets = 62 * 8
	for range secrets {
		s, err := NewAPISecret(random)
		if err != nil {
			t.Fatal(err)
		}
		if len(s) != APISecretLength || strings.Trim(s.Reveal(), alphanumerics) != "" {
			t.Fatalf("secret %q", s.Reveal())
		}
		for _, c := range s.Reveal() {
			seen[c]++
		}
	}
	// A remainder of bytes would give the first eight letters five chances in 256
	// each, not four: 2480 and not 2048.
	first, each := 0, secrets*APISecretLength/len(alphanumerics)
	for i, c := range alphanumerics {
		if i < 256%len(alphanumerics) {
			first += seen[c]
		}
		if seen[c] < each/2 || seen[c] > 2*each {
			t.Errorf("%q occurs %d times, want about %d", c, seen[c], each)
		}
	}
	if want := 8 * each; first < want-200 || first > want+200 {
		t.Errorf("the first eight letters occur %d times, want about %d", first, want)
	}
	if _, err := NewAPISecret(bytes.NewReader(nil)); err == nil {
		t.Error("a secret without randomness")
	}
}
