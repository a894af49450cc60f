package directory

import (
	"context"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// permitIBMSettings asks whether the caller may read or change the account
// settings of IBM's dialect, and returns the section they are in. In another
// account nobody has rights. KindNotFound where the account has no such section.
func (d *Directory) permitIBMSettings(r store.Reader, c *identity.Caller, op, account string) (*identity.IBMSite, error) {
	account = clip(account)
	if err := d.permit(c, identity.IAMIdentity+":account."+op, identity.IAMIdentityCRN(account, "account", account), account); err != nil {
		return nil, err
	}
	s, err := there(store.IBMSites.Get(r, identity.IBMSiteName))
	if err != nil {
		return nil, err
	}
	if s == nil || s.AccountID != account {
		return nil, absent("The account %s cannot be found.", account)
	}
	return s, nil
}

// IBMAccountSettings returns the account settings (GET
// /v1/accounts/{id}/settings/identity). KindNotFound.
func (d *Directory) IBMAccountSettings(_ context.Context, c *identity.Caller, account string) (identity.IBMSettings, error) {
	s, err := d.permitIBMSettings(d.db.Snapshot(), c, "get", account)
	if err != nil {
		return identity.IBMSettings{}, err
	}
	return s.Settings, nil
}

// IBMSettingsChange is what UpdateIBMAccountSettings changes, in seconds; nil
// leaves things alone and 0 is the longest.
type IBMSettingsChange struct{ AccessTokenSeconds, RefreshTokenSeconds *int }

// UpdateIBMAccountSettings changes the account settings (PUT
// /v1/accounts/{id}/settings/identity), for tokens given from then on. ifMatch
// is their entity tag or "*"; errors as of UpdateIBMAPIKey.
func (d *Directory) UpdateIBMAccountSettings(ctx context.Context, c *identity.Caller, account, ifMatch string, in IBMSettingsChange) (identity.IBMSettings, error) {
	var out identity.IBMSettings
	ev := audit.Change(c, identity.IAMIdentity, "UpdateAccountSettings", map[string]string{"accountId": clip(account)})
	err := d.change(ctx, c, ev, func(tx store.Tx) error {
		have, err := d.permitIBMSettings(tx, c, "update", account)
		if err != nil {
			return err
		}
		site := *have
		out = site.Settings
		if err := matches(out.EntityTag(), ifMatch); err != nil {
			return err
		}
		done := identity.Changed{Action: "UPDATE", Message: "The account settings were changed."}
		setValue(&out.AccessTokenSeconds, in.AccessTokenSeconds, "system_access_token_expiration_in_seconds", &done)
		setValue(&out.RefreshTokenSeconds, in.RefreshTokenSeconds, "system_refresh_token_expiration_in_seconds", &done)
		if len(done.Params) == 0 {
			return nil
		}
		if err := out.Check(); err != nil {
			return err
		}
		if out.Tag, err = out.Tag.Next(d.random); err != nil {
			return err
		}
		done.At, done.IAMID, done.AccountID = d.clock.Now().UTC(), c.IAMID(), c.AccountID
		out.History = identity.Remember(out.History, done)
		site.Settings = out
		return store.IBMSites.Put(tx, &site)
	})
	return out, err
}
