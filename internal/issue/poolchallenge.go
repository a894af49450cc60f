package issue

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// poolChallenges serve the answers to challenges.
var poolChallenges = map[string]func(*Issuer, context.Context, *userPoolLogin, *PoolAnswer, *audit.Event) (PoolOutcome, error){
	challengeSRP:         (*Issuer).poolVerifier,
	challengeTOTP:        (*Issuer).poolCode,
	challengeSetUp:       (*Issuer).poolSetUp,
	challengeNewPassword: (*Issuer).poolNewPassword,
}

// temporaryDays is how long a temporary password lets its user in where the pool
// says nothing.
const temporaryDays = 7

// poolOwes is step 2: what a user whose password was proved still owes, "" for
// nothing. The factor comes before the new password: who has the old password
// alone changes nothing.
func (i *Issuer) poolOwes(ctx context.Context, l *userPoolLogin) (challenge string, parameters map[string]string, err error) {
	if l.user.Disabled {
		return "", nil, &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.permit"}
	}
	aged, err := i.permitPlace(&l.login)
	if err != nil {
		return "", nil, err
	}
	owed, devices, err := i.authn.OwesCode(ctx, l.user, l.realm)
	if err != nil {
		return "", nil, err
	}
	parameters = map[string]string{"USER_ID_FOR_SRP": l.user.Subject}
	switch {
	case owed && !l.mfa && l.user.Token != nil:
		return "", nil, &identity.Error{Kind: identity.KindMFARequired, Op: "issue.permit"}
	case owed && !l.mfa && len(devices) > 0:
		if name := devices[0].Tags["FriendlyDeviceName"]; name != "" {
			parameters["FRIENDLY_DEVICE_NAME"] = name
		}
		return challengeTOTP, parameters, nil
	case owed && !l.mfa:
		// A passkey is a second factor, which only the console takes.
		has := false
		err := i.db.View(ctx, func(r store.Reader) (err error) { has, err = authn.HasFactor(r, l.user.ID); return err })
		if err != nil || has {
			return "", nil, absentAs(err, &identity.Error{Kind: identity.KindMFARequired, Op: "issue.permit"})
		}
		parameters["MFAS_CAN_SETUP"] = `["` + challengeTOTP + `"]`
		return challengeSetUp, parameters, nil
	case !aged && !l.user.MustChangePassword:
		return "", nil, nil
	}
	if err := i.mayRenew(l, aged); err != nil {
		return "", nil, err
	}
	attributes, err := json.Marshal(shownAttributes(l.user))
	parameters["requiredAttributes"], parameters["userAttributes"] = "[]", string(attributes)
	return challengeNewPassword, parameters, err
}

// mayRenew says whether a user may set the new password that it owes.
func (i *Issuer) mayRenew(l *userPoolLogin, aged bool) error {
	acc, err := store.Accounts.Get(i.db.Snapshot(), l.user.AccountID)
	if err != nil {
		return err
	}
	if !l.user.MustChangePassword {
		if aged && acc.PasswordPolicy.HardExpiry {
			return &identity.Error{Kind: identity.KindPasswordExpired, Op: "issue.permit"}
		}
		return nil
	}
	days := l.realm.Pool.TemporaryPasswordDays
	if days == 0 {
		days = temporaryDays
	}
	// Users of IAM keep a temporary password for as long as they are given one.
	if l.user.Local && l.at.After(l.passwordSince.AddDate(0, 0, days)) {
		return identity.NewError(identity.KindInvalidCredentials, "issue.permit", "Temporary password has expired and must be reset by an administrator.")
	}
	return nil
}

func shownAttributes(u *identity.User) map[string]string {
	out := map[string]string{}
	for name, value := range u.Attributes {
		out[name] = value
	}
	if u.Email != "" {
		out["email"] = u.Email
		out["email_verified"] = "false"
		if u.EmailVerified {
			out["email_verified"] = "true"
		}
	}
	return out
}

// poolChallenge seals what a log-in has come to and asks for more.
func (i *Issuer) poolChallenge(ctx context.Context, l *userPoolLogin, challenge string, parameters map[string]string, ev *audit.Event) (PoolOutcome, error) {
	session, err := i.sealLogin(l, challenge)
	if err != nil {
		return PoolOutcome{}, err
	}
	ev.ResponseElements = map[string]any{"challengeName": challenge}
	return PoolOutcome{Challenge: challenge, Session: session, Parameters: parameters}, i.audit.Record(ctx, *ev)
}

func (i *Issuer) sealLogin(l *userPoolLogin, challenge string) (identity.Secret, error) {
	text, err := i.sealPool(l.app.ID, poolState{
		Kind: challenge, Proofs: l.proofs, Realm: l.realm.Name, Name: l.name, Subject: l.user.Subject, UserID: l.user.ID,
		ProvedMS: l.at.UnixMilli(), Position: l.pos, Since: l.passwordSince, MFAMS: l.mfaMS, Code: l.code,
	}, base64.RawURLEncoding)
	return identity.Secret(text), err
}

// resume goes on with the log-in of a session.
func (i *Issuer) resume(ctx context.Context, l *userPoolLogin, challenge string, session identity.Secret, ev *audit.Event) (*poolState, error) {
	if session == "" {
		return nil, lacks("Session")
	}
	s, _, err := i.openPool(ctx, l.app, challenge, session.Reveal(), base64.RawURLEncoding)
	if err != nil {
		return nil, err
	}
	if l.user, err = store.Lookup(ctx, i.db, store.Users, s.UserID); err != nil {
		return nil, absentAs(err, errPoolSession)
	}
	describeUser(ev, l.user)
	l.name, l.proofs, l.at, l.pos, l.passwordSince = s.Name, s.Proofs, time.UnixMilli(s.ProvedMS), s.Position, s.Since
	l.mfa, l.mfaMS, l.code = s.MFAMS != 0, s.MFAMS, s.Code
	return s, i.stillProved(i.db.Current(ctx), l)
}

// stillProved judges a log-in on its way again: what was revoked meanwhile ends
// it at each step.
func (i *Issuer) stillProved(r store.Reader, l *userPoolLogin) error {
	lineage := identity.Lineage{{Kind: identity.LineagePrincipal, ID: l.user.ID, IssuedMS: l.at.UnixMilli()}}
	if i.access.LineageLive(r, l.user.AccountID, lineage, l.pos, l.at) != nil {
		return errPoolSession
	}
	return nil
}

// resumeAnswer is resume for an answer, which names the user again.
func (i *Issuer) resumeAnswer(ctx context.Context, l *userPoolLogin, r *PoolAnswer, ev *audit.Event) error {
	name, err := i.nameOf(ctx, l, r.Responses, ev)
	if err != nil {
		return err
	}
	s, err := i.resume(ctx, l, r.Challenge, r.Session, ev)
	if err == nil && !s.concerns(l.user, name) {
		err = errPoolSession
	}
	return err
}

// errCode is the refusal of a code with one of Cognito's codes.
func errCode(code, sentence string, err error) error {
	return &identity.Error{
		Kind: identity.KindAccessDenied, Op: "issue.pool", Public: sentence, Err: err, Detail: []identity.Detail{{Name: "JSONCode", Value: code}},
	}
}

// poolCode takes the code of a device.
func (i *Issuer) poolCode(ctx context.Context, l *userPoolLogin, r *PoolAnswer, ev *audit.Event) (PoolOutcome, error) {
	code := r.Responses["SOFTWARE_TOKEN_MFA_CODE"]
	if code == "" {
		return PoolOutcome{}, lacks("SOFTWARE_TOKEN_MFA_CODE")
	}
	if err := i.resumeAnswer(ctx, l, r, ev); err != nil {
		return PoolOutcome{}, err
	}
	var err error
	l.code, err = i.authn.SecondFactor(ctx, l.user, l.realm, identity.Secret(code))
	if identity.KindOf(err) == identity.KindAccessDenied {
		err = errCode("CodeMismatchException", "Invalid code received for user", err)
	}
	if err != nil {
		return PoolOutcome{}, err
	}
	l.mfa, l.mfaMS = true, i.clock.Now().UnixMilli()
	return i.poolProved(ctx, l, ev)
}

// poolSetUp goes on once a device was set up with the session.
func (i *Issuer) poolSetUp(ctx context.Context, l *userPoolLogin, r *PoolAnswer, ev *audit.Event) (PoolOutcome, error) {
	if err := i.resumeAnswer(ctx, l, r, ev); err != nil {
		return PoolOutcome{}, err
	}
	if !l.mfa {
		return PoolOutcome{}, identity.NewError(identity.KindValidation, "issue.pool", "No software token was set up with this session.")
	}
	return i.poolProved(ctx, l, ev)
}

// poolNewPassword takes the new password that is owed.
func (i *Issuer) poolNewPassword(ctx context.Context, l *userPoolLogin, r *PoolAnswer, ev *audit.Event) (PoolOutcome, error) {
	password := identity.Secret(r.Responses["NEW_PASSWORD"])
	if password == "" {
		return PoolOutcome{}, lacks("NEW_PASSWORD")
	}
	if err := i.resumeAnswer(ctx, l, r, ev); err != nil {
		return PoolOutcome{}, err
	}
	if challenge, _, err := i.poolOwes(ctx, l); err != nil || challenge != challengeNewPassword {
		return PoolOutcome{}, errPoolSession
	}
	u, err := withAttributes(l.user, l.app, r.Responses)
	if err != nil {
		return PoolOutcome{}, err
	}
	acc, err := store.Accounts.Get(i.db.Snapshot(), u.AccountID)
	if err != nil {
		return PoolOutcome{}, err
	}
	if err := i.authn.CheckNewPassword(ctx, acc, l.realm, u.ID, password); err != nil {
		return PoolOutcome{}, err
	}
	same, err := i.authn.SamePassword(ctx, u.ID, password)
	if err != nil {
		return PoolOutcome{}, err
	}
	if same {
		return PoolOutcome{}, authn.PasswordViolation("The new password is the old one.")
	}
	row, err := i.authn.NewPassword(ctx, u.ID, l.realm.PoolName, u.Subject, password, i.clock.Now().UTC())
	if err != nil {
		return PoolOutcome{}, err
	}
	if err := i.renew(ctx, l, u, row, *ev); err != nil {
		return PoolOutcome{}, err
	}
	return i.poolProved(ctx, l, ev)
}

// renew sets a new password, with the attributes that came with it, and ends
// what the user obtained before. The log-in begins anew where that ended: the
// old password, shown in this very moment, yields nothing that lives on.
func (i *Issuer) renew(ctx context.Context, l *userPoolLogin, u *identity.User, row *store.Password, ev audit.Event) error {
	ev.ResponseElements = map[string]any{"passwordChanged": true}
	pos, err := i.audit.Commit(ctx, i.db, ev, func(tx store.Tx) error {
		if err := i.stillProved(tx, l); err != nil {
			return err
		}
		if err := i.useShown(tx, l); err != nil {
			return err
		}
		return i.putNewPassword(tx, l, u, row)
	})
	if err != nil {
		return err
	}
	renewed := *u
	renewed.MustChangePassword = false
	l.user, l.passwordSince, l.at, l.pos, l.proofs, l.code = &renewed, row.ChangedAt, i.clock.Now(), pos, nil, nil
	return nil
}

var attributeRE = regexp.MustCompile(`^[\pL\pM\pS\pN\pP]{1,32}$`)

// withAttributes is a user with the attributes that come with a new password
// ("userAttributes.<name>"). Those that prove something are set elsewhere.
func withAttributes(u *identity.User, app *identity.PoolClient, responses map[string]string) (*identity.User, error) {
	v := *u
	v.Attributes = map[string]string{}
	for name, value := range u.Attributes {
		v.Attributes[name] = value
	}
	for key, value := range responses {
		name, is := strings.CutPrefix(key, "userAttributes.")
		if !is || shownAttributes(u)[name] == value {
			continue
		}
		switch {
		case !attributeRE.MatchString(name) || len(value) > 2048:
			return nil, identity.NewError(identity.KindValidation, "issue.pool", "An attribute's name has 1 to 32 characters, its value at most 2048.")
		case !writable(app, name):
			return nil, identity.NewError(identity.KindInvalidCredentials, "issue.pool", "A client attempted to write unauthorized attribute")
		}
		v.Attributes[name] = value
	}
	if len(v.Attributes) > 50 {
		return nil, identity.NewError(identity.KindValidation, "issue.pool", "A user can have at most 50 attributes.")
	}
	return &v, nil
}

// writable says whether a user may set an attribute of itself by a client:
// those of OpenID Connect that prove nothing, and, as at Amazon, custom ones
// only where the client names them, since roles may hang on them.
func writable(app *identity.PoolClient, name string) bool {
	if identity.IsReservedClaim(name) || name == "phone_number" {
		return false
	}
	if len(app.WriteAttributes) > 0 && !slices.Contains(app.WriteAttributes, name) {
		return false
	}
	return slices.Contains(identity.StandardAttributes, name) || len(app.WriteAttributes) > 0 && identity.IsCustomAttribute(name)
}

// poolLive judges a log-in again in the transaction that yields its tokens, and
// uses up what was shown.
func (i *Issuer) poolLive(tx store.Tx, l *userPoolLogin) error {
	if err := i.access.LineageLive(tx, l.user.AccountID, l.lineage, l.pos, l.at); err != nil {
		return &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.pool", Err: err}
	}
	// What a client holds ends with it: nothing is given to one that is gone.
	if _, err := store.PoolClients.Get(tx, l.app.ID); err != nil {
		return absentAs(err, identity.NewError(identity.KindNotFound, "issue.pool", "User pool client "+l.app.ID+" does not exist."))
	}
	return i.useShown(tx, l)
}

// useShown uses up the states of a log-in, and its code.
func (i *Issuer) useShown(tx store.Tx, l *userPoolLogin) error {
	if err := i.useProofs(tx, l.proofs); err != nil || l.code == nil {
		return err
	}
	err := l.code.Use(tx)
	if identity.KindOf(err) == identity.KindAccessDenied {
		err = errCode("ExpiredCodeException", "Your software token has already been used once.", err)
	}
	return err
}

// putNewPassword sets the password of a log-in, in the place of the one that was
// proved, and ends what the user obtained before.
func (i *Issuer) putNewPassword(tx store.Tx, l *userPoolLogin, to *identity.User, row *store.Password) error {
	have, err := store.Passwords.Get(tx, l.user.ID)
	if err != nil || !have.ChangedAt.Equal(l.passwordSince) {
		return absentAs(err, errPoolSession)
	}
	u, err := store.Users.Get(tx, l.user.ID)
	if err != nil || u.Disabled || u.Subject != l.user.Subject {
		return absentAs(err, errPoolSession)
	}
	v := *u
	v.MustChangePassword, v.Attributes, v.ModifiedAt = false, to.Attributes, i.clock.Now().UTC()
	if err := store.Users.Put(tx, &v); err != nil {
		return err
	}
	if err := authn.PutPassword(tx, row); err != nil {
		return err
	}
	return i.endAll(tx, l, "password changed")
}

// endAll ends what the user of a log-in obtained so far. What goes on from there
// has the position of the transaction.
func (i *Issuer) endAll(tx store.Tx, l *userPoolLogin, reason string) error {
	return i.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: l.user.ID, Reason: reason})
}
