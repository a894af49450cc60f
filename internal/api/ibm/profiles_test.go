package ibm_test

import (
	"context"
	"strings"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/wiretest"
)

const (
	profileID = "Profile-00000000-1111-4222-8333-444444444444"
	ruleID    = "ClaimRule-00000000-1111-4222-8333-444444444444"
	linkID    = "Link-00000000-1111-4222-8333-444444444444"
)

func (issuer) IBMAssume(_ context.Context, g issue.IBMAssumeGrant) (issue.IBMTokens, error) {
	if err := wiretest.Fault(g.Access.Reveal()); err != nil {
		return issue.IBMTokens{}, err
	}
	return tokens("assume/"+g.Access.Reveal()+"/"+which(g.Profile), g.Profile.Account, g.Client), nil
}

func (issuer) IBMCRToken(_ context.Context, g issue.IBMCRGrant) (issue.IBMTokens, error) {
	if err := wiretest.Fault(g.Token.Reveal()); err != nil {
		return issue.IBMTokens{}, err
	}
	return tokens("cr-token/"+g.Token.Reveal()+"/"+which(g.Profile), g.Profile.Account, g.Client), nil
}

func which(p issue.IBMProfileName) string { return strings.Join([]string{p.ID, p.Name, p.CRN}, "/") }

func trusted(id string) identity.User {
	tag := identity.EntityTag{N: 1, Random: randomOfTags}
	return identity.User{
		ID: "iam-" + id, AccountID: account, Name: id, CreatedAt: made, ModifiedAt: made, Local: true,
		Profile: &identity.TrustedProfile{
			Name: "deployer", Description: "deploys", Email: "team@example.com", CreatedBy: userIAMID, Tag: tag, IdentitiesTag: tag,
			History: []identity.Changed{{At: made, IAMID: userIAMID, AccountID: account, Action: "CREATE", Message: "The trusted profile was created."}},
			Rules: []identity.ProfileRule{{
				ID: ruleID, Name: "pipelines", Type: identity.RuleCompute, RealmName: "https://issuer.example.com", CRType: "IKS_SA", Expiration: 900,
				Conditions: []identity.ProfileCondition{{Claim: "namespace", Operator: "EQUALS", Value: `"ci"`}, {Claim: "name", Operator: "IN", Value: `["a","b"]`}},
				Tag:        tag, CreatedAt: made, ModifiedAt: made,
			}},
			Links: []identity.ProfileLink{{
				ID: linkID, Name: "cluster", CRType: "IKS_SA", CRN: identity.ClusterCRN(account, "k8s.example.com:6443"), Namespace: "ci", Resource: "runner",
				Tag: tag, CreatedAt: made, ModifiedAt: made,
			}},
			Identities: []identity.ProfileIdentity{
				{Type: identity.IdentityUser, Identifier: userIAMID, Accounts: []string{account}, Description: "alice"},
				{Type: identity.IdentityServiceID, Identifier: serviceID},
			},
		},
	}
}

func (core) TrustedProfiles(_ context.Context, _ *identity.Caller, f directory.TrustedProfileFilter, _ directory.Page) (directory.Listing[identity.User], error) {
	u := trusted(profileID)
	u.Profile.Description = f.Name + "/" + f.Sort.By
	return directory.Listing[identity.User]{Items: []identity.User{u}}, nil
}

func (core) TrustedProfile(_ context.Context, _ *identity.Caller, id string) (identity.User, error) {
	return trusted(id), known(id, profileID)
}

func (core) CreateTrustedProfile(_ context.Context, _ *identity.Caller, in directory.NewTrustedProfile) (identity.User, error) {
	u := trusted(profileID)
	u.Profile.Name, u.Profile.Description, u.Profile.Email = in.Name, in.Description, in.Email
	return u, wiretest.Fault(in.Name)
}

func stale(tag identity.EntityTag, ifMatch string) error {
	if ifMatch == "*" || ifMatch == tag.String() {
		return nil
	}
	return identity.NewError(identity.KindConflict, "fake", "")
}

func (core) UpdateTrustedProfile(_ context.Context, _ *identity.Caller, id, ifMatch string, in directory.TrustedProfileChange) (identity.User, error) {
	u := trusted(id)
	p := u.Profile
	if err := stale(p.Tag, ifMatch); err != nil {
		return u, err
	}
	p.Tag.N++
	set(&p.Name, in.Name)
	set(&p.Description, in.Description)
	set(&p.Email, in.Email)
	return u, known(id, profileID)
}

func (core) DeleteTrustedProfile(_ context.Context, _ *identity.Caller, id string) error {
	return known(id, profileID)
}

func (core) CreateProfileRule(_ context.Context, _ *identity.Caller, id string, rule identity.ProfileRule) (identity.ProfileRule, error) {
	have := trusted(id).Profile.Rules[0]
	rule.ID, rule.Tag, rule.CreatedAt, rule.ModifiedAt = have.ID, have.Tag, made, made
	p := identity.TrustedProfile{Name: "x", Rules: []identity.ProfileRule{rule}}
	if err := p.Check(account); err != nil {
		return rule, err
	}
	return rule, known(id, profileID)
}

func (c core) UpdateProfileRule(ctx context.Context, caller *identity.Caller, id, rule, ifMatch string, in identity.ProfileRule) (identity.ProfileRule, error) {
	out, err := c.CreateProfileRule(ctx, caller, id, in)
	if err != nil {
		return out, err
	}
	if err := stale(out.Tag, ifMatch); err != nil {
		return out, err
	}
	out.Tag.N++
	return out, known(rule, ruleID)
}

func (core) DeleteProfileRule(_ context.Context, _ *identity.Caller, id, rule string) error {
	if err := known(id, profileID); err != nil {
		return err
	}
	return known(rule, ruleID)
}

func (core) CreateProfileLink(_ context.Context, _ *identity.Caller, id string, link identity.ProfileLink) (identity.ProfileLink, error) {
	have := trusted(id).Profile.Links[0]
	link.ID, link.Tag, link.CreatedAt, link.ModifiedAt = have.ID, have.Tag, made, made
	p := identity.TrustedProfile{Name: "x", Links: []identity.ProfileLink{link}}
	if err := p.Check(account); err != nil {
		return link, err
	}
	return link, known(id, profileID)
}

func (core) DeleteProfileLink(_ context.Context, _ *identity.Caller, id, link string) error {
	if err := known(id, profileID); err != nil {
		return err
	}
	return known(link, linkID)
}

func (core) SetProfileIdentities(_ context.Context, _ *identity.Caller, id, ifMatch string, list []identity.ProfileIdentity) (identity.User, error) {
	u := trusted(id)
	if err := stale(u.Profile.IdentitiesTag, ifMatch); err != nil {
		return u, err
	}
	u.Profile.IdentitiesTag.N++
	u.Profile.Identities = list
	if err := u.Profile.Check(account); err != nil {
		return u, err
	}
	return u, known(id, profileID)
}

func (core) AddProfileIdentity(_ context.Context, _ *identity.Caller, id string, v identity.ProfileIdentity) (identity.ProfileIdentity, error) {
	return v, known(id, profileID)
}

func (core) DeleteProfileIdentity(_ context.Context, _ *identity.Caller, id, kind, identifier string) error {
	if err := known(id, profileID); err != nil {
		return err
	}
	return known(kind+"/"+identifier, "user/"+userIAMID, "serviceid/"+serviceID)
}
