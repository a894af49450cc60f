package issue

import (
	"context"
	"slices"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// replayWindow is how long the last refresh token, shown again, gives the same
// successor; later reuse ends the family.
const replayWindow = 10 * time.Second

var errBadRefresh = &identity.Error{Kind: identity.KindInvalidGrant, Op: "issue.refresh"}

// Refresh exchanges a refresh token for an access token and the token's
// successor. A token that is unknown, expired, of another client or realm, or
// reused gives KindInvalidGrant; reuse ends the family and all it yielded.
func (i *Issuer) Refresh(ctx context.Context, g RefreshGrant) (TokenSet, error) {
	ev := realmEvent("RefreshGrant", g.Realm, g.Client.ID)
	set, err := i.refresh(ctx, g, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return set, err
}

func (i *Issuer) refresh(ctx context.Context, g RefreshGrant, ev *audit.Event) (TokenSet, error) {
	l, err := i.begin(ctx, g.Realm, g.Client, grantRefresh, g.Scope)
	if err != nil {
		return TokenSet{}, err
	}
	hashes := i.authn.RefreshHashes(g.RefreshToken)
	if hashes == nil {
		return TokenSet{}, errBadRefresh
	}
	next, nextHash, err := i.authn.NewRefreshToken()
	if err != nil {
		return TokenSet{}, err
	}
	ev.Issued("refreshToken", next)
	var out struct {
		set    TokenSet
		reused string
	}
	_, err = i.audit.Commit(ctx, i.db, *ev, func(tx store.Tx) error {
		out.set, out.reused = TokenSet{}, ""
		now := i.clock.Now()
		tok, family, err := i.findFamily(tx, hashes, familyOf{realmDialect, l.realm.Name, l.client.ID}, now)
		if err != nil {
			return err
		}
		// 1 prove: consumed by compare-and-set, here.
		text, hash, err := i.consume(tx, tok, next, nextHash, now, replayWindow)
		if err != nil {
			if identity.KindOf(err) == identity.KindInvalidGrant {
				out.reused = family.ID
			}
			return err
		}
		// 2 permit
		if l.user, err = store.Users.Get(tx, family.UserID); err != nil {
			return notFoundAs(err, identity.KindInvalidGrant)
		}
		l.mfa, l.mfaMS = family.MFAMS != 0, family.MFAMS
		if err := i.permitLogin(l); err != nil {
			return &identity.Error{Kind: identity.KindInvalidGrant, Op: "issue.refresh", Err: err}
		}
		if err := i.access.LineageLive(tx, l.user.AccountID, family.Lineage, family.Position, family.LoginAt); err != nil {
			return &identity.Error{Kind: identity.KindInvalidGrant, Op: "issue.refresh", Err: err}
		}
		// 3 bound, 4 mint: the access token is signed after the commit.
		l.sid, l.scope, l.at, l.lineage, l.pos = family.ID, family.Scope, family.LoginAt, family.Lineage, family.Position
		out.set.RefreshToken, out.set.RefreshExpiresIn = text, max(0, int(family.ExpiresAt.Sub(now).Seconds()))
		// Each rotation lets an idle session live on for the realm's refresh time.
		return i.rotate(tx, tok, family, text, hash, now, now.Add(time.Duration(l.realm.RefreshTokenSeconds)*time.Second))
	})
	if out.reused != "" && err != nil {
		i.endFamily(ctx, realmDialect, out.reused, "refresh token used twice")
	}
	if err != nil {
		return TokenSet{}, err
	}
	set, err := i.mintAccess(l)
	if err != nil {
		return TokenSet{}, err
	}
	set.RefreshToken, set.RefreshExpiresIn = out.set.RefreshToken, out.set.RefreshExpiresIn
	described := *ev
	described.Name = "RefreshedAccessToken"
	describeUser(&described, l.user)
	described.Issued("accessToken", set.AccessToken)
	return set, i.audit.Record(ctx, described)
}

// familyOf is what a refresh token is bound to.
type familyOf struct{ dialect, issuer, client string }

// consume says what a refresh token that is shown yields: its successor, kept by
// hash, or, for the one that was used last and not longer ago than grace, the
// same again (hash ""). KindInvalidGrant for one that was used before that.
func (i *Issuer) consume(r store.Reader, tok *store.RefreshToken, next identity.Secret, nextHash string, now time.Time, grace time.Duration) (text identity.Secret, hash string, err error) {
	if tok.UsedAt.IsZero() {
		return next, nextHash, nil
	}
	if now.Sub(tok.UsedAt) > grace || grace == 0 || tok.Successor == nil {
		return "", "", errBadRefresh
	}
	text, last, err := i.openSuccessor(r, tok)
	if err == nil && !last {
		err = errBadRefresh
	}
	return text, "", err
}

// findFamily returns an unexpired token bound to what it should be, and its
// living family.
func (i *Issuer) findFamily(r store.Reader, hashes []string, of familyOf, now time.Time) (*store.RefreshToken, *store.RefreshFamily, error) {
	for _, h := range hashes {
		tok, err := store.RefreshTokens.Get(r, h)
		if identity.KindOf(err) == identity.KindNotFound {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		family, err := store.RefreshFamilies.Get(r, tok.Family)
		if err != nil {
			return nil, nil, notFoundAs(err, identity.KindInvalidGrant)
		}
		if (familyOf{family.Dialect, family.Issuer, family.ClientID}) != of || family.Ended || !now.Before(family.ExpiresAt) || !now.Before(tok.ExpiresAt) {
			return nil, nil, errBadRefresh
		}
		return tok, family, nil
	}
	return nil, nil, errBadRefresh
}

// rotate marks a token used and keeps its successor, sealed, for the replay
// window. A replay (hash "") writes nothing.
func (i *Issuer) rotate(tx store.Tx, tok *store.RefreshToken, family *store.RefreshFamily, text identity.Secret, hash string, now, expires time.Time) error {
	if hash == "" {
		return nil
	}
	sealed, err := i.keys.Seal(store.RefreshTokens.Name(), "successor", tok.Hash, []byte(text.Reveal()))
	if err != nil {
		return err
	}
	used := *tok
	used.UsedAt, used.Successor = now.UTC(), sealed
	if err := store.RefreshTokens.Put(tx, &used); err != nil {
		return err
	}
	// A family stays as long as any of its tokens: a used one must be known for used.
	f := *family
	if expires = expires.UTC(); expires.After(f.ExpiresAt) {
		f.ExpiresAt = expires
	}
	if err := store.RefreshFamilies.Put(tx, &f); err != nil {
		return err
	}
	return store.RefreshTokens.Insert(tx, &store.RefreshToken{Hash: hash, Family: f.ID, ExpiresAt: expires})
}

// openSuccessor returns the token that replaced a used one, and whether that is
// still the family's last: once it was used itself, whoever shows the one
// before it does not repeat a request, but holds a token that it should not.
func (i *Issuer) openSuccessor(r store.Reader, tok *store.RefreshToken) (text identity.Secret, last bool, err error) {
	b, err := i.keys.Unseal(store.RefreshTokens.Name(), "successor", tok.Hash, tok.Successor)
	if err != nil {
		return "", false, err
	}
	text = identity.Secret(b)
	for _, hash := range i.authn.RefreshHashes(text) {
		next, err := store.RefreshTokens.Get(r, hash)
		if identity.KindOf(err) == identity.KindNotFound {
			continue
		}
		return text, err == nil && next.UsedAt.IsZero(), err
	}
	return text, false, nil
}

// endFamily ends a log-in session and everything derived from it, also when
// the caller that showed a used token is gone by now.
func (i *Issuer) endFamily(ctx context.Context, source, sid, reason string) {
	ctx = context.WithoutCancel(ctx)
	ev := audit.Event{Source: source, Name: "EndSession", RequestParameters: map[string]any{"sessionId": sid, "reason": reason}}
	if _, err := i.audit.Commit(ctx, i.db, ev, func(tx store.Tx) error { return i.end(tx, sid, reason) }); err != nil {
		i.log.Error("a log-in session could not be ended", "session", sid, "error", err)
	}
}

func (i *Issuer) end(tx store.Tx, sid, reason string) error {
	f, err := store.RefreshFamilies.Get(tx, sid)
	if err == nil && !f.Ended {
		v := *f
		v.Ended = true
		if err := store.RefreshFamilies.Put(tx, &v); err != nil {
			return err
		}
	} else if err != nil && identity.KindOf(err) != identity.KindNotFound {
		return err
	}
	return i.access.Revoke(tx, identity.Revocation{Kind: identity.LineageLogin, ID: sid, Reason: reason})
}

// pruneBatch is how many families one transaction of Prune removes.
const pruneBatch = 200

// Prune removes refresh families, with their tokens, and used proofs whose time
// is over.
func (i *Issuer) Prune(ctx context.Context) error {
	if err := i.pruneProofs(ctx); err != nil {
		return err
	}
	for {
		gone, err := i.pruneSome(ctx)
		if err != nil || gone < pruneBatch {
			return err
		}
	}
}

func (i *Issuer) pruneSome(ctx context.Context) (gone int, err error) {
	now := i.clock.Now()
	_, err = i.db.Update(ctx, func(tx store.Tx) error {
		old, err := store.RefreshFamilies.List(tx, "expires", "", store.After{}, pruneBatch)
		if err != nil {
			return err
		}
		old = slices.DeleteFunc(old, func(f *store.RefreshFamily) bool { return now.Before(f.ExpiresAt.Add(time.Hour)) })
		gone = len(old)
		for _, f := range old {
			toks, err := store.RefreshTokens.List(tx, "family", f.ID, store.After{}, 0)
			if err != nil {
				return err
			}
			for _, t := range toks {
				if err := store.RefreshTokens.Delete(tx, t.Hash); err != nil {
					return err
				}
			}
			if err := store.RefreshFamilies.Delete(tx, f.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return gone, err
}
