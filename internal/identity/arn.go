package identity

import "strings"

// ARN is an Amazon Resource Name, "arn:partition:service:region:account:resource".
// Partition and account are free strings: "demo" and a UUID are as good as
// "aws" and twelve digits.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// ParseARN splits s. It reports false unless s has six parts, begins with
// "arn", and partition, service and resource are not empty.
func ParseARN(s string) (ARN, bool) {
	var a ARN
	rest, ok := strings.CutPrefix(s, "arn:")
	for _, part := range [...]*string{&a.Partition, &a.Service, &a.Region, &a.Account} {
		if !ok {
			return ARN{}, false
		}
		*part, rest, ok = strings.Cut(rest, ":")
	}
	if a.Resource = rest; !ok || a.Partition == "" || a.Service == "" || a.Resource == "" {
		return ARN{}, false
	}
	return a, true
}

func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// Name returns the part of the resource after its kind: for
// "role/team/dev" with kind "role" it is "dev" with path "/team/".
// It reports false when the resource is of another kind.
func (a ARN) Name(kind string) (path, name string, ok bool) {
	rest, ok := strings.CutPrefix(a.Resource, kind+"/")
	if !ok {
		return "", "", false
	}
	i := strings.LastIndexByte(rest, '/')
	return "/" + rest[:i+1], rest[i+1:], rest[i+1:] != ""
}

// RootARN names the root user of an account.
func RootARN(partition, account string) string {
	return ARN{partition, "iam", "", account, "root"}.String()
}

// UserARN names a user; path begins and ends with "/".
func UserARN(partition, account, path, name string) string {
	return ARN{partition, "iam", "", account, "user" + path + name}.String()
}

// RoleARN names a role; path begins and ends with "/".
func RoleARN(partition, account, path, name string) string {
	return ARN{partition, "iam", "", account, "role" + path + name}.String()
}

// AssumedRoleARN names a session of a role (STS; the role's path is not part
// of it).
func AssumedRoleARN(partition, account, role, session string) string {
	return ARN{partition, "sts", "", account, "assumed-role/" + role + "/" + session}.String()
}

// FederatedUserARN names a session of GetFederationToken (STS).
func FederatedUserARN(partition, account, name string) string {
	return ARN{partition, "sts", "", account, "federated-user/" + name}.String()
}

// ProviderARN names an OIDC provider by its issuer URL, written without the
// scheme.
func ProviderARN(partition, account, issuer string) string {
	return ARN{partition, "iam", "", account, "oidc-provider/" + TrimScheme(issuer)}.String()
}

// BucketARN names a bucket.
func BucketARN(partition, bucket string) string {
	return ARN{partition, "s3", "", "", bucket}.String()
}

// ObjectARN names an object, its key exactly as stored.
func ObjectARN(partition, bucket, key string) string {
	return ARN{partition, "s3", "", "", bucket + "/" + key}.String()
}

// TrimScheme removes "https://" or "http://" from an issuer URL, as OIDC
// provider ARNs and condition keys do.
func TrimScheme(issuer string) string {
	return strings.TrimPrefix(strings.TrimPrefix(issuer, "https://"), "http://")
}
