package directory

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Limits of attributes (Cognito API reference).
const (
	maxAttributes     = 50
	maxAttributeName  = 32
	maxAttributeValue = 2048
)

// setAttributes sets attributes of a user; an empty one is removed.
func setAttributes(u *identity.User, set map[string]string) error {
	u.Attributes = maps.Clone(u.Attributes)
	if u.Attributes == nil {
		u.Attributes = map[string]string{}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		value := set[name]
		switch {
		case len(name) > maxAttributeName || len(value) > maxAttributeValue || strings.ContainsRune(value, 0):
			return invalid("An attribute has a name of up to %d bytes and a value of up to %d.", maxAttributeName, maxAttributeValue)
		case name == "sub":
			return invalid("Cannot modify the non-mutable attribute sub")
		case name == "email":
			if value != u.Email {
				u.EmailVerified = false
			}
			u.Email = value
		case name == "email_verified":
			on, err := strconv.ParseBool(value)
			if err != nil && value != "" {
				return invalid("Invalid user attributes: email_verified: must be true or false")
			}
			u.EmailVerified = on
		case !identity.IsCustomAttribute(name) && !slices.Contains(identity.StandardAttributes, name):
			return invalid("Attributes did not conform to the schema: %s: Attribute does not exist in the schema.", clip(name))
		case value == "":
			delete(u.Attributes, name)
		default:
			u.Attributes[name] = value
		}
	}
	if u.Email == "" {
		u.EmailVerified = false
	} else if len(u.Email) > 254 || strings.ContainsAny(u.Email, " \t\r\n") || !strings.Contains(u.Email, "@") {
		return invalid("Invalid email address format.")
	}
	if len(u.Attributes) > maxAttributes {
		return invalid("A user has at most %d attributes.", maxAttributes)
	}
	return nil
}

// SetPoolUserAttributes sets attributes of a user (Cognito
// AdminUpdateUserAttributes). KindNotFound, KindValidation, KindAlreadyExists
// ("AliasExistsException") for an e-mail address that another user has.
func (d *Directory) SetPoolUserAttributes(ctx context.Context, c *identity.Caller, poolID, name string, set map[string]string) error {
	return d.poolUserAttributes(ctx, c, "AdminUpdateUserAttributes", poolID, name, set)
}

// DeletePoolUserAttributes removes attributes of a user (Cognito
// AdminDeleteUserAttributes). KindNotFound, KindValidation.
func (d *Directory) DeletePoolUserAttributes(ctx context.Context, c *identity.Caller, poolID, name string, names []string) error {
	set := map[string]string{}
	for _, n := range names {
		set[n] = ""
	}
	return d.poolUserAttributes(ctx, c, "AdminDeleteUserAttributes", poolID, name, set)
}

func (d *Directory) poolUserAttributes(ctx context.Context, c *identity.Caller, op, poolID, name string, set map[string]string) error {
	err := d.changePoolUser(ctx, c, op, poolID, name, func(_ store.Tx, _ *identity.Realm, _, after *identity.User) error {
		return setAttributes(after, set)
	})
	if identity.KindOf(err) == identity.KindAlreadyExists {
		err = coded(identity.KindAlreadyExists, "AliasExistsException", "An account with the email already exists.")
	}
	return err
}
