package issue

import (
	"context"
	"slices"
	"strings"
	"time"

	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// fit is a trusted profile that a compute resource's token fits.
type fit struct {
	profile *identity.User
	crn     string // of the compute resource
	// seconds is how long the profile may be had; 0 leaves that to the account.
	seconds int
}

// until is the end of what is given at a time; zero for no end of its own.
func (f *fit) until(at time.Time) time.Time {
	if f.seconds == 0 {
		return time.Time{}
	}
	return at.Add(time.Duration(f.seconds) * time.Second)
}

// fittingProfile finds the profile that is asked for, or the only one that the
// token fits. Errors as of IBMCRToken.
func (i *Issuer) fittingProfile(ctx context.Context, l *ibmLogin, name IBMProfileName, w *authn.WebIdentity) (*fit, error) {
	if name.ID+name.Name+name.CRN != "" {
		u, err := i.namedProfile(ctx, l, name)
		if err != nil {
			return nil, absentAs(err, errNoProfile)
		}
		if f := fits(u, w); f != nil {
			return f, nil
		}
		return nil, errNoProfile
	}
	if name.Account != "" && name.Account != l.ibm.AccountID {
		return nil, errNoProfile
	}
	var found []*fit
	err := i.db.View(ctx, func(r store.Reader) error {
		list, err := store.Users.List(r, "profile", store.Join(l.ibm.AccountID, ""), store.After{}, 0)
		for _, u := range list {
			if f := fits(u, w); f != nil && !u.Disabled {
				found = append(found, f)
			}
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, errNoProfile
	case len(found) > 1:
		return nil, identity.NewError(identity.KindInvalidInput, "issue.ibmprofile", "Several trusted profiles fit the token: name one by profile_id.")
	}
	return found[0], nil
}

// fits judges a profile's rules and links by the token: one of them must fit. Of
// several rules the one that gives the longest time counts.
func fits(u *identity.User, w *authn.WebIdentity) *fit {
	p, issuer := u.Profile, identity.TrimScheme(w.Issuer)
	account := serviceAccountOf(w.Claims)
	for i := range p.Links {
		l := &p.Links[i]
		if identity.IsServiceAccount(l.CRType) && account != (serviceAccount{}) && l.ClusterIssuer(u.AccountID) == issuer &&
			account == (serviceAccount{l.Namespace, l.Resource}) {
			return &fit{u, l.CRN, 0}
		}
	}
	var best *fit
	for i := range p.Rules {
		r := &p.Rules[i]
		if r.Type != identity.RuleCompute || r.RealmName != w.Issuer || !allHold(r, w.Claims, account) {
			continue
		}
		if claims := policy.CustomerClaims(issuer); claims != nil && !r.Names(claims) {
			continue // the issuer signs for everyone
		}
		if best == nil || best.seconds != 0 && (r.Expiration == 0 || r.Expiration > best.seconds) {
			best = &fit{u, identity.ClusterCRN(u.AccountID, issuer), r.Expiration}
		}
	}
	return best
}

// allHold reports whether all conditions of a rule hold, of which there is one at
// least. In rules for service accounts the claims namespace and name are those of
// the account.
func allHold(r *identity.ProfileRule, c *authn.Claims, account serviceAccount) bool {
	return len(r.Conditions) > 0 && !slices.ContainsFunc(r.Conditions, func(v identity.ProfileCondition) bool {
		have := c.At(v.Claim)
		if identity.IsServiceAccount(r.CRType) {
			switch v.Claim {
			case "namespace":
				have = account.values(account.namespace)
			case "name":
				have = account.values(account.name)
			}
		}
		return !v.Holds(have)
	})
}

// serviceAccount is one of Kubernetes.
type serviceAccount struct{ namespace, name string }

// values are those of a claim: none for tokens of no service account.
func (a serviceAccount) values(v string) []string {
	if a == (serviceAccount{}) {
		return nil
	}
	return []string{v}
}

// serviceAccountOf reads whose token it is from the claim kubernetes.io and from
// the subject; zero when neither says so, and when they contradict each other.
func serviceAccountOf(c *authn.Claims) serviceAccount {
	var bySubject, byClaim serviceAccount
	if rest, ok := strings.CutPrefix(c.Subject, "system:serviceaccount:"); ok {
		if namespace, name, ok := strings.Cut(rest, ":"); ok && namespace != "" && name != "" && !strings.Contains(name, ":") {
			bySubject = serviceAccount{namespace, name}
		}
	}
	namespace, name := c.At("kubernetes.io.namespace"), c.At("kubernetes.io.serviceaccount.name")
	if len(namespace) == 1 && len(name) == 1 && namespace[0] != "" && name[0] != "" {
		byClaim = serviceAccount{namespace[0], name[0]}
	}
	switch {
	case byClaim == serviceAccount{}:
		return bySubject
	case bySubject == serviceAccount{} || bySubject == byClaim:
		return byClaim
	}
	return serviceAccount{}
}
