package stax

import (
	"encoding/json"
	"errors"
	"slices"

	"daypass/internal/identity"
	"daypass/internal/strictwire"
)

// members are the members that a body may have, by their exact names, and where
// they go.
type members map[string]any

// tagMap is a JSON object of strings; unlike a map it takes no null for one.
type tagMap map[string]string

// UnmarshalJSON reads a whole object.
func (t *tagMap) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var in map[string]*string
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	out := make(tagMap, len(in))
	for k, v := range in {
		if v == nil {
			return errors.New("null among the tags")
		}
		out[k] = *v
	}
	*t = out
	return nil
}

var errBody = refusal(identity.KindValidation, "The body must be one JSON object in UTF-8.")

// decode reads a body that is one JSON object: no member that it may not have,
// and none twice.
func decode(body []byte, want members) error {
	err := strictwire.Object(body, want)
	var fault *strictwire.Fault
	if !errors.As(err, &fault) {
		return err
	}
	switch fault.Reason {
	case strictwire.Unknown:
		return refusal(identity.KindValidation, "The body has a member that is not of this operation.")
	case strictwire.Twice:
		return refusal(identity.KindValidation, fault.Member+" stands twice in the body")
	case strictwire.Type:
		return refusal(identity.KindValidation, fault.Member+" is of another type")
	}
	return errBody
}

func valueOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (c *call) noParameters() error { return c.onlyParameters() }

// onlyParameters refuses parameters that the operation does not have: a filter
// that is not served must not look as if it had been.
func (c *call) onlyParameters(names ...string) error {
	for name := range c.query {
		if !slices.Contains(names, name) {
			return refusal(identity.KindValidation, "The query has a parameter that is not of this operation.")
		}
	}
	return nil
}
