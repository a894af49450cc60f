package directory

import (
	"context"
	"slices"
	"strings"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// maxDeletedIdentities bounds DeleteIdentities.
const maxDeletedIdentities = 60

// ListIdentities lists the identities of a pool (Cognito ListIdentities).
// KindNotFound.
func (d *Directory) ListIdentities(ctx context.Context, c *identity.Caller, poolID string, hideDisabled bool, p Page) (Listing[identity.PoolIdentity], error) {
	var out Listing[identity.PoolIdentity]
	err := d.db.View(ctx, func(r store.Reader) error {
		pool, err := d.targetPool(r, c, "ListIdentities", poolID, nil)
		if err != nil {
			return err
		}
		prefix := store.Join(pool.ID, "")
		out, err = pages(d, c, "identities/"+pool.ID, p, tableSpan(r, store.PoolIdentities, "pool", prefix,
			func(i *identity.PoolIdentity) (row[identity.PoolIdentity], error) {
				return row[identity.PoolIdentity]{at: store.After{Value: prefix + i.ID, Key: i.ID}, item: *i, skip: hideDisabled && i.Disabled}, nil
			}))
		return err
	})
	return out, err
}

// DescribeIdentity returns an identity of a pool of the caller's account
// (Cognito DescribeIdentity). KindNotFound.
func (d *Directory) DescribeIdentity(ctx context.Context, c *identity.Caller, id string) (identity.PoolIdentity, error) {
	if err := d.permit(c, "cognito-identity:DescribeIdentity", "*", c.AccountID); err != nil {
		return identity.PoolIdentity{}, err
	}
	var out *identity.PoolIdentity
	err := d.db.View(ctx, func(r store.Reader) (err error) { out, err = ownIdentity(r, c, id); return err })
	if err != nil {
		return identity.PoolIdentity{}, err
	}
	return *out, nil
}

func ownIdentity(r store.Reader, c *identity.Caller, id string) (*identity.PoolIdentity, error) {
	i, err := store.PoolIdentities.Get(r, id)
	if orAbsent(err) != nil {
		return nil, err
	}
	if err != nil || i.AccountID != c.AccountID && c.Kind != identity.Operator {
		return nil, identity.NewError(identity.KindNotFound, "directory.identity", "Identity '"+id+"' not found.")
	}
	return i, nil
}

// DeleteIdentities removes identities of the caller's account and ends their
// sessions; who logs in again gets a new one (Cognito DeleteIdentities). It
// returns those that are not the account's.
func (d *Directory) DeleteIdentities(ctx context.Context, c *identity.Caller, ids []string) ([]string, error) {
	if err := d.permit(c, "cognito-identity:DeleteIdentities", "*", c.AccountID); err != nil {
		return nil, err
	}
	if len(ids) == 0 || len(ids) > maxDeletedIdentities {
		return nil, invalid("1 to %d identities are deleted at a time.", maxDeletedIdentities)
	}
	var left []string
	ev := audit.Change(c, identitySource, "DeleteIdentities", map[string]string{"identityIdsToDelete": strings.Join(ids, ",")})
	err := d.change(ctx, c, ev, func(tx store.Tx) error {
		left = nil
		for _, id := range unrepeated(slices.Clone(ids)) {
			_, err := ownIdentity(tx, c, id)
			if identity.KindOf(err) == identity.KindNotFound {
				left = append(left, id)
				continue
			}
			if err == nil {
				err = store.PoolIdentities.Delete(tx, id)
			}
			if err == nil {
				err = d.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePoolIdentity, ID: id, Reason: "identity deleted"})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return left, err
}

// TagIdentityPool adds tags to a pool, or changes them (Cognito TagResource).
// KindNotFound.
func (d *Directory) TagIdentityPool(ctx context.Context, c *identity.Caller, arn string, tags map[string]string) error {
	_, err := d.changePool(ctx, c, "TagResource", identity.IdentityPoolOf(arn), tagNames(tags), access.EntityKeys{}.Tagging(tags), func(_ store.Tx, p *identity.IdentityPool) (err error) {
		p.Tags, err = withTags(p.Tags, tags)
		return err
	})
	return err
}

// UntagIdentityPool removes tags from a pool (Cognito UntagResource).
// KindNotFound.
func (d *Directory) UntagIdentityPool(ctx context.Context, c *identity.Caller, arn string, tagKeys []string) error {
	params := map[string]string{"tagKeys": strings.Join(tagKeys, ",")}
	_, err := d.changePool(ctx, c, "UntagResource", identity.IdentityPoolOf(arn), params, access.EntityKeys{}.TagKeys(tagKeys), func(_ store.Tx, p *identity.IdentityPool) error {
		p.Tags = withoutTags(p.Tags, tagKeys)
		return nil
	})
	return err
}

// ListIdentityPoolTags returns a pool's tags (Cognito ListTagsForResource).
// KindNotFound.
func (d *Directory) ListIdentityPoolTags(_ context.Context, c *identity.Caller, arn string) (map[string]string, error) {
	p, err := d.readPool(c, "ListTagsForResource", identity.IdentityPoolOf(arn))
	return p.Tags, err
}
