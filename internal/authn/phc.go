package authn

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/argon2"

	"daypass/internal/identity"
)

// Parameters of new argon2id hashes: 19 MiB, two passes, one lane (the OWASP
// baseline).
const (
	argonMemory = 19 * 1024 // KiB
	argonTime   = 2
	argonLanes  = 1
	argonKey    = 32
	argonSalt   = 16
)

// MaxPassword is the most bytes of a password; longer ones are refused before
// they are hashed.
const MaxPassword = 256

// hashing bounds how many argon2 hashes, or powers of SRP, run and how many
// wait, so that log-ins never take the processors away from checks, and
// collects what hashes leave behind.
type hashing struct {
	slots  chan struct{}
	queue  chan struct{}
	memory uint32 // KiB of a new hash
	done   atomic.Int64

	mu      sync.Mutex
	garbage int64 // bytes left behind since the last collection
}

func newHashing(workers, queue int, memory uint32) *hashing {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if queue <= 0 {
		queue = 64 * workers
	}
	if memory == 0 {
		memory = argonMemory
	}
	return &hashing{slots: make(chan struct{}, workers), queue: make(chan struct{}, workers+queue), memory: memory}
}

// do runs a hash.
func (h *hashing) do(ctx context.Context, fn func()) error {
	return h.run(ctx, func() {
		fn()
		h.collect()
	})
}

// run runs what costs time alone.
func (h *hashing) run(ctx context.Context, fn func()) error {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return &identity.Error{Kind: identity.KindThrottled, Op: "authn.hash", RetryAfterSeconds: 1}
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return &identity.Error{Kind: identity.KindUnavailable, Op: "authn.hash", Err: ctx.Err()}
	}
	fn()
	h.done.Add(1)
	return nil
}

const liveMetric = "/gc/heap/live:bytes"

// collect frees the memory of finished hashes once they have left as much as
// the running ones use, or, where the rest of the heap is larger, twice that.
// A server whose live heap is small collects rarely by itself, and a burst of
// log-ins would fill several times the memory it needs. It runs before the slot
// is given back, so that hashing waits for it.
func (h *hashing) collect() {
	each := int64(h.memory) << 10
	h.mu.Lock()
	defer h.mu.Unlock()
	h.garbage += each
	running := int64(cap(h.slots)) * each
	if h.garbage < running {
		return
	}
	live := []metrics.Sample{{Name: liveMetric}}
	metrics.Read(live)
	if live[0].Value.Kind() == metrics.KindUint64 && h.garbage < 2*(int64(live[0].Value.Uint64())-running) {
		return
	}
	h.garbage = 0
	runtime.GC()
}

// Worked is how many argon2 hashes, and steps of SRP, were done since the start.
func (a *Authn) Worked() (hashes, powers int64) {
	return a.hashing.done.Load(), a.powers.done.Load()
}

// HashPassword makes the PHC string of a password: argon2id with a new salt.
// KindValidation when the password is empty or longer than MaxPassword;
// KindThrottled when too many wait to be hashed.
func (a *Authn) HashPassword(ctx context.Context, password identity.Secret) (string, error) {
	if n := len(password); n == 0 || n > MaxPassword {
		return "", identity.NewError(identity.KindValidation, "authn.password", fmt.Sprintf("A password has 1 to %d bytes.", MaxPassword))
	}
	salt := make([]byte, argonSalt)
	if _, err := io.ReadFull(a.random, salt); err != nil {
		return "", err
	}
	var phc string
	err := a.hashing.do(ctx, func() {
		key := argon2.IDKey([]byte(password.Reveal()), salt, argonTime, a.hashing.memory, argonLanes, argonKey)
		phc = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.hashing.memory, argonTime, argonLanes,
			base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
	})
	return phc, err
}

// phc is a parsed argon2id PHC string.
type phc struct {
	memory, time uint32
	lanes        uint8
	salt, key    []byte
}

func parsePHC(s string) (phc, error) {
	var p phc
	f := strings.Split(s, "$")
	if len(f) != 6 || f[0] != "" || f[1] != "argon2id" || f[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, fmt.Errorf("not an argon2id PHC string")
	}
	if _, err := fmt.Sscanf(f[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.lanes); err != nil {
		return p, err
	}
	if p.memory == 0 || p.memory > 1<<20 || p.time == 0 || p.time > 16 || p.lanes == 0 {
		return p, fmt.Errorf("argon2id parameters out of bounds")
	}
	var err error
	if p.salt, err = base64.RawStdEncoding.DecodeString(f[4]); err != nil {
		return p, err
	}
	p.key, err = base64.RawStdEncoding.DecodeString(f[5])
	if err == nil && len(p.key) == 0 {
		err = fmt.Errorf("no key")
	}
	return p, err
}

func (a *Authn) verifyPHC(ctx context.Context, stored string, password identity.Secret) (bool, error) {
	p, err := parsePHC(stored)
	if err != nil {
		return false, &identity.Error{Kind: identity.KindInternal, Op: "authn.password", Err: err}
	}
	ok := false
	err = a.hashing.do(ctx, func() {
		got := argon2.IDKey([]byte(password.Reveal()), p.salt, p.time, p.memory, p.lanes, uint32(len(p.key)))
		ok = subtle.ConstantTimeCompare(got, p.key) == 1
	})
	return ok, err
}

// fakePHC is what an unknown user's password is checked against: a salt that
// is always the same for the same name, and a key that nothing hashes to.
func (a *Authn) fakePHC(realm, name string) string {
	salt := a.keys.Enumeration("password-salt", []byte(realm+"\x00"+name))
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.hashing.memory, argonTime, argonLanes,
		base64.RawStdEncoding.EncodeToString(salt[:argonSalt]), base64.RawStdEncoding.EncodeToString(make([]byte, argonKey)))
}
