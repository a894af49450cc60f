package iam

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"time"

	"daypass/internal/awswire"
	"daypass/internal/identity"
)

// Accounts manages what is the whole account's.
type Accounts interface {
	SetAccountAlias(ctx context.Context, c *identity.Caller, alias string) error
	DeleteAccountAlias(ctx context.Context, c *identity.Caller, alias string) error
	// AccountAlias returns "" for an account without one.
	AccountAlias(ctx context.Context, c *identity.Caller) (string, error)
	PasswordPolicy(ctx context.Context, c *identity.Caller) (identity.PasswordPolicy, error)
	SetPasswordPolicy(ctx context.Context, c *identity.Caller, p identity.PasswordPolicy) error
	DeletePasswordPolicy(ctx context.Context, c *identity.Caller) error
	AccountSummary(ctx context.Context, c *identity.Caller) (map[string]int, error)
	GenerateCredentialReport(ctx context.Context, c *identity.Caller) (fresh bool, err error)
	CredentialReport(ctx context.Context, c *identity.Caller) (content []byte, at time.Time, err error)
}

var accountActions = map[string]action{
	"CreateAccountAlias":          (*Handler).createAccountAlias,
	"DeleteAccountAlias":          (*Handler).deleteAccountAlias,
	"DeleteAccountPasswordPolicy": (*Handler).deleteAccountPasswordPolicy,
	"GenerateCredentialReport":    (*Handler).generateCredentialReport,
	"GetAccountPasswordPolicy":    (*Handler).getAccountPasswordPolicy,
	"GetAccountSummary":           (*Handler).getAccountSummary,
	"GetCredentialReport":         (*Handler).getCredentialReport,
	"ListAccountAliases":          (*Handler).listAccountAliases,
	"UpdateAccountPasswordPolicy": (*Handler).updateAccountPasswordPolicy,
}

func (h *Handler) createAccountAlias(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	alias, _ := in.required("AccountAlias", 3, 63)
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.SetAccountAlias(c.ctx, c.caller, alias)
}

func (h *Handler) deleteAccountAlias(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	alias, _ := in.required("AccountAlias", 3, 63)
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.DeleteAccountAlias(c.ctx, c.caller, alias)
}

func (h *Handler) listAccountAliases(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	in.page()
	if in.err != nil {
		return nil, in.err
	}
	alias, err := h.directory.AccountAlias(c.ctx, c.caller)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("AccountAliases")
		x.OptElem("member", alias)
		x.Close("AccountAliases")
		writePaging(x, "")
	}, nil
}

func (h *Handler) getAccountPasswordPolicy(c *call) (func(*awswire.XML), error) {
	p, err := h.directory.PasswordPolicy(c.ctx, c.caller)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("PasswordPolicy")
		x.Int("MinimumPasswordLength", int64(p.MinimumLength))
		x.Bool("RequireSymbols", p.RequireSymbols)
		x.Bool("RequireNumbers", p.RequireNumbers)
		x.Bool("RequireUppercaseCharacters", p.RequireUppercase)
		x.Bool("RequireLowercaseCharacters", p.RequireLowercase)
		x.Bool("AllowUsersToChangePassword", p.AllowChange)
		x.Bool("ExpirePasswords", p.MaxAgeDays > 0)
		if p.MaxAgeDays > 0 {
			x.Int("MaxPasswordAge", int64(p.MaxAgeDays))
		}
		if p.ReusePrevention > 0 {
			x.Int("PasswordReusePrevention", int64(p.ReusePrevention))
		}
		x.Bool("HardExpiry", p.HardExpiry)
		x.Close("PasswordPolicy")
	}, nil
}

func (h *Handler) updateAccountPasswordPolicy(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	p := identity.PasswordPolicy{
		MinimumLength:    in.integer("MinimumPasswordLength", 6, 128),
		RequireSymbols:   in.boolean("RequireSymbols"),
		RequireNumbers:   in.boolean("RequireNumbers"),
		RequireUppercase: in.boolean("RequireUppercaseCharacters"),
		RequireLowercase: in.boolean("RequireLowercaseCharacters"),
		AllowChange:      in.boolean("AllowUsersToChangePassword"),
		MaxAgeDays:       in.integer("MaxPasswordAge", 1, 1095),
		ReusePrevention:  in.integer("PasswordReusePrevention", 1, 24),
		HardExpiry:       in.boolean("HardExpiry"),
	}
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.SetPasswordPolicy(c.ctx, c.caller, p)
}

func (h *Handler) deleteAccountPasswordPolicy(c *call) (func(*awswire.XML), error) {
	return nil, h.directory.DeletePasswordPolicy(c.ctx, c.caller)
}

func (h *Handler) getAccountSummary(c *call) (func(*awswire.XML), error) {
	summary, err := h.directory.AccountSummary(c.ctx, c.caller)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("SummaryMap")
		for _, key := range slices.Sorted(maps.Keys(summary)) {
			x.Open("entry")
			x.Elem("key", key)
			x.Int("value", int64(summary[key]))
			x.Close("entry")
		}
		x.Close("SummaryMap")
	}, nil
}

func (h *Handler) generateCredentialReport(c *call) (func(*awswire.XML), error) {
	fresh, err := h.directory.GenerateCredentialReport(c.ctx, c.caller)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		if fresh {
			x.Elem("State", "STARTED")
			x.Elem("Description", "No report exists. Starting a new report generation task")
			return
		}
		x.Elem("State", "COMPLETE")
	}, nil
}

func (h *Handler) getCredentialReport(c *call) (func(*awswire.XML), error) {
	content, at, err := h.directory.CredentialReport(c.ctx, c.caller)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Elem("Content", base64.StdEncoding.EncodeToString(content))
		x.Elem("ReportFormat", "text/csv")
		x.Time("GeneratedTime", at)
	}, nil
}
