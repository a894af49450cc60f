package iam

import (
	"context"
	"maps"
	"slices"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// The calls about tags have the same form for every kind of entity.
type (
	tagCall      func(ctx context.Context, c *identity.Caller, entity string, tags map[string]string) error
	untagCall    func(ctx context.Context, c *identity.Caller, entity string, tagKeys []string) error
	listTagsCall func(ctx context.Context, c *identity.Caller, entity string, p directory.Page) (directory.Listing[directory.Tag], error)
	entityField  func(*fields) string
)

func serveTag(of func(*Handler) tagCall, entity entityField) action {
	return func(h *Handler, c *call) (func(*awswire.XML), error) {
		in := fields{form: c.form}
		name, tags := entity(&in), in.tags()
		if in.err == nil && len(tags) == 0 {
			in.fail(awswire.Constraint("Tags", "", "Member must not be null"))
		}
		if in.err != nil {
			return nil, in.err
		}
		return nil, of(h)(c.ctx, c.caller, name, tags)
	}
}

func serveUntag(of func(*Handler) untagCall, entity entityField) action {
	return func(h *Handler, c *call) (func(*awswire.XML), error) {
		in := fields{form: c.form}
		name, keys := entity(&in), in.texts("TagKeys", maxTags, 1, maxTagKey)
		if in.err == nil && len(keys) == 0 {
			in.fail(awswire.Constraint("TagKeys", "", "Member must not be null"))
		}
		if in.err != nil {
			return nil, in.err
		}
		return nil, of(h)(c.ctx, c.caller, name, keys)
	}
}

func serveListTags(of func(*Handler) listTagsCall, entity entityField) action {
	return func(h *Handler, c *call) (func(*awswire.XML), error) {
		in := fields{form: c.form}
		name, page := entity(&in), in.page()
		if in.err != nil {
			return nil, in.err
		}
		list, err := of(h)(c.ctx, c.caller, name, page)
		if err != nil {
			return nil, err
		}
		return func(x *awswire.XML) {
			x.Open("Tags")
			for _, tag := range list.Items {
				writeTag(x, tag.Key, tag.Value)
			}
			x.Close("Tags")
			writePaging(x, list.Next)
		}, nil
	}
}

// writeTags leaves the element out where there are no tags.
func writeTags(x *awswire.XML, tags map[string]string) {
	if len(tags) == 0 {
		return
	}
	x.Open("Tags")
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		writeTag(x, key, tags[key])
	}
	x.Close("Tags")
}

func writeTag(x *awswire.XML, key, value string) {
	x.Open("member")
	x.Elem("Key", key)
	x.Elem("Value", value)
	x.Close("member")
}

// UserTags manages the tags of users.
type UserTags interface {
	TagUser(ctx context.Context, c *identity.Caller, name string, tags map[string]string) error
	UntagUser(ctx context.Context, c *identity.Caller, name string, tagKeys []string) error
	ListUserTags(ctx context.Context, c *identity.Caller, name string, p directory.Page) (directory.Listing[directory.Tag], error)
}

// RoleTags manages the tags of roles.
type RoleTags interface {
	TagRole(ctx context.Context, c *identity.Caller, name string, tags map[string]string) error
	UntagRole(ctx context.Context, c *identity.Caller, name string, tagKeys []string) error
	ListRoleTags(ctx context.Context, c *identity.Caller, name string, p directory.Page) (directory.Listing[directory.Tag], error)
}

var userTagActions = map[string]action{
	"TagUser":      serveTag(func(h *Handler) tagCall { return h.directory.TagUser }, (*fields).userName),
	"UntagUser":    serveUntag(func(h *Handler) untagCall { return h.directory.UntagUser }, (*fields).userName),
	"ListUserTags": serveListTags(func(h *Handler) listTagsCall { return h.directory.ListUserTags }, (*fields).userName),
}

var roleTagActions = map[string]action{
	"TagRole":      serveTag(func(h *Handler) tagCall { return h.directory.TagRole }, (*fields).roleName),
	"UntagRole":    serveUntag(func(h *Handler) untagCall { return h.directory.UntagRole }, (*fields).roleName),
	"ListRoleTags": serveListTags(func(h *Handler) listTagsCall { return h.directory.ListRoleTags }, (*fields).roleName),
}
