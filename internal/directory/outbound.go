package directory

import (
	"context"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// MaxOutboundLife is the longest life of a JWT for others (STS
// GetWebIdentityToken).
const MaxOutboundLife = time.Hour

// OutboundFederation is whether an account vouches for its principals to
// others, and as which issuer.
type OutboundFederation struct {
	Issuer  string
	Enabled bool
}

// outboundSets are the keys that an account's own issuer needs.
func outboundSets(acc *identity.Account) []keyring.SetSpec {
	return []keyring.SetSpec{
		{Set: acc.OutboundKeySet(), Algorithm: keyring.ES384, MaxTokenLife: MaxOutboundLife},
		{Set: acc.OutboundKeySet(), Algorithm: keyring.RS256, MaxTokenLife: MaxOutboundLife},
	}
}

// EnableOutboundFederation makes the account an issuer (IAM
// EnableOutboundWebIdentityFederation). KindConflict, as FeatureEnabled, when it
// is one.
func (d *Directory) EnableOutboundFederation(ctx context.Context, c *identity.Caller) (OutboundFederation, error) {
	out, err := d.switchOutbound(ctx, c, "EnableOutboundWebIdentityFederation", true)
	if err != nil {
		return out, err
	}
	return out, d.ensureSigningKeys(ctx)
}

// DisableOutboundFederation stops it (IAM
// DisableOutboundWebIdentityFederation): tokens that are out stay good until
// they expire. KindNotFound, as FeatureDisabled, when it is no issuer.
func (d *Directory) DisableOutboundFederation(ctx context.Context, c *identity.Caller) error {
	_, err := d.switchOutbound(ctx, c, "DisableOutboundWebIdentityFederation", false)
	return err
}

func (d *Directory) switchOutbound(ctx context.Context, c *identity.Caller, action string, on bool) (OutboundFederation, error) {
	var out OutboundFederation
	if err := d.permit(c, "iam:"+action, "*", c.AccountID); err != nil {
		return out, err
	}
	err := d.change(ctx, c, audit.Change(c, iamSource, action, nil), func(tx store.Tx) error {
		acc, err := store.Accounts.Get(tx, c.AccountID)
		if err != nil {
			return err
		}
		if acc.OutboundFederation == on {
			return outboundState(on)
		}
		v := *acc
		v.OutboundFederation = on
		out = OutboundFederation{Issuer: v.OutboundIssuer(d.external), Enabled: on}
		return store.Accounts.Put(tx, &v)
	})
	return out, err
}

// GetOutboundFederation tells the issuer (IAM
// GetOutboundWebIdentityFederationInfo). KindNotFound, as FeatureDisabled, when
// the account is none.
func (d *Directory) GetOutboundFederation(_ context.Context, c *identity.Caller) (OutboundFederation, error) {
	if err := d.permit(c, "iam:GetOutboundWebIdentityFederationInfo", "*", c.AccountID); err != nil {
		return OutboundFederation{}, err
	}
	acc, err := store.Accounts.Get(d.db.Snapshot(), c.AccountID)
	if err != nil {
		return OutboundFederation{}, err
	}
	if !acc.OutboundFederation {
		return OutboundFederation{}, outboundState(false)
	}
	return OutboundFederation{Issuer: acc.OutboundIssuer(d.external), Enabled: true}, nil
}

func outboundState(on bool) error {
	if on {
		return &identity.Error{
			Kind: identity.KindConflict, Op: "directory.outbound", Public: "Outbound web identity federation is already enabled for the account.",
			Detail: []identity.Detail{{Name: "QueryCode", Value: "FeatureEnabled"}},
		}
	}
	return &identity.Error{
		Kind: identity.KindNotFound, Op: "directory.outbound", Public: "Outbound web identity federation is not enabled for the account.",
		Detail: []identity.Detail{{Name: "QueryCode", Value: "FeatureDisabled"}},
	}
}
