package directory

import (
	"context"
	"maps"
	"strings"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// TagUser adds tags to a user, or changes them (IAM TagUser).
func (d *Directory) TagUser(ctx context.Context, c *identity.Caller, name string, tags map[string]string) error {
	return d.changeUserTags(ctx, c, "TagUser", name, tagNames(tags), access.EntityKeys{}.Tagging(tags), func(have map[string]string) (map[string]string, error) {
		return withTags(have, tags)
	})
}

// UntagUser removes tags from a user; those the user does not have do not
// matter (IAM UntagUser).
func (d *Directory) UntagUser(ctx context.Context, c *identity.Caller, name string, tagKeys []string) error {
	params := map[string]string{"tagKeys": strings.Join(tagKeys, ",")}
	return d.changeUserTags(ctx, c, "UntagUser", name, params, access.EntityKeys{}.TagKeys(tagKeys), func(have map[string]string) (map[string]string, error) {
		return withoutTags(have, tagKeys), nil
	})
}

func (d *Directory) changeUserTags(ctx context.Context, c *identity.Caller, call, name string, params map[string]string, keys access.EntityKeys, change func(map[string]string) (map[string]string, error)) error {
	params["userName"] = name
	return d.change(ctx, c, audit.Change(c, iamSource, call, params), func(tx store.Tx) error {
		u, err := d.targetUser(tx, c, "iam:"+call, name, maps.Clone(keys))
		if err != nil {
			return err
		}
		if u.Root {
			return invalid("The root user cannot be tagged.")
		}
		v := *u
		if v.Tags, err = change(u.Tags); err != nil {
			return err
		}
		return store.Users.Put(tx, &v)
	})
}

// ListUserTags lists a user's tags, by key (IAM ListUserTags).
func (d *Directory) ListUserTags(ctx context.Context, c *identity.Caller, name string, p Page) (Listing[Tag], error) {
	var u *identity.User
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		u, err = d.target(r, c, "iam:ListUserTags", name)
		return err
	})
	if err != nil {
		return Listing[Tag]{}, err
	}
	return d.listTags(c, u.ID, u.Tags, p)
}
