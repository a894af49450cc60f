package access

import (
	"maps"
	"slices"
)

// EntityKeys are the condition keys of a call about an identity, for
// Resource.Keys (IAM: service authorization reference).
type EntityKeys map[string][]string

// Tagged adds the keys of an entity that exists and has these tags.
func (k EntityKeys) Tagged(tags map[string]string) EntityKeys {
	for key, value := range tags {
		k["aws:ResourceTag/"+key] = []string{value}
		k["iam:ResourceTag/"+key] = []string{value}
	}
	return k
}

// Tagging adds the keys of a request that sets tags.
func (k EntityKeys) Tagging(tags map[string]string) EntityKeys {
	for key, value := range tags {
		k["aws:RequestTag/"+key] = []string{value}
	}
	return k.TagKeys(slices.Sorted(maps.Keys(tags)))
}

// TagKeys adds the key of a request that names tags.
func (k EntityKeys) TagKeys(keys []string) EntityKeys {
	if len(keys) > 0 {
		k["aws:TagKeys"] = keys
	}
	return k
}

// Bounded adds the permissions boundary (ARN) that the request sets, or that
// the entity has; "" adds nothing, so that a condition on it is not met.
func (k EntityKeys) Bounded(boundary string) EntityKeys {
	if boundary != "" {
		k["iam:PermissionsBoundary"] = []string{boundary}
	}
	return k
}
