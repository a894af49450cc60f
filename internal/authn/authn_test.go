package authn

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"testing"

	"daypass/internal/identity"
)

// TestPowersStarveNoHash: whoever begins log-ins by SRP needs no proof, and holds
// nobody up who shows a password.
func TestPowersStarveNoHash(t *testing.T) {
	t.Parallel()
	a := &Authn{hashing: newHashing(1, 1, 0), powers: newHashing(1, 1, 0), random: zeroes{}}
	busy, end := make(chan struct{}), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { _ = a.powers.run(t.Context(), func() { close(busy); <-end }) })
	<-busy
	a.powers.queue <- struct{}{} // who waits
	if err := a.powers.run(t.Context(), func() {}); identity.KindOf(err) != identity.KindThrottled {
		t.Errorf("a third power: got %v", err)
	}
	if _, err := a.HashPassword(t.Context(), "p"); err != nil {
		t.Errorf("a hash meanwhile: %v", err)
	}
	close(end)
	running.Wait()
}

func TestPHC(t *testing.T) {
	t.Parallel()
	a := &Authn{hashing: newHashing(1, 1, 0), random: zeroes{}}
	phc, err := a.HashPassword(t.Context(), "p")
	if err != nil || !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%v, %s", err, phc)
	}
	for pw, want := range map[identity.Secret]bool{"p": true, "q": false, "": false} {
		if ok, err := a.verifyPHC(t.Context(), phc, pw); ok != want || err != nil {
			t.Errorf("%q: %v, %v", pw.Reveal(), ok, err)
		}
	}
	for _, bad := range []string{"", "$argon2i$v=19$m=1,t=1,p=1$AA$AA", "$argon2id$v=19$m=99999999,t=1,p=1$AA$AA", "$argon2id$v=19$m=1,t=1,p=1$!$AA", "$argon2id$v=19$m=1,t=1,p=1$AA$"} {
		if _, err := parsePHC(bad); err == nil {
			t.Errorf("%q was parsed", bad)
		}
	}
	for _, pw := range []identity.Secret{"", identity.Secret(strings.Repeat("x", MaxPassword+1))} {
		if _, err := a.HashPassword(t.Context(), pw); identity.KindOf(err) != identity.KindValidation {
			t.Errorf("a password of %d bytes: %v", len(pw), err)
		}
	}
}

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// TestHashQueue fills the one worker and the one place in the queue.
func TestHashQueue(t *testing.T) {
	t.Parallel()
	h := newHashing(1, 1, 0)
	running, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.do(context.Background(), func() { close(running); <-release }) })
	<-running
	ctx, cancel := context.WithCancel(t.Context())
	queued := make(chan error)
	go func() { queued <- h.do(ctx, func() {}) }()
	for len(h.queue) < 2 { // the second one stands in the queue
	}
	if err := h.do(t.Context(), func() {}); identity.KindOf(err) != identity.KindThrottled {
		t.Errorf("a third one: %v, want throttled", err)
	}
	cancel()
	if err := <-queued; identity.KindOf(err) != identity.KindUnavailable {
		t.Errorf("who gave up waiting: %v", err)
	}
	close(release)
	wg.Wait()
}

func TestTagShapes(t *testing.T) {
	t.Parallel()
	want := map[string]string{"Team": "blue"}
	for name, payload := range map[string]string{
		"nested":    `{"https://aws.amazon.com/tags":{"principal_tags":{"Team":["blue"]},"transitive_tag_keys":["Team"]}}`,
		"string":    `{"https://aws.amazon.com/tags":{"principal_tags":{"Team":"blue"}}}`,
		"list":      `{"https://aws.amazon.com/tags":[{"principal_tags":{"Team":["blue"]}}]}`,
		"flat":      `{"https://aws.amazon.com/tags/principal_tags":{"Team":["blue"]}}`,
		"flattened": `{"https://aws.amazon.com/tags/principal_tags/Team":"blue"}`,
	} {
		if got, _, err := parseTags([]byte(payload)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, _, err := parseTags([]byte(`{"https://aws.amazon.com/tags":{"PRINCIPAL_TAGS":{"Team":"blue"}}}`)); err != nil || len(got) != 0 {
		t.Errorf("a member of another case counts: %v, %v", got, err)
	}
	for name, payload := range map[string]string{
		"two values": `{"https://aws.amazon.com/tags":{"principal_tags":{"Team":["blue","red"]}}}`,
		"no object":  `{"https://aws.amazon.com/tags":7}`,
		"case":       `{"https://aws.amazon.com/tags":{"principal_tags":{"Team":"a","TEAM":"b"}}}`,
		"two shapes": `{"https://aws.amazon.com/tags":{"principal_tags":{"Team":"a"}},"https://aws.amazon.com/tags/principal_tags/Team":"b"}`,
		"in a list":  `{"https://aws.amazon.com/tags":[{"principal_tags":{"Team":"a"}},{"principal_tags":{"Team":"b"}}]}`,
		"empty key":  `{"https://aws.amazon.com/tags":{"principal_tags":{"":"a"}}}`,
		"long value": `{"https://aws.amazon.com/tags":{"principal_tags":{"a":"` + strings.Repeat("x", 257) + `"}}}`,
	} {
		if _, _, err := parseTags([]byte(payload)); identity.KindOf(err) != identity.KindInvalidIdentity {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "x": "?",
	} {
		if got := network(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"iss":"i","sub":"s","aud":["a"],"exp":1.5,"https://aws.amazon.com/tags":{"principal_tags":{"a":["b"]}}}`))
	f.Add([]byte(`{"https://aws.amazon.com/tags":{"principal_tags":{"":[]}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseClaims(b)
		if (c == nil) == (err == nil) {
			t.Fatal("neither claims nor an error")
		}
	})
}
