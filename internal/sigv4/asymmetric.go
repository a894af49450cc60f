package sigv4

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
)

const (
	regionSetHeader  = "X-Amz-Region-Set"
	maxRegionSet     = 1024 // bytes
	maxDERSignature  = 72   // bytes
	minDERSignature  = 8
	maxKeyCandidates = 254
)

// AsymmetricKey verifies the SigV4A signatures of one access key. It holds the
// public half only, is immutable and safe for concurrent use. Deriving one
// costs about as much as a signature, so it is what a cache should hold per
// access key; it depends on no date, region or service.
type AsymmetricKey struct{ public *ecdsa.PublicKey }

// DeriveAsymmetric makes the key of a secret. It returns nil, with which no
// check succeeds, if none of the 254 candidates is in range; no input is known
// for which even the second is needed.
func DeriveAsymmetric(secret, accessKeyID string) *AsymmetricKey {
	private := derivePrivate(secret, accessKeyID)
	if private == nil {
		return nil
	}
	return &AsymmetricKey{&private.PublicKey}
}

// String hides the key: it identifies a secret.
func (AsymmetricKey) String() string { return "[verifying key]" }

// Format hides the key from every verb.
func (k AsymmetricKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// LogValue hides the key.
func (k AsymmetricKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

func (k *AsymmetricKey) verify(_ *scratch, text []byte, signature string) bool {
	var der [maxDERSignature]byte
	if len(signature) > 2*len(der) {
		return false
	}
	n, err := hex.Decode(der[:], []byte(signature))
	sum := sha256.Sum256(text)
	return err == nil && ecdsa.VerifyASN1(k.public, sum[:], der[:n])
}

// orderMinusTwo is the order of P-256 less two, big-endian.
var orderMinusTwo = [32]byte{
	0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x4f,
}

// derivePrivate is the key derivation of SigV4A: NIST SP 800-108 in counter
// mode makes candidates, and one more than the first that is at most the order
// less two is the private key. Nothing branches on a candidate's bytes but on
// whether it is fit.
func derivePrivate(secret, accessKeyID string) *ecdsa.PrivateKey {
	for counter := 1; counter <= maxKeyCandidates; counter++ {
		h := hmac.New(sha256.New, []byte("AWS4A"+secret))
		h.Write([]byte("\x00\x00\x00\x01" + algorithmECDSA + "\x00" + accessKeyID))
		h.Write([]byte{byte(counter), 0, 0, 1, 0})
		candidate := [32]byte(h.Sum(nil))
		if aboveBound(&candidate) {
			continue
		}
		increment(&candidate)
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), candidate[:])
		if err != nil {
			return nil
		}
		return private
	}
	return nil
}

// aboveBound compares in constant time.
func aboveBound(k *[32]byte) bool {
	above, equal := 0, 1
	for i := range k {
		more := 1 - subtle.ConstantTimeLessOrEq(int(k[i]), int(orderMinusTwo[i]))
		above |= equal & more
		equal &= subtle.ConstantTimeByteEq(k[i], orderMinusTwo[i])
	}
	return above == 1
}

// increment adds one in constant time.
func increment(k *[32]byte) {
	carry := uint16(1)
	for i := len(k) - 1; i >= 0; i-- {
		sum := uint16(k[i]) + carry
		k[i], carry = byte(sum), sum>>8
	}
}

// wellFormedSignature judges the text of a signature.
func (s *Signed) wellFormedSignature() bool {
	if !s.Asymmetric {
		return lowerHex64(s.Signature)
	}
	n := len(s.Signature)
	return n%2 == 0 && n >= 2*minDERSignature && n <= 2*maxDERSignature && lowerHex(s.Signature)
}

// checkRegionSet demands that one of the regions is ours; checkHeaders demands
// that the set is signed. A pattern's * stands for any run of characters.
func (s *Signed) checkRegionSet(rules *Rules) error {
	if s.RegionSet == "" {
		return s.malformed("The X-Amz-Region-Set of a request signed with %s is missing.", algorithmECDSA)
	}
	if len(s.RegionSet) > maxRegionSet {
		return s.malformed("The X-Amz-Region-Set is too long.")
	}
	for region := range strings.SplitSeq(s.RegionSet, ",") {
		region = strings.Trim(region, " ")
		switch {
		case !scopePart(region):
			return s.malformed("The X-Amz-Region-Set is malformed.")
		case rules.Regions == nil:
			return nil
		case strings.Contains(region, "*"):
			if rules.Region != "" && wildcardMatch(region, rules.Region) {
				return nil
			}
		case rules.Regions(region):
			return nil
		}
	}
	text := fmt.Sprintf(`the region set "%s" is wrong; expecting "%s"`, shown(s.RegionSet), rules.Region)
	return s.scopeError(FailureScopeRegion, text, "").with("Region", rules.Region)
}

// wildcardMatch matches without recursion: on a mismatch only the last * takes
// one more character.
func wildcardMatch(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
