package authn

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"io"
	"math/big"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// SRPState is what the server has to know again when the client answers. It is
// secret: issue seals it.
type SRPState struct {
	Name    string `json:"n"` // as the client sent it
	A       []byte `json:"a"`
	U       []byte `json:"u"`
	Private []byte `json:"b"`
}

// SRPChallenge is the server's first answer in Cognito's SRP.
type SRPChallenge struct {
	Salt, B string // hexadecimal
	Subject string // USER_ID_FOR_SRP
	// Known says that the user is there and can log in by SRP. What the client
	// is told otherwise looks the same each time.
	Known bool
	State SRPState
}

// SRPAnswer is the client's proof that it knows the password. Timestamp is a
// text that the client signed, and no time: clients write it in ways of their
// own.
type SRPAnswer struct {
	SecretBlock []byte
	Timestamp   string
	Signature   string // base64
}

// maxTimestamp bounds what is signed.
const maxTimestamp = 256

var errWrongSRP = &identity.Error{Kind: identity.KindInvalidCredentials, Op: "authn.srp"}

// BeginSRP answers the first message of a log-in by Cognito's SRP for a user's
// name (or e-mail). KindValidation for an SRP_A that no honest client sends,
// KindThrottled when too many log-ins wait.
func (a *Authn) BeginSRP(ctx context.Context, realm *identity.Realm, name, srpA string) (*SRPChallenge, error) {
	A, ok := parseSRPA(srpA)
	if !ok {
		return nil, identity.NewError(identity.KindValidation, "authn.srp", "SRP_A is not valid.")
	}
	user, row, v, err := a.srpOf(ctx, realm, name)
	if err != nil {
		return nil, err
	}
	private := make([]byte, 32)
	if _, err := io.ReadFull(a.random, private); err != nil {
		return nil, &identity.Error{Kind: identity.KindInternal, Op: "authn.srp", Err: err}
	}
	var B *big.Int
	if err := a.powers.run(ctx, func() { B = srpPublic(v, new(big.Int).SetBytes(private)) }); err != nil {
		return nil, err
	}
	return &SRPChallenge{
		Salt: hex.EncodeToString(row.SRPSalt), B: B.Text(16), Subject: user.Subject, Known: user.ID != "",
		State: SRPState{Name: name, A: A.Bytes(), U: srpScramble(A, B).Bytes(), Private: private},
	}, nil
}

// FinishSRP checks the client's proof, under the same limits on guessing as
// Password and with the same errors, and says since when the password is the
// user's.
func (a *Authn) FinishSRP(ctx context.Context, realm *identity.Realm, s *SRPState, answer SRPAnswer) (*identity.User, time.Time, error) {
	claimed, err := base64.StdEncoding.Strict().DecodeString(answer.Signature)
	if err != nil || len(claimed) != sha256.Size || len(answer.Timestamp) > maxTimestamp {
		return nil, time.Time{}, errWrongSRP
	}
	user, row, v, err := a.srpOf(ctx, realm, s.Name)
	if err != nil {
		return nil, time.Time{}, err
	}
	try, err := a.guesses.begin(ctx, a.guessKey(user, realm.Name, s.Name), identity.RequestOf(ctx).SourceIP)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer try.end()
	u := new(big.Int).SetBytes(s.U)
	var S *big.Int
	err = a.powers.run(ctx, func() {
		S = srpShared(new(big.Int).SetBytes(s.A), v, u, new(big.Int).SetBytes(s.Private))
	})
	if err != nil {
		try.giveBack(ctx)
		return nil, time.Time{}, err
	}
	want := srpSignature(srpKey(u, S), realm.PoolName, user.Subject, answer.SecretBlock, answer.Timestamp)
	if subtle.ConstantTimeCompare(want, claimed) != 1 || user.ID == "" || user.Disabled {
		return nil, time.Time{}, errWrongSRP
	}
	try.good(ctx)
	return user, row.ChangedAt, nil
}

// guessKey is what the tries for one principal are counted by: the user, who may
// have a name and an e-mail address, or the name of nobody.
func (a *Authn) guessKey(user *identity.User, realm, name string) string {
	if user != nil && user.ID != "" {
		return a.keys.Hash("guess", []byte("user\x00"+user.ID))
	}
	return a.keys.Hash("guess", []byte("name\x00"+realm+"\x00"+store.Fold(name)))
}

// srpOf returns a user with salt and verifier; for one that is not there, or
// has none, a user without ID, whose subject and salt are the same for the same
// name for ever, and a number in the verifier's place.
func (a *Authn) srpOf(ctx context.Context, realm *identity.Realm, name string) (*identity.User, *store.Password, *big.Int, error) {
	user, row, err := a.passwordOf(ctx, realm.Name, name)
	if err != nil {
		return nil, nil, nil, err
	}
	return a.srpOrFake(realm, name, user, row)
}

func (a *Authn) srpOrFake(realm *identity.Realm, name string, user *identity.User, row *store.Password) (*identity.User, *store.Password, *big.Int, error) {
	if user == nil || row.SRP == nil {
		user, row, v := a.fakeSRP(realm.Name, name)
		return user, row, v, nil
	}
	v, err := a.keys.Unseal(store.Passwords.Name(), "srp", user.ID, row.SRP)
	return user, row, new(big.Int).SetBytes(v), err
}

func (a *Authn) fakeSRP(realm, name string) (*identity.User, *store.Password, *big.Int) {
	seed := a.keys.Enumeration("srp", []byte(realm+"\x00"+store.Fold(name)))
	b, err := hkdf.Key(sha256.New, seed, nil, "fake", 16+srpSaltBytes+srpBytes)
	if err != nil { // so few bytes can always be had
		panic("authn: " + err.Error())
	}
	salt := b[16 : 16+srpSaltBytes]
	if salt[0] == 0 {
		salt[0] = 1
	}
	v := new(big.Int).SetBytes(b[16+srpSaltBytes:])
	return &identity.User{Subject: identity.UUIDOf([16]byte(b))}, &store.Password{SRPSalt: salt}, v.Mod(v, srpN)
}

// verifyAPISecret checks the secret of an API token against its SRP verifier;
// for none (nil) it costs the same.
func (a *Authn) verifyAPISecret(ctx context.Context, realm, name string, user *identity.User, row *store.Password, secret identity.Secret) (bool, error) {
	r, err := store.Realms.Get(a.db.Snapshot(), realm)
	if err != nil {
		return false, err
	}
	who, row, v, err := a.srpOrFake(r, name, user, row)
	if err != nil {
		return false, err
	}
	ok := false
	err = a.powers.run(ctx, func() {
		got := new(big.Int).SetBytes(srpVerifier(row.SRPSalt, r.PoolName, who.Subject, secret))
		var x, y [srpBytes]byte
		ok = subtle.ConstantTimeCompare(got.FillBytes(x[:]), v.FillBytes(y[:])) == 1
	})
	return ok && who.ID != "", err
}
