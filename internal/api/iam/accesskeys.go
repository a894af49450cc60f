package iam

import (
	"context"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// AccessKeys manages long-term keys. A user name of "" stands for the caller.
type AccessKeys interface {
	// ListAccessKeys returns also the name of the user whose keys they are.
	ListAccessKeys(ctx context.Context, c *identity.Caller, userName string, p directory.Page) (directory.Listing[identity.AccessKey], string, error)
	UpdateAccessKey(ctx context.Context, c *identity.Caller, userName, keyID string, active bool) error
	DeleteAccessKey(ctx context.Context, c *identity.Caller, userName, keyID string) error
	// AccessKeyLastUsed returns a use at the zero time for a key never used.
	AccessKeyLastUsed(ctx context.Context, c *identity.Caller, keyID string) (string, identity.KeyUse, error)
}

var accessKeyActions = map[string]action{
	"CreateAccessKey":      (*Handler).createAccessKey,
	"DeleteAccessKey":      (*Handler).deleteAccessKey,
	"GetAccessKeyLastUsed": (*Handler).getAccessKeyLastUsed,
	"ListAccessKeys":       (*Handler).listAccessKeys,
	"UpdateAccessKey":      (*Handler).updateAccessKey,
}

// Values of Status.
const (
	statusActive   = "Active"
	statusInactive = "Inactive"
)

func status(active bool) string {
	if active {
		return statusActive
	}
	return statusInactive
}

func (h *Handler) createAccessKey(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	user := in.optionalUserName()
	if in.err != nil {
		return nil, in.err
	}
	created, err := h.issuer.AccessKey(c.ctx, c.caller, user)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("AccessKey")
		x.Elem("UserName", created.UserName)
		x.Elem("AccessKeyId", created.Key.ID)
		x.Elem("Status", status(created.Key.Active))
		x.Elem("SecretAccessKey", created.Secret.Reveal())
		x.Time("CreateDate", created.Key.CreatedAt)
		x.Close("AccessKey")
	}, nil
}

func (h *Handler) listAccessKeys(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	user, page := in.optionalUserName(), in.page()
	if in.err != nil {
		return nil, in.err
	}
	list, owner, err := h.directory.ListAccessKeys(c.ctx, c.caller, user, page)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("AccessKeyMetadata")
		for i := range list.Items {
			writeKeyMetadata(x, owner, &list.Items[i])
		}
		x.Close("AccessKeyMetadata")
		writePaging(x, list.Next)
	}, nil
}

func writeKeyMetadata(x *awswire.XML, owner string, k *identity.AccessKey) {
	x.Open("member")
	x.Elem("UserName", owner)
	x.Elem("AccessKeyId", k.ID)
	x.Elem("Status", status(k.Active))
	x.Time("CreateDate", k.CreatedAt)
	x.Close("member")
}

func (h *Handler) updateAccessKey(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	user, key, active := in.optionalUserName(), in.accessKeyID(), in.status()
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.UpdateAccessKey(c.ctx, c.caller, user, key, active)
}

func (h *Handler) deleteAccessKey(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	user, key := in.optionalUserName(), in.accessKeyID()
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.DeleteAccessKey(c.ctx, c.caller, user, key)
}

// neverUsed stands for service and region of a key that was never used; the
// date is then left out.
const neverUsed = "N/A"

func (h *Handler) getAccessKeyLastUsed(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	key := in.accessKeyID()
	if in.err != nil {
		return nil, in.err
	}
	owner, use, err := h.directory.AccessKeyLastUsed(c.ctx, c.caller, key)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Elem("UserName", owner)
		x.Open("AccessKeyLastUsed")
		if use.At.IsZero() {
			x.Elem("ServiceName", neverUsed)
			x.Elem("Region", neverUsed)
		} else {
			x.Time("LastUsedDate", use.At)
			x.Elem("ServiceName", use.Service)
			x.Elem("Region", use.Region)
		}
		x.Close("AccessKeyLastUsed")
	}, nil
}
