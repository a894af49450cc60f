package sigv4

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	invalidPolicy     = "Invalid Policy: "
	accordingToPolicy = "Invalid according to Policy: "
)

// policy is a POST policy.
type policy struct {
	expiration time.Time
	conditions []condition
}

type operation uint8

const (
	operationEqual operation = iota
	operationPrefix
	operationRange
)

// condition is about one field, or about the length of the file.
type condition struct {
	operation operation
	field     string // as written, without $
	value     string
	min, max  int64
}

// String is the condition in the list form, as S3 quotes it.
func (c *condition) String() string {
	if c.operation == operationRange {
		return `["content-length-range", ` + strconv.FormatInt(c.min, 10) + ", " + strconv.FormatInt(c.max, 10) + "]"
	}
	name, value := "eq", c.value
	if c.operation == operationPrefix {
		name = "starts-with"
	}
	if strings.EqualFold(c.field, "x-amz-security-token") {
		value = redacted
	}
	return `["` + name + `", "$` + shown(c.field) + `", "` + shown(value) + `"]`
}

func badPolicy(text string) *Error {
	return refuse(FailureFormPolicyMalformed).s3f("%s%s", invalidPolicy, text)
}

func badCondition(text string) *Error { return badPolicy("Invalid Condition: " + text) }

// parsePolicy reads the base64 text of a policy. It is stricter than JSON:
// repeated and unknown members are refused.
func parsePolicy(text string) (*policy, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, badPolicy("invalid Base64 encoding.")
	}
	members, ok := jsonMembers(raw)
	if !ok {
		return nil, badPolicy("Invalid JSON.")
	}
	var expiration, conditions json.RawMessage
	for _, m := range members {
		switch m.name {
		case "expiration":
			expiration = m.value
		case "conditions":
			conditions = m.value
		default:
			return nil, badPolicy("Unexpected: '" + shown(m.name) + "'.")
		}
	}
	if expiration == nil {
		return nil, badPolicy("Policy missing expiration.")
	}
	p := &policy{}
	stamp, ok := jsonString(expiration)
	if p.expiration, err = time.Parse(time.RFC3339, stamp); !ok || err != nil {
		return nil, badPolicy("Invalid 'expiration' value: '" + shown(strings.Trim(string(expiration), `"`)) + "'")
	}
	if conditions == nil {
		return nil, badPolicy("Policy missing conditions.")
	}
	var list []json.RawMessage
	if conditions[0] != '[' || json.Unmarshal(conditions, &list) != nil {
		return nil, badPolicy("Invalid 'conditions' value: must be a List.")
	}
	for _, raw := range list {
		if err := p.add(raw); err != nil {
			return nil, err
		}
	}
	return p, nil
}

type jsonMember struct {
	name  string
	value json.RawMessage
}

// jsonMembers reads an object and nothing behind it.
func jsonMembers(raw []byte) ([]jsonMember, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	var out []jsonMember
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		m := jsonMember{name: name}
		if err != nil || !ok || d.Decode(&m.value) != nil {
			return nil, false
		}
		if slices.ContainsFunc(out, func(x jsonMember) bool { return x.name == name }) {
			return nil, false
		}
		out = append(out, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	_, err := d.Token()
	return out, errors.Is(err, io.EOF)
}

func jsonString(raw json.RawMessage) (string, bool) {
	var s string
	return s, len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil
}

// add reads one condition, in either form.
func (p *policy) add(raw json.RawMessage) error {
	if raw[0] == '{' {
		members, ok := jsonMembers(raw)
		if !ok || len(members) == 0 {
			return badCondition("it must name a field.")
		}
		for _, m := range members {
			value, ok := jsonString(m.value)
			if !ok {
				return badCondition("the value of '" + shown(m.name) + "' must be a String.")
			}
			p.conditions = append(p.conditions, condition{field: m.name, value: value})
		}
		return nil
	}
	var list []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &list) != nil || len(list) != 3 {
		return badCondition("it must be an Object, or a List of three values.")
	}
	name, ok := jsonString(list[0])
	if !ok {
		return badCondition("the operation must be a String.")
	}
	switch strings.ToLower(name) {
	case "eq":
		return p.addMatch(operationEqual, list)
	case "starts-with":
		return p.addMatch(operationPrefix, list)
	case "content-length-range":
		least, ok1 := jsonLength(list[1])
		most, ok2 := jsonLength(list[2])
		if !ok1 || !ok2 {
			return badCondition("a content-length-range must hold two lengths.")
		}
		p.conditions = append(p.conditions, condition{operation: operationRange, min: least, max: most})
		return nil
	}
	return badCondition("unknown operation '" + shown(name) + "'.")
}

func (p *policy) addMatch(op operation, list []json.RawMessage) error {
	field, ok1 := jsonString(list[1])
	value, ok2 := jsonString(list[2])
	field, ok3 := strings.CutPrefix(field, "$")
	if !ok1 || !ok2 || !ok3 || field == "" {
		return badCondition("a field is named by a String that begins with '$', and its value is a String.")
	}
	p.conditions = append(p.conditions, condition{operation: op, field: field, value: value})
	return nil
}

// jsonLength reads a length, which some clients put into quotes.
func jsonLength(raw json.RawMessage) (int64, bool) {
	text := string(raw)
	if s, ok := jsonString(raw); ok {
		text = s
	}
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err == nil
}

// judge demands that every condition holds and that every field is under one.
// The bucket is a field in this, as the key is with its variable replaced.
func (f *PostForm) judge(p *policy, fields *formFields, bucket string) error {
	if v, ok := fields.get("bucket"); ok && v != bucket {
		return formArgument("bucket", v, "The field 'bucket' names another bucket than the request.")
	}
	covered := map[string]bool{}
	for i := range p.conditions {
		c := &p.conditions[i]
		if c.operation == operationRange {
			if err := c.judgeLength(f.Length); err != nil {
				return err
			}
			continue
		}
		name := strings.ToLower(c.field)
		value, present := fields.get(name)
		switch name {
		case "bucket":
			value, present = bucket, true
		case "key":
			value = f.Key
		}
		if !present || !c.matches(name, value) {
			return refuse(FailureFormPolicyRefused).s3f("%sPolicy Condition failed: %s", accordingToPolicy, c)
		}
		covered[name] = true
	}
	var extra []string
	if !covered["bucket"] {
		extra = append(extra, "bucket")
	}
	for _, x := range fields.list {
		switch x.Name {
		case "x-amz-signature", "policy", "bucket":
			continue
		}
		if !covered[x.Name] && !ignored(x.Name) {
			extra = append(extra, x.Name)
		}
	}
	if len(extra) > 0 {
		return refuse(FailureFormPolicyRefused).s3f("%sExtra input fields: %s", accordingToPolicy, shown(strings.Join(extra, ", ")))
	}
	return nil
}

func (c *condition) matches(field, value string) bool {
	switch {
	case c.operation == operationEqual:
		return value == c.value
	case field == "content-type" && strings.Contains(value, ","):
		// S3 takes it for a list, every entry of which must match.
		for one := range strings.SplitSeq(value, ",") {
			if !strings.HasPrefix(strings.TrimLeft(one, " "), c.value) {
				return false
			}
		}
		return true
	}
	return strings.HasPrefix(value, c.value)
}

func (c *condition) judgeLength(n int64) error {
	proposed := Detail{"ProposedSize", strconv.FormatInt(n, 10)}
	switch {
	case n < c.min:
		return refuse(FailureTooSmall, proposed, Detail{"MinSizeAllowed", strconv.FormatInt(c.min, 10)})
	case n > c.max:
		return refuse(FailureTooLarge, proposed, Detail{"MaxSizeAllowed", strconv.FormatInt(c.max, 10)})
	}
	return nil
}
