package keyring_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

func ensure(t testing.TB, k *keyring.Keyring, specs ...keyring.SetSpec) {
	t.Helper()
	if err := k.EnsureSets(t.Context(), specs); err != nil {
		t.Fatal(err)
	}
}

func jwks(t testing.TB, k *keyring.Keyring, set string) (ids []string) {
	t.Helper()
	var doc jose.JSONWebKeySet
	if err := json.Unmarshal(k.JWKS(set), &doc); err != nil {
		t.Fatalf("JWKS %s: %v", k.JWKS(set), err)
	}
	for _, key := range doc.Keys {
		ids = append(ids, key.KeyID)
	}
	return ids
}

func TestEnsureSets(t *testing.T) {
	t.Parallel()
	k, db, _ := fresh(t)
	specs := []keyring.SetSpec{{Set: "realm/a", Algorithm: keyring.ES256}, {Set: "realm/b", Algorithm: keyring.ES256}, {Set: "ibm", Algorithm: keyring.RS256}, {Set: "ibm", Algorithm: keyring.ES256}}
	before := db.Snapshot().Position().N
	ensure(t, k, specs...)
	if got := db.Snapshot().Position().N - before; got != 1 {
		t.Errorf("%d transactions, want 1", got)
	}
	ensure(t, k, specs...)
	if got := db.Snapshot().Position().N - before; got != 1 {
		t.Errorf("a second call wrote")
	}
	a, b := jwks(t, k, "realm/a"), jwks(t, k, "realm/b")
	if len(a) != 1 || len(b) != 1 || a[0] == b[0] || len(jwks(t, k, "ibm")) != 2 {
		t.Errorf("key IDs %v and %v", a, b)
	}
	if _, _, ok := k.PublicKey("realm/a", b[0]); ok {
		t.Error("a key of one issuer is found under another")
	}
	for _, s := range specs {
		key := must[keyring.SigningKey](t)(k.Signer(s.Set, s.Algorithm))
		pub, alg, ok := k.PublicKey(s.Set, key.ID)
		if !ok || alg != s.Algorithm || key.Algorithm != s.Algorithm || !pub.(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Signer.Public()) {
			t.Errorf("%v: key %s %s", s, key.ID, alg)
		}
	}
	_, err := k.Signer("realm/c", keyring.ES256)
	wantKind(t, err, identity.KindUnavailable)
	for _, alg := range []string{"", "HS256", "none", "EdDSA"} {
		wantKind(t, k.EnsureSets(t.Context(), []keyring.SetSpec{{Set: "x", Algorithm: alg}}), identity.KindValidation)
	}
}

func TestTwoNodesEnsureAtOnce(t *testing.T) {
	t.Parallel()
	c, e := newClock(), store.NewMemory()
	nodes := []*keyring.Keyring{open(t, openDB(t, noClose{e}), c), open(t, openDB(t, noClose{e}), c)}
	var wg sync.WaitGroup
	for _, k := range nodes {
		wg.Go(func() {
			if err := k.EnsureSets(context.Background(), []keyring.SetSpec{{Set: "r", Algorithm: keyring.ES256}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	again := open(t, openDB(t, noClose{e}), c)
	if ids := jwks(t, again, "r"); len(ids) != 1 {
		t.Errorf("JWKS %v, want one key", ids)
	}
}

func TestJWKSHasCertificate(t *testing.T) {
	t.Parallel()
	k, _, _ := fresh(t)
	ensure(t, k, keyring.SetSpec{Set: "realm/ceph", Algorithm: keyring.ES256}, keyring.SetSpec{Set: "realm/ceph", Algorithm: keyring.RS256})
	var doc struct{ Keys []map[string]any }
	if err := json.Unmarshal(k.JWKS("realm/ceph"), &doc); err != nil {
		t.Fatal(err)
	}
	first := doc.Keys[0]
	if first["alg"] != "RS256" || first["use"] != "sig" || first["kty"] != "RSA" || doc.Keys[1]["alg"] != "ES256" {
		t.Fatalf("JWKS %s", k.JWKS("realm/ceph"))
	}
	der, err := base64.StdEncoding.DecodeString(first["x5c"].([]any)[0].(string))
	if err != nil {
		t.Fatal(err)
	}
	if s := sha1.Sum(der); first["x5t"] != base64.RawURLEncoding.EncodeToString(s[:]) {
		t.Errorf("x5t %v", first["x5t"])
	}
	var jwk jose.JSONWebKey
	raw, _ := json.Marshal(first)
	if err := jwk.UnmarshalJSON(raw); err != nil { // go-jose compares the certificate's key
		t.Fatal(err)
	}
	pub, _, _ := k.PublicKey("realm/ceph", jwk.KeyID)
	if !pub.(interface{ Equal(crypto.PublicKey) bool }).Equal(jwk.Certificates[0].PublicKey) {
		t.Error("certificate of another key")
	}
	if err := jwk.Certificates[0].CheckSignatureFrom(jwk.Certificates[0]); err == nil {
		t.Error("the certificate claims to be a CA")
	}
}

func TestSigningLife(t *testing.T) {
	t.Parallel()
	k, db, c := fresh(t)
	ensure(t, k, keyring.SetSpec{Set: "r", Algorithm: keyring.ES256, MaxTokenLife: 365 * 24 * time.Hour})
	tick := func() { t.Helper(); must[keyring.Report](t)(k.Tick(t.Context())) }
	signer := func() string { t.Helper(); return must[keyring.SigningKey](t)(k.Signer("r", keyring.ES256)).ID }
	first := signer()

	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateSigning, keyring.RotateOptions{Set: "r"}))
	if ids := jwks(t, k, "r"); len(ids) != 2 || ids[0] != first {
		t.Fatalf("JWKS after rotation %v, want the active key %s first", ids, first)
	}
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateSigning, keyring.RotateOptions{Set: "r"}))
	if ids := jwks(t, k, "r"); len(ids) != 2 {
		t.Fatalf("a second successor: %v", ids)
	}
	c.add(70*time.Minute - time.Second)
	if tick(); signer() != first {
		t.Fatal("signs before JWKS max-age + 10 minutes")
	}
	c.add(time.Second)
	tick()
	second := signer()
	if ids := jwks(t, k, "r"); second == first || len(ids) != 2 || ids[0] != second {
		t.Fatalf("signer %s, JWKS %v, want the new key first", second, jwks(t, k, "r"))
	}
	row := must[*store.SigningKey](t)(store.SigningKeys.Get(db.Snapshot(), "r/"+first))
	if row.Sealed != nil {
		t.Error("the private half of a retired key is still there")
	}
	c.add(365 * 24 * time.Hour)
	if tick(); !has(jwks(t, k, "r"), first) {
		t.Error("the public half left before the longest token expired")
	}
	c.add(10 * time.Minute)
	if tick(); has(jwks(t, k, "r"), first) {
		t.Error("the public half stays for ever")
	}
}

func has(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

func TestSigningRotatesByItself(t *testing.T) {
	t.Parallel()
	k, _, c := fresh(t)
	ensure(t, k, keyring.SetSpec{Set: "r", Algorithm: keyring.ES256})
	first := must[keyring.SigningKey](t)(k.Signer("r", "")).ID
	c.add(90*24*time.Hour - 70*time.Minute)
	must[keyring.Report](t)(k.Tick(t.Context()))
	if ids := jwks(t, k, "r"); len(ids) != 2 {
		t.Fatalf("JWKS %v, want a successor", ids)
	}
	c.add(70 * time.Minute)
	must[keyring.Report](t)(k.Tick(t.Context()))
	if must[keyring.SigningKey](t)(k.Signer("r", "")).ID == first {
		t.Error("the old key still signs")
	}
}

func TestSigningWaitsForAcknowledgement(t *testing.T) {
	t.Parallel()
	c := newClock()
	var ack atomic.Bool
	k, err := keyring.Open(t.Context(), openDB(t, store.NewMemory()), root, keyring.Options{
		Clock:        c,
		Acknowledged: func(context.Context, time.Time) bool { return ack.Load() },
	})
	if err != nil {
		t.Fatal(err)
	}
	ensure(t, k, keyring.SetSpec{Set: "r", Algorithm: keyring.ES256})
	first := must[keyring.SigningKey](t)(k.Signer("r", "")).ID
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateSigning, keyring.RotateOptions{}))
	c.add(2 * time.Hour)
	for _, yes := range []bool{false, true} {
		ack.Store(yes)
		must[keyring.Report](t)(k.Tick(t.Context()))
		if got := must[keyring.SigningKey](t)(k.Signer("r", "")).ID != first; got != yes {
			t.Errorf("acknowledged %v: new key signs %v", yes, got)
		}
	}
}

func TestRotateSigningNow(t *testing.T) {
	t.Parallel()
	k, _, _ := fresh(t)
	ensure(t, k, keyring.SetSpec{Set: "r", Algorithm: keyring.ES256})
	first := must[keyring.SigningKey](t)(k.Signer("r", "")).ID
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateSigning, keyring.RotateOptions{Set: "r", Now: true}))
	second := must[keyring.SigningKey](t)(k.Signer("r", "")).ID
	if ids := jwks(t, k, "r"); first == second || len(ids) != 2 {
		t.Errorf("signer %s, JWKS %v", second, ids)
	}
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateSigning, keyring.RotateOptions{Set: "r"}))
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateSigning, keyring.RotateOptions{Set: "r", Compromised: true}))
	third := must[keyring.SigningKey](t)(k.Signer("r", "")).ID
	if ids := jwks(t, k, "r"); len(ids) != 1 || ids[0] != third || third == second {
		t.Errorf("after a compromise the JWKS is %v, want only %s", ids, third)
	}
}

func TestAlgorithmChange(t *testing.T) {
	t.Parallel()
	k, _, c := fresh(t)
	ensure(t, k, keyring.SetSpec{Set: "r", Algorithm: keyring.ES256})
	ensure(t, k, keyring.SetSpec{Set: "r", Algorithm: keyring.RS256})
	if got := must[keyring.SigningKey](t)(k.Signer("r", keyring.RS256)); got.Algorithm != keyring.ES256 {
		t.Errorf("%s signs before its JWKS is known", got.Algorithm)
	}
	c.add(70 * time.Minute)
	must[keyring.Report](t)(k.Tick(t.Context()))
	must[keyring.Report](t)(k.Tick(t.Context()))
	if got := must[keyring.SigningKey](t)(k.Signer("r", keyring.ES256)); got.Algorithm != keyring.RS256 {
		t.Errorf("the algorithm that is no longer wanted signs")
	}
	if len(jwks(t, k, "r")) != 2 {
		t.Error("tokens of the old algorithm do not verify")
	}
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateSigning, keyring.RotateOptions{Set: "r", Compromised: true}))
	if ids := jwks(t, k, "r"); len(ids) != 1 {
		t.Errorf("after a compromise the JWKS is %v: the retired key of the old algorithm is still trusted", ids)
	}
}

// stalled is randomness that does not come before the channel is closed.
type stalled chan struct{}

func (s stalled) Read(b []byte) (int, error) {
	<-s
	return rand.Read(b)
}

func TestRSAQueue(t *testing.T) {
	t.Parallel()
	k, err := keyring.Open(t.Context(), openDB(t, store.NewMemory()), root, keyring.Options{RSAQueue: 1})
	if err != nil {
		t.Fatal(err)
	}
	ensure(t, k, keyring.SetSpec{Set: "r", Algorithm: keyring.RS256})
	key := must[keyring.SigningKey](t)(k.Signer("r", keyring.RS256))
	digest := sha256.Sum256(nil)
	// More than can sign and wait, none of which can end: PSS waits for its salt.
	salt := make(stalled)
	asked := runtime.GOMAXPROCS(0) + 1 + 3
	outcomes := make(chan error, asked)
	for range asked {
		go func() {
			_, err := key.Signer.Sign(salt, digest[:], &rsa.PSSOptions{Hash: crypto.SHA256})
			outcomes <- err
		}()
	}
	for range 3 {
		if err := <-outcomes; identity.KindOf(err) != identity.KindUnavailable {
			t.Errorf("beyond the queue: %v", err)
		}
	}
	close(salt)
	for range asked - 3 {
		if err := <-outcomes; err != nil {
			t.Errorf("in the queue: %v", err)
		}
	}
	if _, err := key.Signer.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
		t.Errorf("after the rush: %v", err)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	k, _, _ := fresh(t)
	ensure(t, k, keyring.SetSpec{Set: "r", Algorithm: keyring.ES256})
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateAll, keyring.RotateOptions{}))
	got := map[string][]keyring.KeyState{}
	for _, s := range k.Status() {
		got[s.Group] = append(got[s.Group], s.State)
	}
	for group, n := range map[string]int{"epochs": 2, "at-rest": 2, "hash": 2, "box": 2, "enumeration": 1, "r": 2} {
		active := 0
		for _, s := range got[group] {
			if s == keyring.Active {
				active++
			}
		}
		if len(got[group]) != n || active != 1 {
			t.Errorf("%s: %v, want %d keys, one active", group, got[group], n)
		}
	}
}
