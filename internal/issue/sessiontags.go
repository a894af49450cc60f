package issue

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Bounds of session tags (STS Tag).
const (
	maxTags     = 50
	maxTagKey   = 128 // characters
	maxTagValue = 256 // characters
)

// Tag is a session tag that a request gives.
type Tag struct{ Key, Value string }

// sessionTags are the tags of a session and the keys of those that role
// chaining passes on.
type sessionTags struct {
	values     map[string]string
	transitive []string
}

func unfit(format string, args ...any) error {
	return &identity.Error{Kind: identity.KindInvalidInput, Op: "issue.tags", Public: fmt.Sprintf(format, args...)}
}

// newTags checks the tags of a request. Keys ignore case.
func newTags(tags []Tag, transitive []string) (*sessionTags, error) {
	t := &sessionTags{}
	for _, tag := range tags {
		if _, twice := t.key(tag.Key); twice {
			return nil, unfit("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		if err := checkTag(tag.Key, tag.Value); err != nil {
			return nil, err
		}
		if t.values == nil {
			t.values = map[string]string{}
		}
		t.values[tag.Key] = tag.Value
	}
	for _, key := range transitive {
		own, ok := t.key(key)
		if !ok {
			return nil, unfit("The transitive tag key %q is not among the session tags.", bounded(key))
		}
		if !slices.Contains(t.transitive, own) {
			t.transitive = append(t.transitive, own)
		}
	}
	return t, t.bounds()
}

// tagsOf are the tags of a token.
func tagsOf(values map[string]string, transitive []string) (*sessionTags, error) {
	list := make([]Tag, 0, len(values))
	for _, k := range slices.Sorted(maps.Keys(values)) {
		list = append(list, Tag{k, values[k]})
	}
	return newTags(list, transitive)
}

func checkTag(key, value string) error {
	switch {
	case key == "" || utf8.RuneCountInString(key) > maxTagKey || utf8.RuneCountInString(value) > maxTagValue:
		return unfit("A tag key has 1 to %d characters, and a tag value up to %d.", maxTagKey, maxTagValue)
	case strings.HasPrefix(store.Fold(key), "aws:"):
		return unfit("Tag keys that begin with aws: are reserved.")
	}
	for _, r := range key + value {
		if !unicode.In(r, unicode.L, unicode.Z, unicode.N) && !strings.ContainsRune("_.:/=+-@", r) {
			return unfit(`Tag keys and values are of the characters [\p{L}\p{Z}\p{N}_.:/=+\-@].`)
		}
	}
	return nil
}

func (t *sessionTags) bounds() error {
	if len(t.values) > maxTags {
		return unfit("A session has up to %d tags.", maxTags)
	}
	return nil
}

// key is the key as the tags write it.
func (t *sessionTags) key(key string) (string, bool) {
	if _, ok := t.values[key]; ok {
		return key, true
	}
	for have := range t.values {
		if store.Fold(have) == store.Fold(key) {
			return have, true
		}
	}
	return "", false
}

// inherit adds the transitive tags of the calling session. They cannot be
// replaced.
func (t *sessionTags) inherit(c *identity.Caller) error {
	had := sessionTags{values: c.Tags}
	for _, key := range c.TransitiveKeys {
		own, ok := had.key(key)
		if !ok {
			continue
		}
		if _, taken := t.key(key); taken {
			return unfit("The session tag %q cannot replace the transitive tag of the calling session.", bounded(key))
		}
		if t.values == nil {
			t.values = map[string]string{}
		}
		t.values[own] = c.Tags[own]
		t.transitive = append(t.transitive, own)
	}
	return t.bounds()
}

// addTo gives the condition keys of the tags.
func (t *sessionTags) addTo(keys map[string][]string) {
	if len(t.values) == 0 {
		return
	}
	for k, v := range t.values {
		keys["aws:RequestTag/"+k] = []string{v}
	}
	keys["aws:TagKeys"] = slices.Sorted(maps.Keys(t.values))
	if len(t.transitive) > 0 {
		keys["sts:TransitiveTagKeys"] = t.transitive
	}
}
