package authn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/token"
)

// Session tags stand in a token in one of four shapes; see parseTags.
const tagsClaim = "https://aws.amazon.com/tags"

const maxTags = 50

type tagsObject struct {
	PrincipalTags map[string]oneString `json:"principal_tags"`
	Transitive    []string             `json:"transitive_tag_keys"`
}

// oneString is a tag value: a string, or a list of exactly one.
type oneString string

func (o *oneString) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		var list []string
		if err := json.Unmarshal(b, &list); err != nil {
			return err
		}
		if len(list) != 1 {
			return fmt.Errorf("%d values for one tag", len(list))
		}
		*o = oneString(list[0])
		return nil
	}
	return json.Unmarshal(b, (*string)(o))
}

// parseTags reads the session tags of a JWT payload: nested (AWS, Astran), the
// same in a list (Ceph), as one flat claim (SeaweedFS), or one claim per key.
func parseTags(payload []byte) (map[string]string, []string, error) {
	bad := func(err error) error {
		return &identity.Error{Kind: identity.KindInvalidIdentity, Op: "authn.tags", Public: "The session tags of the token are malformed.", Err: err}
	}
	if !bytes.Contains(payload, []byte("aws.amazon.com")) {
		return nil, nil, nil
	}
	var claims map[string]json.RawMessage
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, nil, bad(err)
	}
	var all tagsObject
	all.PrincipalTags = map[string]oneString{}
	for name, value := range claims {
		var err error
		switch {
		case name == tagsClaim && len(value) > 0 && value[0] == '[':
			var list []tagsObject
			if err = token.DecodeClaims(value, &list); err == nil {
				for _, o := range list {
					err = errors.Join(err, all.add(o))
				}
			}
		case name == tagsClaim:
			var o tagsObject
			if err = token.DecodeClaims(value, &o); err == nil {
				err = all.add(o)
			}
		case name == tagsClaim+"/principal_tags":
			var o tagsObject
			if err = token.DecodeClaims(value, &o.PrincipalTags); err == nil {
				err = all.add(o)
			}
		case name == tagsClaim+"/transitive_tag_keys":
			var o tagsObject
			if err = json.Unmarshal(value, &o.Transitive); err == nil {
				err = all.add(o)
			}
		case strings.HasPrefix(name, tagsClaim+"/principal_tags/"):
			var v oneString
			if err = json.Unmarshal(value, &v); err == nil {
				err = all.add(tagsObject{PrincipalTags: map[string]oneString{strings.TrimPrefix(name, tagsClaim+"/principal_tags/"): v}})
			}
		}
		if err != nil {
			return nil, nil, bad(err)
		}
	}
	return all.checked(bad)
}

// add refuses a key that has another value already: which of two claims would
// count is nobody's to guess.
func (t *tagsObject) add(o tagsObject) error {
	for k, v := range o.PrincipalTags {
		if have, ok := t.PrincipalTags[k]; ok && have != v {
			return fmt.Errorf("two values for one tag")
		}
		t.PrincipalTags[k] = v
	}
	t.Transitive = append(t.Transitive, o.Transitive...)
	return nil
}

func (t *tagsObject) checked(bad func(error) error) (map[string]string, []string, error) {
	if len(t.PrincipalTags) > maxTags || len(t.Transitive) > maxTags {
		return nil, nil, bad(fmt.Errorf("more than %d tags", maxTags))
	}
	tags := make(map[string]string, len(t.PrincipalTags))
	folded := map[string]bool{}
	for k, v := range t.PrincipalTags {
		if k == "" || len(k) > 128 || len(v) > 256 {
			return nil, nil, bad(fmt.Errorf("tag key or value too long"))
		}
		if f := strings.ToLower(k); folded[f] {
			return nil, nil, bad(fmt.Errorf("tag keys differ only in case"))
		} else {
			folded[f] = true
		}
		tags[k] = string(v)
	}
	return tags, t.Transitive, nil
}
