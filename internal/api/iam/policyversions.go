package iam

import (
	"context"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// PolicyVersions manages the versions of managed policies.
type PolicyVersions interface {
	CreatePolicyVersion(ctx context.Context, c *identity.Caller, arn, document string, asDefault bool) (directory.VersionInfo, error)
	GetPolicyVersion(ctx context.Context, c *identity.Caller, arn, version string) (directory.VersionInfo, error)
	ListPolicyVersions(ctx context.Context, c *identity.Caller, arn string, p directory.Page) (directory.Listing[directory.VersionInfo], error)
	DeletePolicyVersion(ctx context.Context, c *identity.Caller, arn, version string) error
	SetDefaultPolicyVersion(ctx context.Context, c *identity.Caller, arn, version string) error
}

var policyVersionActions = map[string]action{
	"CreatePolicyVersion":     (*Handler).createPolicyVersion,
	"GetPolicyVersion":        (*Handler).getPolicyVersion,
	"ListPolicyVersions":      (*Handler).listPolicyVersions,
	"DeletePolicyVersion":     (*Handler).deletePolicyVersion,
	"SetDefaultPolicyVersion": (*Handler).setDefaultPolicyVersion,
}

func (h *Handler) createPolicyVersion(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	arn, document, asDefault := in.policyARN(), in.policyDocument(), in.boolean("SetAsDefault")
	if in.err != nil {
		return nil, in.err
	}
	v, err := h.directory.CreatePolicyVersion(c.ctx, c.caller, arn, document, asDefault)
	if err != nil {
		return nil, err
	}
	v.Document = "" // the caller has it
	return func(x *awswire.XML) { writeVersion(x, "PolicyVersion", &v) }, nil
}

// writeVersion leaves an empty document out, as lists do.
func writeVersion(x *awswire.XML, element string, v *directory.VersionInfo) {
	x.Open(element)
	x.OptElem("Document", awswire.PercentEncode(v.Document))
	x.Elem("VersionId", v.ID)
	x.Bool("IsDefaultVersion", v.Default)
	x.Time("CreateDate", v.CreatedAt)
	x.Close(element)
}

func (h *Handler) getPolicyVersion(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	arn, version := in.policyARN(), in.versionID()
	if in.err != nil {
		return nil, in.err
	}
	v, err := h.directory.GetPolicyVersion(c.ctx, c.caller, arn, version)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) { writeVersion(x, "PolicyVersion", &v) }, nil
}

func (h *Handler) listPolicyVersions(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	arn, page := in.policyARN(), in.page()
	if in.err != nil {
		return nil, in.err
	}
	list, err := h.directory.ListPolicyVersions(c.ctx, c.caller, arn, page)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("Versions")
		for i := range list.Items {
			v := list.Items[i]
			v.Document = ""
			writeVersion(x, "member", &v)
		}
		x.Close("Versions")
		writePaging(x, list.Next)
	}, nil
}

func (h *Handler) deletePolicyVersion(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	arn, version := in.policyARN(), in.versionID()
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.DeletePolicyVersion(c.ctx, c.caller, arn, version)
}

func (h *Handler) setDefaultPolicyVersion(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	arn, version := in.policyARN(), in.versionID()
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.SetDefaultPolicyVersion(c.ctx, c.caller, arn, version)
}
