package iam

import (
	"regexp"
	"slices"
	"strings"

	"daypass/internal/awswire"
	"daypass/internal/directory"
)

// Bounds of the API's model for policies and groups.
const (
	maxGroupName  = 128
	maxPolicyName = 128
)

var ownerNameLimits = [...]int{
	directory.UserOwner: maxExistingUserName, directory.RoleOwner: maxRoleName, directory.GroupOwner: maxGroupName,
}

// owner reads the name of a user, role or group.
func (in *fields) owner(kind directory.OwnerKind) directory.Owner {
	parameter := kind.String() + "Name"
	value, _ := in.required(parameter, 1, ownerNameLimits[kind])
	return directory.Owner{Kind: kind, Name: in.name(parameter, value)}
}

func (in *fields) groupName() string { return in.owner(directory.GroupOwner).Name }

func (in *fields) policyName() string {
	value, _ := in.required("PolicyName", 1, maxPolicyName)
	return in.name("PolicyName", value)
}

func (in *fields) policyDocument() string { return in.document("PolicyDocument") }

func (in *fields) policyARN() string { return in.arn("PolicyArn") }

func (in *fields) description() string {
	value, _ := in.optional("Description", 0, maxDescription)
	return value
}

var versionPattern = regexp.MustCompile(`^v[1-9][0-9]*(\.[A-Za-z0-9-]*)?$`)

func (in *fields) versionID() string {
	value, sent := in.form.Lookup("VersionId")
	switch {
	case !sent:
		in.fail(awswire.MissingParameter("VersionId"))
	case !versionPattern.MatchString(value):
		in.fail(awswire.Constraint("VersionId", value, `Member must satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?`))
	}
	return value
}

// choice reads one of a set of words, "" when it was not sent.
func (in *fields) choice(parameter string, words ...string) string {
	value, sent := in.form.Lookup(parameter)
	if sent && !slices.Contains(words, value) {
		in.fail(awswire.Constraint(parameter, value, "Member must satisfy enum value set: ["+strings.Join(words, ", ")+"]"))
	}
	return value
}

// boolean is false when it was not sent.
func (in *fields) boolean(parameter string) bool {
	value, _, err := in.form.Bool(parameter)
	if err != nil {
		in.fail(err)
	}
	return value
}
