package sts

import (
	"strconv"
	"unicode/utf8"

	"daypass/internal/awswire"
)

const (
	maxDurationSeconds = 43200
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

func (in *fields) roleSessionName() string {
	const name = "RoleSessionName"
	value := in.required(name, 2, 64)
	if in.err != nil {
		return ""
	}
	for i := range len(value) {
		if !sessionNameByte(value[i]) {
			in.fail(awswire.Constraint(name, value, `Member must satisfy regular expression pattern: [\w+=,.@-]*`))
			break
		}
	}
	return value
}

func sessionNameByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '_', '+', '=', ',', '.', '@', '-':
		return true
	}
	return false
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
