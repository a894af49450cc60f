package authn

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/big"
	"strings"

	"daypass/internal/identity"
)

// srpN is the 3072-bit group of RFC 5054, appendix A, with generator 2.
var srpN, _ = new(big.Int).SetString(strings.Join([]string{
	"FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74",
	"020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437",
	"4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED",
	"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05",
	"98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB",
	"9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B",
	"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718",
	"3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33",
	"A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7",
	"ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864",
	"D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E2",
	"08E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
}, ""), 16)

// srpVerifier is v = g^x mod N with x = SHA256(salt, SHA256(pool, subject, ":",
// password)), as Cognito's SRP defines it.
func srpVerifier(salt []byte, poolName, subject string, password identity.Secret) []byte {
	inner := sha256.New()
	_, _ = io.WriteString(inner, poolName+subject+":"+password.Reveal())
	outer := sha256.New()
	outer.Write(padHex(new(big.Int).SetBytes(salt)))
	outer.Write(inner.Sum(nil))
	x := new(big.Int).SetBytes(outer.Sum(nil))
	return new(big.Int).Exp(srpG, x, srpN).Bytes()
}

// newSRP makes salt and verifier of a password.
func newSRP(random io.Reader, poolName, subject string, password identity.Secret) (salt, verifier []byte, err error) {
	salt = make([]byte, srpSaltBytes)
	for salt[0] == 0 { // clients differ in how they read a salt that begins with one
		if _, err := io.ReadFull(random, salt); err != nil {
			return nil, nil, &identity.Error{Kind: identity.KindInternal, Op: "authn.srp", Err: err}
		}
	}
	return salt, srpVerifier(salt, poolName, subject, password), nil
}

const (
	srpSaltBytes = 16
	srpBytes     = 3072 / 8
)

var (
	srpG = big.NewInt(2)
	// srpK is k = SHA256(0, N, g).
	srpK = func() *big.Int {
		sum := sha256.Sum256(append(padHex(srpN), 2))
		return new(big.Int).SetBytes(sum[:])
	}()
)

// srpPublic is the server's B = k*v + g^b mod N.
func srpPublic(v, b *big.Int) *big.Int {
	B := new(big.Int).Mul(srpK, v)
	return B.Mod(B.Add(B, new(big.Int).Exp(srpG, b, srpN)), srpN)
}

// srpScramble is u = SHA256(A, B).
func srpScramble(A, B *big.Int) *big.Int {
	sum := sha256.Sum256(append(padHex(A), padHex(B)...))
	return new(big.Int).SetBytes(sum[:])
}

// srpShared is the server's S = (A * v^u)^b mod N.
func srpShared(A, v, u, b *big.Int) *big.Int {
	S := new(big.Int).Exp(v, u, srpN)
	S.Mul(S, A)
	return S.Exp(S.Mod(S, srpN), b, srpN)
}

// srpKey is the 16 bytes that both sides derive of S.
func srpKey(u, S *big.Int) []byte {
	key, err := hkdf.Key(sha256.New, padHex(S), padHex(u), "Caldera Derived Key", 16)
	if err != nil { // 16 bytes are never too many
		panic("authn: " + err.Error())
	}
	return key
}

// srpSignature is what a client that knows the password signs.
func srpSignature(key []byte, poolName, subject string, secretBlock []byte, timestamp string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, poolName+subject)
	mac.Write(secretBlock)
	_, _ = io.WriteString(mac, timestamp)
	return mac.Sum(nil)
}

// maxSRPA is the most characters of SRP_A: 768 hold every number of the group.
const maxSRPA = 768 + 8

// parseSRPA reads SRP_A: hexadecimal, of a number of the group that is not 0.
// It is false for all else.
func parseSRPA(text string) (*big.Int, bool) {
	if text == "" || len(text) > maxSRPA || strings.Trim(text, "0123456789abcdefABCDEF") != "" {
		return nil, false
	}
	A, ok := new(big.Int).SetString(text, 16)
	return A, ok && A.Sign() > 0 && A.Cmp(srpN) < 0
}

// padHex is the byte form that Cognito clients hash a number in: an even
// number of hex digits, with a zero byte before a high first bit.
func padHex(n *big.Int) []byte {
	h := n.Text(16)
	if len(h)%2 == 1 {
		h = "0" + h
	} else if strings.IndexByte("89abcdef", h[0]) >= 0 {
		h = "00" + h
	}
	b, _ := hex.DecodeString(h)
	return b
}
