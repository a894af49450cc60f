package kms

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Aliases of keys (IBM: five per key, of 2 to 90 characters).
const (
	maxAliases         = 5
	minAlias, maxAlias = 2, 90
)

var aliasRE = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

// reservedAliases are words of the API's paths.
var reservedAliases = []string{
	"allowed_ip", "key", "keys", "metadata", "policy", "policies", "registration", "registrations", "ring", "rings", "rotate", "wrap",
	"unwrap", "rewrap", "version", "versions",
}

// checkAlias judges the name of an alias. One that could be taken for a key's ID
// or for a word of a path is none.
func checkAlias(name string) error {
	switch {
	case len(name) < minAlias || len(name) > maxAlias || !aliasRE.MatchString(name):
		return badField("alias", fmt.Sprintf("has %d to %d letters, digits, - and _, and begins with a letter or digit", minAlias, maxAlias))
	case identity.IsUUID(strings.ToLower(name)):
		return badField("alias", "is no UUID")
	case slices.Contains(reservedAliases, strings.ToLower(name)):
		return badField("alias", "is no word of the API's paths")
	}
	return nil
}

func aliasTaken() error {
	return refuse(identity.KindAlreadyExists, ReasonExists, "The alias is taken.")
}

func tooManyAliases() error {
	return refuse(identity.KindLimitExceeded, ReasonLimit, fmt.Sprintf("A key has at most %d aliases.", maxAliases))
}

// takenAlias is err, or what it means where the index of aliases refused a row.
func takenAlias(err error) error {
	if identity.KindOf(err) == identity.KindAlreadyExists && ReasonOf(err) == "" {
		return aliasTaken()
	}
	return err
}

// CreateAlias gives a key a further name (kms:secrets.patch), and returns the key's
// ID with it. ReasonNotFound, ReasonDeleted, ReasonBadField, ReasonLimit,
// ReasonExists where any key of the instance has it.
func (k *KMS) CreateAlias(ctx context.Context, c *identity.Caller, at At, id, name string) (string, identity.KMSAlias, error) {
	alias := identity.KMSAlias{Name: name, CreatedBy: c.IAMID(), CreatedAt: k.now()}
	key, err := k.onKey(ctx, c, at, id, actionPatch, func(_ store.Tx, _ *place, key *identity.KMSKey) error {
		if key.State == identity.KeyDestroyed {
			return deleted()
		}
		if err := checkAlias(name); err != nil {
			return err
		}
		if key.AliasIndex(name) >= 0 {
			return aliasTaken()
		}
		if len(key.Aliases) >= maxAliases {
			return tooManyAliases()
		}
		key.Aliases, key.UpdatedAt = append(slices.Clone(key.Aliases), alias), alias.CreatedAt
		return nil
	})
	if err != nil {
		return "", identity.KMSAlias{}, takenAlias(err)
	}
	return key.ID, alias, nil
}

// DeleteAlias takes a name of a key away (kms:secrets.patch). ReasonNotFound for
// the key or the alias.
func (k *KMS) DeleteAlias(ctx context.Context, c *identity.Caller, at At, id, name string) error {
	_, err := k.onKey(ctx, c, at, id, actionPatch, func(_ store.Tx, _ *place, key *identity.KMSKey) error {
		i := key.AliasIndex(name)
		if i < 0 {
			return refuse(identity.KindNotFound, ReasonNotFound, "The key does not have the alias.")
		}
		key.Aliases, key.UpdatedAt = slices.Delete(slices.Clone(key.Aliases), i, i+1), k.now()
		return nil
	})
	return err
}
