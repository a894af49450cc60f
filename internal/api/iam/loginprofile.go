package iam

import (
	"context"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// LoginProfiles manages the passwords of users. A user name of "" stands for
// the caller.
type LoginProfiles interface {
	CreateLoginProfile(ctx context.Context, c *identity.Caller, userName string, password identity.Secret, mustChange bool) (directory.LoginProfile, error)
	LoginProfile(ctx context.Context, c *identity.Caller, userName string) (directory.LoginProfile, error)
	// UpdateLoginProfile leaves what is "" or nil.
	UpdateLoginProfile(ctx context.Context, c *identity.Caller, userName string, password identity.Secret, mustChange *bool) error
	DeleteLoginProfile(ctx context.Context, c *identity.Caller, userName string) error
	ChangePassword(ctx context.Context, c *identity.Caller, old, password identity.Secret) error
}

var loginProfileActions = map[string]action{
	"ChangePassword":     (*Handler).changePassword,
	"CreateLoginProfile": (*Handler).createLoginProfile,
	"DeleteLoginProfile": (*Handler).deleteLoginProfile,
	"GetLoginProfile":    (*Handler).getLoginProfile,
	"UpdateLoginProfile": (*Handler).updateLoginProfile,
}

const maxPassword = 128

func (h *Handler) createLoginProfile(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	user := in.optionalUserName()
	password, mustChange := in.password("Password"), in.boolean("PasswordResetRequired")
	if in.err != nil {
		return nil, in.err
	}
	p, err := h.directory.CreateLoginProfile(c.ctx, c.caller, user, password, mustChange)
	if err != nil {
		return nil, err
	}
	return writeLoginProfile(p), nil
}

func (h *Handler) getLoginProfile(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	user := in.optionalUserName()
	if in.err != nil {
		return nil, in.err
	}
	p, err := h.directory.LoginProfile(c.ctx, c.caller, user)
	if err != nil {
		return nil, err
	}
	return writeLoginProfile(p), nil
}

func writeLoginProfile(p directory.LoginProfile) func(*awswire.XML) {
	return func(x *awswire.XML) {
		x.Open("LoginProfile")
		x.Elem("UserName", p.UserName)
		x.Time("CreateDate", p.CreatedAt)
		x.Bool("PasswordResetRequired", p.PasswordResetRequired)
		x.Close("LoginProfile")
	}
}

func (h *Handler) updateLoginProfile(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	user := in.userName()
	var password identity.Secret
	if _, sent := c.form.Lookup("Password"); sent {
		password = in.password("Password")
	}
	var mustChange *bool
	if _, sent := c.form.Lookup("PasswordResetRequired"); sent {
		must := in.boolean("PasswordResetRequired")
		mustChange = &must
	}
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.UpdateLoginProfile(c.ctx, c.caller, user, password, mustChange)
}

func (h *Handler) deleteLoginProfile(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	user := in.optionalUserName()
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.DeleteLoginProfile(c.ctx, c.caller, user)
}

func (h *Handler) changePassword(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	old, password := in.password("OldPassword"), in.password("NewPassword")
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.ChangePassword(c.ctx, c.caller, old, password)
}

func (in *fields) password(name string) identity.Secret {
	value, _ := in.required(name, 1, maxPassword)
	return identity.Secret(value)
}
