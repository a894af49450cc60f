package issue

import (
	"context"
	"time"

	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// ownToken verifies an access token of a realm: signature, times, and that its
// log-in session and user are alive. KindInvalidBearer for anything else.
func (i *Issuer) ownToken(ctx context.Context, realm string, raw identity.Secret) (*authn.Claims, *identity.User, error) {
	bad := func(err error) error {
		return &identity.Error{Kind: identity.KindInvalidBearer, Op: "issue.token", Err: err}
	}
	if err := i.db.Fresh(); err != nil {
		return nil, nil, err
	}
	snap := i.db.Snapshot()
	r, err := store.Realms.Get(snap, realm)
	if err != nil {
		return nil, nil, err
	}
	if len(raw) > authn.MaxJWT {
		return nil, nil, bad(nil)
	}
	payload, _, err := i.jwts.Verify(identity.RealmKeySet(realm), raw.Reveal())
	if err != nil {
		return nil, nil, bad(err)
	}
	c, err := authn.ParseClaims(payload)
	if err != nil || c.Expiry == nil || c.IssuedAt == nil {
		return nil, nil, bad(err)
	}
	if c.Issuer != r.IssuerURL(i.external) || c.Type != "Bearer" || !i.clock.Now().Before(c.Expiry.Time()) {
		return nil, nil, bad(nil)
	}
	u, err := store.Lookup(ctx, i.db, store.Users, c.UserID)
	if err != nil || permitUser(u, c.MFAMS != 0) != nil || u.Realm != realm {
		return nil, nil, bad(err)
	}
	lineage := identity.Lineage{{Kind: identity.LineagePrincipal, ID: c.UserID}, {Kind: identity.LineageLogin, ID: c.SessionID}}
	if err := i.access.LineageLive(snap, u.AccountID, lineage, identity.Position{Incarnation: c.Incarnation, N: c.Position}, time.UnixMilli(c.IssuedMS)); err != nil {
		return nil, nil, bad(err)
	}
	return c, u, nil
}

// UserInfo answers a realm's userinfo endpoint (OIDC Core §5.3).
// KindInvalidBearer unless the token is one of the realm's own, alive.
func (i *Issuer) UserInfo(ctx context.Context, realm string, bearer identity.Secret) (UserInfo, error) {
	_, u, err := i.ownToken(ctx, realm, bearer)
	if err != nil {
		return UserInfo{}, err
	}
	return UserInfo{Subject: u.Subject, Email: u.Email, EmailVerified: u.EmailVerified, PreferredUsername: u.Name}, nil
}

// Introspect says whether a token of the realm is alive (RFC 7662); whatever
// is not is merely inactive.
func (i *Issuer) Introspect(ctx context.Context, realm string, client ClientProof, tok identity.Secret) (Introspection, error) {
	c, err := i.client(ctx, realm, client)
	if err != nil {
		return Introspection{}, err
	}
	if hashes := i.authn.RefreshHashes(tok); hashes != nil {
		return i.introspectRefresh(ctx, realm, c, hashes)
	}
	claims, u, err := i.ownToken(ctx, realm, tok)
	if identity.KindOf(err) == identity.KindInvalidBearer {
		return Introspection{}, nil
	}
	if err != nil {
		return Introspection{}, err
	}
	return Introspection{
		Active: true, ClientID: claims.Azp, Username: u.Name, Subject: claims.Subject, Scope: claims.Scope, TokenType: "Bearer",
		Issuer: claims.Issuer, Audience: claims.Audience, ExpiresAt: claims.Expiry.Time(), IssuedAt: claims.IssuedAt.Time(), SessionID: claims.SessionID,
	}, nil
}

func (i *Issuer) introspectRefresh(ctx context.Context, realm string, c *identity.Client, hashes []string) (Introspection, error) {
	var out Introspection
	r, err := store.Realms.Get(i.db.Snapshot(), realm)
	if err != nil {
		return out, err
	}
	err = i.db.View(ctx, func(rd store.Reader) error {
		tok, f, err := i.findFamily(rd, hashes, familyOf{realmDialect, realm, c.ID}, i.clock.Now())
		if err != nil || !tok.UsedAt.IsZero() {
			return err
		}
		u, err := store.Users.Get(rd, f.UserID)
		if err != nil {
			return orAbsent(err)
		}
		if i.access.LineageLive(rd, u.AccountID, f.Lineage, f.Position, f.LoginAt) != nil {
			return nil
		}
		out = Introspection{
			Active: true, ClientID: f.ClientID, Scope: f.Scope, TokenType: "Refresh", Issuer: r.IssuerURL(i.external),
			ExpiresAt: tok.ExpiresAt, IssuedAt: f.LoginAt, SessionID: f.ID,
		}
		return nil
	})
	if identity.KindOf(err) == identity.KindInvalidGrant {
		return Introspection{}, nil
	}
	return out, err
}

// orAbsent passes on only errors of the store.
func orAbsent(err error) error {
	if identity.KindOf(err) == identity.KindNotFound {
		return nil
	}
	return err
}

// client checks a client of a realm for an endpoint that is no grant.
func (i *Issuer) client(ctx context.Context, realm string, cp ClientProof) (*identity.Client, error) {
	if err := i.db.Fresh(); err != nil {
		return nil, err
	}
	if _, err := store.Realms.Get(i.db.Snapshot(), realm); err != nil {
		return nil, err
	}
	return i.authn.Client(ctx, realm, cp.ID, cp.Secret, cp.HasSecret)
}

// Revoke ends a token's log-in session, and with it all that was derived from
// it (RFC 7009). A token that is not the client's own, or none, is no error.
func (i *Issuer) Revoke(ctx context.Context, realm string, client ClientProof, tok identity.Secret) error {
	c, err := i.client(ctx, realm, client)
	if err != nil {
		return err
	}
	sid, err := i.sessionOf(ctx, realm, c, tok)
	if err != nil || sid == "" {
		return err
	}
	return i.endSession(ctx, realm, c.ID, sid, "revoked by its client")
}

// Logout ends the log-in session of a refresh token. KindInvalidGrant when it
// is not a living one of the client's.
func (i *Issuer) Logout(ctx context.Context, realm string, client ClientProof, refreshToken identity.Secret) error {
	c, err := i.client(ctx, realm, client)
	if err != nil {
		return err
	}
	if i.authn.RefreshHashes(refreshToken) == nil {
		return errBadRefresh // an access token has no business here
	}
	sid, err := i.sessionOf(ctx, realm, c, refreshToken)
	if err != nil {
		return err
	}
	if sid == "" {
		return errBadRefresh
	}
	return i.endSession(ctx, realm, c.ID, sid, "logged out")
}

// sessionOf is the log-in session behind a token of the client, "" for none.
func (i *Issuer) sessionOf(ctx context.Context, realm string, c *identity.Client, tok identity.Secret) (string, error) {
	hashes := i.authn.RefreshHashes(tok)
	if hashes == nil {
		claims, _, err := i.ownToken(ctx, realm, tok)
		if identity.KindOf(err) == identity.KindInvalidBearer || (err == nil && claims.Azp != c.ID) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		return claims.SessionID, nil
	}
	sid := ""
	err := i.db.View(ctx, func(rd store.Reader) error {
		_, f, err := i.findFamily(rd, hashes, familyOf{realmDialect, realm, c.ID}, i.clock.Now())
		if err == nil {
			sid = f.ID
		}
		return err
	})
	if identity.KindOf(err) == identity.KindInvalidGrant {
		return "", nil
	}
	return sid, err
}

func (i *Issuer) endSession(ctx context.Context, realm, client, sid, reason string) error {
	ev := realmEvent("EndSession", realm, client)
	ev.RequestParameters["sessionId"], ev.RequestParameters["reason"] = sid, reason
	_, err := i.audit.Commit(ctx, i.db, ev, func(tx store.Tx) error { return i.end(tx, sid, reason) })
	return err
}
