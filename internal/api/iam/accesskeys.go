package iam

import (
	"daypass/internal/awswire"
	"daypass/internal/identity"
)

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
