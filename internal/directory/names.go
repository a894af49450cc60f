package directory

import (
	"fmt"
	"regexp"
	"strings"

	"daypass/internal/identity"
)

// Limits of names (IAM and STS API references; S3 bucket naming rules).
const (
	maxUserName    = 64
	maxRoleName    = 64
	maxPath        = 512
	maxDescription = 1000
	maxTags        = 50
	maxTagKey      = 128
	maxTagValue    = 256
	maxExisting    = 128 // names of what exists already may be longer
	minRoleTTL     = 3600
	maxRoleTTL     = 43200
	maxClientIDs   = 100
	maxProviderID  = 255
	maxThumbprints = 5
	maxProviders   = 100  // OIDC providers of an account
	maxRoles       = 5000 // of an account
)

var (
	nameRE     = regexp.MustCompile(`^[\w+=,.@-]+$`)
	pathRE     = regexp.MustCompile(`^/(?:[!-.0-~]+/)*$`)
	accountRE  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,62}$`)
	aliasRE    = regexp.MustCompile(`^[a-z0-9](?:-?[a-z0-9]){2,62}$`)
	tagRE      = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	describeRE = regexp.MustCompile(`^[\t\n\r -~\x{a1}-\x{ff}]*$`)
	thumbRE    = regexp.MustCompile(`^[0-9A-Fa-f]{40}$`)
	realmRE    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
)

func invalid(format string, args ...any) error {
	return &identity.Error{Kind: identity.KindValidation, Op: "directory", Public: fmt.Sprintf(format, args...)}
}

func checkName(field, name string, max int) error {
	if len(name) == 0 || len(name) > max {
		return invalid("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", field, max)
	}
	if !nameRE.MatchString(name) {
		return invalid("The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-", field)
	}
	return nil
}

func checkPathPrefix(prefix string) error {
	if len(prefix) > maxPath || prefix[0] != '/' {
		return invalid("The specified value for pathPrefix is invalid. It must begin with /.")
	}
	return nil
}

func checkPath(path string) error {
	if len(path) > maxPath || !pathRE.MatchString(path) {
		return invalid("The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	if strings.HasPrefix(path, identity.LocalPath) {
		return invalid("The path %s is kept for user pools.", identity.LocalPath)
	}
	return nil
}

// checkBucketName applies S3's naming rules and refuses the names that the
// control dialects answer to.
func (d *Directory) checkBucketName(name string) error {
	if !identity.ValidBucketName(name) || d.reserved[name] {
		return &identity.Error{Kind: identity.KindInvalidBucketName, Op: "directory.bucket", Detail: []identity.Detail{{Name: "BucketName", Value: name}}}
	}
	return nil
}
