package directory

import (
	"context"
	"slices"

	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// Details is one entry of the account's authorisation details (IAM
// GetAccountAuthorizationDetails): exactly one of the first four is set.
type Details struct {
	User   *identity.User
	Group  *identity.Group
	Role   *identity.Role
	Policy *PolicyInfo
	// Groups are the names of the groups that a user is in.
	Groups []string
	// LastUsed is when a role was used last.
	LastUsed identity.Use
}

// DetailsFilter chooses kinds of entries; its zero value is all of them.
type DetailsFilter struct{ Users, Groups, Roles, Policies, Canned bool }

// AuthorizationDetails lists users, groups, roles and policies of the caller's
// account with all that grants rights to them (IAM
// GetAccountAuthorizationDetails).
func (d *Directory) AuthorizationDetails(ctx context.Context, c *identity.Caller, f DetailsFilter, p Page) (Listing[Details], error) {
	var out Listing[Details]
	if err := d.permit(c, "iam:GetAccountAuthorizationDetails", "*", c.AccountID); err != nil {
		return out, err
	}
	if f == (DetailsFilter{}) {
		f = DetailsFilter{true, true, true, true, true}
	}
	err := d.db.View(ctx, func(r store.Reader) error {
		acc, err := store.Accounts.Get(r, c.AccountID)
		if err != nil {
			return err
		}
		prefix := store.Join(acc.ID, "")
		out, err = pages(d, c, "details", p,
			only(f.Users, tableSpan(r, store.Users, "path", prefix, func(u *identity.User) (row[Details], error) {
				groups, err := groupNames(r, u.Groups)
				shown := *u
				shown.Inline = documents(&u.Policies, acc.ID, acc.Partition)
				return row[Details]{at: store.After{Value: store.Join(acc.ID, u.Path+u.Name), Key: u.ID}, skip: u.Root, item: Details{User: &shown, Groups: groups}}, err
			})),
			only(f.Groups, tableSpan(r, store.Groups, "path", prefix, func(g *identity.Group) (row[Details], error) {
				return row[Details]{at: store.After{Value: store.Join(acc.ID, g.Path+g.Name), Key: g.ID}, item: Details{Group: g}}, nil
			})),
			only(f.Roles, tableSpan(r, store.Roles, "path", prefix, func(role *identity.Role) (row[Details], error) {
				use, err := lastUse(r, role.ID)
				return row[Details]{at: store.After{Value: store.Join(acc.ID, role.Path+role.Name), Key: role.ID}, item: Details{Role: role, LastUsed: use}}, err
			})),
			only(f.Policies, tableSpan(r, store.ManagedPolicies, "path", prefix, func(m *identity.ManagedPolicy) (row[Details], error) {
				info, err := policyInfo(r, c, m)
				return row[Details]{at: store.After{Value: store.Join(acc.ID, m.Path+m.Name), Key: m.ID}, item: Details{Policy: &info}}, err
			})),
			only(f.Canned, cannedDetails(r, c, acc)))
		return err
	})
	return out, err
}

// only is a span that is listed, or an empty one.
func only(wanted bool, s span[Details]) span[Details] {
	if wanted {
		return s
	}
	return func(store.After, int) ([]row[Details], error) { return nil, nil }
}

// cannedDetails are the canned policies that the account uses.
func cannedDetails(r store.Reader, c *identity.Caller, acc *identity.Account) span[Details] {
	return func(after store.After, limit int) ([]row[Details], error) {
		var used []Details
		for _, name := range policy.CannedNames() {
			info, err := policyInfo(r, c, cannedPolicy(acc, policy.CannedARN(acc.Partition, name)))
			if err != nil {
				return nil, err
			}
			if info.Attachments+info.Boundaries > 0 {
				used = append(used, Details{Policy: &info})
			}
		}
		return sliceSpan(used, func(d *Details) string { return d.Policy.Name })(after, limit)
	}
}

func groupNames(r store.Reader, ids []string) ([]string, error) {
	var out []string
	for _, id := range ids {
		g, err := store.Groups.Get(r, id)
		if err != nil {
			return nil, err
		}
		out = append(out, g.Name)
	}
	slices.Sort(out)
	return out, nil
}
