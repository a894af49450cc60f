package sigv4

import (
	"fmt"
	"strings"
)

const malformedCredential = `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`

const malformedGlobal = `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/SERVICE/aws4_request".`

// parseScope splits a Credential from the right, since access key IDs may hold
// slashes, and checks every part against the rules and the request's date. S3's
// region may be empty: botocore before 1.27 signs so when it is told region_name="".
func (s *Signed) parseScope(credential string, rules *Rules) error {
	rest, last, ok4 := cutLast(credential)
	rest, service, ok3 := cutLast(rest)
	region, ok2 := "", true
	if !s.Asymmetric {
		rest, region, ok2 = cutLast(rest)
		ok2 = ok2 && (scopePart(region) || region == "" && rules.S3)
	}
	key, date, ok1 := cutLast(rest)
	if !ok1 || !ok2 || !ok3 || !ok4 || !scopePart(key) || !scopePart(service) || date == "" {
		if s.Asymmetric {
			return s.scopeError(FailureAuthCredential, malformedGlobal,
				"%s Credential must have exactly 4 slash-delimited elements, e.g. keyid/date/service/term, got '%s'", notConforming, shown(credential))
		}
		return s.scopeError(FailureAuthCredential, malformedCredential,
			"%s Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", notConforming, shown(credential))
	}
	s.AccessKeyID, s.Date, s.Region, s.Service = key, date, region, service
	if !eightDigits(date) {
		return s.scopeError(FailureScopeDate,
			fmt.Sprintf(`incorrect date format "%s". This date in the credential must be in the format "yyyyMMdd".`, shown(date)), "")
	}
	if s.Asymmetric {
		if err := s.checkRegionSet(rules); err != nil {
			return err
		}
	} else if rules.Regions != nil && !rules.Regions(region) {
		text := fmt.Sprintf(`the region "%s" is wrong; expecting "%s"`, region, rules.Region)
		return s.scopeError(FailureScopeRegion, text, "").with("Region", rules.Region)
	}
	if service != rules.Service {
		return s.scopeError(FailureScopeService,
			fmt.Sprintf(`incorrect service "%s". This endpoint belongs to "%s".`, service, rules.Service),
			"Credential should be scoped to correct service: '%s'.", rules.Service).with("Service", rules.Service)
	}
	if last != terminator {
		return s.scopeError(FailureScopeTerminator,
			fmt.Sprintf(`incorrect terminal "%s". This endpoint uses "aws4_request".`, shown(last)), "")
	}
	if date != s.timestamp[:8] {
		return s.scopeError(FailureScopeDate, wrongDate, "")
	}
	return nil
}

// scopeError refuses a credential. S3 has one code for all faults of a
// presigned credential, the query dialect has one per fault.
func (s *Signed) scopeError(f Failure, s3, query string, args ...any) *Error {
	e := refuse(f)
	prefix := malformedHeader
	if s.Mechanism == MechanismPresigned {
		prefix = malformedQuery
		if s.presignedS3 {
			e.Failure = FailurePresignMalformed
		}
	}
	if s.Mechanism == MechanismPost {
		prefix = malformedQuery
		*e = *refuse(FailureFormArgument, Detail{"ArgumentName", "x-amz-credential"}, Detail{"ArgumentValue", shown(s.AccessKeyID)})
	}
	e.s3f("%s%s", prefix, s3)
	if query != "" {
		e.queryf(query, args...)
	} else {
		e.Query = f.QueryMessage()
	}
	return e
}

func (e *Error) with(name, value string) *Error {
	e.Detail = append(e.Detail, Detail{name, value})
	return e
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

// scopePart accepts printable ASCII without blanks and commas: a scope goes
// into the string to sign, where a line break would forge a line.
func scopePart(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' || s[i] == ',' {
			return false
		}
	}
	return s != "" && len(s) <= maxScopePart
}

func eightDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) == 8
}
