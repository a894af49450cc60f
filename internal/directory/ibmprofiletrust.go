package directory

import (
	"context"
	"slices"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Who may become a trusted profile is changed with the action profile.trust: with
// it come all rights of the profile.
const trustOp = "trust"

func noPart(what, id string) error {
	return &identity.Error{Kind: identity.KindNotFound, Op: "directory.profile", Public: "The " + what + " " + clip(id) + " cannot be found."}
}

// CreateProfileRule adds a rule to a trusted profile (POST
// /v1/profiles/{id}/rules). KindValidation, KindLimitExceeded, KindNotFound.
func (d *Directory) CreateProfileRule(ctx context.Context, c *identity.Caller, id string, rule identity.ProfileRule) (identity.ProfileRule, error) {
	uuid, err := identity.NewUUID(d.random)
	if err != nil {
		return rule, err
	}
	rule.ID = identity.RulePrefix + uuid
	_, err = d.changeProfile(ctx, c, "CreateProfileRule", trustOp, id, func(_ store.Tx, p *identity.TrustedProfile) (identity.Changed, error) {
		done := identity.Changed{Action: "UPDATE", Params: []string{"rules"}, Message: "A rule was added."}
		now := d.clock.Now().UTC()
		rule.CreatedAt, rule.ModifiedAt = now, now
		if rule.Tag, err = (identity.EntityTag{}).Next(d.random); err != nil {
			return done, err
		}
		p.Rules = append(slices.Clone(p.Rules), rule)
		return done, nil
	})
	return rule, err
}

// UpdateProfileRule puts another rule in the place of one (PUT
// /v1/profiles/{id}/rules/{rule}). ifMatch is the rule's entity tag or "*".
// Errors as of UpdateIBMAPIKey.
func (d *Directory) UpdateProfileRule(ctx context.Context, c *identity.Caller, id, ruleID, ifMatch string, rule identity.ProfileRule) (identity.ProfileRule, error) {
	_, err := d.changeProfile(ctx, c, "UpdateProfileRule", trustOp, id, func(_ store.Tx, p *identity.TrustedProfile) (identity.Changed, error) {
		done := identity.Changed{Action: "UPDATE", Params: []string{"rules"}, Message: "A rule was changed."}
		p.Rules = slices.Clone(p.Rules)
		have := p.Rule(ruleID)
		if have == nil {
			return done, noPart("rule", ruleID)
		}
		err := matches(have.Tag, ifMatch)
		if err != nil {
			return done, err
		}
		rule.ID, rule.CreatedAt, rule.ModifiedAt = have.ID, have.CreatedAt, d.clock.Now().UTC()
		rule.Tag, err = have.Tag.Next(d.random)
		*have = rule
		return done, err
	})
	return rule, err
}

// DeleteProfileRule removes a rule, and ends what was obtained by the profile.
// KindNotFound.
func (d *Directory) DeleteProfileRule(ctx context.Context, c *identity.Caller, id, ruleID string) error {
	_, err := d.changeProfile(ctx, c, "DeleteProfileRule", trustOp, id, func(_ store.Tx, p *identity.TrustedProfile) (identity.Changed, error) {
		done := identity.Changed{Action: "UPDATE", Params: []string{"rules"}, Message: "A rule was removed."}
		if p.Rule(ruleID) == nil {
			return done, noPart("rule", ruleID)
		}
		p.Rules = slices.DeleteFunc(slices.Clone(p.Rules), func(r identity.ProfileRule) bool { return r.ID == ruleID })
		return done, nil
	})
	return err
}

// CreateProfileLink adds a link to a trusted profile (POST
// /v1/profiles/{id}/links). KindValidation, KindLimitExceeded, KindNotFound,
// KindAlreadyExists for a compute resource that is linked already.
func (d *Directory) CreateProfileLink(ctx context.Context, c *identity.Caller, id string, link identity.ProfileLink) (identity.ProfileLink, error) {
	uuid, err := identity.NewUUID(d.random)
	if err != nil {
		return link, err
	}
	link.ID = identity.LinkPrefix + uuid
	_, err = d.changeProfile(ctx, c, "CreateProfileLink", trustOp, id, func(_ store.Tx, p *identity.TrustedProfile) (identity.Changed, error) {
		done := identity.Changed{Action: "UPDATE", Params: []string{"links"}, Message: "A link was added."}
		if slices.ContainsFunc(p.Links, link.Same) {
			return done, identity.NewError(identity.KindAlreadyExists, "directory.profile", "The compute resource is linked already.")
		}
		now := d.clock.Now().UTC()
		link.CreatedAt, link.ModifiedAt = now, now
		if link.Tag, err = (identity.EntityTag{}).Next(d.random); err != nil {
			return done, err
		}
		p.Links = append(slices.Clone(p.Links), link)
		return done, nil
	})
	return link, err
}

// DeleteProfileLink removes a link, and ends what was obtained by the profile.
// KindNotFound.
func (d *Directory) DeleteProfileLink(ctx context.Context, c *identity.Caller, id, linkID string) error {
	_, err := d.changeProfile(ctx, c, "DeleteProfileLink", trustOp, id, func(_ store.Tx, p *identity.TrustedProfile) (identity.Changed, error) {
		done := identity.Changed{Action: "UPDATE", Params: []string{"links"}, Message: "A link was removed."}
		if p.Link(linkID) == nil {
			return done, noPart("link", linkID)
		}
		p.Links = slices.DeleteFunc(slices.Clone(p.Links), func(l identity.ProfileLink) bool { return l.ID == linkID })
		return done, nil
	})
	return err
}

// SetProfileIdentities names the users, service IDs and CRNs that may become a
// trusted profile (PUT /v1/profiles/{id}/identities). ifMatch is the entity tag of
// the identities or "*". Errors as of UpdateIBMAPIKey; users and service IDs must
// be there.
func (d *Directory) SetProfileIdentities(ctx context.Context, c *identity.Caller, id, ifMatch string, list []identity.ProfileIdentity) (identity.User, error) {
	return d.changeIdentities(ctx, c, "SetProfileIdentities", id, "The identities were changed.", func(p *identity.TrustedProfile) error {
		if err := matches(p.IdentitiesTag, ifMatch); err != nil {
			return err
		}
		p.Identities = nil
		for _, v := range list {
			addIdentity(p, v)
		}
		return nil
	}, list...)
}

// AddProfileIdentity names one more who may become a trusted profile, or changes
// its description (POST /v1/profiles/{id}/identities/{type}). KindValidation,
// KindLimitExceeded, KindNotFound.
func (d *Directory) AddProfileIdentity(ctx context.Context, c *identity.Caller, id string, v identity.ProfileIdentity) (identity.ProfileIdentity, error) {
	u, err := d.changeIdentities(ctx, c, "AddProfileIdentity", id, "An identity was added.", func(p *identity.TrustedProfile) error {
		addIdentity(p, v)
		return nil
	}, v)
	if err != nil {
		return v, err
	}
	return *u.Profile.Identity(v.Type, v.Identifier), nil
}

// DeleteProfileIdentity ends that somebody may become a trusted profile (DELETE
// /v1/profiles/{id}/identities/{type}/{identifier}), and ends what was obtained by
// the profile. KindNotFound.
func (d *Directory) DeleteProfileIdentity(ctx context.Context, c *identity.Caller, id, kind, identifier string) error {
	_, err := d.changeIdentities(ctx, c, "DeleteProfileIdentity", id, "An identity was removed.", func(p *identity.TrustedProfile) error {
		if p.Identity(kind, identifier) == nil {
			return noPart("identity", identifier)
		}
		p.Identities = slices.DeleteFunc(slices.Clone(p.Identities), func(v identity.ProfileIdentity) bool { return v.Is(kind, identifier) })
		return nil
	})
	return err
}

// changeIdentities changes the identities of a profile; those that are named anew
// must be there.
func (d *Directory) changeIdentities(ctx context.Context, c *identity.Caller, event, id, message string, fn func(*identity.TrustedProfile) error, named ...identity.ProfileIdentity) (identity.User, error) {
	return d.changeProfile(ctx, c, event, trustOp, id, func(tx store.Tx, p *identity.TrustedProfile) (identity.Changed, error) {
		done := identity.Changed{Action: "UPDATE", Params: []string{"identities"}, Message: message}
		err := fn(p)
		if err != nil {
			return done, err
		}
		for i := range named {
			if err := identityThere(tx, c.AccountID, named[i]); err != nil {
				return done, err
			}
		}
		p.IdentitiesTag, err = p.IdentitiesTag.Next(d.random)
		return done, err
	})
}

// addIdentity puts an identity at its place, or at the end.
func addIdentity(p *identity.TrustedProfile, v identity.ProfileIdentity) {
	v = v.Normal()
	p.Identities = slices.Clone(p.Identities)
	if have := p.Identity(v.Type, v.Identifier); have != nil {
		*have = v
		return
	}
	p.Identities = append(p.Identities, v)
}

// identityThere refuses a user or a service ID that is not of the account. Root
// needs no profile, and profiles and API tokens become none.
func identityThere(r store.Reader, account string, v identity.ProfileIdentity) error {
	v = v.Normal()
	if v.Type == identity.IdentityCRN {
		return nil
	}
	absent := invalid("The property identifier names no %s of the account.", clip(v.Type))
	userID, ok := identity.UserOfIAMID(v.IAMID())
	if !ok || len(userID) > maxIBMID {
		return absent
	}
	u, err := store.Users.Get(r, userID)
	if err != nil {
		return ifAbsent(err, absent)
	}
	if u.AccountID != account || u.Root || u.Profile != nil || u.Token != nil || (u.ServiceID != nil) != (v.Type == identity.IdentityServiceID) {
		return absent
	}
	return nil
}
