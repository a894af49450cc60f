package issue

import (
	"context"
	"errors"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// Grant types by which a trusted profile is obtained. Neither gives a refresh
// token: the proof is shown again.
const (
	IBMGrantAssume  = "urn:ibm:params:oauth:grant-type:assume"
	IBMGrantCRToken = "urn:ibm:params:oauth:grant-type:cr-token"
)

// IBMProfileName says which trusted profile is asked for. What is "" is not said;
// of what is said all must be right.
type IBMProfileName struct{ ID, Name, CRN, Account string }

// errNoProfile answers alike for profiles that are absent, another account's,
// disabled, and not for who asks.
var errNoProfile = &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.ibmprofile"}

// IBMAssumeGrant asks for a trusted profile with the access token of a user or a
// service ID that the profile names.
type IBMAssumeGrant struct {
	Access  identity.Secret
	Profile IBMProfileName
	Client  IBMClient
}

// IBMAssume gives a token of a trusted profile that lives no longer than the one
// that is shown, and ends with the log-in that this one goes back to (grant type
// assume). KindInvalidBearer for a token that is not accepted,
// KindInvalidCredentials for a profile that is not the caller's to become. A
// profile becomes no other.
func (i *Issuer) IBMAssume(ctx context.Context, g IBMAssumeGrant) (IBMTokens, error) {
	ev := profileEvent("AssumeGrant", g.Client, g.Profile)
	out, err := i.ibmAssume(ctx, g, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func profileEvent(name string, client IBMClient, p IBMProfileName) audit.Event {
	ev := ibmEvent(name, client)
	for k, v := range map[string]string{"profileId": p.ID, "profileName": p.Name, "profileCrn": p.CRN} {
		if v != "" {
			ev.RequestParameters[k] = bounded(v)
		}
	}
	return ev
}

func (i *Issuer) ibmAssume(ctx context.Context, g IBMAssumeGrant, ev *audit.Event) (IBMTokens, error) {
	l, err := i.beginIBM(IBMGrantAssume, g.Client)
	if err != nil {
		return IBMTokens{}, err
	}
	// 1 prove
	c, err := i.access.IBMToken(ctx, g.Access)
	if err != nil {
		return IBMTokens{}, err
	}
	ev.UserIdentity = audit.IdentityOf(c)
	by, err := store.Lookup(ctx, i.db, store.Users, c.PrincipalID)
	if err != nil {
		return IBMTokens{}, absentAs(err, errNoProfile)
	}
	// 2 permit
	if l.user, err = i.namedProfile(ctx, l, g.Profile); err != nil {
		return IBMTokens{}, absentAs(err, errNoProfile)
	}
	if by.Profile != nil || by.Root || !l.user.Profile.Admits(by.IAMID()) {
		return IBMTokens{}, errNoProfile
	}
	if err := i.permitProfile(l); err != nil {
		return IBMTokens{}, err
	}
	// 3 bound
	who := ibmSubject(by)
	l.authn, l.end = &who, c.ExpiresAt
	return i.becomeProfile(ctx, l, c.Lineage, ev)
}

// namedProfile finds the profile that is asked for; KindNotFound when there is
// none that all of it names, and when nothing is said.
func (i *Issuer) namedProfile(ctx context.Context, l *ibmLogin, p IBMProfileName) (*identity.User, error) {
	absent := identity.NewError(identity.KindNotFound, "issue.ibmprofile", "")
	account := l.ibm.AccountID
	if p.Account != "" && p.Account != account {
		return nil, absent
	}
	find := func() (*identity.User, error) { return nil, absent }
	switch {
	case p.ID != "":
		find = func() (*identity.User, error) {
			return store.Lookup(ctx, i.db, store.Users, identity.ServiceIAMID(bounded(p.ID)))
		}
	case p.CRN != "":
		id := identity.CRNResource(bounded(p.CRN))
		find = func() (*identity.User, error) { return store.Lookup(ctx, i.db, store.Users, identity.ServiceIAMID(id)) }
	case p.Name != "":
		name := store.Join(account, store.Fold(bounded(p.Name)))
		find = func() (*identity.User, error) { return store.LookupBy(ctx, i.db, store.Users, "profile name", name) }
	}
	u, err := find()
	if err != nil {
		return nil, err
	}
	if u.Profile == nil || u.AccountID != account || p.ID != "" && p.ID != u.Name || p.Name != "" && p.Name != u.Profile.Name ||
		p.CRN != "" && p.CRN != identity.IAMIdentityCRN(account, "profile", u.Name) {
		return nil, absent
	}
	return u, nil
}

// permitProfile is what of step 2 every way to a profile shares.
func (i *Issuer) permitProfile(l *ibmLogin) error {
	if err := i.permitIBM(l, i.db.Snapshot(), ""); err != nil {
		if identity.KindOf(err) == identity.KindUnavailable {
			return err
		}
		return errNoProfile
	}
	return nil
}

// becomeProfile is steps 4 and 5: the token descends from what was shown, and is
// a session of its own.
func (i *Issuer) becomeProfile(ctx context.Context, l *ibmLogin, shown identity.Lineage, ev *audit.Event) (IBMTokens, error) {
	var err error
	l.from, err = shown.Extend(identity.Ancestor{Kind: identity.LineagePrincipal, ID: l.user.ID, IssuedMS: l.at.UnixMilli()})
	if err != nil {
		return IBMTokens{}, err
	}
	if err := i.newIBMSession(l); err != nil {
		return IBMTokens{}, err
	}
	out, err := i.mintIBM(l)
	if err != nil {
		return IBMTokens{}, err
	}
	issuedIBM(ev, l, &out)
	if err := i.audit.Record(ctx, *ev); err != nil {
		return IBMTokens{}, err
	}
	return out, nil
}

// IBMCRGrant asks for a trusted profile with the token of a compute resource; the
// one profile that fits it when none is named.
type IBMCRGrant struct {
	Token   identity.Secret
	Profile IBMProfileName
	Client  IBMClient
}

// IBMCRToken gives a token of a trusted profile for the JWT of a compute resource
// (grant type cr-token): one of an issuer that the account registered, for an
// audience that it registered, that a rule or a link of the profile fits. Errors
// as of WebIdentity for the JWT; KindInvalidCredentials for a profile that it
// does not fit; KindInvalidInput when several do and none is named.
func (i *Issuer) IBMCRToken(ctx context.Context, g IBMCRGrant) (IBMTokens, error) {
	ev := profileEvent("CRTokenGrant", g.Client, g.Profile)
	out, err := i.ibmCRToken(ctx, g, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) ibmCRToken(ctx context.Context, g IBMCRGrant, ev *audit.Event) (IBMTokens, error) {
	l, err := i.beginIBM(IBMGrantCRToken, g.Client)
	if err != nil {
		return IBMTokens{}, err
	}
	// 1 prove
	w, err := i.authn.WebIdentity(ctx, l.ibm.AccountID, g.Token)
	if e := identity.AsError(err); e != nil {
		// The sentences are STS's, and tell which issuers an account registered.
		wordless := *e
		wordless.Public = ""
		return IBMTokens{}, &wordless
	}
	if w.Provider == nil { // what we sign ourselves is of no compute resource
		return IBMTokens{}, identity.NewError(identity.KindInvalidIdentity, "issue.ibmprofile", "The token is not that of a compute resource.")
	}
	describeWebIdentity(ev, w, l.ibm.AccountID)
	// 2 permit
	acc, err := store.Accounts.Get(i.db.Snapshot(), l.ibm.AccountID)
	if err != nil {
		return IBMTokens{}, absentAs(err, errNoProfile)
	}
	if _, err := i.livingToken(ctx, i.db.Snapshot(), w, acc); err != nil {
		return IBMTokens{}, err
	}
	done, err := i.authn.ProfileTry(ctx, w)
	if err != nil {
		return IBMTokens{}, err
	}
	by, err := i.fittingProfile(ctx, l, g.Profile, w)
	done(!errors.Is(err, errNoProfile))
	if err != nil {
		return IBMTokens{}, err
	}
	l.user = by.profile
	if err := i.permitProfile(l); err != nil {
		return IBMTokens{}, err
	}
	// 3 bound
	l.end = by.until(l.at)
	l.authn = &ibmAuthn{Subject: w.Claims.Subject, IAMID: "crn-" + by.crn, Name: w.Claims.Subject}
	return i.becomeProfile(ctx, l, foreignLineage(w, acc), ev)
}

// foreignLineage is what a foreign token's descendants go back to.
func foreignLineage(w *authn.WebIdentity, acc *identity.Account) identity.Lineage {
	ms := w.Claims.IssuedAt.Time().UnixMilli()
	return identity.Lineage{
		{Kind: identity.LineageWebIdentity, ID: identity.WebIdentityID(w.Issuer, w.Claims.Subject), IssuedMS: ms},
		{Kind: identity.LineageProvider, ID: identity.ProviderARN(acc.Partition, acc.ID, w.Issuer), IssuedMS: ms},
	}
}
