package directory

import (
	"context"
	"fmt"

	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// AccessPolicy returns an access policy (GET /v1/policies/{id}). KindNotFound.
func (d *Directory) AccessPolicy(ctx context.Context, c *identity.Caller, id string) (AccessPolicy, error) {
	var out AccessPolicy
	err := d.db.View(ctx, func(r store.Reader) error {
		u, i, err := d.findAccessPolicy(r, c, "get", id)
		if err == nil {
			out = AccessPolicy{u.Access[i], u.AccountID, u.ID}
		}
		return err
	})
	return out, err
}

// AccessPolicyFilter chooses access policies: those of one principal, or all.
// Sort.By is id, created_at, created_by_id, last_modified_at, last_modified_by_id
// or "" for id.
type AccessPolicyFilter struct {
	IAMID string
	Sort  IBMSort
}

// AccessPolicies lists the access policies of the caller's account (GET
// /v1/policies). A person needs no policy for those that are its own.
// KindValidation, KindNotFound for a principal that is absent.
func (d *Directory) AccessPolicies(ctx context.Context, c *identity.Caller, f AccessPolicyFilter, p Page) (Listing[AccessPolicy], error) {
	var out Listing[AccessPolicy]
	err := d.db.View(ctx, func(r store.Reader) error {
		users, err := d.permitPolicyList(r, c, f.IAMID)
		if err != nil {
			return err
		}
		if _, ok := policySortText(f.Sort.By, &identity.AccessPolicy{}); !ok {
			return invalid("The parameter sort is one of id, created_at, created_by_id, last_modified_at and last_modified_by_id.")
		}
		var rows []row[AccessPolicy]
		seen := map[string]bool{} // who has several is found by each
		for _, u := range users {
			if u.Root || seen[u.ID] {
				continue
			}
			seen[u.ID] = true
			for _, a := range u.Access {
				text, _ := policySortText(f.Sort.By, &a)
				rows = append(rows, row[AccessPolicy]{at: store.After{Value: text, Key: a.ID}, item: AccessPolicy{a, u.AccountID, u.ID}})
			}
		}
		out, err = pages(d, c, fmt.Sprintf("ibm-policies %+v", f), p, sortedSpan(rows, f.Sort.Descending))
		return err
	})
	return out, err
}

// permitPolicyList asks whether the caller may list the policies of a principal,
// or with "" of all, and finds who has them.
func (d *Directory) permitPolicyList(r store.Reader, c *identity.Caller, iamID string) ([]*identity.User, error) {
	if iamID == "" {
		crn := identity.AccessPolicyCRN(c.AccountID, "*")
		if err := d.permitPolicies(c, "list", crn, crn, nil); err != nil {
			return nil, err
		}
		return store.Users.List(r, "access policy", store.Join(c.AccountID, ""), store.After{}, identity.AccessPoliciesPerAccount)
	}
	userID, _ := identity.UserOfIAMID(iamID)
	u, err := subject(r, c, userID)
	if err != nil {
		return nil, err
	}
	crn := identity.OwnerCRN(c.AccountID, clip(userID))
	if err := d.permitPolicies(c, "list", crn, crn, u); err != nil {
		return nil, err
	}
	if u == nil {
		return nil, absent("The IAM ID %s cannot be found.", clip(iamID))
	}
	return []*identity.User{u}, nil
}

func policySortText(by string, p *identity.AccessPolicy) (string, bool) {
	text, ok := map[string]string{
		"": "", "id": "", "created_at": p.CreatedAt.UTC().Format(timeSort), "created_by_id": p.CreatedBy,
		"last_modified_at": p.ModifiedAt.UTC().Format(timeSort), "last_modified_by_id": p.ModifiedBy,
	}[by]
	return text, ok
}

// IBMRole is a role of IBM's dialect.
type IBMRole = policy.IBMRole

// IBMRoles are the roles that access policies can give on a service, on any with
// "" (GET /v2/roles). It reports false for a service without any. They are the
// same for everybody.
func IBMRoles(service string) ([]IBMRole, bool) { return policy.IBMRoles(service) }

// IBMRoleByCRN finds the name of a role by its CRN; "" for none.
func IBMRoleByCRN(crn string) string { return policy.IBMRoleByCRN(crn) }
