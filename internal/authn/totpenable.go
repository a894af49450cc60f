package authn

import (
	"context"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// totpSetupSteps is how many steps a device's clock may be off when it is
// enabled or brought into step again.
const totpSetupSteps = 10

// TwoTOTPCodes checks two codes that follow each other, as a device shows them
// when it is enabled, and returns the step of the second. KindAccessDenied
// ("InvalidAuthenticationCode") for others, KindThrottled for too many tries.
func (a *Authn) TwoTOTPCodes(ctx context.Context, row *store.MFASeed, first, second string) (step int64, err error) {
	try, err := a.guesses.begin(ctx, a.keys.Hash("guess", []byte("totp setup\x00"+row.Serial)), identity.RequestOf(ctx).SourceIP)
	if err != nil {
		return 0, err
	}
	defer try.end()
	seed, err := a.keys.Unseal(store.MFASeeds.Name(), "seed", row.Serial, row.Sealed)
	if err != nil {
		try.giveBack(ctx)
		return 0, err
	}
	now := a.clock.Now().Unix() / totpPeriod
	for n := now - totpSetupSteps; n < now+totpSetupSteps; n++ {
		// Both are compared each time: how long it takes tells nothing.
		one, two := isTOTP(seed, first, n), isTOTP(seed, second, n+1)
		if one && two && n > row.LastStep {
			step = n + 1
		}
	}
	if step == 0 {
		return 0, &identity.Error{
			Kind: identity.KindAccessDenied, Op: "authn.totp", Public: "Authentication code for device is not valid.",
			Detail: []identity.Detail{{Name: "QueryCode", Value: "InvalidAuthenticationCode"}},
		}
	}
	try.good(ctx)
	return step, nil
}
