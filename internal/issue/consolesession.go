package issue

import (
	"context"
	"slices"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/token"
)

// atConsole refuses everybody but a person who logged in at the console.
func atConsole(c *identity.Caller) error {
	if c.Console && c.Lineage.Get(identity.LineageLogin) != "" {
		return nil
	}
	return identity.NewError(identity.KindAccessDenied, "issue.console", "Log in at the console for this.")
}

// cookieOf are the claims of the session of a person.
func cookieOf(c *identity.Caller) *token.CookieClaims {
	claims := &token.CookieClaims{
		AccountID: c.AccountID, UserID: c.PrincipalID, Lineage: c.Lineage, Position: c.Position,
		ProvedMS: c.IssuedAt.UnixMilli(), ExpiresMS: c.ExpiresAt.UnixMilli(), Methods: c.Methods,
	}
	if c.MFA {
		claims.MFAMS = c.MFATime.UnixMilli()
	}
	return claims
}

// ConsoleSeen keeps a session of the console from falling idle: the same one,
// with a cookie of now.
func (i *Issuer) ConsoleSeen(_ context.Context, c *identity.Caller) (ConsoleSession, error) {
	if err := atConsole(c); err != nil {
		return ConsoleSession{}, err
	}
	return i.sealCookie(cookieOf(c))
}

// ConsoleProve takes another proof of the person whose session it is, so that
// the session may hand out credentials again. Errors as of ConsoleLogin.
func (i *Issuer) ConsoleProve(ctx context.Context, c *identity.Caller, password, code identity.Secret) (ConsoleSession, error) {
	ev := audit.Change(c, consoleDialect, "ConsoleProve", nil)
	out, err := i.consoleProve(ctx, c, password, code, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) consoleProve(ctx context.Context, c *identity.Caller, password, code identity.Secret, ev *audit.Event) (ConsoleSession, error) {
	if err := atConsole(c); err != nil {
		return ConsoleSession{}, err
	}
	u, err := store.Lookup(ctx, i.db, store.Users, c.PrincipalID)
	if err != nil {
		return ConsoleSession{}, err
	}
	name := u.Name
	if u.Root {
		name = u.Email
	}
	p, err := i.provePerson(ctx, u.Realm, name, password, code, ev)
	if err != nil {
		return ConsoleSession{}, err
	}
	if err := i.permitPerson(p); err != nil {
		return ConsoleSession{}, err
	}
	return i.provedAgain(ctx, c, p, ev)
}

// provedAgain renews the times of a session for a person who showed another
// proof. It stays where it is in the feed: what was revoked stays so.
func (i *Issuer) provedAgain(ctx context.Context, c *identity.Caller, p *person, ev *audit.Event) (ConsoleSession, error) {
	if p.user.ID != c.PrincipalID {
		return ConsoleSession{}, &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.console"}
	}
	claims := cookieOf(c)
	claims.ProvedMS = p.at.UnixMilli()
	for _, m := range p.methods() {
		if !slices.Contains(claims.Methods, m) {
			claims.Methods = append(slices.Clip(claims.Methods), m)
		}
	}
	if p.mfa {
		claims.MFAMS = claims.ProvedMS
	}
	p.lineage, p.pos = c.Lineage, c.Position
	out, err := i.sealCookie(claims)
	if err != nil {
		return ConsoleSession{}, err
	}
	ev.Issued("consoleSession", out.Cookie)
	_, err = i.audit.Commit(ctx, i.db, *ev, func(tx store.Tx) error { return i.personLive(tx, p) })
	if err != nil {
		return ConsoleSession{}, err
	}
	return out, nil
}

// ConsoleLogout ends a session of the console and all that was obtained by it,
// keys included.
func (i *Issuer) ConsoleLogout(ctx context.Context, c *identity.Caller) error {
	if err := atConsole(c); err != nil {
		return err
	}
	ev := audit.Change(c, consoleDialect, "ConsoleLogout", nil)
	_, err := i.audit.Commit(ctx, i.db, ev, func(tx store.Tx) error {
		return i.end(tx, c.Lineage.Get(identity.LineageLogin), "logged out")
	})
	return err
}

// ConsoleOnly ends everything of a person but the session of the console that
// asks: other log-ins, and the keys of all of them, its own too. Long-term keys
// stay.
func (i *Issuer) ConsoleOnly(ctx context.Context, c *identity.Caller) (ConsoleSession, error) {
	if err := atConsole(c); err != nil {
		return ConsoleSession{}, err
	}
	ev := audit.Change(c, consoleDialect, "EndOtherSessions", nil)
	sid := c.Lineage.Get(identity.LineageLogin)
	pos, err := i.audit.Commit(ctx, i.db, ev, func(tx store.Tx) error {
		if err := i.access.StillLive(tx, c); err != nil {
			return err
		}
		families, err := store.RefreshFamilies.List(tx, "user", c.PrincipalID, store.After{}, 0)
		if err != nil {
			return err
		}
		for _, f := range families {
			if f.UserID != c.PrincipalID || f.ID == sid || f.Ended {
				continue
			}
			v := *f
			v.Ended = true
			if err := store.RefreshFamilies.Put(tx, &v); err != nil {
				return err
			}
		}
		return i.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: c.PrincipalID, Reason: "all other sessions ended"})
	})
	if err != nil {
		return ConsoleSession{}, err
	}
	// The session begins anew where the others ended.
	if _, err := i.db.Update(ctx, func(tx store.Tx) error {
		f, err := store.RefreshFamilies.Get(tx, sid)
		if err != nil {
			return notFoundAs(err, identity.KindExpiredToken)
		}
		v := *f
		v.Position = pos
		return store.RefreshFamilies.Put(tx, &v)
	}); err != nil {
		return ConsoleSession{}, err
	}
	claims := cookieOf(c)
	claims.Position = pos
	return i.sealCookie(claims)
}
