package directory

import (
	"context"
	"slices"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// PolicyUsage is what a managed policy is used as.
type PolicyUsage uint8

// Uses of managed policies.
const (
	AnyUse PolicyUsage = iota
	PolicyUse
	BoundaryUse
)

func (u PolicyUsage) index() string {
	if u == BoundaryUse {
		return "boundary"
	}
	return "policy"
}

// countUses counts the users, roles and groups of an account that have a
// managed policy, or are bounded by it.
func countUses(r store.Reader, use PolicyUsage, account, arn string) (int, error) {
	n := 0
	for _, table := range []string{store.Groups.Name(), store.Roles.Name(), store.Users.Name()} {
		rows, err := r.Rows(table, use.index(), store.Join(account, arn, ""), store.After{}, 0)
		if err != nil {
			return 0, err
		}
		n += len(rows)
	}
	return n, nil
}

// Entity is a user, role or group that has a policy.
type Entity struct {
	Kind     OwnerKind
	Name, ID string
}

// EntityFilter chooses entities; its zero value is all of them.
type EntityFilter struct {
	// Kinds are those wanted; all when empty, none with None.
	Kinds      []OwnerKind
	None       bool
	PathPrefix string
	Use        PolicyUsage
}

func (f *EntityFilter) wants(k OwnerKind) bool {
	return !f.None && len(f.Kinds) == 0 || slices.Contains(f.Kinds, k)
}

// ListEntitiesForPolicy lists who has a managed policy, or is bounded by it:
// groups, roles, then users, each once (IAM ListEntitiesForPolicy).
func (d *Directory) ListEntitiesForPolicy(ctx context.Context, c *identity.Caller, arn string, f EntityFilter, p Page) (Listing[Entity], error) {
	var out Listing[Entity]
	f.PathPrefix = orSlash(f.PathPrefix)
	err := d.db.View(ctx, func(r store.Reader) error {
		if _, err := d.readPolicy(r, c, "iam:ListEntitiesForPolicy", arn); err != nil {
			return err
		}
		if err := checkPathPrefix(f.PathPrefix); err != nil {
			return err
		}
		var spans []span[Entity]
		for _, use := range []PolicyUsage{PolicyUse, BoundaryUse} {
			show := func(e Entity, path string, p *identity.Policies) (row[Entity], error) {
				twice := use == BoundaryUse && f.Use == AnyUse && slices.Contains(p.Managed, arn)
				return row[Entity]{
					at: store.After{Value: store.Join(c.AccountID, arn, e.ID), Key: e.ID}, item: e,
					skip: twice || f.Use != AnyUse && f.Use != use || !f.wants(e.Kind) || !strings.HasPrefix(path, f.PathPrefix),
				}, nil
			}
			prefix := store.Join(c.AccountID, arn, "")
			spans = append(spans,
				tableSpan(r, store.Groups, use.index(), prefix, func(g *identity.Group) (row[Entity], error) {
					return show(Entity{GroupOwner, g.Name, g.ID}, g.Path, &g.Policies)
				}),
				tableSpan(r, store.Roles, use.index(), prefix, func(x *identity.Role) (row[Entity], error) {
					return show(Entity{RoleOwner, x.Name, x.ID}, x.Path, &x.Policies)
				}),
				tableSpan(r, store.Users, use.index(), prefix, func(u *identity.User) (row[Entity], error) {
					return show(Entity{UserOwner, u.Name, u.ID}, u.Path, &u.Policies)
				}))
		}
		var err error
		out, err = pages(d, c, "entities/"+arn, p, spans...)
		return err
	})
	return out, err
}
