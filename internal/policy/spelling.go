package policy

import (
	"strings"
	"unicode/utf8"
)

func checkSid(kind Kind, sid string) error {
	for i := 0; i < len(sid); i++ {
		c := lower(sid[i])
		if !isDigit(c) && (c < 'a' || c > 'z') && !(kind == ResourcePolicy && c >= ' ' && c < 0x7f) {
			return refused("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*")
		}
	}
	return nil
}

// checkAction wants "*", "*:*" or "vendor:Name" with a vendor without wildcard.
func checkAction(text string) error {
	if text == "*" || text == "*:*" {
		return nil
	}
	vendor, name, ok := strings.Cut(text, ":")
	if !ok || vendor == "" {
		return refused("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
	}
	if strings.Trim(lowered(vendor), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return refused("Vendor %s is not valid", vendor)
	}
	if name == "" || len(text) > 128 || strings.Trim(lowered(name), "abcdefghijklmnopqrstuvwxyz0123456789-_.*?") != "" {
		return refused("The action %q is not valid.", text)
	}
	return nil
}

// checkLookAlikes refuses letters beyond ASCII where nothing that exists is
// spelt with them: a Deny so written would bind nobody. Names of tags, and what
// follows the service and region of an ARN, may hold them.
func (s *Statement) checkLookAlikes(raw *rawStatement) error {
	for _, key := range s.keys() {
		fixed := key
		if i := strings.Index(lowered(key), "tag/"); i >= 0 {
			fixed = key[:i]
		}
		if !isASCII(fixed) {
			return refused("The condition key %q is not valid.", key)
		}
	}
	for _, list := range [][]string{raw.resources, raw.notResources} {
		for _, text := range list {
			parts := splitARN(text, variables)
			if !isASCII(strings.Join(parts[:min(len(parts), 4)], "")) {
				return refused("Resource %s must be in ARN format or \"*\".", text)
			}
		}
	}
	return nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isWithin accepts "*" as well: the policy is asked about one resource only.
func isWithin(text, arn string) bool {
	return text == "*" || text == arn || text == arn+"*" || strings.HasPrefix(text, arn+"/")
}
