package kms

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"daypass/internal/identity"
)

// comparison orders two keys in their states of now.
type comparison func(a, b *identity.KMSKey, now time.Time) int

func byBool(of func(*identity.KMSKey) bool) comparison {
	number := map[bool]int{true: 1}
	return func(a, b *identity.KMSKey, _ time.Time) int { return number[of(a)] - number[of(b)] }
}

func byDate(of func(*identity.KMSKey) time.Time) comparison {
	return func(a, b *identity.KMSKey, _ time.Time) int { return of(a).Compare(of(b)) }
}

// orders are what keys can be sorted by, by the names on the wire.
var orders = map[string]comparison{
	"id":             func(a, b *identity.KMSKey, _ time.Time) int { return strings.Compare(a.ID, b.ID) },
	"state":          func(a, b *identity.KMSKey, now time.Time) int { return cmp.Compare(a.StateAt(now), b.StateAt(now)) },
	"extractable":    byBool(func(k *identity.KMSKey) bool { return k.Extractable }),
	"imported":       byBool(func(k *identity.KMSKey) bool { return k.Imported }),
	"creationDate":   byDate(dates["creationDate"]),
	"deletionDate":   byDate(dates["deletionDate"]),
	"expirationDate": byDate(dates["expirationDate"]),
	"lastRotateDate": byDate(dates["lastRotateDate"]),
	"lastUpdateDate": byDate(dates["lastUpdateDate"]),
}

// parseOrder reads names of properties with commas between, each behind a "-" for
// the other way round and at most once. The ID decides what they leave open.
// KindValidation.
func parseOrder(s string) (comparison, error) {
	type step struct {
		compare comparison
		sign    int
	}
	var steps []step
	seen := map[string]bool{}
	for word := range strings.SplitSeq(s, ",") {
		step := step{sign: 1}
		if rest, down := strings.CutPrefix(word, "-"); down {
			step.sign, word = -1, rest
		}
		if step.compare = orders[word]; step.compare == nil || seen[word] {
			names := make([]string, 0, len(orders))
			for name := range orders {
				names = append(names, name)
			}
			slices.Sort(names)
			return nil, badField("sort", fmt.Sprintf("is a list of %s, each once and alone or behind a -", strings.Join(names, ", ")))
		}
		seen[word] = true
		steps = append(steps, step)
	}
	return func(a, b *identity.KMSKey, now time.Time) int {
		for _, s := range steps {
			if c := s.compare(a, b, now); c != 0 {
				return s.sign * c
			}
		}
		return strings.Compare(a.ID, b.ID)
	}, nil
}
