package kms_test

import (
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/kms"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// manager makes a service ID with the role Manager.
func (o *office) manager() *identity.User {
	o.t.Helper()
	u := must(o.Directory.CreateServiceID(o.t.Context(), o.root, directory.NewServiceID{Name: "manager"}))(o.t)
	o.grant(u.ID, nil, "Manager")
	id, _ := identity.UserOfIAMID(u.ID)
	return must(store.Users.Get(o.DB.Snapshot(), id))(o.t)
}

// TestConsentEndsWithItsGiver: for as long as the word lives, what ended it is
// remembered, and who gave it must still be there.
func TestConsentEndsWithItsGiver(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	twoMustAgree := func(n *kms.NewKey) { n.Policies = &kms.KeyPolicies{DualAuth: true} }
	gone, revoked := s.manager(), s.manager()
	byGone, byRevoked := s.key(twoMustAgree), s.key(twoMustAgree)
	ok(t, s.KMS.SetForDeletion(ctx, s.login(s.apiKey(gone.IAMID())), here, byGone.ID))
	ok(t, s.KMS.SetForDeletion(ctx, s.login(s.apiKey(revoked.IAMID())), here, byRevoked.ID))
	// Without a revocation: what is remembered of one does not matter here.
	must(s.DB.Update(ctx, func(tx store.Tx) error {
		u := *must(store.Users.Get(tx, gone.ID))(t)
		u.Disabled = true
		return store.Users.Put(tx, &u)
	}))(t)
	must(s.DB.Update(ctx, func(tx store.Tx) error {
		return s.Access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: revoked.ID})
	}))(t)
	for _, wait := range []time.Duration{0, identity.IBMRefreshTokenLife + time.Hour, identity.KMSConsentLife - identity.IBMRefreshTokenLife - 2*time.Hour} {
		s.Clock.Advance(wait)
		ok(t, s.Access.PruneRevocations(ctx))
		second := s.login(s.apiKey(s.manager().IAMID()))
		for what, key := range map[string]*kms.Key{"disabled": byGone, "revoked": byRevoked} {
			_, err := s.KMS.Delete(ctx, second, here, key.ID, false)
			wantReason(t, "by the word of one who was "+what, err, kms.ReasonDualAuth)
		}
	}
}

// TestMakerOfAnAPIKey: who has made the API key by which another asks is one with it,
// whichever of them asks first, and through another key that she made, too.
func TestMakerOfAnAPIKey(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	administers := func(iamID string) {
		must(s.Directory.CreateAccessPolicy(ctx, s.root, directory.NewAccessPolicy{IAMID: iamID, Roles: []string{"Administrator"}, Attributes: []identity.ResourceAttribute{
			{Name: "accountId", Value: stacktest.AccountA, Operator: identity.StringEquals}, {Name: "serviceName", Value: identity.IAMIdentity, Operator: identity.StringEquals},
		}}))(t)
	}
	maker, one, two, other := s.manager(), s.manager(), s.manager(), s.manager()
	administers(maker.IAMID())
	administers(one.IAMID())
	she := s.login(s.apiKey(maker.IAMID()))
	by := func(c *identity.Caller, owner *identity.User) *identity.Caller {
		made := must(s.Issuer.NewIBMAPIKey(ctx, c, issue.NewIBMKey{Name: "made", IAMID: owner.IAMID()}))(t)
		return s.login(made.Text)
	}
	hers := by(she, one)
	further := by(hers, two)
	also := by(she, other)
	for _, v := range []struct {
		name          string
		first, second *identity.Caller
		want          kms.Reason
	}{
		{"she and hers", she, hers, kms.ReasonDualAuth},
		{"hers and she", hers, she, kms.ReasonDualAuth},
		{"she and one further", she, further, kms.ReasonDualAuth},
		{"one further and she", further, she, kms.ReasonDualAuth},
		{"two of hers", hers, also, ""},
		{"she and another", she, s.login(s.apiKey(other.IAMID())), ""},
	} {
		key := s.key(func(in *kms.NewKey) { in.Policies = &kms.KeyPolicies{DualAuth: true} })
		ok(t, s.KMS.SetForDeletion(ctx, v.first, here, key.ID))
		_, err := s.KMS.Delete(ctx, v.second, here, key.ID, true)
		wantReason(t, v.name, err, v.want)
	}
}
