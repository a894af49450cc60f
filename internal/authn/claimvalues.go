package authn

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// claimValues reads the claims that trust policies can ask for: strings,
// numbers as written, booleans, and lists of these. Objects, and lists that
// hold some, have no values. Names ignore case, as condition keys do; a token
// with two names that differ in case alone is refused, since which of them
// would count is nobody's to guess. The length of a token bounds all of it.
// objects are those claims that are objects, as At reads them.
func claimValues(payload []byte) (values map[string][]string, objects map[string]any, err error) {
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.UseNumber()
	var claims map[string]any
	if err := dec.Decode(&claims); err != nil {
		return nil, nil, notJWT("claims")
	}
	out := make(map[string][]string, len(claims))
	for name, v := range claims {
		key := lowered(name)
		if _, twice := out[key]; twice {
			return nil, nil, notJWT("two claims differ in case alone")
		}
		out[key] = scalars(v)
		if _, is := v.(map[string]any); is {
			if objects == nil {
				objects = make(map[string]any)
			}
			objects[name] = v
		}
	}
	return out, objects, nil
}

// scalars is nil for what policies cannot ask for.
func scalars(v any) []string {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []string
	for _, v := range list {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case json.Number:
			out = append(out, v.String())
		case bool:
			out = append(out, strconv.FormatBool(v))
		default:
			return nil
		}
	}
	return out
}

// Value returns the values of a claim that policies can ask for.
func (c *Claims) Value(name string) []string { return c.Values[lowered(name)] }

// lowered folds ASCII alone, as condition keys do: letters that only look alike
// stay different.
func lowered(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// At returns the values of a claim, or of a member of the objects that dots in
// the path lead into ("resource_access.shasta.roles"). Names within may hold
// dots themselves.
func (c *Claims) At(path string) []string {
	if values := c.Value(path); values != nil {
		return values
	}
	return within(c.objects, path)
}

func within(object map[string]any, path string) []string {
	if values := scalars(object[path]); values != nil {
		return values
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		if inner, ok := object[path[:i]].(map[string]any); ok {
			if values := within(inner, path[i+1:]); values != nil {
				return values
			}
		}
	}
	return nil
}
