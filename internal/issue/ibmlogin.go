package issue

import (
	"context"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// IBMAPIKey logs the owner of an API key in (grant type apikey).
// KindInvalidCredentials for a key that logs nobody in, KindMFARequired where
// the owner needs a second factor, which no key is, KindThrottled,
// KindAccessDenied for an account other than the owner's. Nothing is stored: see
// sealIBMRefresh.
func (i *Issuer) IBMAPIKey(ctx context.Context, key identity.Secret, account string, client IBMClient) (IBMTokens, error) {
	ev := ibmEvent("APIKeyGrant", client)
	out, err := i.ibmAPIKey(ctx, key, account, client, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) ibmAPIKey(ctx context.Context, key identity.Secret, account string, client IBMClient, ev *audit.Event) (IBMTokens, error) {
	l, err := i.beginIBM(IBMGrantAPIKey, client)
	if err != nil {
		return IBMTokens{}, err
	}
	// 1 prove
	if l.key, l.user, err = i.authn.APIKey(ctx, key); err != nil {
		return IBMTokens{}, err
	}
	describeUser(ev, l.user)
	ev.RequestParameters["apiKeyId"] = l.key.ID
	// 2 permit
	if err := i.permitIBM(l, i.db.Snapshot(), account); err != nil {
		return IBMTokens{}, err
	}
	// 3 bound, 4 mint, 5 record
	if err := i.newIBMSession(l); err != nil {
		return IBMTokens{}, err
	}
	out, err := i.mintIBM(l)
	if err != nil {
		return IBMTokens{}, err
	}
	if out.Refresh, err = i.sealIBMRefresh(l); err != nil {
		return IBMTokens{}, err
	}
	issuedIBM(ev, l, &out)
	if err := i.audit.Record(ctx, *ev); err != nil {
		return IBMTokens{}, err
	}
	i.access.APIKeyUsed(l.key.ID)
	return out, nil
}

// issuedIBM notes what a log-in yielded.
func issuedIBM(ev *audit.Event, l *ibmLogin, out *IBMTokens) {
	ev.Issued("accessToken", out.Access)
	ev.Issued("refreshToken", out.Refresh)
	ev.ResponseElements = map[string]any{"sessionId": l.sid, "iamId": l.user.IAMID()}
}

// IBMPasswordGrant is a log-in with a password; Code is that of a device (TOTP),
// where one is owed.
type IBMPasswordGrant struct {
	Username       string
	Password, Code identity.Secret
	Account        string
	Client         IBMClient
}

// IBMPassword logs a user of the site's realm in (grant type password). Errors
// as of Password, and KindAccessDenied for an account other than the user's.
func (i *Issuer) IBMPassword(ctx context.Context, g IBMPasswordGrant) (IBMTokens, error) {
	ev := ibmEvent("PasswordGrant", g.Client)
	out, err := i.ibmPassword(ctx, g, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) ibmPassword(ctx context.Context, g IBMPasswordGrant, ev *audit.Event) (IBMTokens, error) {
	l, err := i.beginIBM(IBMGrantPassword, g.Client)
	if err != nil {
		return IBMTokens{}, err
	}
	if l.realm, err = store.Realms.Get(i.db.Snapshot(), l.ibm.Realm); err != nil {
		return IBMTokens{}, err
	}
	ev.UserIdentity.UserNameHash = i.keys.Hash("audit-user", []byte(store.Fold(g.Username)))
	// 1 prove
	if l.user, l.passwordSince, err = i.authn.Password(ctx, l.realm.Name, g.Username, g.Password); err != nil {
		return IBMTokens{}, err
	}
	describeUser(ev, l.user)
	if l.code, err = i.authn.SecondFactor(ctx, l.user, l.realm, g.Code); err != nil {
		return IBMTokens{}, wrongCode(err)
	}
	if l.code != nil {
		l.mfa, l.mfaMS = true, l.at.UnixMilli()
	}
	// 2 permit
	if err := i.permitLogin(&l.login); err != nil {
		return IBMTokens{}, err
	}
	if err := i.permitIBM(l, i.db.Snapshot(), g.Account); err != nil {
		return IBMTokens{}, err
	}
	out, err := i.ibmFamily(ctx, l, ev)
	if err == nil {
		i.access.PasswordUsed(l.user.ID)
	}
	return out, err
}

// ibmFamily is steps 3 to 5 of a log-in whose refresh family is stored at once.
func (i *Issuer) ibmFamily(ctx context.Context, l *ibmLogin, ev *audit.Event) (IBMTokens, error) {
	if err := i.newIBMSession(l); err != nil {
		return IBMTokens{}, err
	}
	out, err := i.mintIBM(l)
	if err != nil {
		return IBMTokens{}, err
	}
	text, hash, err := i.authn.NewRefreshToken()
	if err != nil {
		return IBMTokens{}, err
	}
	out.Refresh = text
	issuedIBM(ev, l, &out)
	expires := l.until(l.at, l.ibm.Settings.RefreshTokenLife()).UTC()
	family := l.ibmFamilyRecord(ctx, expires)
	_, err = i.audit.Commit(ctx, i.db, *ev, func(tx store.Tx) error {
		if err := i.loginLive(tx, &l.login); err != nil {
			return err
		}
		if l.use != nil {
			if err := l.use(tx); err != nil {
				return err
			}
		}
		if err := store.RefreshFamilies.Insert(tx, family); err != nil {
			return err
		}
		return store.RefreshTokens.Insert(tx, &store.RefreshToken{Hash: hash, Family: l.sid, ExpiresAt: expires})
	})
	if err != nil {
		return IBMTokens{}, err
	}
	return out, nil
}

// ibmFamilyRecord is the record of a log-in session.
func (l *ibmLogin) ibmFamilyRecord(ctx context.Context, expires time.Time) *store.RefreshFamily {
	f := l.family(ctx, ibmDialect, ibmDialect, l.bound, expires)
	f.Scope, f.Grant, f.MFAMS, f.Methods = l.scope, l.grant, l.mfaMS, l.methods
	return f
}
