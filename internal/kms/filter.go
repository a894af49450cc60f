package kms

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass/internal/identity"
)

// Bounds of a filter: how many conditions, and how many of the same property.
const (
	maxFilter     = 2048
	maxConditions = 16
	maxAlike      = 3
)

// condition is one of a filter: whether a key, in its state of now, meets it.
type condition func(k *identity.KMSKey, now time.Time) bool

// dates are the properties of keys that are times, by their names on the wire.
var dates = map[string]func(*identity.KMSKey) time.Time{
	"creationDate":   func(k *identity.KMSKey) time.Time { return k.CreatedAt },
	"expirationDate": func(k *identity.KMSKey) time.Time { return k.ExpiresAt },
	"lastRotateDate": func(k *identity.KMSKey) time.Time { return k.RotatedAt },
	"deletionDate":   func(k *identity.KMSKey) time.Time { return k.DeletedAt },
	"lastUpdateDate": func(k *identity.KMSKey) time.Time { return k.UpdatedAt },
}

// parseFilter reads conditions with spaces between, of which a key must meet all:
// a date that is "none" or a time in double quotes (RFC 3339), alone or behind gt:,
// gte:, lt: or lte:, state= with numbers and commas between, extractable= with
// true or false. KindValidation.
func parseFilter(s string) ([]condition, error) {
	if len(s) > maxFilter {
		return nil, badField("filter", fmt.Sprintf("has at most %d characters", maxFilter))
	}
	words := strings.Fields(s)
	if len(words) > maxConditions {
		return nil, badField("filter", fmt.Sprintf("has at most %d conditions", maxConditions))
	}
	alike := map[string]int{}
	var out []condition
	for _, word := range words {
		property, value, _ := strings.Cut(word, "=")
		if alike[property]++; alike[property] > maxAlike {
			return nil, badField("filter", fmt.Sprintf("names a property more than %d times", maxAlike))
		}
		c, err := parseCondition(property, value)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func parseCondition(property, value string) (condition, error) {
	switch property {
	case "state":
		states, err := ParseStates(value)
		if err != nil {
			return nil, err
		}
		return func(k *identity.KMSKey, now time.Time) bool { return slices.Contains(states, k.StateAt(now)) }, nil
	case "extractable":
		want, err := strconv.ParseBool(strings.ToLower(value))
		if err != nil || len(value) < len("true") {
			return nil, badField("filter", "has an extractable that is neither true nor false")
		}
		return func(k *identity.KMSKey, _ time.Time) bool { return k.Extractable == want }, nil
	}
	date, known := dates[property]
	if !known {
		return nil, badField("filter", "names a property that is not filtered by")
	}
	return dateCondition(date, value)
}

// comparisons are those of dates, by their names on the wire; "" is equality.
var comparisons = map[string]func(c int) bool{
	"": func(c int) bool { return c == 0 }, "gt": func(c int) bool { return c > 0 }, "gte": func(c int) bool { return c >= 0 },
	"lt": func(c int) bool { return c < 0 }, "lte": func(c int) bool { return c <= 0 },
}

func dateCondition(date func(*identity.KMSKey) time.Time, value string) (condition, error) {
	if strings.EqualFold(value, "none") {
		return func(k *identity.KMSKey, _ time.Time) bool { return date(k).IsZero() }, nil
	}
	operator, text, ok := strings.Cut(value, `"`)
	holds := comparisons[strings.TrimSuffix(operator, ":")]
	text, closed := strings.CutSuffix(text, `"`)
	at, err := time.Parse(time.RFC3339Nano, text)
	if !ok || !closed || holds == nil || (operator != "") != strings.HasSuffix(operator, ":") || operator == ":" || err != nil {
		return nil, badField("filter", `has a date that is neither none nor a time of RFC 3339 in double quotes, behind gt:, gte:, lt:, lte: or nothing`)
	}
	return func(k *identity.KMSKey, _ time.Time) bool {
		have := date(k)
		return !have.IsZero() && holds(have.Compare(at))
	}, nil
}

// ParseStates reads numbers of states with commas between, at least one (GET keys,
// state). 0, which no key here is in, is a number of a state too. KindValidation.
func ParseStates(s string) ([]identity.KeyState, error) {
	var out []identity.KeyState
	for word := range strings.SplitSeq(s, ",") {
		if len(word) != 1 || !strings.Contains("01235", word) || len(out) > 2*maxConditions {
			return nil, badField("state", "is a list of 0, 1, 2, 3 and 5 with commas between")
		}
		out = append(out, identity.KeyState(word[0]-'0'))
	}
	return out, nil
}
