package token

import (
	"bytes"
	"testing"
	"time"

	"daypass/internal/identity"
)

func sample() *SessionClaims {
	return &SessionClaims{
		Kind: identity.RoleSession, AccountID: "123456789012", Partition: "aws", PrincipalID: "AROA", SessionName: "s",
		Tags: map[string]string{"b": "2", "a": "1"}, Policy: "{}", PolicyARNs: []string{"arn"}, MFA: true,
		MFATime: time.UnixMilli(5).UTC(), IssuedMS: 6, ExpiresAt: time.UnixMilli(7_000).UTC(),
		Position: identity.Position{Incarnation: "i", N: 300},
		Lineage:  identity.Lineage{{Kind: "p", ID: "x", IssuedMS: 1}},
	}
}

// The encoding is kept in tokens that are out there: a change of this text
// needs a new claims version.
func TestClaimsEncoding(t *testing.T) {
	t.Parallel()
	got, err := appendClaims(nil, sample())
	want := "\x01\x03\x01\x0c123456789012\x03aws\x04AROA\x01s\x00\x00\x00\x02\x01a\x011\x01b\x012\x00\x02{}\x01\x03arn\x05\x06\xd86\x01i\xac\x02\x01\x01p\x01x\x01"
	if err != nil || string(got) != want {
		t.Errorf("claims\n got %q, %v\nwant %q", got, err, want)
	}
}

func TestClaimsThatNoTokenCarries(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*SessionClaims){
		"lineage":  func(c *SessionClaims) { c.Lineage = make(identity.Lineage, identity.MaxLineage+1) },
		"kind":     func(c *SessionClaims) { c.Kind = identity.Operator },
		"time":     func(c *SessionClaims) { c.IssuedMS = -1 },
		"ancestor": func(c *SessionClaims) { c.Lineage[0].IssuedMS = -1 },
		"arns":     func(c *SessionClaims) { c.PolicyARNs = make([]string, maxPolicyARNs+1) },
	} {
		c := sample()
		change(c)
		if _, err := appendClaims(nil, c); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}

func FuzzDecodeClaims(f *testing.F) {
	good, err := appendClaims(nil, sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for i := range good {
		f.Add(good[:i])
	}
	f.Add(append(bytes.Clone(good), 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeClaims(string(b))
		if err != nil {
			return
		}
		again, err := appendClaims(nil, c)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q decodes, and encodes to %q, %v", b, again, err)
		}
	})
}
