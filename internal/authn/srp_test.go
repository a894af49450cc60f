package authn

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"daypass/internal/identity"
)

type srpVector struct {
	Name, Pool, UserIDForSRP, Password, Salt, Timestamp, Signature, SecretBlock string
	// The client's and the server's secrets and numbers.
	ClientSecret string `json:"a"`
	ServerSecret string `json:"b"`
	A            string `json:"A"`
	B            string `json:"B"`
	V, U         string
	S            string `json:"S"`
	K            string `json:"K"`
}

// srpVectors reads the vectors; encoding/json folds case, and "a" is not "A".
func srpVectors(t testing.TB) []srpVector {
	t.Helper()
	b, err := os.ReadFile("testdata/srp.json")
	if err != nil {
		t.Fatal(err)
	}
	var raw []map[string]string
	if err := json.Unmarshal(b, &raw); err != nil || len(raw) == 0 {
		t.Fatalf("%d cases, %v", len(raw), err)
	}
	var out []srpVector
	for _, m := range raw {
		out = append(out, srpVector{
			m["name"], m["pool"], m["userIdForSrp"], m["password"], m["salt"], m["timestamp"], m["signature"], m["secretBlock"],
			m["a"], m["b"], m["A"], m["B"], m["v"], m["u"], m["S"], m["K"],
		})
	}
	return out
}

func number(t testing.TB, text string) *big.Int {
	t.Helper()
	n, ok := new(big.Int).SetString(text, 16)
	if !ok {
		t.Fatalf("%q is no number", text)
	}
	return n
}

func TestSRPVectors(t *testing.T) {
	t.Parallel()
	if got := srpK.Text(16); got != "538282c4354742d7cbbde2359fcf67f9f5b3a6b08791e5011b43b8a5b66d9ee6" {
		t.Errorf("k = %s", got)
	}
	for _, c := range srpVectors(t) {
		_, pool, ok := strings.Cut(c.Pool, "_")
		if !ok {
			pool = c.Pool
		}
		block, err := base64.StdEncoding.DecodeString(c.SecretBlock)
		if err != nil {
			t.Fatal(err)
		}
		A, ok := parseSRPA(c.A)
		if !ok {
			t.Fatalf("%s: A is refused", c.Name)
		}
		v := new(big.Int).SetBytes(srpVerifier(number(t, c.Salt).Bytes(), pool, c.UserIDForSRP, identity.Secret(c.Password)))
		b := number(t, c.ServerSecret)
		B := srpPublic(v, b)
		u := srpScramble(A, B)
		S := srpShared(A, v, u, b)
		key := srpKey(u, S)
		for _, got := range []struct{ what, got, want string }{
			{"v", v.Text(16), c.V},
			{"B", B.Text(16), c.B},
			{"u", u.Text(16), c.U},
			{"S", S.Text(16), c.S},
			{"K", hex.EncodeToString(key), c.K},
			{"signature", base64.StdEncoding.EncodeToString(srpSignature(key, pool, c.UserIDForSRP, block, c.Timestamp)), c.Signature},
		} {
			if got.got != got.want {
				t.Errorf("%s: %s: got %.40s, want %.40s", c.Name, got.what, got.got, got.want)
			}
		}
	}
}

// clientKey is the client's side, as Cognito's clients have it: from the
// hexadecimal texts.
func clientKey(salt, pool, subject, password string, a, A, B *big.Int) []byte {
	inner := sha256.Sum256([]byte(pool + subject + ":" + password))
	text, _ := new(big.Int).SetString(salt, 16)
	outer := sha256.Sum256(append(padHex(text), inner[:]...))
	x := new(big.Int).SetBytes(outer[:])
	u := srpScramble(A, B)
	base := new(big.Int).Exp(srpG, x, srpN)
	base.Mod(base.Sub(B, base.Mul(base, srpK)), srpN)
	exponent := new(big.Int).Add(a, new(big.Int).Mul(u, x))
	return srpKey(u, base.Exp(base, exponent, srpN))
}

// TestSRPShortNumbers finds secrets whose A, B and S begin with a zero byte or
// nibble, where padding goes wrong.
func TestSRPShortNumbers(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	secret := func() *big.Int { return new(big.Int).SetUint64(random.Uint64() | 1<<63) }
	const pool, subject, password, salt = "Abc123XYZ", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "p", "0a2e3d4c5b6a79880102030405060708"
	v := new(big.Int).SetBytes(srpVerifier(number(t, salt).Bytes(), pool, subject, password))
	short := map[string]int{"A": 3072 - 8, "B": 3072 - 8, "S": 3072 - 4}
	found := map[string]int{}
	for range 3000 {
		a, b := secret(), secret()
		A, B := new(big.Int).Exp(srpG, a, srpN), srpPublic(v, b)
		if A.BitLen() > short["A"] && B.BitLen() > short["B"] && found["S"] > 0 {
			continue // S takes longest
		}
		u := srpScramble(A, B)
		S := srpShared(A, v, u, b)
		for what, n := range map[string]*big.Int{"A": A, "B": B, "S": S} {
			if n.BitLen() > short[what] || found[what] >= 3 {
				continue
			}
			found[what]++
			if parsed, ok := parseSRPA(A.Text(16)); !ok || parsed.Cmp(A) != 0 {
				t.Errorf("short %s: A is not read back", what)
			}
			if got, want := clientKey(salt, pool, subject, password, a, A, B), srpKey(u, S); string(got) != string(want) {
				t.Errorf("short %s: the client has %x, the server %x", what, got, want)
			}
		}
		if found["A"] > 0 && found["B"] > 0 && found["S"] > 0 {
			return
		}
	}
	t.Errorf("too few short numbers were found: %v", found)
}

func TestParseSRPA(t *testing.T) {
	t.Parallel()
	n := srpN.Text(16)
	for text, want := range map[string]bool{
		"1": true, "abc": true, "ABC": true, "00" + n[:766]: true,
		"": false, "0": false, "000": false, n: false, new(big.Int).Mul(srpN, srpG).Text(16): false, "-1": false, "+1": false, "0x1": false,
		"g": false, "1 ": false, "1_0": false, strings.Repeat("0", maxSRPA): false, strings.Repeat("0", maxSRPA) + "1": false, "é": false,
	} {
		if _, ok := parseSRPA(text); ok != want {
			t.Errorf("%.20q: got %v, want %v", text, ok, want)
		}
	}
	if _, ok := parseSRPA(new(big.Int).Sub(srpN, big.NewInt(1)).Text(16)); !ok {
		t.Error("N-1 is refused")
	}
}

func FuzzParseSRPA(f *testing.F) {
	f.Add("1")
	f.Add(srpN.Text(16))
	f.Fuzz(func(t *testing.T, text string) {
		A, ok := parseSRPA(text)
		if ok && (A.Sign() <= 0 || A.Cmp(srpN) >= 0 || len(text) > maxSRPA) {
			t.Errorf("%q was read as %s", text, A)
		}
	})
}

// saltSource gives salts that begin with a zero byte first.
type saltSource struct{ n int }

func (s *saltSource) Read(b []byte) (int, error) {
	s.n++
	clear(b)
	if s.n > 2 {
		b[0] = 7
	}
	return len(b), nil
}

func TestSaltNeverBeginsWithZero(t *testing.T) {
	t.Parallel()
	salt, _, err := newSRP(&saltSource{}, "pool", "subject", "p")
	if err != nil || salt[0] != 7 {
		t.Errorf("got %x, %v", salt, err)
	}
}

func BenchmarkSRP(b *testing.B) {
	c := srpVectors(b)[0]
	v, A, private := number(b, c.V), number(b, c.A), number(b, c.ServerSecret[:64])
	b.Run("public", func(b *testing.B) {
		for b.Loop() {
			srpPublic(v, private)
		}
	})
	b.Run("shared", func(b *testing.B) {
		u := number(b, c.U)
		for b.Loop() {
			srpShared(A, v, u, private)
		}
	})
}
