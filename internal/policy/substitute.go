package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// Substitute writes a document with the values of its variables in their place,
// for a judge that knows ours not, and without white space. Names of members are
// left alone; so are "${*}", "${?}" and "${$}", which stand for themselves there
// too. The request's Action and Resource do not count.
//
// There, a value would be read as a pattern: it fails with KindMalformedPolicy
// for a value that holds one of "*?${}", that is missing, or that Resource does
// not take (see unsafeInResource).
func Substitute(document string, r *Request) (string, error) {
	dec := json.NewDecoder(strings.NewReader(document))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return "", refused("Syntax errors in policy.")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return "", refused("Syntax errors in policy.")
	}
	var v view
	v.prepare(r)
	tree, err := v.replaceIn(tree)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil {
		return "", refused("Syntax errors in policy.")
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// replaceIn replaces the variables in every string of a JSON value.
func (v *view) replaceIn(tree any) (any, error) {
	var err error
	switch x := tree.(type) {
	case string:
		return v.replace(x)
	case []any:
		for i := range x {
			if x[i], err = v.replaceIn(x[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name := range x {
			if x[name], err = v.replaceIn(x[name]); err != nil {
				return nil, err
			}
		}
	}
	return tree, nil
}

func (v *view) replace(text string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		inner, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", refused("The variable in %q has no closing brace.", text)
		}
		text = after
		if inner == "*" || inner == "?" || inner == "$" {
			out.WriteString("${" + inner + "}")
			continue
		}
		x, err := parseVariable(inner)
		if err != nil {
			return "", err
		}
		values, state := v.substitute([]variable{x}, nil)
		switch {
		case state == valueMissing:
			return "", refused("The variable ${%s} has no value.", x.written)
		case state == valueUnsafe || strings.ContainsAny(values[0], "*?${}"):
			return "", refused("The value of the variable ${%s} cannot stand in a policy.", x.written)
		}
		out.WriteString(values[0])
	}
}
