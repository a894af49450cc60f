package sigv4

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// parameter numbers the query parameters that make a mechanism.
type parameter uint8

const (
	paramNone parameter = iota
	paramAlgorithm
	paramCredential
	paramDate
	paramExpires
	paramSignedHeaders
	paramSignature
	paramToken
	paramContentSHA256
	paramRegionSet
	paramV2AccessKey
	paramV2Signature
	parameterCount
)

var parameterNames = [parameterCount]string{
	"", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
	"X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-Region-Set", "AWSAccessKeyId", "Signature",
}

// queryParameters are the raw values of those parameters in one query.
type queryParameters struct {
	seen  [parameterCount]bool
	value [parameterCount]string // still encoded
	fault bool                   // repeated, or spelt in another case
	query string
}

// scan goes over a raw query once.
func (q *queryParameters) scan(query string) *Error {
	q.query = query
	if !wellEscaped(query) {
		return refuse(FailureAuthMalformed).s3f("The query string holds a malformed percent-encoding.")
	}
	count := 0
	for rest := query; rest != ""; count++ {
		if count == maxParameters {
			return refuse(FailureAuthMalformed).s3f("The query string holds more than %d parameters.", maxParameters)
		}
		var key, value string
		key, value, rest = nextPair(rest)
		p, exact := parameterOf(key)
		if p == paramNone {
			continue
		}
		if q.seen[p] || !exact {
			q.fault = true
		}
		q.seen[p], q.value[p] = true, value
	}
	return nil
}

// parameterOf recognises a raw key in whatever way it is encoded. exact is
// false if only the case of letters differs, which counts for X-Amz- names.
func parameterOf(key string) (p parameter, exact bool) {
	if key == "" {
		return paramNone, false
	}
	switch key[0] {
	case 'X', 'x', 'A', 'S', '%':
	default:
		return paramNone, false
	}
	name := key
	if strings.IndexByte(key, '%') >= 0 {
		name = decoded(key)
	}
	for i := paramAlgorithm; i < parameterCount; i++ {
		if want := parameterNames[i]; name == want {
			return i, true
		} else if i < paramV2AccessKey && len(name) == len(want) && strings.EqualFold(name, want) {
			return i, false
		}
	}
	return paramNone, false
}

// repeated reports whether any X-Amz-* parameter occurs twice.
func (q *queryParameters) repeated() bool {
	var names []string
	for rest := q.query; rest != ""; {
		var key string
		key, _, rest = nextPair(rest)
		if name := decoded(key); len(name) >= 6 && strings.EqualFold(name[:6], "x-amz-") {
			names = append(names, strings.ToLower(name))
		}
	}
	slices.Sort(names)
	return len(slices.Compact(slices.Clone(names))) != len(names)
}

// parsePresigned parses the query parameters of a presigned request.
func (s *Signed) parsePresigned(q *queryParameters, rules *Rules) error {
	s.presignedS3 = rules.S3
	if !rules.Presigned {
		return s.malformed("Query-string authentication is not accepted here.")
	}
	if q.fault || q.repeated() {
		return s.malformed("An X-Amz- query parameter is repeated or misspelt.")
	}
	if got := decoded(q.value[paramAlgorithm]); q.seen[paramAlgorithm] && got != algorithmHMAC {
		switch {
		case got == algorithmECDSA && rules.Asymmetric:
			s.Asymmetric = true
			return s.presignedForm(q, rules)
		case got == algorithmECDSA:
			return wrongAlgorithm(got)
		case rules.S3:
			return refuse(FailurePresignMalformed).s3f(`X-Amz-Algorithm only supports "%s"`, algorithmHMAC).
				queryf("Missing Authentication Token")
		}
		return refuse(FailureMissingAuthentication).queryf("Missing Authentication Token")
	}
	return s.presignedForm(q, rules)
}

// presignedForm demands the parameters that every presigned request has.
func (s *Signed) presignedForm(q *queryParameters, rules *Rules) error {
	for p := paramAlgorithm; p <= paramSignature; p++ {
		// Outside S3 a URL without X-Amz-Expires lives as long as a signed
		// header would.
		if !q.seen[p] && (p != paramExpires || rules.S3) {
			return refuse(FailurePresignMalformed).
				queryf("AWS query-string parameters must include '%s'. Re-examine the query-string parameters.", parameterNames[p])
		}
	}
	return s.presignedValues(q, rules)
}

func (s *Signed) presignedValues(q *queryParameters, rules *Rules) error {
	s.Signature = decoded(q.value[paramSignature])
	if !s.wellFormedSignature() {
		return s.malformed("X-Amz-Signature must be 64 lower-case hexadecimal digits")
	}
	var ok bool
	s.timestamp = decoded(q.value[paramDate])
	if s.Time, ok = parseTimestamp(s.timestamp); !ok {
		return refuse(FailurePresignMalformed).s3f(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`).
			queryf("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", shown(s.timestamp))
	}
	s.Expires = rules.skew()
	if q.seen[paramExpires] {
		seconds, err := parseExpires(decoded(q.value[paramExpires]))
		if err != nil {
			return err
		}
		s.Expires = time.Duration(seconds) * time.Second
	}
	if s.Asymmetric {
		if len(s.msg.header[regionSetHeader]) > 0 {
			return s.malformed("A presigned request carries its X-Amz-Region-Set in the query string.")
		}
		s.RegionSet = decoded(q.value[paramRegionSet])
	}
	if err := s.parseScope(decoded(q.value[paramCredential]), rules); err != nil {
		return err
	}
	if !s.setSignedHeaders(decoded(q.value[paramSignedHeaders])) {
		return s.malformed("X-Amz-SignedHeaders must be sorted lower-case names without repetition")
	}
	if len(s.msg.header["X-Amz-Security-Token"]) > 0 {
		return s.malformed("A presigned request carries its X-Amz-Security-Token in the query string.")
	}
	s.SessionToken = decoded(q.value[paramToken])
	return nil
}

func parseExpires(v string) (int, *Error) {
	wrong := func(text string) *Error {
		return refuse(FailurePresignMalformed).s3f("%s", text).queryf("%s %s", notConforming, text)
	}
	digits := strings.TrimPrefix(v, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, wrong("X-Amz-Expires should be a number")
	}
	if digits != v {
		return 0, wrong("X-Amz-Expires must be non-negative")
	}
	seconds, err := strconv.Atoi(v)
	switch {
	case err != nil || seconds > maxExpires:
		return 0, wrong("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	case seconds == 0:
		return 0, wrong("X-Amz-Expires must be greater than zero")
	}
	return seconds, nil
}
