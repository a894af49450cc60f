package iam

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// Bounds of the API's model.
const (
	maxNewUserName      = 64
	maxExistingUserName = 128
	maxPath             = 512
	maxItems            = 1000
	minAccessKeyID      = 16
	maxAccessKeyID      = 128
	maxTags             = 50
	maxTagKey           = 128
	maxTagValue         = 256
	maxRoleName         = 64
	maxDescription      = 1000
	minARN              = 20
	maxARN              = 2048
	maxDocument         = 131072
	maxURL              = 255
	maxClientID         = 255
	maxClientIDs        = 100
	maxThumbprints      = 5
	thumbprint          = 40
)

// maxMarker is more than the 320 of the model: a marker of ours is sealed, and
// after a user with a long path it is longer than that.
const maxMarker = 1024

// fields reads parameters and keeps the first error; after one, what it reads
// means nothing.
type fields struct {
	form *awswire.Form
	err  error
}

func (in *fields) fail(err error) {
	if in.err == nil {
		in.err = err
	}
}

func (in *fields) unfit(sentence string) {
	in.fail(identity.NewError(identity.KindValidation, "iam.fields", sentence))
}

// length checks the number of characters and reports whether it fits.
func (in *fields) length(name, value string, least, most int) bool {
	switch n := utf8.RuneCountInString(value); {
	case n < least:
		in.fail(awswire.Constraint(name, "", "Member must have length greater than or equal to "+strconv.Itoa(least)))
		return false
	case n > most:
		in.fail(awswire.Constraint(name, "", "Member must have length less than or equal to "+strconv.Itoa(most)))
		return false
	}
	return true
}

// required reports whether the parameter was sent and has a fitting length.
func (in *fields) required(name string, least, most int) (string, bool) {
	value, sent := in.form.Lookup(name)
	if !sent {
		in.fail(awswire.MissingParameter(name))
		return "", false
	}
	return value, in.length(name, value, least, most)
}

// optional reports false for a parameter that was not sent. One that was sent
// empty is too short: an empty name must never come to mean the caller.
func (in *fields) optional(name string, least, most int) (string, bool) {
	value, sent := in.form.Lookup(name)
	return value, sent && in.length(name, value, least, most)
}

// name checks the characters of a user's name.
func (in *fields) name(parameter, value string) string {
	if !only(value, "+=,.@_-") {
		in.unfit("The specified value for " + lowerFirst(parameter) +
			" is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-")
	}
	return value
}

func (in *fields) userName() string {
	value, _ := in.required("UserName", 1, maxExistingUserName)
	return in.name("UserName", value)
}

// optionalUserName is "" when no name was sent, which means the caller.
func (in *fields) optionalUserName() string {
	value, _ := in.optional("UserName", 1, maxExistingUserName)
	return in.name("UserName", value)
}

func (in *fields) newUserName(parameter string) string {
	value, _ := in.required(parameter, 1, maxNewUserName)
	return in.name(parameter, value)
}

func (in *fields) optionalNewName() string {
	value, _ := in.optional("NewUserName", 1, maxNewUserName)
	return in.name("NewUserName", value)
}

func (in *fields) roleName() string {
	value, _ := in.required("RoleName", 1, maxRoleName)
	return in.name("RoleName", value)
}

func (in *fields) arn(parameter string) string {
	value, _ := in.required(parameter, minARN, maxARN)
	return value
}

// optionalARN is "" when it was not sent.
func (in *fields) optionalARN(parameter string) string {
	value, _ := in.optional(parameter, minARN, maxARN)
	return value
}

func (in *fields) document(parameter string) string {
	value, _ := in.required(parameter, 1, maxDocument)
	return value
}

// integer is 0 when it was not sent.
func (in *fields) integer(name string, least, most int) int {
	n, sent, err := in.form.Int(name)
	value, present := in.form.Lookup(name)
	switch {
	case err != nil:
		in.fail(err)
	case present && !sent:
		in.fail(awswire.Constraint(name, "", "Member must be a 32-bit integer"))
	case sent && n < least:
		in.fail(awswire.Constraint(name, value, "Member must have value greater than or equal to "+strconv.Itoa(least)))
	case sent && n > most:
		in.fail(awswire.Constraint(name, value, "Member must have value less than or equal to "+strconv.Itoa(most)))
	}
	return n
}

// path is "" when it was not sent.
func (in *fields) path(parameter string) string {
	value, ok := in.optional(parameter, 1, maxPath)
	if ok && (value[0] != '/' || value[len(value)-1] != '/' || !visibleASCII(value)) {
		in.unfit("The specified value for " + lowerFirst(parameter) +
			" is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	return value
}

// pathPrefix is "/" when it was not sent.
func (in *fields) pathPrefix() string {
	value, ok := in.optional("PathPrefix", 1, maxPath)
	if !ok {
		return "/"
	}
	if value[0] != '/' || !visibleASCII(value) {
		in.unfit("The specified value for pathPrefix is invalid. " +
			"It must begin with / and contain only alphanumeric characters and/or / characters.")
	}
	return value
}

func (in *fields) accessKeyID() string {
	value, ok := in.required("AccessKeyId", minAccessKeyID, maxAccessKeyID)
	if ok && !only(value, "_") {
		in.unfit("The specified value for accessKeyId is invalid. It must contain only alphanumeric characters and/or the following: _")
	}
	return value
}

func (in *fields) status() (active bool) {
	value, sent := in.form.Lookup("Status")
	switch {
	case !sent:
		in.fail(awswire.MissingParameter("Status"))
	case value != statusActive && value != statusInactive:
		in.fail(awswire.Constraint("Status", value, "Member must satisfy enum value set: [Active, Inactive]"))
	}
	return value == statusActive
}

func (in *fields) page() directory.Page {
	var p directory.Page
	if marker, ok := in.optional("Marker", 1, maxMarker); ok {
		p.Marker = marker
	}
	n, sent, err := in.form.Int("MaxItems")
	_, present := in.form.Lookup("MaxItems")
	switch {
	case err != nil:
		in.fail(err)
	case present && !sent:
		in.fail(awswire.Constraint("MaxItems", "", "Member must be a 32-bit integer"))
	case sent && n < 1:
		in.fail(awswire.Constraint("MaxItems", "", "Member must have value greater than or equal to 1"))
	case sent && n > maxItems:
		in.fail(awswire.Constraint("MaxItems", "", "Member must have value less than or equal to "+strconv.Itoa(maxItems)))
	}
	p.MaxItems = n
	return p
}

// tags refuses keys that differ in case only: as a map they would not survive.
func (in *fields) tags() map[string]string {
	members, err := in.form.Structs("Tags", maxTags)
	if err != nil {
		in.fail(err)
		return nil
	}
	var tags map[string]string
	seen := map[string]bool{}
	for i, m := range members {
		field := "Tags." + strconv.Itoa(i+1) + ".member."
		key, keySent := m.Lookup("Key")
		value, valueSent := m.Lookup("Value")
		switch {
		case !keySent:
			in.fail(awswire.Constraint(field+"key", "", "Member must not be null"))
			return nil
		case !valueSent:
			in.fail(awswire.Constraint(field+"value", "", "Member must not be null"))
			return nil
		case !in.length(field+"key", key, 1, maxTagKey) || !in.length(field+"value", value, 0, maxTagValue):
			return nil
		case !tagText(key):
			in.fail(awswire.Constraint(field+"key", key, tagPattern+"+"))
			return nil
		case !tagText(value):
			in.fail(awswire.Constraint(field+"value", value, tagPattern+"*"))
			return nil
		case seen[strings.ToLower(key)]:
			in.fail(identity.NewError(identity.KindInvalidInput, "iam.fields",
				"Duplicate tag keys found. Please note that Tag keys are case insensitive."))
			return nil
		}
		seen[strings.ToLower(key)] = true
		if tags == nil {
			tags = make(map[string]string, len(members))
		}
		tags[key] = value
	}
	return tags
}

const tagPattern = `Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]`

func tagText(s string) bool {
	for _, r := range s {
		if !unicode.In(r, unicode.L, unicode.Z, unicode.N) && !strings.ContainsRune("_.:/=+-@", r) {
			return false
		}
	}
	return true
}

// only reports whether s holds nothing but ASCII letters, digits and the
// characters of extra.
func only(s, extra string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return true
}

func visibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] < '!' || s[i] > '~' {
			return false
		}
	}
	return true
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
