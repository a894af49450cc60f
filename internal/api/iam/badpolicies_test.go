package iam_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/awswire"
	"daypass/internal/wiretest"
)

// TestBadPolicyRequests sends parameters that no directory gets to see.
func TestBadPolicyRequests(t *testing.T) {
	t.Parallel()
	const (
		shortest = "Member must have length greater than or equal to "
		longest  = "Member must have length less than or equal to "
		badName  = " is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
		arn      = "PolicyArn=arn:demo:iam::aws:policy/x"
		invalid  = "ValidationError"
		absent   = "MissingParameter"
	)
	long := func(n int) string { return strings.Repeat("a", n) }
	missing := func(name string) string { return "The request must contain the parameter " + name + "." }
	for _, tt := range []struct{ action, parameters, code, message string }{
		{"PutUserPolicy", "PolicyName=p&PolicyDocument=x", absent, missing("UserName")},
		{"PutUserPolicy", "UserName=&PolicyName=p&PolicyDocument=x", invalid, constraint("", "userName", shortest+"1")},
		{"PutUserPolicy", "UserName=" + long(129) + "&PolicyName=p&PolicyDocument=x", invalid, constraint("", "userName", longest+"128")},
		{"PutRolePolicy", "RoleName=" + long(65) + "&PolicyName=p&PolicyDocument=x", invalid, constraint("", "roleName", longest+"64")},
		{"PutGroupPolicy", "GroupName=a/b&PolicyName=p&PolicyDocument=x", invalid, "The specified value for groupName" + badName},
		{"PutUserPolicy", "UserName=a&PolicyDocument=x", absent, missing("PolicyName")},
		{"PutUserPolicy", "UserName=a&PolicyName=" + long(129) + "&PolicyDocument=x", invalid, constraint("", "policyName", longest+"128")},
		{"PutUserPolicy", "UserName=a&PolicyName=a+b&PolicyDocument=x", invalid, "The specified value for policyName" + badName},
		{"PutUserPolicy", "UserName=a&PolicyName=p&PolicyDocument=", invalid, constraint("", "policyDocument", shortest+"1")},
		{"PutUserPolicy", "UserName=a&PolicyName=p&PolicyDocument=" + long(131073), invalid, constraint("", "policyDocument", longest+"131072")},
		{"AttachUserPolicy", "UserName=a", absent, missing("PolicyArn")},
		{"AttachRolePolicy", "RoleName=a&PolicyArn=" + long(19), invalid, constraint("", "policyArn", shortest+"20")},
		{"DetachGroupPolicy", "GroupName=a&PolicyArn=" + long(2049), invalid, constraint("", "policyArn", longest+"2048")},
		{"PutUserPermissionsBoundary", "UserName=a&PermissionsBoundary=", invalid, constraint("", "permissionsBoundary", shortest+"20")},
		{"DeleteRolePermissionsBoundary", "", absent, missing("RoleName")},
		{"CreatePolicy", "PolicyName=a&PolicyDocument=x&Path=a", invalid, "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters."},
		{"CreatePolicy", "PolicyName=a&PolicyDocument=x&Description=" + long(1001), invalid, constraint("", "description", longest+"1000")},
		{"CreatePolicyVersion", arn + "&PolicyDocument=x&SetAsDefault=yes", invalid, constraint("yes", "setAsDefault", "Member must satisfy enum value set: [true, false]")},
		{"GetPolicyVersion", arn, absent, missing("VersionId")},
		{"GetPolicyVersion", arn + "&VersionId=v0", invalid, constraint("v0", "versionId", `Member must satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?`)},
		{"ListPolicies", "OnlyAttached=1", invalid, constraint("1", "onlyAttached", "Member must satisfy enum value set: [true, false]")},
		{"ListPolicies", "Scope=aws", invalid, constraint("aws", "scope", "Member must satisfy enum value set: [All, AWS, Local]")},
		{"ListPolicies", "PolicyUsageFilter=x", invalid, constraint("x", "policyUsageFilter", "Member must satisfy enum value set: [PermissionsPolicy, PermissionsBoundary]")},
		{"ListEntitiesForPolicy", arn + "&EntityFilter=Users", invalid, constraint("Users", "entityFilter", "Member must satisfy enum value set: [User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]")},
		{"UntagPolicy", arn, invalid, constraint("", "tagKeys", "Member must not be null")},
		{"UpdateGroup", "GroupName=a&NewGroupName=", invalid, constraint("", "newGroupName", shortest+"1")},
		{"UpdateGroup", "GroupName=a&NewGroupName=a/b", invalid, "The specified value for newGroupName" + badName},
		{"AddUserToGroup", "GroupName=a", absent, missing("UserName")},
		{"ListGroupsForUser", "", absent, missing("UserName")},
	} {
		w := httptest.NewRecorder()
		quietHandler().ServeHTTP(w, wiretest.Request(t, call(tt.action, tt.parameters)))
		checkError(t, w, 400, tt.code, tt.message, awswire.NamespaceIAM)
		if t.Failed() {
			t.Fatalf("%s %.80s", tt.action, tt.parameters)
		}
	}
}
