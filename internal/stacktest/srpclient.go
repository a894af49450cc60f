package stacktest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"testing"
)

// srpModulus is the prime of RFC 3526, group 15: 2^3072 - 2^3008 - 1 +
// 2^64 * ([2^2942 pi] + 1690314), here as it is written out there.
const srpModulus = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD" +
	"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED" +
	"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F" +
	"83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B" +
	"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510" +
	"15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7" +
	"ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C" +
	"BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF"

// SRPClient is the client's side of Cognito's SRP, as its libraries have it.
type SRPClient struct {
	PoolName, Password string
	a, A, n            *big.Int
}

// NewSRPClient makes a client for one log-in; poolName is the part of the
// pool's ID after "_".
func NewSRPClient(t testing.TB, poolName, password string) *SRPClient {
	t.Helper()
	n, _ := new(big.Int).SetString(srpModulus, 16)
	a, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 1024))
	if err != nil {
		t.Fatal(err)
	}
	return &SRPClient{PoolName: poolName, Password: password, a: a, A: new(big.Int).Exp(big.NewInt(2), a, n), n: n}
}

// SRPA is SRP_A.
func (c *SRPClient) SRPA() string { return c.A.Text(16) }

// Signature is PASSWORD_CLAIM_SIGNATURE for a challenge.
func (c *SRPClient) Signature(t testing.TB, salt, srpB, subject string, secretBlock []byte, timestamp string) string {
	t.Helper()
	B, ok := new(big.Int).SetString(srpB, 16)
	s, ok2 := new(big.Int).SetString(salt, 16)
	if !ok || !ok2 {
		t.Fatalf("SRP_B %q, SALT %q", srpB, salt)
	}
	inner := sha256.Sum256([]byte(c.PoolName + subject + ":" + c.Password))
	x := hashed(padded(s), inner[:])
	u := hashed(padded(c.A), padded(B))
	k := hashed([]byte{0}, c.n.Bytes(), []byte{2})
	base := new(big.Int).Exp(big.NewInt(2), x, c.n)
	base.Mod(base.Sub(B, base.Mul(base, k)), c.n)
	shared := base.Exp(base, x.Add(c.a, x.Mul(x, u)), c.n)
	key := mac(mac(padded(u), padded(shared)), []byte("Caldera Derived Key"), []byte{1})[:16]
	return base64.StdEncoding.EncodeToString(mac(key, []byte(c.PoolName+subject), secretBlock, []byte(timestamp)))
}

func hashed(parts ...[]byte) *big.Int {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return new(big.Int).SetBytes(h.Sum(nil))
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func padded(n *big.Int) []byte {
	text := n.Text(16)
	switch {
	case len(text)%2 == 1:
		text = "0" + text
	case text[0] >= '8':
		text = "00" + text
	}
	b, _ := hex.DecodeString(text)
	return b
}
