package access

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// toldEvery is how often the log says that one key which is still in use has
// ended.
const toldEvery = time.Minute

const day = 24 * time.Hour

// sameKey says whether a credential opened for one record serves another.
func sameKey(have, now *identity.AccessKey) bool {
	return have == now || have.Version == now.Version && have.UserID == now.UserID &&
		have.ExpiresAt.Equal(now.ExpiresAt) && have.MadeByProvider == now.MadeByProvider
}

// judgeLongTerm refuses a long-term key whose time is over, or that sleeps
// because the web identity that made it has not logged in for long
// (KindUnknownAccessKey, as for a deactivated key), and tells the log why.
func (a *Access) judgeLongTerm(ctx context.Context, snap *store.Snapshot, c *credential, now time.Time) error {
	k := c.longTerm
	if k.ExpiresAt.IsZero() && k.MadeByProvider == "" { // nearly every key
		return nil
	}
	why, err := endOf(k, now, snap, func(id string) (*store.LoginSeen, error) {
		return store.Lookup(ctx, a.db, store.LoginsSeen, id)
	})
	if err != nil || why == "" {
		return err
	}
	if ms := now.UnixMilli(); ms-c.toldMS.Load() >= toldEvery.Milliseconds() {
		c.toldMS.Store(ms)
		a.log.LogAttrs(ctx, slog.LevelInfo, "long-term access key refused", slog.String("why", why), slog.String("access_key_id", k.ID),
			slog.String("account", k.AccountID), slog.String("user", k.UserID), slog.String("id", identity.RequestOf(ctx).ID))
	}
	return errUnknownKey
}

// longTermLive is the same inside a transaction; whether the key is active is
// judged too.
func (a *Access) longTermLive(r store.Reader, c *identity.Caller) error {
	k, err := store.AccessKeys.Get(r, c.AccessKeyID)
	if err != nil || !k.Active {
		return orKind(err, errUnknownKey)
	}
	why, err := endOf(k, a.clock.Now(), r, func(id string) (*store.LoginSeen, error) { return store.LoginsSeen.Get(r, id) })
	if err == nil && why != "" {
		err = errUnknownKey
	}
	return err
}

// endOf says why a key does not work any more, "" when it does.
func endOf(k *identity.AccessKey, now time.Time, r store.Reader, login func(id string) (*store.LoginSeen, error)) (string, error) {
	if !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) {
		return "expired", nil
	}
	if k.MadeByProvider == "" {
		return "", nil
	}
	until, err := awakeUntil(k, r, login)
	if err != nil || until.IsZero() || now.Before(until) {
		return "", err
	}
	return "asleep: no log-in by the web identity that made it", nil
}

// awakeUntil is when a key made through a foreign provider falls asleep unless
// its maker logs in again; zero: never.
func awakeUntil(k *identity.AccessKey, r store.Reader, login func(id string) (*store.LoginSeen, error)) (time.Time, error) {
	p, err := ProviderByARN(r, k.MadeByProvider)
	if identity.KindOf(err) == identity.KindNotFound {
		return time.Time{}, nil // deleting a provider that lets keys sleep switches them off
	}
	if err != nil || p.KeysSleepAfterDays <= 0 {
		return time.Time{}, err
	}
	last := k.CreatedAt
	seen, err := login(k.MadeBy.Get(identity.LineageWebIdentity))
	switch {
	case err == nil && seen.At.After(last):
		last = seen.At
	case err != nil && identity.KindOf(err) != identity.KindNotFound:
		return time.Time{}, err
	}
	return last.Add(time.Duration(p.KeysSleepAfterDays) * day), nil
}

// AwakeUntil is when a long-term key falls asleep unless the web identity that
// made it logs in again; zero: never.
func AwakeUntil(r store.Reader, k *identity.AccessKey) (time.Time, error) {
	if k.MadeByProvider == "" {
		return time.Time{}, nil
	}
	return awakeUntil(k, r, func(id string) (*store.LoginSeen, error) { return store.LoginsSeen.Get(r, id) })
}

// ProviderByARN finds the OIDC provider of a foreign issuer by its ARN.
func ProviderByARN(r store.Reader, arn string) (*identity.Provider, error) {
	a, ok := identity.ParseARN(arn)
	issuer, isProvider := strings.CutPrefix(a.Resource, "oidc-provider/")
	if !ok || !isProvider || a.Service != "iam" {
		return nil, &identity.Error{Kind: identity.KindNotFound, Op: "access.provider"}
	}
	return store.Providers.Get(r, (&identity.Provider{AccountID: a.Account, URL: issuer}).Key())
}
