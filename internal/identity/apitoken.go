package identity

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// APITokensPerAccount is how many API tokens that are not deleted an account
// may have.
const APITokensPerAccount = 1000

// DefaultTokenKeyID is the TokenKeyId of API tokens that name none.
const DefaultTokenKeyID = "alias/stax-api-tokens"

const (
	maxTokenTags     = 50
	maxTokenTagKey   = 128
	maxTokenTagValue = 256
)

var (
	tokenNameRE  = regexp.MustCompile(`^[0-9a-zA-Z_.-]{2,64}$`)
	tokenKeyRE   = regexp.MustCompile(`^[a-zA-Z0-9:/_-]{7,128}$`)
	apiAccessKey = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
)

// IsAPIAccessKey tells the access keys of API tokens: UUIDs, version 4, in
// lower case.
func IsAPIAccessKey(s string) bool { return apiAccessKey.MatchString(s) }

// Check judges what a token is made of (Stax API, ApiTokens). KindValidation.
func (t *APIToken) Check() error {
	refuse := func(format string, args ...any) error {
		return &Error{Kind: KindValidation, Op: "apitoken", Public: fmt.Sprintf(format, args...)}
	}
	switch {
	case !tokenNameRE.MatchString(t.Name):
		return refuse("Name must have 2 to 64 letters, digits, and characters of _.-")
	case utf8.RuneCountInString(t.Description) > 1024 || !utf8.ValidString(t.Description):
		return refuse("Description must have at most 1024 characters")
	case !slices.Contains(APIRoles(), t.Role):
		return refuse("Role must be one of %s", strings.Join(APIRoles(), ", "))
	case t.KeyID != "" && !tokenKeyRE.MatchString(t.KeyID):
		return refuse("TokenKeyId must have 7 to 128 letters, digits, and characters of :/_-")
	case len(t.Tags) > maxTokenTags:
		return refuse("A token can have at most %d tags", maxTokenTags)
	}
	for k, v := range t.Tags {
		if k == "" || utf8.RuneCountInString(k) > maxTokenTagKey || utf8.RuneCountInString(v) > maxTokenTagValue {
			return refuse("A tag's key must have 1 to %d characters, its value at most %d", maxTokenTagKey, maxTokenTagValue)
		}
	}
	return nil
}
