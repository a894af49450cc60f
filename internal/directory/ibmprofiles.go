package directory

import (
	"context"
	"fmt"
	"strings"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// NewTrustedProfile is what a trusted profile is made of; AccountID is the
// caller's own when it is "".
type NewTrustedProfile struct {
	AccountID, Name, Description, Email string
}

func noProfile(id string) error {
	return &identity.Error{Kind: identity.KindNotFound, Op: "directory.profile", Public: "The trusted profile " + clip(id) + " cannot be found."}
}

// permitProfile asks whether the caller may do something with a trusted profile
// ("Profile-…"), and returns it. Without rights absent, foreign and forbidden
// ones answer alike.
func (d *Directory) permitProfile(r store.Reader, c *identity.Caller, op, id string) (*identity.User, error) {
	res := access.Resource{ARN: identity.IAMIdentityCRN(c.AccountID, "profile", clip(id)), AccountID: c.AccountID}
	if err := d.access.Authorize(c, identity.IAMIdentity+":profile."+op, res).Err; err != nil {
		return nil, err
	}
	if !strings.HasPrefix(id, identity.ProfilePrefix) || len(id) > maxIBMID {
		return nil, noProfile(id)
	}
	u, err := store.Users.Get(r, identity.ServiceIAMID(id))
	if err != nil {
		return nil, ifAbsent(err, noProfile(id))
	}
	if u.Profile == nil || u.AccountID != c.AccountID {
		return nil, noProfile(id)
	}
	return u, nil
}

// CreateTrustedProfile makes a trusted profile that nobody can become yet (POST
// /v1/profiles). KindValidation, KindLimitExceeded, KindAlreadyExists for a name
// that another one has, KindNotFound for an account that is not the caller's.
func (d *Directory) CreateTrustedProfile(ctx context.Context, c *identity.Caller, in NewTrustedProfile) (identity.User, error) {
	if in.AccountID == "" {
		in.AccountID = c.AccountID
	}
	// In another account nobody has rights.
	if err := d.permit(c, identity.IAMIdentity+":profile.create", identity.IAMIdentityCRN(clip(in.AccountID), "profile", "*"), in.AccountID); err != nil {
		return identity.User{}, err
	}
	uuid, err := identity.NewUUID(d.random)
	if err != nil {
		return identity.User{}, err
	}
	u, err := d.newProfile(c, in, uuid)
	if err != nil {
		return u, err
	}
	ev := audit.Change(c, identity.IAMIdentity, "CreateTrustedProfile", map[string]string{"profileId": u.Name, "name": in.Name})
	return u, d.change(ctx, c, ev, func(tx store.Tx) error { return insertProfile(tx, &u) })
}

// newProfile is the record of a trusted profile.
func (d *Directory) newProfile(c *identity.Caller, in NewTrustedProfile, uuid string) (identity.User, error) {
	now := d.clock.Now().UTC()
	p := &identity.TrustedProfile{Name: in.Name, Description: in.Description, Email: in.Email, CreatedBy: c.IAMID()}
	name := identity.ProfilePrefix + uuid
	u := identity.User{
		ID: identity.ServiceIAMID(name), AccountID: in.AccountID, Name: name, Path: identity.ServiceIDPath, Local: true, Profile: p,
		CreatedAt: now, ModifiedAt: now,
	}
	err := p.Check(in.AccountID)
	if err != nil {
		return u, err
	}
	if p.Tag, err = p.Tag.Next(d.random); err != nil {
		return u, err
	}
	p.IdentitiesTag, err = p.IdentitiesTag.Next(d.random)
	p.History = identity.Remember(nil, identity.Changed{
		At: now, IAMID: c.IAMID(), AccountID: c.AccountID, Action: "CREATE", Message: "The trusted profile was created.",
	})
	return u, err
}

// insertProfile keeps a new trusted profile, if the account may have one more.
func insertProfile(tx store.Tx, u *identity.User) error {
	if _, err := store.Accounts.Get(tx, u.AccountID); err != nil {
		return ifAbsent(err, absent("The account %s cannot be found.", clip(u.AccountID)))
	}
	have, err := store.Users.List(tx, "profile", store.Join(u.AccountID, ""), store.After{}, identity.ProfilesPerAccount)
	if err != nil {
		return err
	}
	if len(have) >= identity.ProfilesPerAccount {
		return exceeded("An account can have at most %d trusted profiles.", identity.ProfilesPerAccount)
	}
	return profileNamed(store.Users.Insert(tx, u), u)
}

// profileNamed is the error of a name that is taken.
func profileNamed(err error, u *identity.User) error {
	if identity.KindOf(err) != identity.KindAlreadyExists {
		return err
	}
	return &identity.Error{
		Kind: identity.KindAlreadyExists, Op: "directory.profile", Err: err,
		Public: "The account has a trusted profile with the name " + clip(u.Profile.Name) + " already.",
	}
}

// TrustedProfileFilter chooses trusted profiles: that of a name, or all.
type TrustedProfileFilter struct {
	Name string
	Sort IBMSort
}

// TrustedProfiles lists the trusted profiles of the caller's account (GET
// /v1/profiles). KindValidation.
func (d *Directory) TrustedProfiles(ctx context.Context, c *identity.Caller, f TrustedProfileFilter, p Page) (Listing[identity.User], error) {
	var out Listing[identity.User]
	if err := d.permit(c, identity.IAMIdentity+":profile.list", identity.IAMIdentityCRN(c.AccountID, "profile", "*"), c.AccountID); err != nil {
		return out, err
	}
	key, err := f.Sort.key("created_at", "description", "modified_at", "name")
	if err != nil {
		return out, err
	}
	shown := func(u *identity.User) bool { return f.Name == "" || u.Profile.Name == f.Name }
	return d.principals(ctx, c, "profile", fmt.Sprintf("ibm-profiles %+v", f), f.Sort, key, p, shown, func(u *identity.User) sortable {
		return sortable{
			name: u.Profile.Name, description: u.Profile.Description,
			createdAt: u.CreatedAt.UTC().Format(timeSort), modifiedAt: u.ModifiedAt.UTC().Format(timeSort),
		}
	})
}

// TrustedProfile returns a trusted profile by its ID, "Profile-…", with its
// rules, links and identities (GET /v1/profiles/{id}). KindNotFound.
func (d *Directory) TrustedProfile(ctx context.Context, c *identity.Caller, id string) (identity.User, error) {
	var out identity.User
	err := d.db.View(ctx, func(r store.Reader) error {
		u, err := d.permitProfile(r, c, "get", id)
		if err == nil {
			out = *u
		}
		return err
	})
	return out, err
}

// TrustedProfileChange is what UpdateTrustedProfile changes; nil leaves things
// alone.
type TrustedProfileChange struct {
	Name, Description, Email *string
}

// UpdateTrustedProfile changes what a trusted profile is called (PUT
// /v1/profiles/{id}). ifMatch is its entity tag or "*"; errors as of
// UpdateIBMAPIKey, and KindAlreadyExists for a name that another one has.
func (d *Directory) UpdateTrustedProfile(ctx context.Context, c *identity.Caller, id, ifMatch string, in TrustedProfileChange) (identity.User, error) {
	return d.changeProfile(ctx, c, "UpdateTrustedProfile", "update", id, func(_ store.Tx, p *identity.TrustedProfile) (identity.Changed, error) {
		done := identity.Changed{Action: "UPDATE", Message: "The trusted profile was changed."}
		if err := matches(p.Tag, ifMatch); err != nil {
			return done, err
		}
		setValue(&p.Name, in.Name, "name", &done)
		setValue(&p.Description, in.Description, "description", &done)
		setValue(&p.Email, in.Email, "email", &done)
		var err error
		p.Tag, err = p.Tag.Next(d.random)
		return done, err
	})
}

// changeProfile is changeAPIKey for trusted profiles; fn gives the new entity tag
// to what it changes.
func (d *Directory) changeProfile(ctx context.Context, c *identity.Caller, event, op, id string, fn func(store.Tx, *identity.TrustedProfile) (identity.Changed, error)) (identity.User, error) {
	var out identity.User
	ev := audit.Change(c, identity.IAMIdentity, event, map[string]string{"profileId": clip(id)})
	err := d.change(ctx, c, ev, func(tx store.Tx) error {
		u, err := d.permitProfile(tx, c, op, id)
		if err != nil {
			return err
		}
		p := *u.Profile
		out = *u
		out.Profile = &p
		done, err := fn(tx, &p)
		if err != nil {
			return err
		}
		if err := checkProfile(&p, u.AccountID); err != nil {
			return err
		}
		if err := d.trustsLess(tx, &out, u.Profile); err != nil {
			return err
		}
		return putProfile(tx, c, &out, done, d.clock.Now().UTC())
	})
	return out, err
}

// trustsLess ends what was obtained by a profile that does not trust all any more
// whom it trusted before. What remains trusted obtains it anew.
func (d *Directory) trustsLess(tx store.Tx, u *identity.User, before *identity.TrustedProfile) error {
	if !u.Profile.TrustsLess(before) {
		return nil
	}
	return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: u.ID, Reason: "trusted profile trusts less"})
}

// checkProfile judges what people write into a profile, and that its rules name
// somebody where an issuer signs tokens for everyone.
func checkProfile(p *identity.TrustedProfile, account string) error {
	if err := p.Check(account); err != nil {
		return err
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		claims := policy.CustomerClaims(identity.TrimScheme(r.RealmName))
		if r.Type == identity.RuleCompute && claims != nil && !r.Names(claims) {
			return invalid("The property conditions must name somebody by EQUALS, EQUALS_IGNORE_CASE or IN on the claim %s: %s signs tokens for everyone.", claims[0], clip(r.RealmName))
		}
	}
	return nil
}

func putProfile(tx store.Tx, c *identity.Caller, u *identity.User, done identity.Changed, now time.Time) error {
	u.ModifiedAt = now
	done.At, done.IAMID, done.AccountID = now, c.IAMID(), c.AccountID
	u.Profile.History = identity.Remember(u.Profile.History, done)
	return profileNamed(store.Users.Put(tx, u), u)
}

// DeleteTrustedProfile deletes a trusted profile with its policies, and ends what
// anybody obtained by it (DELETE /v1/profiles/{id}). KindNotFound.
func (d *Directory) DeleteTrustedProfile(ctx context.Context, c *identity.Caller, id string) error {
	ev := audit.Change(c, identity.IAMIdentity, "DeleteTrustedProfile", map[string]string{"profileId": clip(id)})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		u, err := d.permitProfile(tx, c, "delete", id)
		if err != nil {
			return err
		}
		if err := store.Users.Delete(tx, u.ID); err != nil {
			return err
		}
		return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: u.ID, Reason: "trusted profile deleted"})
	})
}
