package iam

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/base64"
	"image/png"
	"net/url"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// MFADevices manages virtual MFA devices. A user name of "" stands for the
// caller.
type MFADevices interface {
	CreateMFADevice(ctx context.Context, c *identity.Caller, name, path string, tags map[string]string) (directory.NewMFADevice, error)
	EnableMFADevice(ctx context.Context, c *identity.Caller, userName, serial, code1, code2 string) error
	ResyncMFADevice(ctx context.Context, c *identity.Caller, userName, serial, code1, code2 string) error
	DeactivateMFADevice(ctx context.Context, c *identity.Caller, userName, serial string) error
	DeleteMFADevice(ctx context.Context, c *identity.Caller, serial string) error
	// ListMFADevices returns also the name of the user whose devices they are.
	ListMFADevices(ctx context.Context, c *identity.Caller, userName string) ([]identity.MFADevice, string, error)
	ListVirtualMFADevices(ctx context.Context, c *identity.Caller, assigned *bool, p directory.Page) (directory.Listing[directory.AssignedMFADevice], error)
}

var mfaActions = map[string]action{
	"CreateVirtualMFADevice": (*Handler).createVirtualMFADevice,
	"DeactivateMFADevice":    (*Handler).deactivateMFADevice,
	"DeleteVirtualMFADevice": (*Handler).deleteVirtualMFADevice,
	"EnableMFADevice":        (*Handler).enableMFADevice,
	"ListMFADevices":         (*Handler).listMFADevices,
	"ListVirtualMFADevices":  (*Handler).listVirtualMFADevices,
	"ResyncMFADevice":        (*Handler).resyncMFADevice,
}

// qrSide is the side of a QR code in pixels.
const qrSide = 330

func (h *Handler) createVirtualMFADevice(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	path := in.path("Path")
	name, _ := in.required("VirtualMFADeviceName", 1, 226)
	tags := in.tags()
	if in.err != nil {
		return nil, in.err
	}
	made, err := h.directory.CreateMFADevice(c.ctx, c.caller, name, path, tags)
	if err != nil {
		return nil, err
	}
	// As AWS: base64 of the seed's base32 text, and of a picture of its URL.
	seed := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(made.Seed.Reveal()))
	picture, err := qrCode("otpauth://totp/" + url.PathEscape("Daypass:"+made.Name+"@"+made.AccountID) + "?secret=" + seed + "&issuer=Daypass")
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("VirtualMFADevice")
		x.Elem("SerialNumber", made.Serial)
		x.Elem("Base32StringSeed", base64.StdEncoding.EncodeToString([]byte(seed)))
		x.Elem("QRCodePNG", base64.StdEncoding.EncodeToString(picture))
		x.Close("VirtualMFADevice")
	}, nil
}

// qrCode draws a URI as PNG (the key URI format of authenticator apps).
func qrCode(uri string) ([]byte, error) {
	code, err := qr.Encode(uri, qr.M, qr.Auto)
	if err == nil {
		code, err = barcode.Scale(code, qrSide, qrSide)
	}
	var b bytes.Buffer
	if err == nil {
		err = png.Encode(&b, code)
	}
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindInternal, Op: "iam.qr", Err: err}
	}
	return b.Bytes(), nil
}

func (in *fields) serial() string {
	serial, _ := in.required("SerialNumber", 9, 256)
	return serial
}

func (in *fields) code(name string) string {
	value, ok := in.required(name, 6, 6)
	if ok && !digits(value) {
		in.fail(awswire.Constraint(name, "", `Member must satisfy regular expression pattern: [\d]+`))
	}
	return value
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func (h *Handler) enableMFADevice(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	user, serial, code1, code2 := in.userName(), in.serial(), in.code("AuthenticationCode1"), in.code("AuthenticationCode2")
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.EnableMFADevice(c.ctx, c.caller, user, serial, code1, code2)
}

func (h *Handler) resyncMFADevice(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	user, serial, code1, code2 := in.userName(), in.serial(), in.code("AuthenticationCode1"), in.code("AuthenticationCode2")
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.ResyncMFADevice(c.ctx, c.caller, user, serial, code1, code2)
}

func (h *Handler) deactivateMFADevice(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	user, serial := in.optionalUserName(), in.serial()
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.DeactivateMFADevice(c.ctx, c.caller, user, serial)
}

func (h *Handler) deleteVirtualMFADevice(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	serial := in.serial()
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.DeleteMFADevice(c.ctx, c.caller, serial)
}

func (h *Handler) listMFADevices(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	user := in.optionalUserName()
	in.page()
	if in.err != nil {
		return nil, in.err
	}
	list, owner, err := h.directory.ListMFADevices(c.ctx, c.caller, user)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("MFADevices")
		for i := range list {
			x.Open("member")
			x.Elem("UserName", owner)
			x.Elem("SerialNumber", list[i].Serial)
			x.Time("EnableDate", list[i].EnabledAt)
			x.Close("member")
		}
		x.Close("MFADevices")
		writePaging(x, "")
	}, nil
}

func (h *Handler) listVirtualMFADevices(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	var assigned *bool
	switch value, sent := c.form.Lookup("AssignmentStatus"); {
	case !sent || value == "Any":
	case value == "Assigned" || value == "Unassigned":
		is := value == "Assigned"
		assigned = &is
	default:
		in.fail(awswire.Constraint("AssignmentStatus", value, "Member must satisfy enum value set: [Assigned, Unassigned, Any]"))
	}
	page := in.page()
	if in.err != nil {
		return nil, in.err
	}
	list, err := h.directory.ListVirtualMFADevices(c.ctx, c.caller, assigned, page)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("VirtualMFADevices")
		for i := range list.Items {
			m := &list.Items[i]
			x.Open("member")
			x.Elem("SerialNumber", m.Serial)
			if m.User != nil {
				x.Time("EnableDate", m.EnabledAt)
				x.Open("User")
				writeUser(x, m.User, c.caller.Partition)
				x.Close("User")
			}
			x.Close("member")
		}
		x.Close("VirtualMFADevices")
		writePaging(x, list.Next)
	}, nil
}
