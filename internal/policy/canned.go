package policy

import (
	"strings"

	"daypass/internal/identity"
)

// canned are AWS's managed policies that are served, by name: the actions that
// each allows, on every resource of the caller's own account. Names are
// compared without regard to case, as actions are in IAM.
var canned = map[string][]string{
	"AdministratorAccess":    {"*"},
	"AmazonS3FullAccess":     {"s3:*"},
	"AmazonS3ReadOnlyAccess": {"s3:get*", "s3:list*"},
	"IAMFullAccess":          {"iam:*"},
	"ReadOnlyAccess":         {"s3:get*", "s3:list*", "iam:get*", "iam:list*"},
}

// CannedName returns the name of a canned policy from its ARN
// (arn:<partition>:iam::aws:policy/<name>), and whether there is one.
func CannedName(arn string) (string, bool) {
	a, ok := identity.ParseARN(arn)
	if !ok || a.Service != "iam" || a.Account != "aws" {
		return "", false
	}
	name, ok := strings.CutPrefix(a.Resource, "policy/")
	if _, known := canned[name]; !ok || !known {
		return "", false
	}
	return name, true
}

// CannedAllows reports whether the canned policy with this ARN allows an
// action ("s3:GetObject").
func CannedAllows(arn, action string) bool {
	name, ok := CannedName(arn)
	if !ok {
		return false
	}
	action = strings.ToLower(action)
	for _, pattern := range canned[name] {
		if Wildcard(pattern, action) {
			return true
		}
	}
	return false
}
