package policy

import (
	"slices"
	"strings"

	"daypass/internal/identity"
)

// canned are AWS's managed policies that are served, as documents, by name.
// They hold no partition, so they serve all.
var canned = map[string]string{
	"AdministratorAccess": cannedDocument(`"*"`),
	"AmazonS3FullAccess":  cannedDocument(`"s3:*", "s3-object-lambda:*"`),
	"AmazonS3ReadOnlyAccess": cannedDocument(
		`"s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*"`),
	"IAMFullAccess": cannedDocument(`"iam:*"`),
	"ReadOnlyAccess": cannedDocument(`"s3:Get*", "s3:List*", "s3:Describe*", ` +
		`"iam:Get*", "iam:List*", "iam:Simulate*", "iam:GenerateCredentialReport", ` +
		`"sts:GetAccessKeyInfo", "sts:GetCallerIdentity", "sts:GetSessionToken", ` +
		`"cognito-identity:Describe*", "cognito-identity:Get*", "cognito-identity:List*", "cognito-identity:Lookup*", ` +
		`"cognito-idp:AdminGet*", "cognito-idp:AdminList*", "cognito-idp:Describe*", "cognito-idp:Get*", "cognito-idp:List*", ` +
		`"kms:Describe*", "kms:Get*", "kms:List*"`),
}

func cannedDocument(actions string) string {
	return `{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [` + actions + `],
            "Resource": "*"
        }
    ]
}`
}

// CannedNames lists the canned policies in alphabetical order.
func CannedNames() []string {
	var names []string
	for name := range canned {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// CannedARN names a canned policy in a partition.
func CannedARN(partition, name string) string {
	return identity.ARN{Partition: partition, Service: "iam", Account: "aws", Resource: "policy/" + name}.String()
}

// CannedName returns the name of a canned policy from its ARN
// (arn:<partition>:iam::aws:policy/<name>), and whether there is one.
func CannedName(arn string) (string, bool) {
	rest, ok := strings.CutPrefix(arn, "arn:")
	partition, rest, _ := strings.Cut(rest, ":")
	name, isCanned := strings.CutPrefix(rest, "iam::aws:policy/")
	if _, known := canned[name]; !ok || partition == "" || !isCanned || !known {
		return "", false
	}
	return name, true
}

// CannedDocument returns the document of the canned policy with this ARN, and
// whether there is one.
func CannedDocument(arn string) (string, bool) {
	name, ok := CannedName(arn)
	return canned[name], ok
}

// Canned returns the compiled canned policy with this ARN, and whether there
// is one. Its ID is the ARN. It compiles anew: keep what it returns.
func Canned(arn string) (*Policy, bool) {
	document, ok := CannedDocument(arn)
	if !ok {
		return nil, false
	}
	return Load(ManagedPolicy, document, Options{ID: arn}), true
}
