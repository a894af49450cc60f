package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// parseHeader parses the Authorization header and the date and token headers
// that belong to it.
func (s *Signed) parseHeader(value string, rules *Rules) error {
	scheme, rest, spaced := strings.Cut(value, " ")
	switch {
	case scheme == algorithmHMAC && spaced:
	case scheme == algorithmECDSA && spaced && rules.Asymmetric:
		s.Asymmetric = true
	case !spaced && scheme != algorithmHMAC:
		return refuse(FailureAuthAlgorithm, Detail{"ArgumentName", "Authorization"}).
			s3f("Authorization header is invalid -- one and only one ' ' (space) required.")
	case scheme == "AWS":
		return refuse(FailureSignatureV2)
	case scheme == algorithmHMAC:
	default:
		return wrongAlgorithm(scheme)
	}
	credential, headers, signature, err := authorizationParts(value, rest)
	if err != nil {
		return err
	}
	token, ok := s.only("X-Amz-Security-Token")
	if !ok {
		return s.malformed(malformedHeader + "X-Amz-Security-Token is repeated.")
	}
	s.SessionToken, s.Signature = token, signature
	if !s.wellFormedSignature() {
		return s.malformed(malformedHeader + "the Signature is mal-formed; expecting 64 lower-case hexadecimal digits.")
	}
	if err := s.headerDate(value); err != nil {
		return err
	}
	if s.Asymmetric {
		if s.RegionSet, ok = s.only(regionSetHeader); !ok {
			return s.malformed(malformedHeader + "X-Amz-Region-Set is repeated.")
		}
	}
	if err := s.parseScope(credential, rules); err != nil {
		return err
	}
	if !s.setSignedHeaders(headers) {
		return s.malformed(malformedHeader + "the SignedHeaders are mal-formed; expecting sorted lower-case names without repetition.")
	}
	return nil
}

func wrongAlgorithm(got string) *Error {
	e := refuse(FailureAuthAlgorithm, Detail{"Got", shown(got)}, Detail{"ArgumentName", "Authorization"}, Detail{"ArgumentValue", shown(got)})
	if strings.HasPrefix(got, "AWS4-") {
		e.s3f(onlyHMAC).queryf("%s %s", notConforming, onlyHMAC)
	}
	return e
}

// authorizationParts splits the three components of the header, in any order.
func authorizationParts(value, rest string) (credential, headers, signature string, err error) {
	var seenCredential, seenHeaders, seenSignature bool
	for more := rest != ""; more; {
		var part string
		part, rest, more = strings.Cut(rest, ",")
		name, v, _ := strings.Cut(strings.Trim(part, " "), "=")
		var seen *bool
		switch name {
		case "Credential":
			seen, credential = &seenCredential, v
		case "SignedHeaders":
			seen, headers = &seenHeaders, v
		case "Signature":
			seen, signature = &seenSignature, v
		default:
			return "", "", "", refuse(FailureAuthMalformed)
		}
		if *seen {
			return "", "", "", refuse(FailureAuthMalformed)
		}
		*seen = true
	}
	switch {
	case !seenCredential || credential == "":
		return "", "", "", missingPart("Credential", value)
	case !seenHeaders || headers == "":
		return "", "", "", missingPart("SignedHeaders", value)
	case !seenSignature || signature == "":
		return "", "", "", missingPart("Signature", value)
	}
	return credential, headers, signature, nil
}

func missingPart(name, header string) *Error {
	return refuse(FailureAuthMalformed).s3f(malformedHeader+"missing %s.", name).
		queryf("Authorization header requires '%s' parameter. %s", name, hashedHeader(header))
}

// hashedHeader names an Authorization header without repeating it.
func hashedHeader(header string) string {
	sum := sha256.Sum256([]byte(header))
	return "(Hashed with SHA-256 and encoded with Base64) Authorization=" + base64.StdEncoding.EncodeToString(sum[:])
}

// headerDate reads X-Amz-Date, or Date if there is none.
func (s *Signed) headerDate(authorization string) error {
	if _, ok := s.msg.header["X-Amz-Date"]; ok {
		v, ok := s.only("X-Amz-Date")
		if !ok {
			return badDate("repeated")
		}
		if s.Time, ok = parseTimestamp(v); !ok {
			return badDate(v)
		}
		s.timestamp = v
		return nil
	}
	v, ok := s.only("Date")
	if !ok {
		return badDate("repeated")
	}
	if v == "" {
		return refuse(FailureDateMissing).
			queryf("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. %s", hashedHeader(authorization))
	}
	if s.Time, ok = parseTimestamp(v); ok {
		s.timestamp = v
		return nil
	}
	for _, layout := range []string{http.TimeFormat, time.RFC1123, time.RFC1123Z} {
		t, err := time.Parse(layout, v)
		if err != nil {
			continue
		}
		s.Time = t.UTC()
		s.timestamp = s.Time.Format(timestampLayout)
		return nil
	}
	return badDate(v)
}

func badDate(got string) *Error {
	return refuse(FailureDateMissing).
		queryf("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", shown(got))
}

const timestampLayout = "20060102T150405Z"

// parseTimestamp reads yyyyMMdd'T'HHmmss'Z' and nothing else.
func parseTimestamp(v string) (time.Time, bool) {
	if len(v) != len(timestampLayout) || v[8] != 'T' || v[15] != 'Z' {
		return time.Time{}, false
	}
	for i := 0; i < 15; i++ {
		if i != 8 && (v[i] < '0' || v[i] > '9') {
			return time.Time{}, false
		}
	}
	two := func(i int) int { return int(v[i]-'0')*10 + int(v[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(4), two(6)
	hour, minute, second := two(9), two(11), two(13)
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	if t.Day() != day || t.Month() != time.Month(month) || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	return t, true
}
