package authn

import (
	"context"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	// totpPeriod is the length of a time step in seconds, and totpSkew how many
	// steps a device's clock may be off (RFC 6238 §5.2).
	totpPeriod = 30
	totpSkew   = 1
	totpDigits = 6
	// TOTPSeedBytes is the length of a device's seed: SHA-1's, as devices take it.
	TOTPSeedBytes = 20
)

var errWrongCode = &identity.Error{
	Kind: identity.KindAccessDenied, Op: "authn.totp", Public: "MultiFactorAuthentication failed with invalid MFA one time pass code.",
}

// TOTPCode is a right code of a device of a user. It is used up only by Use. It
// has a form in JSON for a log-in that goes on with another call.
type TOTPCode struct {
	Serial string `json:"serial"`
	UserID string `json:"user"`
	Step   int64  `json:"step"`
}

// TOTP checks a code (RFC 6238, SHA-1, six digits, 30 s) of a virtual MFA device
// that is enabled for the user. An unknown device, one of another user, a wrong
// code and a used one give the same KindAccessDenied; too many wrong ones
// KindThrottled. The seed is stored as its raw bytes, sealed.
func (a *Authn) TOTP(ctx context.Context, userID, serial, code string) (*TOTPCode, error) {
	// The key is the principal alone: every device and dialect counts together.
	try, err := a.guesses.begin(ctx, a.keys.Hash("guess", []byte("totp\x00"+userID)), identity.RequestOf(ctx).SourceIP)
	if err != nil {
		return nil, err
	}
	defer try.end()
	seed, lastStep, err := a.totpSeed(ctx, userID, serial)
	if err != nil {
		try.giveBack(ctx)
		return nil, err
	}
	step, ok := matchTOTP(seed, code, a.clock.Now(), lastStep)
	if !ok {
		return nil, errWrongCode
	}
	try.good(ctx)
	return &TOTPCode{Serial: serial, UserID: userID, Step: step}, nil
}

// totpSeed returns a device's seed and the last step used; for an unknown
// device a seed that nobody has.
func (a *Authn) totpSeed(ctx context.Context, userID, serial string) ([]byte, int64, error) {
	var row *store.MFASeed
	err := a.db.View(ctx, func(r store.Reader) (err error) {
		row, err = enabledSeed(r, userID, serial)
		return err
	})
	switch identity.KindOf(err) {
	case "":
		seed, err := a.keys.Unseal(store.MFASeeds.Name(), "seed", serial, row.Sealed)
		return seed, row.LastStep, err
	case identity.KindNotFound:
		return nil, 0, nil
	default:
		return nil, 0, err
	}
}

func enabledSeed(r store.Reader, userID, serial string) (*store.MFASeed, error) {
	d, err := store.MFADevices.Get(r, serial)
	if err == nil && (userID == "" || d.UserID != userID) {
		err = &identity.Error{Kind: identity.KindNotFound, Op: "authn.totp"}
	}
	if err != nil {
		return nil, err
	}
	return store.MFASeeds.Get(r, serial)
}

// matchTOTP finds the time step after the last used one whose code this is.
func matchTOTP(seed []byte, code string, now time.Time, after int64) (step int64, ok bool) {
	for n := now.Unix()/totpPeriod - totpSkew; n <= now.Unix()/totpPeriod+totpSkew; n++ {
		if isTOTP(seed, code, n) && n > after {
			step, ok = n, true
		}
	}
	return step, ok
}

// isTOTP reports whether a code is that of a step. Nothing is the code of an
// empty seed.
func isTOTP(seed []byte, code string, step int64) bool {
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(seed)
	want, err := hotp.GenerateCodeCustom(text, uint64(step), hotp.ValidateOpts{Digits: totpDigits, Algorithm: otp.AlgorithmSHA1})
	return err == nil && len(seed) > 0 && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1
}

// Use uses the code up, as part of the transaction that yields what it was
// given for: neither it nor an earlier one works again.
func (c *TOTPCode) Use(tx store.Tx) error {
	row, err := enabledSeed(tx, c.UserID, c.Serial)
	if identity.KindOf(err) == identity.KindNotFound || err == nil && row.LastStep >= c.Step {
		return &identity.Error{Kind: errWrongCode.Kind, Op: errWrongCode.Op, Public: errWrongCode.Public, Err: errors.New("the code was used meanwhile")}
	}
	if err != nil {
		return err
	}
	used := *row
	used.LastStep = c.Step
	return store.MFASeeds.Put(tx, &used)
}
