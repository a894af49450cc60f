package issue_test

import (
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// TestRootTasksReachRootAlone: a session for one task about the credentials of
// a root user is no way to those of the account's users.
func TestRootTasksReachRootAlone(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.update(func(tx store.Tx) error {
		acc, err := store.Accounts.Get(tx, stacktest.AccountA)
		if err != nil {
			return err
		}
		v := *acc
		v.AssumeRootIn = []string{stacktest.AccountB}
		return store.Accounts.Put(tx, &v)
	})
	task := func(name string) *identity.Caller {
		out, err := o.Issuer.AssumeRoot(t.Context(), o.alice, issue.AssumeRootRequest{
			TargetPrincipal: stacktest.AccountB, TaskPolicyARN: "arn:aws:iam::aws:policy/root-task/" + name,
		})
		if err != nil {
			t.Fatal(err)
		}
		return o.caller(out.Keys)
	}
	create, remove, audit := task("IAMCreateRootUserPassword"), task("IAMDeleteRootUserCredentials"), task("IAMAuditRootUserCredentials")
	ctx, d := t.Context(), o.Directory
	_, err := d.CreateLoginProfile(ctx, create, "carol", "Tr0ub4dor&3-staple", false)
	wantKind(t, "a password for a user", err, identity.KindAccessDenied)
	_, err = d.LoginProfile(ctx, create, "carol")
	wantKind(t, "whether a user has a password", err, identity.KindAccessDenied)
	wantKind(t, "a user's password taken", d.DeleteLoginProfile(ctx, remove, "carol"), identity.KindAccessDenied)
	wantKind(t, "a user's key taken", d.DeleteAccessKey(ctx, remove, "carol", o.carol.AccessKeyID), identity.KindAccessDenied)
	wantKind(t, "a user's device taken", d.DeactivateMFADevice(ctx, remove, "carol", "arn:demo:iam::"+stacktest.AccountB+":mfa/x"), identity.KindAccessDenied)
	_, _, err = d.ListAccessKeys(ctx, audit, "carol", directory.Page{})
	wantKind(t, "a user's keys listed", err, identity.KindAccessDenied)
	_, _, err = d.ListMFADevices(ctx, audit, "carol")
	wantKind(t, "a user's devices listed", err, identity.KindAccessDenied)
	_, err = d.GetUser(ctx, audit, "carol")
	wantKind(t, "a user shown", err, identity.KindAccessDenied)
	// What the tasks are for.
	for name, c := range map[string]*identity.Caller{"audit": audit, "remove": remove} {
		if _, _, err := d.ListAccessKeys(ctx, c, "", directory.Page{}); err != nil {
			t.Errorf("%s: root's keys: %v", name, err)
		}
		if _, _, err := d.ListMFADevices(ctx, c, ""); err != nil {
			t.Errorf("%s: root's devices: %v", name, err)
		}
	}
	if _, err := d.AccountSummary(ctx, audit); err != nil {
		t.Errorf("the account's summary: %v", err)
	}
	if _, err := d.LoginProfile(ctx, create, ""); err != nil {
		t.Errorf("root's password: %v", err)
	}
}

// TestSourceIdentityOfRoot: the role's trust policy has a say in it, whoever asks.
func TestSourceIdentityOfRoot(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	deaf := o.role(stacktest.AccountA, "deaf", trusting(accountRootA, assumeAction, ""), adminPolicy)
	open := o.role(stacktest.AccountA, "open", trusting(accountRootA, allActions, ""), adminPolicy)
	claim := func(r *issue.AssumeRoleRequest) { r.SourceIdentity = "alice" }
	_, err := o.assume(o.rootA, deaf, claim)
	wantKind(t, "a source identity that the role does not take", err, identity.KindAccessDenied)
	wantText(t, "a source identity that the role does not take", err, "sts:SetSourceIdentity")
	if c := o.assumed(o.rootA, open, claim); c.SourceIdentity != "alice" {
		t.Errorf("source identity: %q", c.SourceIdentity)
	}
	if c := o.assumed(o.rootA, deaf); c.SourceIdentity != "" {
		t.Errorf("source identity: %q", c.SourceIdentity)
	}
}

// TestOutboundIsTakenNowhere: a token for others carries no lineage. Taken here
// it would leave keys that nothing which ends its caller could reach.
func TestOutboundIsTakenNowhere(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	on, err := o.Directory.EnableOutboundFederation(t.Context(), o.alice)
	if err != nil {
		t.Fatal(err)
	}
	_, err = o.Directory.CreateOpenIDConnectProvider(t.Context(), o.alice, directory.NewProvider{URL: on.Issuer, ClientIDs: []string{"sts"}})
	wantKind(t, "the account's own issuer as a provider", err, identity.KindInvalidInput)
	_, err = o.Directory.Apply(t.Context(), o.Operator(), directory.SiteSpec{Providers: []directory.ProviderSpec{
		{AccountID: stacktest.AccountB, URL: on.Issuer, ClientIDs: []string{"sts"}},
	}}, false)
	wantKind(t, "the same by the site file", err, identity.KindValidation)
	_, keys, err := o.Issuer.Outbound(stacktest.AccountA)
	if err != nil {
		t.Fatal(err)
	}
	o.update(func(tx store.Tx) error { // as one from before it was refused
		return store.Providers.Put(tx, &identity.Provider{AccountID: stacktest.AccountA, URL: on.Issuer, ClientIDs: []string{"sts"}, JWKS: string(keys)})
	})
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(keys, &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		o.Foreign.Set(on.Issuer, k.KeyID, k.Key)
	}
	arn := o.role(stacktest.AccountA, "around", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"`+
		identity.ProviderARN("aws", stacktest.AccountA, on.Issuer)+`"},"Action":"sts:AssumeRoleWithWebIdentity"}}`, adminPolicy)
	out, err := o.Issuer.OutboundToken(t.Context(), o.mallory, issue.OutboundTokenRequest{Audience: []string{"sts"}, Algorithm: "RS256"})
	if err != nil {
		t.Fatal(err)
	}
	o.update(func(tx store.Tx) error {
		return o.Access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: o.mallory.PrincipalID})
	})
	_, err = webIdentity(t, o.Stack, arn, out.Token, 0)
	wantKind(t, "the token of a caller that was ended", err, identity.KindInvalidIdentity)
}
