package upstream

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"daypass/internal/identity"
)

// maxAnswer is the most bytes of an answer of an upstream's STS; those of real
// ones have two thousand.
const maxAnswer = 64 << 10

// Bounds of the parts of session keys, well beyond those of any store.
const (
	maxKeyID  = 128
	maxSecret = 1024
	maxToken  = 16 << 10
	maxCode   = 64
)

type stsCredentials struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

// parseRoleKeys reads the Credentials of an answer, wherever they stand in it.
func parseRoleKeys(body []byte) (RoleKeys, error) {
	var c stsCredentials
	if err := element(body, "Credentials", &c); err != nil {
		return RoleKeys{}, err
	}
	for _, part := range []struct {
		name, value string
		most        int
	}{{"AccessKeyId", c.AccessKeyID, maxKeyID}, {"SecretAccessKey", c.SecretAccessKey, maxSecret}, {"SessionToken", c.SessionToken, maxToken}} {
		if part.value == "" || len(part.value) > part.most || strings.ContainsFunc(part.value, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return RoleKeys{}, fmt.Errorf("credentials whose %s is none", part.name)
		}
	}
	expires, err := parseExpiration(c.Expiration)
	if err != nil {
		return RoleKeys{}, err
	}
	return RoleKeys{c.AccessKeyID, identity.Secret(c.SecretAccessKey), identity.Secret(c.SessionToken), expires}, nil
}

// parseExpiration takes any number of fractional digits, and a time without zone
// as UTC.
func parseExpiration(s string) (time.Time, error) {
	if len(s) > maxCode {
		return time.Time{}, errors.New("an Expiration that is none")
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("an Expiration that is none")
}

// element decodes the first element of a name.
func element(body []byte, name string, into any) error {
	dec := xml.NewDecoder(bytes.NewReader(body))
	for {
		tok, err := dec.Token()
		// The parser's errors would quote the answer.
		if err != nil {
			return fmt.Errorf("no %s in the answer", name)
		}
		if start, ok := tok.(xml.StartElement); ok && start.Name.Local == name {
			if dec.DecodeElement(into, &start) != nil {
				return fmt.Errorf("a broken %s in the answer", name)
			}
			return nil
		}
	}
}

// answeredError is what an answer says of a failure, for the log: its status and
// its code. Messages stay out: they could quote what was asked.
func answeredError(status int, body []byte) error {
	if code := answeredCode(body); code != "" {
		return fmt.Errorf("status %d: %s", status, code)
	}
	if status >= http.StatusMultipleChoices && status < http.StatusBadRequest {
		return fmt.Errorf("status %d: redirects are not followed", status)
	}
	return fmt.Errorf("status %d without a reason", status)
}

// answeredCode is the code of S3's Error, with or without an ErrorResponse around
// it; "" where there is none that could be one.
func answeredCode(body []byte) string {
	var e struct{ Code string }
	if element(body, "Error", &e) != nil || len(e.Code) > maxCode {
		return ""
	}
	for _, r := range e.Code {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' {
			return ""
		}
	}
	return e.Code
}

// refusal is the error of an answer that is no success. RGW says 403 without a
// reason for keys that it does not know, too.
func refusal(status int, body []byte) error {
	return &identity.Error{
		Kind: identity.KindUpstream, Op: opSTS, Err: answeredError(status, body),
		Detail: []identity.Detail{{Name: "Status", Value: strconv.Itoa(status)}, {Name: "Code", Value: answeredCode(body)}},
	}
}

// notAnAnswer is the error of an upstream that answered nonsense.
func notAnAnswer(err error) error {
	return &identity.Error{Kind: identity.KindUpstream, Op: opSTS, Err: err}
}
