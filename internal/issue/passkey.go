package issue

import (
	"context"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// BeginPasskey begins a log-in by passkey at the console. KindNotImplemented
// where passkeys are impossible.
func (i *Issuer) BeginPasskey() (authn.Ceremony, error) { return i.authn.BeginPasskey() }

// ConsolePasskey logs a person in at the console by passkey, which counts as
// both factors: the authenticator has verified the person.
// KindInvalidCredentials for any answer that is not good and any user who may
// not log in, KindPasswordExpired, KindInvalidGrant for an answer that comes late
// or twice.
func (i *Issuer) ConsolePasskey(ctx context.Context, state identity.Secret, answer []byte) (ConsoleSession, error) {
	ev := consoleEvent("ConsoleLogin")
	ev.RequestParameters = map[string]any{"by": "passkey"}
	p, err := i.provePasskey(ctx, state, answer, &ev)
	if err == nil {
		err = i.permitPerson(p)
	}
	var out ConsoleSession
	if err == nil {
		out, err = i.openConsole(ctx, p, &ev)
	}
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

// ConsoleProvePasskey is ConsoleProve by a passkey.
func (i *Issuer) ConsoleProvePasskey(ctx context.Context, c *identity.Caller, state identity.Secret, answer []byte) (ConsoleSession, error) {
	if err := atConsole(c); err != nil {
		return ConsoleSession{}, err
	}
	ev := audit.Change(c, consoleDialect, "ConsoleProve", map[string]string{"by": "passkey"})
	p, err := i.provePasskey(ctx, state, answer, &ev)
	if err == nil {
		err = i.permitPerson(p)
	}
	var out ConsoleSession
	if err == nil {
		out, err = i.provedAgain(ctx, c, p, &ev)
	}
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

// provePasskey is step 1 of a log-in by passkey.
func (i *Issuer) provePasskey(ctx context.Context, state identity.Secret, answer []byte, ev *audit.Event) (*person, error) {
	if err := i.ready(); err != nil {
		return nil, err
	}
	p := &person{login: login{at: i.clock.Now(), pos: i.db.Snapshot().Position(), mfa: true}, passkey: true}
	proof, err := i.authn.Passkey(ctx, state, answer)
	if proof != nil {
		describeUser(ev, proof.User)
	}
	if err != nil {
		return nil, err
	}
	p.user, p.use = proof.User, append(p.use, proof.Use)
	p.realm, err = store.Realms.Get(i.db.Snapshot(), p.user.Realm)
	return p, notFoundAs(err, identity.KindInvalidCredentials)
}
