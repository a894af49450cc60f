package audit

import (
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"
)

// appendJSON appends the event as encoding/json would encode it by the tags of
// Event, apart from HTML escapes. It is written out because every credential
// issued pays for one event; TestEncode holds it to the tags.
func (e *Event) appendJSON(b []byte) ([]byte, error) {
	b = appendMember(b, '{', "eventVersion", e.Version)
	b = e.UserIdentity.appendJSON(append(b, `,"userIdentity":`...))
	b = appendMember(b, ',', "eventTime", e.Time)
	b = appendMember(b, ',', "eventSource", e.Source)
	b = appendMember(b, ',', "eventName", e.Name)
	b = appendMember(b, ',', "awsRegion", e.Region)
	b = appendMember(b, ',', "sourceIPAddress", e.SourceIP)
	b = appendMember(b, ',', "userAgent", e.UserAgent)
	b = appendOptional(b, "errorCode", e.ErrorCode)
	b = appendOptional(b, "errorMessage", e.ErrorMessage)
	b, err := appendMap(append(b, `,"requestParameters":`...), e.RequestParameters)
	if err != nil {
		return nil, err
	}
	if b, err = appendMap(append(b, `,"responseElements":`...), e.ResponseElements); err != nil {
		return nil, err
	}
	if len(e.AdditionalEventData) > 0 {
		if b, err = appendMap(append(b, `,"additionalEventData":`...), e.AdditionalEventData); err != nil {
			return nil, err
		}
	}
	b = appendMember(b, ',', "requestID", e.RequestID)
	b = appendMember(b, ',', "eventID", e.ID)
	b = strconv.AppendBool(append(b, `,"readOnly":`...), e.ReadOnly)
	b = appendOptional(b, "recipientAccountId", e.RecipientAccountID)
	b = appendMember(b, ',', "eventCategory", e.Category)
	return append(b, '}'), nil
}

func (u *UserIdentity) appendJSON(b []byte) []byte {
	b = appendMember(b, '{', "type", u.Type)
	b = appendOptional(b, "principalId", u.PrincipalID)
	b = appendOptional(b, "arn", u.ARN)
	b = appendOptional(b, "accountId", u.AccountID)
	b = appendOptional(b, "accessKeyId", u.AccessKeyID)
	b = appendOptional(b, "userName", u.UserName)
	b = appendOptional(b, "userNameHash", u.UserNameHash)
	b = appendOptional(b, "identityProvider", u.IdentityProvider)
	if c := u.SessionContext; c != nil {
		b = append(b, `,"sessionContext":{`...)
		if i := c.SessionIssuer; i != nil {
			b = appendMember(append(b, `"sessionIssuer":`...), '{', "type", i.Type)
			b = appendMember(b, ',', "principalId", i.PrincipalID)
			b = appendOptional(b, "arn", i.ARN)
			b = appendMember(b, ',', "accountId", i.AccountID)
			b = appendOptional(b, "userName", i.UserName)
			b = append(b, "},"...)
		}
		b = appendMember(append(b, `"attributes":`...), '{', "creationDate", c.Attributes.CreationDate)
		b = appendMember(b, ',', "mfaAuthenticated", c.Attributes.MFAAuthenticated)
		b = append(b, '}')
		b = appendOptional(b, "sourceIdentity", c.SourceIdentity)
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendMember(b []byte, before byte, name, value string) []byte {
	b = append(b, before, '"')
	b = append(b, name...)
	b = append(b, `":`...)
	return appendString(b, value)
}

func appendOptional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendMember(b, ',', name, value)
}

func appendMap(b []byte, m map[string]any) ([]byte, error) {
	if m == nil {
		return append(b, "null"...), nil
	}
	var few [16]string
	keys := few[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, k), ':')
		switch v := m[k].(type) {
		case string:
			b = appendString(b, v)
		case int:
			b = strconv.AppendInt(b, int64(v), 10)
		case bool:
			b = strconv.AppendBool(b, v)
		default:
			other, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			b = append(b, other...)
		}
	}
	return append(b, '}'), nil
}

// appendString quotes a string. U+2028 and U+2029 are escaped too: some
// readers of JSON lines take them for ends of lines.
func appendString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	last := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			if (r != utf8.RuneError || size > 1) && r != '\u2028' && r != '\u2029' {
				i += size
				continue
			}
			b = append(b, s[last:i]...)
			switch r {
			case utf8.RuneError:
				b = append(b, "\uFFFD"...)
			default:
				b = append(b, `\u202`...)
				b = append(b, digits[r&15])
			}
		} else {
			b = append(b, s[last:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, `\n`...)
			case '\r':
				b = append(b, `\r`...)
			case '\t':
				b = append(b, `\t`...)
			default:
				b = append(b, `\u00`...)
				b = append(b, digits[c>>4], digits[c&15])
			}
		}
		i += size
		last = i
	}
	return append(append(b, s[last:]...), '"')
}
