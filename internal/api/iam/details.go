package iam

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// Authorizations tells all that grants rights in an account.
type Authorizations interface {
	AuthorizationDetails(ctx context.Context, c *identity.Caller, f directory.DetailsFilter, p directory.Page) (directory.Listing[directory.Details], error)
}

var authorizationActions = map[string]action{
	"GetAccountAuthorizationDetails": (*Handler).getAccountAuthorizationDetails,
}

func (h *Handler) getAccountAuthorizationDetails(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	filter, page := in.detailsFilter(), in.page()
	if in.err != nil {
		return nil, in.err
	}
	list, err := h.directory.AuthorizationDetails(c.ctx, c.caller, filter, page)
	if err != nil {
		return nil, err
	}
	partition := c.caller.Partition
	return func(x *awswire.XML) {
		for _, section := range []struct {
			name  string
			write func(*awswire.XML, *directory.Details, string)
		}{
			{"UserDetailList", writeUserDetail},
			{"GroupDetailList", writeGroupDetail},
			{"RoleDetailList", writeRoleDetail},
			{"Policies", writePolicyDetail},
		} {
			x.Open(section.name)
			for i := range list.Items {
				section.write(x, &list.Items[i], partition)
			}
			x.Close(section.name)
		}
		writePaging(x, list.Next)
	}, nil
}

func (in *fields) detailsFilter() directory.DetailsFilter {
	const name = "Filter"
	list, err := in.form.List(name, 5)
	if err != nil {
		in.fail(err)
	}
	var f directory.DetailsFilter
	for i, kind := range list {
		switch kind {
		case "User":
			f.Users = true
		case "Group":
			f.Groups = true
		case "Role":
			f.Roles = true
		case "LocalManagedPolicy":
			f.Policies = true
		case "AWSManagedPolicy":
			f.Canned = true
		default:
			in.fail(awswire.Constraint(name+"."+strconv.Itoa(i+1)+".member", kind, "Member must satisfy enum value set: [User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]"))
		}
	}
	return f
}

func writeUserDetail(x *awswire.XML, d *directory.Details, partition string) {
	if d.User == nil {
		return
	}
	x.Open("member")
	writeUser(x, d.User, partition)
	writeInline(x, "UserPolicyList", d.User.Inline)
	x.List("GroupList", d.Groups)
	writeAttached(x, d.User.Managed)
	writeBoundary(x, d.User.Boundary)
	writeTags(x, d.User.Tags)
	x.Close("member")
}

func writeGroupDetail(x *awswire.XML, d *directory.Details, partition string) {
	g := d.Group
	if g == nil {
		return
	}
	x.Open("member")
	x.Elem("Path", g.Path)
	x.Elem("GroupName", g.Name)
	x.Elem("GroupId", g.ID)
	x.Elem("Arn", g.ARN(partition))
	x.Time("CreateDate", g.CreatedAt)
	writeInline(x, "GroupPolicyList", g.Inline)
	writeAttached(x, g.Managed)
	x.Close("member")
}

func writeRoleDetail(x *awswire.XML, d *directory.Details, partition string) {
	r := d.Role
	if r == nil {
		return
	}
	x.Open("member")
	x.Elem("Path", r.Path)
	x.Elem("RoleName", r.Name)
	x.Elem("RoleId", r.ID)
	x.Elem("Arn", r.ARN(partition))
	x.Time("CreateDate", r.CreatedAt)
	x.Elem("AssumeRolePolicyDocument", awswire.PercentEncode(r.Trust))
	x.List("InstanceProfileList", nil)
	writeInline(x, "RolePolicyList", r.Inline)
	writeAttached(x, r.Managed)
	writeBoundary(x, r.Boundary)
	writeTags(x, r.Tags)
	writeRoleLastUsed(x, d.LastUsed)
	x.Close("member")
}

func writePolicyDetail(x *awswire.XML, d *directory.Details, partition string) {
	p := d.Policy
	if p == nil {
		return
	}
	x.Open("member")
	writePolicy(x, p, partition)
	x.OptElem("Description", p.Description)
	x.Open("PolicyVersionList")
	for _, v := range p.Versions {
		writeVersion(x, "member", &directory.VersionInfo{PolicyVersion: v, Default: v.ID == p.Default})
	}
	x.Close("PolicyVersionList")
	x.Close("member")
}

func writeInline(x *awswire.XML, element string, inline map[string]string) {
	x.Open(element)
	for _, name := range slices.Sorted(maps.Keys(inline)) {
		x.Open("member")
		x.Elem("PolicyName", name)
		x.Elem("PolicyDocument", awswire.PercentEncode(inline[name]))
		x.Close("member")
	}
	x.Close(element)
}

func writeAttached(x *awswire.XML, arns []string) {
	x.Open("AttachedManagedPolicies")
	for _, arn := range arns {
		a, _ := identity.ParseARN(arn)
		_, name, _ := a.Name("policy")
		x.Open("member")
		x.Elem("PolicyName", name)
		x.Elem("PolicyArn", arn)
		x.Close("member")
	}
	x.Close("AttachedManagedPolicies")
}
