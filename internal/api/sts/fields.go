package sts

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"daypass/internal/awswire"
	"daypass/internal/identity"
	"daypass/internal/issue"
)

const (
	maxDurationSeconds = 43200
	maxTokenSeconds    = 129600
	maxTags            = 50
	maxRootSeconds     = 900
	maxPolicyARNs      = 10
	maxPolicyLength    = 2048
	maxEncodedMessage  = 10240
)

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

// length checks the number of characters. Values are not repeated in the
// message: one of them is a token.
func (in *fields) length(name, value string, least, most int) {
	switch n := utf8.RuneCountInString(value); {
	case n < least:
		in.fail(awswire.Constraint(name, "", "Member must have length greater than or equal to "+strconv.Itoa(least)))
	case n > most:
		in.fail(awswire.Constraint(name, "", "Member must have length less than or equal to "+strconv.Itoa(most)))
	}
}

func (in *fields) required(name string, least, most int) string {
	value, sent := in.form.Lookup(name)
	if !sent {
		in.fail(awswire.MissingParameter(name))
		return ""
	}
	in.length(name, value, least, most)
	return value
}

// optional returns "" for a parameter that was not sent; one that was sent
// empty is too short.
func (in *fields) optional(name string, least, most int) string {
	value, sent := in.form.Lookup(name)
	if sent {
		in.length(name, value, least, most)
	}
	return value
}

// Patterns of the API's model: letters, digits and these.
const (
	wordChars     = "_+=,.@-"
	wordPattern   = `[\w+=,.@-]*`
	externalChars = wordChars + ":/"
	serialChars   = wordChars + ":/"
)

func (in *fields) roleSessionName() string {
	const name = "RoleSessionName"
	return in.word(name, in.required(name, 2, 64))
}

// word checks a value of the pattern [\w+=,.@-]*.
func (in *fields) word(name, value string) string {
	return in.pattern(name, value, value, wordChars, wordPattern)
}

// pattern checks the characters of a value; shown is what a complaint repeats.
func (in *fields) pattern(name, value, shown, chars, pattern string) string {
	for i := range len(value) {
		if !alphanumeric(value[i]) && strings.IndexByte(chars, value[i]) < 0 {
			in.fail(awswire.Constraint(name, shown, "Member must satisfy regular expression pattern: "+pattern))
			break
		}
	}
	return value
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// roleARN is the ARN of what is assumed. Whether it names anything is not for
// this dialect to say.
func (in *fields) roleARN(name string) string {
	value := in.required(name, 20, 2048)
	if arn, ok := identity.ParseARN(value); in.err == nil && (!ok || arn.Service != "iam" || arn.Region != "") {
		in.fail(identity.NewError(identity.KindValidation, "sts.fields", strings.ToValidUTF8(value[:min(len(value), 256)], "?")+" is invalid"))
	}
	return value
}

func (in *fields) mfa() issue.MFAProof {
	serial := in.optional("SerialNumber", 9, 256)
	in.pattern("SerialNumber", serial, "", serialChars, `[\w+=/:,.@-]*`)
	code := in.optional("TokenCode", 6, 6)
	if strings.Trim(code, "0123456789") != "" {
		in.fail(awswire.Constraint("TokenCode", "", `Member must satisfy regular expression pattern: [\d]*`))
	}
	return issue.MFAProof{SerialNumber: serial, TokenCode: identity.Secret(code)}
}

func (in *fields) tags() []issue.Tag {
	const name = "Tags"
	members, err := in.form.Structs(name, maxTags)
	if err != nil {
		in.fail(err)
		return nil
	}
	var tags []issue.Tag
	for i, m := range members {
		field := name + "." + strconv.Itoa(i+1) + ".member."
		key, hasKey := m.Lookup("Key")
		value, hasValue := m.Lookup("Value")
		if !hasKey {
			in.fail(awswire.Constraint(field+"key", "", "Member must not be null"))
		}
		if !hasValue {
			in.fail(awswire.Constraint(field+"value", "", "Member must not be null"))
		}
		in.length(field+"key", key, 1, 128)
		in.length(field+"value", value, 0, 256)
		tags = append(tags, issue.Tag{Key: key, Value: value})
	}
	return tags
}

// list reads a list of texts.
func (in *fields) list(name string, most, shortest, longest int) []string {
	values, err := in.form.List(name, most)
	if err != nil {
		in.fail(err)
	}
	for i, v := range values {
		in.length(name+"."+strconv.Itoa(i+1)+".member", v, shortest, longest)
	}
	return values
}

// policies are the session policies.
func (in *fields) policies() issue.SessionPolicy {
	return issue.SessionPolicy{ARNs: in.policyARNs(), Document: in.sessionPolicy()}
}

func (in *fields) sessionPolicy() string {
	const name = "Policy"
	value := in.optional(name, 1, maxPolicyLength)
	for _, r := range value {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r > 0xff {
			in.fail(awswire.Constraint(name, "", `Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+`))
			break
		}
	}
	return value
}

func (in *fields) policyARNs() []string {
	const name = "PolicyArns"
	members, err := in.form.Structs(name, maxPolicyARNs)
	if err != nil {
		in.fail(err)
		return nil
	}
	var arns []string
	for i, m := range members {
		arn, sent := m.Lookup("arn")
		field := name + "." + strconv.Itoa(i+1) + ".member.arn"
		if !sent {
			in.fail(awswire.Constraint(field, "", "Member must not be null"))
			return nil
		}
		in.length(field, arn, 20, 2048)
		arns = append(arns, arn)
	}
	return arns
}

// duration returns 0 for a parameter that was not sent.
func (in *fields) duration(least, most int) int {
	const name = "DurationSeconds"
	n, sent, err := in.form.Int(name)
	switch value, present := in.form.Lookup(name); {
	case err != nil:
		in.fail(err)
	case present && !sent:
		in.fail(awswire.Constraint(name, "", "Member must be a 32-bit integer"))
	case !sent:
	case n < least:
		in.fail(awswire.Constraint(name, value, "Member must have value greater than or equal to "+strconv.Itoa(least)))
	case n > most:
		in.fail(awswire.Constraint(name, value, "Member must have value less than or equal to "+strconv.Itoa(most)))
	}
	return n
}
