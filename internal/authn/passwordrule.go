package authn

import (
	"context"
	"strconv"
	"strings"
	"unicode/utf8"

	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	// DefaultPasswordLength is the least length of passwords where no rule says
	// another.
	DefaultPasswordLength = 8
	// MostPasswordHistory is how many earlier passwords a rule can have kept.
	MostPasswordHistory = 24

	// PasswordSymbols are the characters that count as symbols.
	PasswordSymbols = "!@#$%^&*()_+-=[]{}|'"
)

// PasswordRule is the rule for passwords of an account's users in a realm (nil
// for none): that of the realm's user pool, else the account's; nil for the
// default.
func PasswordRule(acc *identity.Account, realm *identity.Realm) *identity.PasswordPolicy {
	if realm != nil && realm.Pool != nil && realm.Pool.PasswordPolicy != nil {
		return realm.Pool.PasswordPolicy
	}
	return acc.PasswordPolicy
}

// CheckNewPassword applies the rule to a password that a user shall get.
// KindValidation, with the codes that IAM and Cognito have for it.
func (a *Authn) CheckNewPassword(ctx context.Context, acc *identity.Account, realm *identity.Realm, userID string, password identity.Secret) error {
	rule := PasswordRule(acc, realm)
	if err := CheckPassword(rule, password); err != nil || rule == nil || rule.ReusePrevention == 0 {
		return err
	}
	used, err := a.UsedBefore(ctx, userID, password, rule.ReusePrevention)
	if err == nil && used {
		return violationOf("Password was used before and cannot be used again yet", "PasswordHistoryPolicyViolationException")
	}
	return err
}

// CheckPassword applies a rule, nil for the default, as far as it looks at the
// password alone. KindValidation.
func CheckPassword(p *identity.PasswordPolicy, password identity.Secret) error {
	if p == nil {
		p = &identity.PasswordPolicy{MinimumLength: DefaultPasswordLength}
	}
	text := password.Reveal()
	switch {
	case len(text) > MaxPassword || !utf8.ValidString(text):
		return PasswordViolation("The password is too long, or not text.")
	case utf8.RuneCountInString(text) < p.MinimumLength:
		return PasswordViolation("Password should have a minimum length of " + strconv.Itoa(p.MinimumLength))
	case p.RequireSymbols && !strings.ContainsAny(text, PasswordSymbols):
		return PasswordViolation("Password should have at least one symbol")
	case p.RequireNumbers && !strings.ContainsAny(text, "0123456789"):
		return PasswordViolation("Password should have at least one number")
	case p.RequireUppercase && !strings.ContainsAny(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
		return PasswordViolation("Password should have at least one uppercase letter")
	case p.RequireLowercase && !strings.ContainsAny(text, "abcdefghijklmnopqrstuvwxyz"):
		return PasswordViolation("Password should have at least one lowercase letter")
	}
	return nil
}

// PasswordViolation is the refusal of a password by a rule.
func PasswordViolation(sentence string) error {
	return violationOf(sentence, "InvalidPasswordException")
}

func violationOf(sentence, code string) error {
	return &identity.Error{
		Kind: identity.KindValidation, Op: "authn.passwordrule", Public: sentence,
		Detail: []identity.Detail{{Name: "QueryCode", Value: "PasswordPolicyViolation"}, {Name: "JSONCode", Value: code}},
	}
}

// PutPassword stores a password with those before it, as part of a transaction.
// What the old one yielded is for the caller to end.
func PutPassword(tx store.Tx, made *store.Password) error {
	row := *made
	have, err := store.Passwords.Get(tx, row.UserID)
	if err == nil {
		row.History = append([]string{have.PHC}, have.History...)
		row.History = row.History[:min(len(row.History), MostPasswordHistory)]
	} else if identity.KindOf(err) != identity.KindNotFound {
		return err
	}
	return store.Passwords.Put(tx, &row)
}
