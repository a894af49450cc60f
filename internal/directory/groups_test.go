package directory_test

import (
	"fmt"
	"strings"
	"testing"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, b, ctx, d := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo"), t.Context(), s.Directory
	g, err := d.CreateGroup(ctx, a, "Devs", "/team/")
	if err != nil || g.ARN("aws") != "arn:aws:iam::123456789012:group/team/Devs" || !strings.HasPrefix(g.ID, "AGPA") || len(g.ID) != 21 {
		t.Fatalf("%+v, %v", g, err)
	}
	_, err = d.CreateGroup(ctx, a, "DEVS", "")
	expect(t, "a taken name", err, identity.KindAlreadyExists, "Group with name DEVS already exists.")
	_, err = d.CreateGroup(ctx, a, "a b", "")
	expect(t, "a bad name", err, identity.KindValidation, "")
	_, err = d.CreateGroup(ctx, a, "x", "x")
	expect(t, "a bad path", err, identity.KindValidation, "")
	_, _, err = d.GetGroup(ctx, b, "Devs", directory.Page{})
	expect(t, "read by another account", err, identity.KindNotFound, "The group with name Devs cannot be found.")

	for _, name := range []string{"u1", "u2", "u3"} {
		iamUser(t, s, a, name)
		must(t, d.AddUserToGroup(ctx, a, "devs", name))
	}
	must(t, d.AddUserToGroup(ctx, a, "devs", "u1"))
	expect(t, "nobody added", d.AddUserToGroup(ctx, a, "devs", "nobody"), identity.KindNotFound, "The user with name nobody cannot be found.")
	expect(t, "root added", d.AddUserToGroup(ctx, a, "devs", "root"), identity.KindNotFound, "The user with name root cannot be found.")
	expect(t, "added to no group", d.AddUserToGroup(ctx, a, "none", "u1"), identity.KindNotFound, "The group with name none cannot be found.")
	var names []string
	page := directory.Page{MaxItems: 2}
	for {
		_, l, err := d.GetGroup(ctx, a, "Devs", page)
		must(t, err)
		for _, u := range l.Items {
			names = append(names, u.Name)
		}
		if page.Marker = l.Next; l.Next == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "u1 u2 u3" {
		t.Errorf("members: %s", got)
	}
	for i := range 9 {
		group(t, s, a, fmt.Sprint("g", i))
		must(t, d.AddUserToGroup(ctx, a, fmt.Sprint("g", i), "u1"))
	}
	group(t, s, a, "last")
	expect(t, "an eleventh group", d.AddUserToGroup(ctx, a, "last", "u1"), identity.KindLimitExceeded, "Cannot exceed quota for GroupsPerUser: 10")
	first, err := d.ListGroupsForUser(ctx, a, "U1", directory.Page{MaxItems: 9})
	if err != nil || len(first.Items) != 9 || first.Next == "" {
		t.Fatalf("groups of u1: %v, %v", first, err)
	}
	if rest, err := d.ListGroupsForUser(ctx, a, "U1", directory.Page{Marker: first.Next}); err != nil || len(rest.Items) != 1 || rest.Items[0].Name != "Devs" {
		t.Errorf("the rest: %v, %v", rest, err)
	}
	if l, err := d.ListGroups(ctx, a, "/team/", directory.Page{}); err != nil || len(l.Items) != 1 {
		t.Errorf("below /team/: %v, %v", l, err)
	}

	must(t, d.PutInlinePolicy(ctx, a, directory.Owner{Kind: directory.GroupOwner, Name: "Devs"}, "p", allowAll))
	must(t, d.AttachPolicy(ctx, a, directory.Owner{Kind: directory.GroupOwner, Name: "Devs"}, readOnly))
	expect(t, "renamed to a taken name", d.UpdateGroup(ctx, a, "Devs", "G1", ""), identity.KindAlreadyExists, "Group with name G1 already exists.")
	must(t, d.UpdateGroup(ctx, a, "Devs", "Engineers", "/"))
	_, members, err := d.GetGroup(ctx, a, "engineers", directory.Page{})
	if err != nil || len(members.Items) != 3 {
		t.Errorf("members after a rename: %v, %v", members, err)
	}
	expect(t, "deleted with users", d.DeleteGroup(ctx, a, "Engineers"), identity.KindDeleteConflict, "Cannot delete entity, must remove users from group first.")
	for _, name := range []string{"u1", "u2", "u3"} {
		must(t, d.RemoveUserFromGroup(ctx, a, "Engineers", name))
	}
	expect(t, "removed twice", d.RemoveUserFromGroup(ctx, a, "Engineers", "u2"), identity.KindNotFound, "User u2 is not in group Engineers.")
	engineers := directory.Owner{Kind: directory.GroupOwner, Name: "Engineers"}
	expect(t, "deleted with attachments", d.DeleteGroup(ctx, a, "Engineers"), identity.KindDeleteConflict, "Cannot delete entity, must detach all policies first.")
	must(t, d.DetachPolicy(ctx, a, engineers, readOnly))
	expect(t, "deleted with policies", d.DeleteGroup(ctx, a, "Engineers"), identity.KindDeleteConflict, "Cannot delete entity, must delete policies first.")
	must(t, d.DeleteInlinePolicy(ctx, a, engineers, "p"))
	must(t, d.DeleteGroup(ctx, a, "Engineers"))
	expect(t, "deleted twice", d.DeleteGroup(ctx, a, "Engineers"), identity.KindNotFound, "")
}

// TestDeletionWaitsForPolicies: users and roles on which policies or groups
// hang stay, and are told in which order to go.
func TestDeletionWaitsForPolicies(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx, d := root(t, s, stacktest.AccountA, "aws"), t.Context(), s.Directory
	_, err := d.CreateUser(ctx, a, directory.NewUser{Name: "alice"})
	must(t, err)
	group(t, s, a, "devs")
	must(t, d.AddUserToGroup(ctx, a, "devs", "alice"))
	alice, role := directory.Owner{Name: "alice"}, directory.Owner{Kind: directory.RoleOwner, Name: stacktest.RoleName}
	for _, o := range []directory.Owner{alice, role} {
		must(t, d.PutInlinePolicy(ctx, a, o, "p", allowAll))
	}
	must(t, d.AttachPolicy(ctx, a, alice, readOnly))
	remove := func() error { return d.DeleteUser(ctx, a, "alice") }
	expect(t, "in a group", remove(), identity.KindDeleteConflict, "Cannot delete entity, must remove users from group first.")
	must(t, d.RemoveUserFromGroup(ctx, a, "devs", "alice"))
	expect(t, "with attachments", remove(), identity.KindDeleteConflict, "Cannot delete entity, must detach all policies first.")
	must(t, d.DetachPolicy(ctx, a, alice, readOnly))
	expect(t, "with policies", remove(), identity.KindDeleteConflict, "Cannot delete entity, must delete policies first.")
	must(t, d.DeleteInlinePolicy(ctx, a, alice, "p"))
	must(t, remove())

	removeRole := func() error { return d.DeleteRole(ctx, a, stacktest.RoleName) }
	expect(t, "a role with attachments", removeRole(), identity.KindDeleteConflict, "Cannot delete entity, must detach all policies first.")
	must(t, d.DetachPolicy(ctx, a, role, "arn:aws:iam::aws:policy/AmazonS3FullAccess"))
	expect(t, "a role with policies", removeRole(), identity.KindDeleteConflict, "Cannot delete entity, must delete policies first.")
	must(t, d.DeleteInlinePolicy(ctx, a, role, "p"))
	must(t, removeRole())
}

// TestEscalation: who may change policies gets no further by it than the
// policies that let it.
func TestEscalation(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx, d := root(t, s, stacktest.AccountA, "aws"), t.Context(), s.Directory
	const self = "arn:aws:iam::123456789012:"
	grant := func(name, document string) {
		must(t, d.PutInlinePolicy(ctx, a, directory.Owner{Name: name}, "grant", document))
	}
	may := func(c *identity.Caller, action string) bool {
		fresh := *c
		fresh.Rights = nil
		return s.Access.Authorize(&fresh, action, access.Resource{ARN: "arn:aws:s3:::b", AccountID: stacktest.AccountA}).Allowed()
	}
	denied := func(what string, err error) { t.Helper(); expect(t, what, err, identity.KindAccessDenied, "") }

	// One policy only may be attached, to whomever.
	eve := iamUser(t, s, a, "eve")
	grant("eve", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:AttachUserPolicy","iam:DetachUserPolicy"],"Resource":"*",
		"Condition":{"ArnEquals":{"iam:PolicyARN":"`+readOnly+`"}}}}`)
	me := directory.Owner{Name: "eve"}
	denied("another policy attached", d.AttachPolicy(ctx, eve, me, "arn:aws:iam::aws:policy/AdministratorAccess"))
	denied("a policy that is not there attached", d.AttachPolicy(ctx, eve, me, "arn:aws:iam::aws:policy/Nothing"))
	denied("attached to a group", d.AttachPolicy(ctx, eve, directory.Owner{Kind: directory.GroupOwner, Name: "x"}, readOnly))
	denied("an inline policy", d.PutInlinePolicy(ctx, eve, me, "p", allowAll))
	must(t, d.AttachPolicy(ctx, eve, me, readOnly))
	if !may(eve, "s3:GetObject") || may(eve, "s3:PutObject") {
		t.Error("the policy attached has no effect, or too much")
	}

	// Within a boundary, a policy for oneself gives no more than the boundary.
	bound, err := d.CreatePolicy(ctx, a, directory.NewPolicy{Name: "bound", Document: allowActions("s3:GetObject", "iam:PutUserPolicy", "iam:AttachUserPolicy")})
	must(t, err)
	mallory := iamUser(t, s, a, "mallory")
	grant("mallory", allowActions("iam:*"))
	must(t, d.PutBoundary(ctx, a, directory.Owner{Name: "mallory"}, bound.ARN("aws")))
	mine := directory.Owner{Name: "mallory"}
	must(t, d.PutInlinePolicy(ctx, mallory, mine, "more", allowAll))
	if !may(mallory, "s3:GetObject") || may(mallory, "s3:PutObject") {
		t.Error("a bounded user gave itself more than its boundary, or nothing")
	}
	denied("the boundary deleted", d.DeleteBoundary(ctx, mallory, mine))
	denied("the boundary replaced", d.PutBoundary(ctx, mallory, mine, "arn:aws:iam::aws:policy/AdministratorAccess"))
	_, err = d.CreatePolicyVersion(ctx, mallory, bound.ARN("aws"), allowAll, true)
	denied("the boundary rewritten", err)
	must(t, d.AttachPolicy(ctx, mallory, mine, "arn:aws:iam::aws:policy/AdministratorAccess"))
	if may(mallory, "s3:PutObject") {
		t.Error("a bounded administrator writes")
	}

	// Only users with that boundary may be touched, and given that boundary.
	helper := iamUser(t, s, a, "helper")
	grant("helper", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:PutUserPolicy","iam:PutUserPermissionsBoundary","iam:CreateUser"],
		"Resource":"*","Condition":{"StringEquals":{"iam:PermissionsBoundary":"`+bound.ARN("aws")+`"}}}}`)
	must(t, d.PutInlinePolicy(ctx, helper, mine, "helped", allowActions("s3:GetObject")))
	denied("a user without boundary changed", d.PutInlinePolicy(ctx, helper, directory.Owner{Name: "helper"}, "p", allowAll))
	denied("another boundary given", d.PutBoundary(ctx, helper, mine, "arn:aws:iam::aws:policy/AdministratorAccess"))
	must(t, d.PutBoundary(ctx, helper, directory.Owner{Name: "eve"}, bound.ARN("aws")))
	if !may(eve, "s3:GetObject") || may(eve, "s3:GetBucketAcl") {
		t.Error("the boundary given has no effect, or too much")
	}

	// A policy that somebody has may be rewritten by its own actions alone.
	shared, err := d.CreatePolicy(ctx, a, directory.NewPolicy{Name: "shared", Document: allowActions("s3:GetObject"), Tags: map[string]string{"Team": "blue"}})
	must(t, err)
	arn := shared.ARN("aws")
	_, err = d.CreatePolicyVersion(ctx, a, arn, allowAll, false)
	must(t, err)
	writer := iamUser(t, s, a, "writer")
	must(t, d.AttachPolicy(ctx, a, directory.Owner{Name: "writer"}, arn))
	_, err = d.CreatePolicyVersion(ctx, writer, arn, allowAll, true)
	denied("a version without the action", err)
	denied("a default without the action", d.SetDefaultPolicyVersion(ctx, writer, arn, "v2"))
	grant("writer", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:SetDefaultPolicyVersion","Resource":"`+self+`policy/*",
		"Condition":{"StringEquals":{"iam:ResourceTag/Team":"red"}}}}`)
	denied("a default of another team's policy", d.SetDefaultPolicyVersion(ctx, writer, arn, "v2"))
	if may(writer, "s3:PutObject") {
		t.Error("a version that is not in force has effect")
	}
	must(t, d.TagPolicy(ctx, a, arn, map[string]string{"Team": "red"}))
	must(t, d.SetDefaultPolicyVersion(ctx, writer, arn, "v2"))
	if !may(writer, "s3:PutObject") {
		t.Error("a version brought into force has no effect")
	}

	// With every right in the account, root stays out of reach.
	boss := iamUser(t, s, a, "boss")
	grant("boss", allowAll)
	group(t, s, a, "devs")
	for what, err := range map[string]error{
		"put":      d.PutInlinePolicy(ctx, boss, directory.Owner{Name: "root"}, "p", allowAll),
		"attach":   d.AttachPolicy(ctx, boss, directory.Owner{Name: "Root"}, readOnly),
		"boundary": d.PutBoundary(ctx, boss, directory.Owner{Name: "ROOT"}, readOnly),
		"group":    d.AddUserToGroup(ctx, boss, "devs", "root"),
		"rename":   d.UpdateUser(ctx, boss, "root", "x", ""),
		"delete":   d.DeleteUser(ctx, boss, "root"),
	} {
		expect(t, what+" root", err, identity.KindNotFound, "")
	}
}

// TestTagConditions: aws:RequestTag and aws:TagKeys decide who may make and tag
// policies, and how.
func TestTagConditions(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx, d := root(t, s, stacktest.AccountA, "aws"), t.Context(), s.Directory
	dan := iamUser(t, s, a, "dan")
	must(t, d.PutInlinePolicy(ctx, a, directory.Owner{Name: "dan"}, "grant", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["iam:CreatePolicy","iam:TagPolicy"],"Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/Team":"blue"}}},
		{"Effect":"Allow","Action":"iam:UntagPolicy","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["Cost"]},"StringEquals":{"aws:ResourceTag/Team":"blue"}}}]}`))
	_, err := d.CreatePolicy(ctx, dan, directory.NewPolicy{Name: "x", Document: allowAll})
	expect(t, "without the tag", err, identity.KindAccessDenied, "")
	_, err = d.CreatePolicy(ctx, dan, directory.NewPolicy{Name: "x", Document: allowAll, Tags: map[string]string{"Team": "red"}})
	expect(t, "with another value", err, identity.KindAccessDenied, "")
	p, err := d.CreatePolicy(ctx, dan, directory.NewPolicy{Name: "x", Document: allowAll, Tags: map[string]string{"team": "blue", "Cost": "1", "More": "2"}})
	must(t, err)
	arn := p.ARN("aws")
	expect(t, "tagged otherwise", d.TagPolicy(ctx, dan, arn, map[string]string{"Team": "red"}), identity.KindAccessDenied, "")
	expect(t, "another tag removed", d.UntagPolicy(ctx, dan, arn, []string{"Cost", "More"}), identity.KindAccessDenied, "")
	must(t, d.UntagPolicy(ctx, dan, arn, []string{"Cost"}))
	must(t, d.TagPolicy(ctx, a, arn, map[string]string{"Team": "green"}))
	expect(t, "of another team's", d.UntagPolicy(ctx, dan, arn, []string{"Cost"}), identity.KindAccessDenied, "")
}
