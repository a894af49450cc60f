package directory

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"daypass/internal/identity"
)

// Tag is one tag of an entity.
type Tag struct{ Key, Value string }

// reservedTags begin with this, in any case; only the service itself may set them.
const reservedTags = "aws:"

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return tooManyTags
	}
	folded := make(map[string]bool, len(tags))
	for k, v := range tags {
		f := strings.ToLower(k)
		switch {
		case k == "" || utf8.RuneCountInString(k) > maxTagKey || utf8.RuneCountInString(v) > maxTagValue || !tagRE.MatchString(k) || !tagRE.MatchString(v):
			return invalid("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*")
		case strings.HasPrefix(f, reservedTags):
			return &identity.Error{Kind: identity.KindInvalidInput, Op: "directory.tags", Public: "Tag keys that begin with aws: are reserved."}
		case folded[f]:
			return &identity.Error{Kind: identity.KindInvalidInput, Op: "directory.tags", Public: "Duplicate tag keys found. Please note that Tag keys are case insensitive."}
		}
		folded[f] = true
	}
	return nil
}

var tooManyTags = &identity.Error{Kind: identity.KindLimitExceeded, Op: "directory.tags", Public: "The number of tags has reached the maximum limit."}

// withTags returns have with add over it. A key that is there in another case
// is replaced: keys ignore case and keep it.
func withTags(have, add map[string]string) (map[string]string, error) {
	if err := checkTags(add); err != nil {
		return nil, err
	}
	out := withoutTags(have, slices.Collect(maps.Keys(add)))
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, add)
	if len(out) > maxTags {
		return nil, tooManyTags
	}
	return out, nil
}

// withoutTags returns have without the tags of these keys, in any case.
func withoutTags(have map[string]string, keys []string) map[string]string {
	drop := make(map[string]bool, len(keys))
	for _, k := range keys {
		drop[strings.ToLower(k)] = true
	}
	var out map[string]string
	for k, v := range have {
		if drop[strings.ToLower(k)] {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[k] = v
	}
	return out
}

// listTags is one page of an entity's tags, by key.
func (d *Directory) listTags(c *identity.Caller, entity string, tags map[string]string, p Page) (Listing[Tag], error) {
	var out Listing[Tag]
	listing := "tags/" + entity
	after, err := d.openMarker(c, listing, p.Marker)
	if err != nil {
		return out, err
	}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		if k <= after.Value {
			continue
		}
		if len(out.Items) == p.limit() {
			after.Value = out.Items[len(out.Items)-1].Key
			out.Next, err = d.sealMarker(c, listing, after)
			return out, err
		}
		out.Items = append(out.Items, Tag{k, tags[k]})
	}
	return out, nil
}
