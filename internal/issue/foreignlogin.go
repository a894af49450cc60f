package issue

import (
	"context"
	"net/url"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// ForeignAnswer is what came of a log-in at a foreign issuer.
type ForeignAnswer struct {
	// Session is set for who is logged in.
	Session *ConsoleSession
	// Pending is set otherwise: the sealed proof, for what must come next, which
	// is a code (ForeignCode) for a log-in, and the person's word for a link
	// (ForeignProof).
	Pending identity.Secret
	For     authn.ForeignFor
	// Login is the log-in's name, Label how its issuer calls the person.
	Login, Label string
}

// ForeignLogins are the names of the foreign log-ins of the realm that a place
// names, as ConsoleLogin takes one, or of the only realm that has any.
func (i *Issuer) ForeignLogins(ctx context.Context, place string) (realm string, names []string) {
	realms, err := store.Realms.List(i.db.Snapshot(), "", "", store.After{}, 0)
	if err != nil {
		return "", nil
	}
	if place != "" {
		place = i.authn.RealmAt(ctx, place, "")
	}
	var found []*identity.Realm
	for _, r := range realms {
		if r.Name != identity.RootRealm && len(r.Logins) > 0 && (place == "" || place == r.Name) {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		return "", nil
	}
	for _, l := range found[0].Logins {
		names = append(names, l.Name)
	}
	return found[0].Name, names
}

// BeginForeign begins a log-in at the console by a foreign issuer. KindNotFound
// for a log-in that the realm has not, KindProviderUnreachable.
func (i *Issuer) BeginForeign(ctx context.Context, realm, login string) (authn.ForeignStart, error) {
	return i.authn.BeginForeign(ctx, realm, login, authn.ForeignFor{Purpose: authn.ForeignToLogIn})
}

// Foreign takes the answer of a foreign issuer that the browser brings, with the
// cookie that it got at the beginning. A log-in whose user owes a second factor
// goes on with ForeignCode. KindInvalidIdentity, KindExpiredIdentity,
// KindIdentityRejected or KindProviderUnreachable for an answer that is not
// good; KindIdentityRejected, with whom to ask, for an identity that nobody has linked;
// otherwise errors as of ConsoleLogin.
func (i *Issuer) Foreign(ctx context.Context, realm, login string, cookie identity.Secret, answer url.Values) (ForeignAnswer, error) {
	ev := consoleEvent("ConsoleLogin")
	ev.RequestParameters = map[string]any{"by": "foreign issuer", "realm": bounded(realm), "login": bounded(login)}
	out, err := i.foreign(ctx, realm, login, cookie, answer, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) foreign(ctx context.Context, realm, login string, cookie identity.Secret, answer url.Values, ev *audit.Event) (ForeignAnswer, error) {
	var out ForeignAnswer
	if err := i.ready(); err != nil {
		return out, err
	}
	// 1 prove
	proof, err := i.authn.Foreign(ctx, realm, login, cookie, answer)
	if err != nil {
		return out, err
	}
	out.For, out.Login, out.Label = proof.For, proof.Login, proof.Label
	describeForeign(ev, proof)
	if proof.For.Purpose != authn.ForeignToLogIn {
		out.Pending, err = i.authn.SealForeign(proof)
		return out, err
	}
	p, err := i.foreignPerson(ctx, proof, ev)
	if err != nil {
		return out, err
	}
	if p.mfa = proof.MFA; !p.mfa {
		owed, devices, err := i.authn.OwesCode(ctx, p.user, p.realm)
		switch {
		case err != nil:
			return out, err
		case owed && len(devices) == 0:
			return out, &identity.Error{Kind: identity.KindMFARequired, Op: "issue.foreign"}
		case owed:
			out.Pending, err = i.authn.SealForeign(proof)
			return out, err
		}
	}
	s, err := i.openForeign(ctx, p, ev)
	out.Session = &s
	return out, err
}

// ForeignCode goes on with a log-in by a foreign issuer, whose user owes a code
// besides. KindMFARequired without one, otherwise errors as of ConsoleLogin.
func (i *Issuer) ForeignCode(ctx context.Context, pending, code identity.Secret) (ConsoleSession, error) {
	ev := consoleEvent("ConsoleLogin")
	ev.RequestParameters = map[string]any{"by": "foreign issuer and code"}
	out, err := i.foreignCode(ctx, pending, code, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) foreignCode(ctx context.Context, pending, code identity.Secret, ev *audit.Event) (ConsoleSession, error) {
	if err := i.ready(); err != nil {
		return ConsoleSession{}, err
	}
	proof, err := i.authn.OpenForeign(pending)
	if err == nil && proof.For.Purpose != authn.ForeignToLogIn {
		err = identity.NewError(identity.KindInvalidIdentity, "issue.foreign", "That log-in was begun for something else; begin again.")
	}
	if err != nil {
		return ConsoleSession{}, err
	}
	describeForeign(ev, proof)
	p, err := i.foreignPerson(ctx, proof, ev)
	if err != nil {
		return ConsoleSession{}, err
	}
	if p.code, err = i.authn.SecondFactor(ctx, p.user, p.realm, code); err != nil {
		return ConsoleSession{}, err
	}
	p.mfa = p.code != nil
	return i.openForeign(ctx, p, ev)
}

// openForeign is steps 2 to 5.
func (i *Issuer) openForeign(ctx context.Context, p *person, ev *audit.Event) (ConsoleSession, error) {
	if err := i.permitPerson(p); err != nil {
		return ConsoleSession{}, err
	}
	return i.openConsole(ctx, p, ev)
}

// ForeignProof opens what Foreign left pending, for whoever is to link it.
func (i *Issuer) ForeignProof(pending identity.Secret) (*authn.ForeignProof, error) {
	return i.authn.OpenForeign(pending)
}

// foreignPerson finds the user to whom a foreign identity is linked.
func (i *Issuer) foreignPerson(ctx context.Context, proof *authn.ForeignProof, ev *audit.Event) (*person, error) {
	p := &person{login: login{at: i.clock.Now(), pos: proof.Position}}
	var err error
	if p.realm, err = store.Realms.Get(i.db.Snapshot(), proof.Realm); err != nil {
		return nil, notFoundAs(err, identity.KindInvalidIdentity)
	}
	acc, err := store.Accounts.Get(i.db.Snapshot(), p.realm.AccountID)
	if err != nil {
		return nil, err
	}
	key := (&identity.IdentityLink{AccountID: acc.ID, Issuer: proof.Issuer, Subject: proof.Subject}).Key()
	err = i.db.View(ctx, func(r store.Reader) error {
		l, err := store.IdentityLinks.Get(r, key)
		if err == nil {
			p.user, err = store.Users.Get(r, l.UserID)
		}
		return err
	})
	if identity.KindOf(err) == identity.KindNotFound {
		return nil, notLinked(p.realm, proof)
	}
	if err != nil {
		return nil, err
	}
	describeUser(ev, p.user)
	ev.UserIdentity.IdentityProvider = proof.Issuer
	p.lineage = identity.Lineage{
		{Kind: identity.LineageWebIdentity, ID: identity.WebIdentityID(proof.Issuer, proof.Subject), IssuedMS: proof.IssuedMS},
		{Kind: identity.LineageProvider, ID: identity.LoginProvider(proof.Realm, proof.Login), IssuedMS: p.at.UnixMilli()},
	}
	provider := identity.ProviderARN(acc.Partition, acc.ID, proof.Issuer)
	p.use = append(p.use, proof.Use, func(tx store.Tx) error {
		l, err := store.IdentityLinks.Get(tx, key)
		if identity.KindOf(err) == identity.KindNotFound || err == nil && l.UserID != p.user.ID {
			return notLinked(p.realm, proof)
		}
		if err != nil {
			return err
		}
		if err := i.access.ForeignLive(tx, proof.Issuer, proof.Subject, provider, proof.IssuedAt()); err != nil {
			return &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.foreign", Err: err}
		}
		used := *l
		used.LastUsed = p.at.UTC()
		return store.IdentityLinks.Put(tx, &used)
	})
	return p, nil
}

// notLinked says whom to ask.
func notLinked(r *identity.Realm, proof *authn.ForeignProof) error {
	ask := "whoever manages your account"
	if r.SupportContact != "" {
		ask = r.SupportContact
	}
	return identity.NewError(identity.KindIdentityRejected, "issue.foreign", "You are "+proof.Label+" at "+proof.Login+
		", and no user here is linked to that. Ask "+ask+" for an invitation; or log in another way and link it on the Security page.")
}

// describeForeign names a person whom a foreign issuer identified.
func describeForeign(ev *audit.Event, p *authn.ForeignProof) {
	ev.UserIdentity = audit.UserIdentity{
		Type: "WebIdentityUser", PrincipalID: identity.WebIdentityID(p.Issuer, p.Subject), IdentityProvider: p.Issuer,
	}
}
