package directory_test

import (
	"context"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
)

const (
	denied   = identity.KindAccessDenied
	absent   = identity.KindNotFound
	anything = identity.Kind("")
)

// TestConditionsHold lets callers with conditional rights try what those keep
// them from.
func TestConditionsHold(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx := root(t, s, stacktest.AccountA, "aws"), t.Context()
	bounded := limited(t, s, a, "bounded", `{"Effect":"Allow","Action":["iam:CreateRole","iam:CreateUser"],"Resource":"*",
		"Condition":{"StringEquals":{"iam:PermissionsBoundary":"`+boundaryA+`"}}}`)
	tagger := limited(t, s, a, "tagger", `{"Effect":"Allow","Action":["iam:CreateRole","iam:TagRole","iam:CreateUser","iam:TagUser","iam:UntagUser","iam:CreateOpenIDConnectProvider","iam:TagOpenIDConnectProvider"],"Resource":"*",
		"Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["Cost","Team"]},"StringEqualsIfExists":{"aws:RequestTag/Team":"blue"}}}`)
	creator := limited(t, s, a, "creator", `{"Effect":"Allow","Action":["iam:CreateRole","iam:CreateUser","iam:CreateOpenIDConnectProvider"],"Resource":"*"}`)
	owner := limited(t, s, a, "owner", `{"Effect":"Allow","Action":"iam:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"blue"}}},
		{"Effect":"Allow","Action":"iam:GetRole","Resource":"*","Condition":{"StringEquals":{"iam:ResourceTag/Team":"green"}}}`)
	blue, green := map[string]string{"Team": "blue"}, map[string]string{"Team": "green"}
	for name, tags := range map[string]map[string]string{"blue": blue, "green": green} {
		if _, err := s.Directory.CreateRole(ctx, a, directory.NewRole{Name: name, Trust: trustAll, Tags: tags}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Directory.CreateUser(ctx, a, directory.NewUser{Name: name, Tags: tags}); err != nil {
			t.Fatal(err)
		}
	}
	role := func(c *identity.Caller, in directory.NewRole) error {
		in.Trust = trustAll
		_, err := s.Directory.CreateRole(ctx, c, in)
		return err
	}
	user := func(c *identity.Caller, in directory.NewUser) error {
		_, err := s.Directory.CreateUser(ctx, c, in)
		return err
	}
	provider := func(c *identity.Caller, url string, tags map[string]string) error {
		_, err := s.Directory.CreateOpenIDConnectProvider(ctx, c, directory.NewProvider{URL: url, Tags: tags})
		return err
	}
	get := func(c *identity.Caller, name string) error {
		_, err := s.Directory.GetRole(ctx, c, name)
		return err
	}
	for _, step := range []struct {
		name string
		err  error
		want identity.Kind
	}{
		{"role without the boundary", role(bounded, directory.NewRole{Name: "b0"}), denied},
		{"role with another boundary", role(bounded, directory.NewRole{Name: "b1", Boundary: adminARN}), denied},
		{"role with the boundary", role(bounded, directory.NewRole{Name: "b2", Boundary: boundaryA}), anything},
		{"user without the boundary", user(bounded, directory.NewUser{Name: "b0"}), denied},
		{"user with another boundary", user(bounded, directory.NewUser{Name: "b1", Boundary: adminARN}), denied},
		{"user with the boundary", user(bounded, directory.NewUser{Name: "b2", Boundary: boundaryA}), anything},
		{"role with the boundary and a tag", role(bounded, directory.NewRole{Name: "b3", Boundary: boundaryA, Tags: blue}), denied},
		{"role without the right to tag", role(creator, directory.NewRole{Name: "c0", Tags: blue}), denied},
		{"user without the right to tag", user(creator, directory.NewUser{Name: "c0", Tags: blue}), denied},
		{"provider without the right to tag", provider(creator, "https://c0.example", blue), denied},
		{"provider without tags", provider(creator, "https://c0.example", nil), anything},
		{"role with the tag", role(tagger, directory.NewRole{Name: "t0", Tags: blue}), anything},
		{"role with another value", role(tagger, directory.NewRole{Name: "t1", Tags: green}), denied},
		{"role with another key", role(tagger, directory.NewRole{Name: "t1", Tags: map[string]string{"Admin": "yes"}}), denied},
		{"provider with another value", provider(tagger, "https://t0.example", green), denied},
		{"tag of a user", s.Directory.TagUser(ctx, tagger, "blue", map[string]string{"cost": "1"}), denied},
		{"tag of a user, as written", s.Directory.TagUser(ctx, tagger, "blue", map[string]string{"Cost": "1"}), anything},
		{"tag of a user, another value", s.Directory.TagUser(ctx, tagger, "blue", green), denied},
		{"untag with another key", s.Directory.UntagUser(ctx, tagger, "blue", []string{"Admin"}), denied},
		{"role of the owner", get(owner, "blue"), anything},
		{"iam:ResourceTag", get(owner, "green"), anything},
		{"role of nobody", get(owner, stacktest.RoleName), denied},
		{"role that is not there", get(owner, "none"), denied},
		{"delete of another's", s.Directory.DeleteRole(ctx, owner, "green"), denied},
		{"trust of another's", s.Directory.UpdateAssumeRolePolicy(ctx, owner, "green", trustAll), denied},
		{"making it one's own", s.Directory.TagRole(ctx, owner, "green", blue), denied},
		{"user of another", s.Directory.DeleteUser(ctx, owner, "green"), denied},
		{"user of the owner", s.Directory.UpdateUser(ctx, owner, "blue", "", "/x/"), anything},
		{"key for the owner's user", newKey(ctx, s, owner, "blue"), anything},
		{"key for another's user", newKey(ctx, s, owner, "green"), denied},
	} {
		if identity.KindOf(step.err) != step.want {
			t.Errorf("%s: got %v, want %q", step.name, step.err, step.want)
		}
	}
}

func newKey(ctx context.Context, s *stacktest.Stack, c *identity.Caller, user string) error {
	_, err := s.Issuer.AccessKey(ctx, c, user)
	return err
}

// TestRootIsOutOfReach: nobody but root touches root, and nothing of another
// account can be named.
func TestRootIsOutOfReach(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx := root(t, s, stacktest.AccountA, "aws"), t.Context()
	admin := limited(t, s, a, "admin", `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	tags := map[string]string{"a": "b"}
	foreign := "arn:demo:iam::" + stacktest.AccountB + ":oidc-provider/idp.example.org"
	own := "arn:aws:iam::" + stacktest.AccountA + ":oidc-provider/"
	get := func(arn string) error {
		_, err := s.Directory.GetOpenIDConnectProvider(ctx, admin, arn)
		return err
	}
	lastUsed := func(c *identity.Caller) error {
		_, _, err := s.Directory.AccessKeyLastUsed(ctx, c, a.AccessKeyID)
		return err
	}
	for _, step := range []struct {
		name string
		err  error
		want identity.Kind
	}{
		{"tag root", s.Directory.TagUser(ctx, admin, "root", tags), absent},
		{"untag root", s.Directory.UntagUser(ctx, admin, "ROOT", []string{"a"}), absent},
		{"delete root", s.Directory.DeleteUser(ctx, admin, "root"), absent},
		{"use of root's key", lastUsed(admin), absent},
		{"use of root's key, by root", lastUsed(a), anything},
		{"root tags root", s.Directory.TagUser(ctx, a, "root", tags), identity.KindValidation},
		{"tag oneself without a name", s.Directory.TagUser(ctx, admin, "", tags), anything},
		{"provider of another account", get(foreign), absent},
		{"provider with the partition of another", get("arn:demo" + own[len("arn:aws"):] + "idp.example.org"), absent},
		{"provider by its key", get(own + "realm:shasta"), absent},
		{"provider by a pattern", get(own + "*"), absent},
		{"tag of a foreign provider", s.Directory.TagOpenIDConnectProvider(ctx, admin, foreign, tags), absent},
		{"client ID of a foreign provider", s.Directory.AddClientID(ctx, admin, foreign, "x"), absent},
		{"thumbprint of a foreign provider", s.Directory.UpdateThumbprints(ctx, admin, foreign, nil), absent},
		{"delete of a foreign provider", s.Directory.DeleteOpenIDConnectProvider(ctx, admin, foreign), anything}, // idempotent
	} {
		if identity.KindOf(step.err) != step.want {
			t.Errorf("%s: got %v, want %q", step.name, step.err, step.want)
		}
	}
}
