package identity

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// ProfileCondition is one thing that a rule demands of a token. Value is JSON: a
// string, a number or true or false, and for IN a list of these.
type ProfileCondition struct {
	Claim    string `json:"claim"`
	Operator string `json:"operator"`
	Value    string `json:"value"`
}

// operators judge what a claim has (nothing, when the token is without it)
// against what the condition wants. A claim that is not there fulfils nothing,
// and one with several values equals nothing.
var operators = map[string]func(have, want []string) bool{
	"EQUALS":     func(have, want []string) bool { return len(have) == 1 && have[0] == want[0] },
	"NOT_EQUALS": func(have, want []string) bool { return len(have) > 0 && !slices.Contains(have, want[0]) },
	// Of letters that only look alike the one must not pass for the other, neither
	// to get in nor to get past.
	"EQUALS_IGNORE_CASE": func(have, want []string) bool { return len(have) == 1 && foldASCII(have[0]) == foldASCII(want[0]) },
	"NOT_EQUALS_IGNORE_CASE": func(have, want []string) bool {
		return len(have) > 0 && !slices.ContainsFunc(have, func(v string) bool { return strings.EqualFold(v, want[0]) })
	},
	"CONTAINS": func(have, want []string) bool { return slices.Contains(have, want[0]) },
	"IN":       func(have, want []string) bool { return len(have) == 1 && slices.Contains(want, have[0]) },
}

func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// Holds judges the values of the claim in a token.
func (c *ProfileCondition) Holds(have []string) bool {
	judge, known := operators[c.Operator]
	want, err := c.wanted()
	return known && err == nil && judge(have, want)
}

// Bounds of conditions.
const (
	maxClaim          = 128
	maxConditionValue = 1024
	maxChoices        = 50
)

func (c *ProfileCondition) check() error {
	if c.Claim == "" || len(c.Claim) > maxClaim || !printable(c.Claim) {
		return unfit("conditions.claim", "is not valid")
	}
	if operators[c.Operator] == nil {
		return unfit("conditions.operator", "is EQUALS, NOT_EQUALS, EQUALS_IGNORE_CASE, NOT_EQUALS_IGNORE_CASE, CONTAINS or IN")
	}
	if _, err := c.wanted(); err != nil {
		return unfit("conditions.value", `is JSON in a string, such as "\"text\"", and for IN a list`)
	}
	return nil
}

var errNoValue = errors.New("no value of a condition")

// wanted reads Value: at least one text.
func (c *ProfileCondition) wanted() ([]string, error) {
	if len(c.Value) > maxConditionValue {
		return nil, errNoValue
	}
	d := json.NewDecoder(strings.NewReader(c.Value))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errNoValue
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNoValue
	}
	list, isList := v.([]any)
	if isList != (c.Operator == "IN") || len(list) > maxChoices || isList && len(list) == 0 {
		return nil, errNoValue
	}
	if !isList {
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
			return nil, errNoValue
		}
	}
	return out, nil
}
