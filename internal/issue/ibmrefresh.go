package issue

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// The first refresh token of a log-in by API key: prefix and a sealed box.
const (
	sealedPrefix     = "dpi_"
	maxSealedRefresh = 4 << 10
)

// sealedUse binds the box to what it is for.
var sealedUse = []byte("first refresh token")

// sealedRefresh is what the first refresh token of a log-in by API key holds.
type sealedRefresh struct {
	SessionID string            `json:"s"`
	UserID    string            `json:"u"`
	KeyID     string            `json:"k"`
	Bound     string            `json:"c"` // ibmClientKey
	Lineage   identity.Lineage  `json:"l"`
	Position  identity.Position `json:"p"`
	LoginMS   int64             `json:"t"`
	ExpiresMS int64             `json:"e"`
}

// sealIBMRefresh makes the first refresh token of a log-in by API key, which is
// not stored: most are never used, as clients show the key again. Its first use
// stores the family under the log-in's session, so that a second use finds it.
func (i *Issuer) sealIBMRefresh(l *ibmLogin) (identity.Secret, error) {
	plain, err := json.Marshal(sealedRefresh{
		SessionID: l.sid, UserID: l.user.ID, KeyID: l.key.ID, Bound: l.bound, Lineage: l.lineage, Position: l.pos,
		LoginMS: l.at.UnixMilli(), ExpiresMS: l.until(l.at, l.ibm.Settings.RefreshTokenLife()).UnixMilli(),
	})
	if err != nil {
		return "", &identity.Error{Kind: identity.KindInternal, Op: "issue.ibmrefresh", Err: err}
	}
	sealed, err := i.keys.Box(keyring.BoxRefresh).Seal(plain, sealedUse)
	if err != nil {
		return "", err
	}
	return identity.Secret(sealedPrefix + base64.RawURLEncoding.EncodeToString(sealed)), nil
}

// openIBMRefresh opens what sealIBMRefresh made; nil for anything else.
func (i *Issuer) openIBMRefresh(token identity.Secret) (*sealedRefresh, error) {
	text, ok := strings.CutPrefix(token.Reveal(), sealedPrefix)
	if !ok || len(text) > maxSealedRefresh {
		return nil, nil
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, nil
	}
	plain, err := i.keys.Box(keyring.BoxRefresh).Open(sealed, sealedUse)
	if identity.KindOf(err) == identity.KindValidation {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := new(sealedRefresh)
	if err := json.Unmarshal(plain, out); err != nil {
		return nil, &identity.Error{Kind: identity.KindInternal, Op: "issue.ibmrefresh", Err: err}
	}
	return out, nil
}

// errIBMOver is a refresh token that was good once.
var errIBMOver = &identity.Error{Kind: identity.KindExpiredToken, Op: "issue.ibmrefresh"}

// IBMRefresh exchanges a refresh token for an access token and the token's
// successor (grant type refresh_token), as Refresh does. KindInvalidGrant for a
// token that is unknown, another client's or was used before, which ends the
// session and all it yielded; KindExpiredToken for one that is too old, or whose
// session has ended: its client must log in again.
func (i *Issuer) IBMRefresh(ctx context.Context, token identity.Secret, account string, client IBMClient) (IBMTokens, error) {
	ev := ibmEvent("RefreshGrant", client)
	out, err := i.ibmRefresh(ctx, token, account, client, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) ibmRefresh(ctx context.Context, token identity.Secret, account string, client IBMClient, ev *audit.Event) (IBMTokens, error) {
	l, err := i.beginIBM("", client)
	if err != nil {
		return IBMTokens{}, err
	}
	first, err := i.openIBMRefresh(token)
	if err != nil {
		return IBMTokens{}, err
	}
	hashes := i.authn.RefreshHashes(token)
	if first != nil {
		hashes = i.authn.SealedRefreshHashes(token)
	}
	if hashes == nil {
		return IBMTokens{}, errBadRefresh
	}
	next, nextHash, err := i.authn.NewRefreshToken()
	if err != nil {
		return IBMTokens{}, err
	}
	ev.Issued("refreshToken", next)
	var text identity.Secret
	reused := ""
	_, err = i.audit.Commit(ctx, i.db, *ev, func(tx store.Tx) error {
		reused = ""
		now := i.clock.Now()
		tok, family, err := i.ibmFamilyOf(ctx, tx, l, first, hashes, now)
		if err != nil {
			return err
		}
		// 1 prove: consumed by compare-and-set, here.
		hash := ""
		if text, hash, err = i.consume(tx, tok, next, nextHash, now, replayWindow); err != nil {
			if identity.KindOf(err) == identity.KindInvalidGrant {
				reused = family.ID
			}
			return err
		}
		// 2 permit
		if err := i.permitIBMRefresh(tx, l, family, account, now); err != nil {
			return err
		}
		// 3 bound, 4 mint: the access token is signed after the commit.
		return i.rotate(tx, tok, family, text, hash, now, l.until(now, l.ibm.Settings.RefreshTokenLife()))
	})
	if reused != "" && err != nil {
		i.endFamily(ctx, ibmDialect, reused, "refresh token used twice")
	}
	if err != nil {
		return IBMTokens{}, err
	}
	out, err := i.mintIBM(l)
	if err != nil {
		return IBMTokens{}, err
	}
	out.Refresh = text
	described := *ev
	described.Name = "RefreshedAccessToken"
	describeUser(&described, l.user)
	described.Issued("accessToken", out.Access)
	described.ResponseElements = map[string]any{"sessionId": l.sid, "iamId": l.user.IAMID()}
	if err := i.audit.Record(ctx, described); err != nil {
		return IBMTokens{}, err
	}
	return out, nil
}

// ibmFamilyOf finds a refresh token and its living family. A first token that is
// used for the first time is stored with its family, as if it had been so from
// the log-in on.
func (i *Issuer) ibmFamilyOf(ctx context.Context, tx store.Tx, l *ibmLogin, first *sealedRefresh, hashes []string, now time.Time) (*store.RefreshToken, *store.RefreshFamily, error) {
	of := familyOf{ibmDialect, ibmDialect, l.bound}
	tok, family, err := i.findFamily(tx, hashes, of, now)
	if identity.KindOf(err) != identity.KindInvalidGrant {
		return tok, family, err
	}
	if over, err := ibmOver(tx, hashes, of); over || err != nil {
		return nil, nil, orOver(err)
	}
	if first == nil || first.Bound != l.bound {
		return nil, nil, errBadRefresh
	}
	expires := time.UnixMilli(first.ExpiresMS).UTC()
	if !now.Before(expires) {
		return nil, nil, errIBMOver
	}
	user, err := store.Users.Get(tx, first.UserID)
	if err != nil {
		return nil, nil, notFoundAs(err, identity.KindExpiredToken)
	}
	v := *l
	v.user, v.sid, v.lineage, v.pos, v.at, v.grant = user, first.SessionID, first.Lineage, first.Position, time.UnixMilli(first.LoginMS), IBMGrantAPIKey
	family = v.ibmFamilyRecord(ctx, expires)
	if err := store.RefreshFamilies.Insert(tx, family); err != nil {
		if identity.KindOf(err) == identity.KindAlreadyExists {
			err = errBadRefresh
		}
		return nil, nil, err
	}
	tok = &store.RefreshToken{Hash: hashes[0], Family: family.ID, ExpiresAt: expires}
	return tok, family, store.RefreshTokens.Insert(tx, tok)
}

func orOver(err error) error {
	if err == nil {
		return errIBMOver
	}
	return err
}

// ibmOver says whether one of the hashes is that of a client's own token which is
// too old, or whose session has ended.
func ibmOver(r store.Reader, hashes []string, of familyOf) (bool, error) {
	for _, h := range hashes {
		tok, err := store.RefreshTokens.Get(r, h)
		if err != nil {
			if identity.KindOf(err) == identity.KindNotFound {
				continue
			}
			return false, err
		}
		f, err := store.RefreshFamilies.Get(r, tok.Family)
		if err != nil {
			return false, orAbsent(err)
		}
		return (familyOf{f.Dialect, f.Issuer, f.ClientID}) == of, nil
	}
	return false, nil
}

// permitIBMRefresh is step 2 of a refresh, and completes the log-in: principal,
// account and API key, and that nothing of the lineage was revoked.
func (i *Issuer) permitIBMRefresh(tx store.Tx, l *ibmLogin, family *store.RefreshFamily, account string, now time.Time) (err error) {
	over := func(err error) error {
		return &identity.Error{Kind: identity.KindExpiredToken, Op: "issue.ibmrefresh", Err: err}
	}
	if l.user, err = store.Users.Get(tx, family.UserID); err != nil {
		return notFoundAs(err, identity.KindExpiredToken)
	}
	l.sid, l.scope, l.at, l.lineage, l.pos = family.ID, family.Scope, family.LoginAt, family.Lineage, family.Position
	l.grant, l.mfa, l.mfaMS, l.methods = family.Grant, family.MFAMS != 0, family.MFAMS, family.Methods
	if err := i.permitIBM(l, tx, account); identity.KindOf(err) == identity.KindAccessDenied {
		return err
	} else if err != nil {
		return over(err)
	}
	if err := i.access.LineageLive(tx, l.user.AccountID, family.Lineage, family.Position, family.LoginAt); err != nil {
		return over(err)
	}
	id := family.Lineage.Get(identity.LineageProof)
	if id == "" {
		return nil
	}
	if l.key, err = store.APIKeys.Get(tx, id); err != nil {
		return notFoundAs(err, identity.KindExpiredToken)
	}
	if !l.key.Live(now) {
		return over(nil)
	}
	return nil
}
