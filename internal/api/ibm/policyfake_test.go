package ibm_test

import (
	"context"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

const policyID = "12345678-abcd-4a1b-a2c3-123456789012"

// grantedPolicy is the one that the fake knows.
func grantedPolicy() directory.AccessPolicy {
	return directory.AccessPolicy{AccountID: account, UserID: "iam-" + serviceID, AccessPolicy: identity.AccessPolicy{
		ID: policyID, Description: "for the pipeline", Roles: []string{"Viewer", "ReaderPlus"}, CreatedBy: userIAMID, ModifiedBy: userIAMID,
		CreatedAt: made, ModifiedAt: made, Tag: identity.EntityTag{N: 1, Random: randomOfTags},
		Attributes: []identity.ResourceAttribute{
			{Name: "accountId", Value: account, Operator: identity.StringEquals},
			{Name: "serviceName", Value: "kms", Operator: identity.StringEquals},
			{Name: "keyRing", Value: "team-*", Operator: identity.StringMatch},
		},
	}}
}

func (core) CreateAccessPolicy(_ context.Context, _ *identity.Caller, in directory.NewAccessPolicy) (directory.AccessPolicy, error) {
	p := grantedPolicy()
	p.UserID, _ = identity.UserOfIAMID(in.IAMID)
	p.Description, p.Roles, p.Attributes = in.Description, in.Roles, in.Attributes
	return p, known(in.IAMID, userIAMID, "iam-"+serviceID)
}

func (core) AccessPolicies(_ context.Context, _ *identity.Caller, f directory.AccessPolicyFilter, p directory.Page) (directory.Listing[directory.AccessPolicy], error) {
	var out directory.Listing[directory.AccessPolicy]
	if f.IAMID != "" {
		if err := known(f.IAMID, userIAMID, "iam-"+serviceID); err != nil {
			return out, err
		}
	}
	out.Items = []directory.AccessPolicy{grantedPolicy()}
	switch {
	case p.MaxItems == 1 && p.Marker == "":
		out.Next = "a-marker_"
	case p.Marker == "a-marker_":
		out.Items[0].Description = f.Sort.By
		if f.Sort.Descending {
			out.Items[0].Description += ", descending"
		}
	case p.Marker != "":
		return out, identity.NewError(identity.KindValidation, "fake", "Invalid Marker.")
	}
	return out, nil
}

func (core) AccessPolicy(_ context.Context, _ *identity.Caller, id string) (directory.AccessPolicy, error) {
	return grantedPolicy(), known(id, policyID)
}

func (core) ReplaceAccessPolicy(_ context.Context, _ *identity.Caller, id, ifMatch string, in directory.NewAccessPolicy) (directory.AccessPolicy, error) {
	p := grantedPolicy()
	if ifMatch != "*" && ifMatch != p.Tag.String() {
		return p, identity.NewError(identity.KindConflict, "fake", "")
	}
	p.Description, p.Roles, p.Attributes = in.Description, in.Roles, in.Attributes
	p.Tag.N++
	return p, known(id, policyID)
}

func (core) DeleteAccessPolicy(_ context.Context, _ *identity.Caller, id string) error {
	return known(id, policyID)
}
