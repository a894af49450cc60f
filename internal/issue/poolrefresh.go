package issue

import (
	"context"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// PoolRefresh exchanges a refresh token of a user pool for new tokens (Cognito
// GetTokensFromRefreshToken).
type PoolRefresh struct {
	ClientID string
	Token    identity.Secret
	Secret   identity.Secret // the client's; "" for none
}

// PoolTokensFor exchanges a refresh token. Where the client rotates, the answer
// holds its successor, and the same again for the client's grace; a token that
// was used before that ends the log-in session (KindInvalidGrant,
// "RefreshTokenReuseException"). KindInvalidGrant, with Cognito's sentences, for
// any other that is not good.
func (i *Issuer) PoolTokensFor(ctx context.Context, r PoolRefresh) (PoolTokens, error) {
	ev := poolLoginEvent("GetTokensFromRefreshToken", r.ClientID)
	out, err := i.poolTokensFor(ctx, r, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) poolTokensFor(ctx context.Context, r PoolRefresh, ev *audit.Event) (PoolTokens, error) {
	l, err := i.beginPool(r.ClientID, "")
	if err != nil {
		return PoolTokens{}, err
	}
	if err := i.authn.PoolSecret(ctx, l.app, r.Secret); err != nil {
		return PoolTokens{}, err
	}
	family, err := i.poolFamily(ctx, l, r.Token, ev)
	if err != nil {
		return PoolTokens{}, err
	}
	if !l.app.RotateRefresh {
		return i.poolAgain(ctx, l, ev)
	}
	return i.poolRotate(ctx, l, r.Token, family, ev)
}

// poolRefresh serves the flow REFRESH_TOKEN_AUTH, which leaves the refresh token
// as it is.
func (i *Issuer) poolRefresh(ctx context.Context, l *userPoolLogin, parameters map[string]string, ev *audit.Event) (PoolOutcome, error) {
	if parameters["REFRESH_TOKEN"] == "" {
		return PoolOutcome{}, lacks("REFRESH_TOKEN")
	}
	if l.app.RotateRefresh {
		return PoolOutcome{}, identity.NewError(identity.KindInvalidCredentials, "issue.pool", "Refresh token rotation is enabled for this client; use GetTokensFromRefreshToken.")
	}
	if _, err := i.poolFamily(ctx, l, identity.Secret(parameters["REFRESH_TOKEN"]), ev); err != nil {
		return PoolOutcome{}, err
	}
	// The client hashes the name that it knows the user by.
	name := l.user.Name
	if l.app.HasSecret && i.authn.SecretHash(ctx, l.app, name, parameters["SECRET_HASH"]) != nil {
		name = l.user.Subject
	}
	if err := i.authn.SecretHash(ctx, l.app, name, parameters["SECRET_HASH"]); err != nil {
		return PoolOutcome{}, err
	}
	out, err := i.poolAgain(ctx, l, ev)
	return PoolOutcome{Tokens: &out, Parameters: map[string]string{}}, err
}

func badPoolRefresh(sentence string) error {
	return identity.NewError(identity.KindInvalidGrant, "issue.pool", sentence)
}

// poolFamily finds the log-in session of a refresh token and judges it: steps 1
// and 2. The token may have been used before.
func (i *Issuer) poolFamily(ctx context.Context, l *userPoolLogin, token identity.Secret, ev *audit.Event) (*store.RefreshFamily, error) {
	hashes := i.authn.RefreshHashes(token)
	if hashes == nil {
		return nil, badPoolRefresh("Invalid Refresh Token.")
	}
	var family *store.RefreshFamily
	err := i.db.View(ctx, func(r store.Reader) (err error) {
		if _, family, err = i.findFamily(r, hashes, poolFamilyOf(l), l.at); err != nil {
			return i.whyBad(r, l, hashes, err)
		}
		l.user, err = store.Users.Get(r, family.UserID)
		if err != nil {
			return notFoundAs(err, identity.KindInvalidGrant)
		}
		if i.access.LineageLive(r, l.user.AccountID, family.Lineage, family.Position, family.LoginAt) != nil {
			return badPoolRefresh("Refresh Token has been revoked")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	describeUser(ev, l.user)
	l.sid, l.at, l.lineage, l.pos = family.ID, family.LoginAt, family.Lineage, family.Position
	l.mfa, l.mfaMS = family.MFAMS != 0, family.MFAMS
	if challenge, _, err := i.poolOwes(ctx, l); err != nil || challenge != "" {
		return nil, &identity.Error{Kind: identity.KindInvalidGrant, Op: "issue.pool", Public: "Refresh Token has been revoked", Err: err}
	}
	return family, nil
}

func poolFamilyOf(l *userPoolLogin) familyOf {
	return familyOf{poolDialect, l.realm.PoolID(), l.app.ID}
}

// whyBad tells a client whose token it was whether it was revoked or is merely
// too old.
func (i *Issuer) whyBad(r store.Reader, l *userPoolLogin, hashes []string, err error) error {
	if identity.KindOf(err) != identity.KindInvalidGrant {
		return err
	}
	for _, h := range hashes {
		tok, err := store.RefreshTokens.Get(r, h)
		if err != nil {
			continue
		}
		f, err := store.RefreshFamilies.Get(r, tok.Family)
		if err != nil || (familyOf{f.Dialect, f.Issuer, f.ClientID}) != poolFamilyOf(l) {
			continue
		}
		if f.Ended {
			return badPoolRefresh("Refresh Token has been revoked")
		}
		return badPoolRefresh("Refresh Token has expired")
	}
	return badPoolRefresh("Invalid Refresh Token.")
}

// poolAgain mints tokens for a session whose refresh token stays.
func (i *Issuer) poolAgain(ctx context.Context, l *userPoolLogin, ev *audit.Event) (PoolTokens, error) {
	out, err := i.signPool(l)
	if err != nil {
		return PoolTokens{}, err
	}
	issuedPool(ev, &out)
	return out, i.audit.Record(ctx, *ev)
}

// poolRotate mints tokens with the successor of a refresh token, which ends with
// the session that it is of.
func (i *Issuer) poolRotate(ctx context.Context, l *userPoolLogin, token identity.Secret, family *store.RefreshFamily, ev *audit.Event) (PoolTokens, error) {
	out, err := i.signPool(l)
	if err != nil {
		return PoolTokens{}, err
	}
	next, nextHash, err := i.authn.NewRefreshToken()
	if err != nil {
		return PoolTokens{}, err
	}
	issuedPool(ev, &out)
	ev.Issued("refreshToken", next)
	reused := false
	_, err = i.audit.Commit(ctx, i.db, *ev, func(tx store.Tx) error {
		now := i.clock.Now()
		reused = false
		tok, f, err := i.findFamily(tx, i.authn.RefreshHashes(token), poolFamilyOf(l), now)
		if err != nil {
			return badPoolRefresh("Refresh Token has been revoked")
		}
		text, hash, err := i.consume(tx, tok, next, nextHash, now, seconds(l.app.RetryGraceSeconds))
		if err != nil {
			reused = identity.KindOf(err) == identity.KindInvalidGrant
			return err
		}
		if u, err := store.Users.Get(tx, f.UserID); err != nil || u.Disabled ||
			i.access.LineageLive(tx, u.AccountID, f.Lineage, f.Position, f.LoginAt) != nil {
			return badPoolRefresh("Refresh Token has been revoked")
		}
		out.Refresh = text
		return i.rotate(tx, tok, f, text, hash, now, f.ExpiresAt)
	})
	if reused && err != nil {
		i.endFamily(ctx, userPoolSource, family.ID, "refresh token used twice")
		err = &identity.Error{
			Kind: identity.KindInvalidGrant, Op: "issue.pool", Public: "Refresh token reuse detected.",
			Detail: []identity.Detail{{Name: "JSONCode", Value: "RefreshTokenReuseException"}},
		}
	}
	if err != nil {
		return PoolTokens{}, err
	}
	return out, nil
}

// PoolRevoke ends the log-in session of a refresh token with everything that
// came of it (Cognito RevokeToken). A token that nobody knows, or that is
// another client's, is no error. KindValidation for a text that is no refresh
// token ("UnsupportedTokenTypeException") and where the client does not allow it
// ("UnsupportedOperationException"); KindInvalidCredentials for a wrong secret.
func (i *Issuer) PoolRevoke(ctx context.Context, r PoolRefresh) error {
	ev := poolLoginEvent("RevokeToken", r.ClientID)
	err := i.poolRevoke(ctx, r, ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return err
}

func (i *Issuer) poolRevoke(ctx context.Context, r PoolRefresh, ev audit.Event) error {
	l, err := i.beginPool(r.ClientID, "")
	if identity.KindOf(err) == identity.KindNotFound { // the operation has no code for what is not there
		e := *identity.AsError(err)
		e.Kind = identity.KindValidation
		return &e
	}
	if err != nil {
		return err
	}
	coded := func(kind identity.Kind, code, sentence string) error {
		return &identity.Error{Kind: kind, Op: "issue.pool", Public: sentence, Detail: []identity.Detail{{Name: "JSONCode", Value: code}}}
	}
	if err := i.authn.PoolSecret(ctx, l.app, r.Secret); err != nil {
		return coded(identity.KindOf(err), "UnauthorizedException", identity.AsError(err).Public)
	}
	if l.app.NoRevocation {
		return coded(identity.KindValidation, "UnsupportedOperationException", "Token revocation is not enabled for this client.")
	}
	hashes := i.authn.RefreshHashes(r.Token)
	if hashes == nil {
		return coded(identity.KindValidation, "UnsupportedTokenTypeException", "Only refresh tokens can be revoked.")
	}
	var family *store.RefreshFamily
	err = i.db.View(ctx, func(rd store.Reader) (err error) {
		_, family, err = i.findFamily(rd, hashes, poolFamilyOf(l), l.at)
		return err
	})
	if identity.KindOf(err) == identity.KindInvalidGrant {
		return nil
	}
	if err != nil {
		return err
	}
	ev.RequestParameters["sessionId"] = family.ID
	_, err = i.audit.Commit(ctx, i.db, ev, func(tx store.Tx) error { return i.end(tx, family.ID, "revoked by its client") })
	return err
}
