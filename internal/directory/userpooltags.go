package directory

import (
	"context"
	"strings"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// poolIDOf is the ID of the user pool that an ARN names, or what no pool has for
// an ID.
func poolIDOf(c *identity.Caller, arn string) string {
	a, ok := identity.ParseARN(arn)
	id, pool := strings.CutPrefix(a.Resource, "userpool/")
	region, _, _ := strings.Cut(id, "_")
	if ok && pool && a == (identity.ARN{Partition: c.Partition, Service: "cognito-idp", Region: region, Account: c.AccountID, Resource: a.Resource}) {
		return id
	}
	return "(" + arn + ")"
}

// TagUserPool adds tags to a user pool, named by its ARN (Cognito TagResource).
// KindNotFound, KindLimitExceeded.
func (d *Directory) TagUserPool(ctx context.Context, c *identity.Caller, arn string, tags map[string]string) error {
	return d.userPoolTags(ctx, c, "TagResource", arn, access.EntityKeys{}.Tagging(tags), func(have map[string]string) (map[string]string, error) {
		return withTags(have, tags)
	})
}

// UntagUserPool removes tags of a user pool (Cognito UntagResource).
// KindNotFound.
func (d *Directory) UntagUserPool(ctx context.Context, c *identity.Caller, arn string, keys []string) error {
	return d.userPoolTags(ctx, c, "UntagResource", arn, access.EntityKeys{}.TagKeys(keys), func(have map[string]string) (map[string]string, error) {
		return withoutTags(have, keys), nil
	})
}

func (d *Directory) userPoolTags(ctx context.Context, c *identity.Caller, op, arn string, keys access.EntityKeys, change func(map[string]string) (map[string]string, error)) error {
	id := poolIDOf(c, arn)
	return d.inUserPoolKeyed(ctx, c, op, id, nil, keys, func(tx store.Tx, realm *identity.Realm) error {
		v, pool := *realm, *realm.Pool
		v.Pool = &pool
		var err error
		if pool.Tags, err = change(pool.Tags); err != nil {
			return err
		}
		return store.Realms.Put(tx, &v)
	})
}

// UserPoolTags returns the tags of a user pool (Cognito ListTagsForResource).
// KindNotFound.
func (d *Directory) UserPoolTags(ctx context.Context, c *identity.Caller, arn string) (map[string]string, error) {
	var out map[string]string
	err := d.readUserPool(ctx, c, "ListTagsForResource", poolIDOf(c, arn), func(_ store.Reader, realm *identity.Realm) error {
		out = realm.Pool.Tags
		return nil
	})
	return out, err
}
