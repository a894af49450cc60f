package sigv4

import (
	"net/http"
	"strings"
)

const chunkedWithoutChunks = "Content-Encoding names aws-chunked, and x-amz-content-sha256 does not say which chunks."

// IsBearer reports whether a request to S3 shows a bearer token (RFC 6750 §2.1),
// whatever else it shows.
func IsBearer(r *http.Request) bool {
	for _, value := range r.Header["Authorization"] {
		if _, ok := bearerToken(value); ok {
			return true
		}
	}
	return false
}

func bearerToken(value string) (string, bool) {
	const scheme = "bearer "
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return "", false
	}
	return strings.TrimLeft(value[len(scheme):], " "), true
}

// ParseBearer reads an S3 request that shows a bearer token and no signature,
// and what its headers say about its body, which nothing covers unless they
// name its hash. It judges the token by nothing. Errors are *Error: with another
// mechanism, or a session token, FailureAuthTwice.
func ParseBearer(r *http.Request) (token string, s *Signed, err error) {
	_, query := requestTarget(r)
	q := queryParameters{}
	if err := q.scan(query); err != nil {
		return "", nil, err
	}
	_, sessionToken := r.Header["X-Amz-Security-Token"]
	if len(r.Header["Authorization"]) != 1 || sessionToken || q.seen != [parameterCount]bool{} {
		return "", nil, refuse(FailureAuthTwice)
	}
	token, ok := bearerToken(r.Header["Authorization"][0])
	if !ok {
		return "", nil, refuse(FailureMissingAuthentication)
	}
	s = &Signed{Mechanism: MechanismBearer}
	if s.Payload, err = AnonymousPayload(r); err != nil {
		return "", nil, err
	}
	for _, v := range r.Header["Content-Encoding"] {
		if !s.PayloadMode.Framed() && strings.Contains(strings.ToLower(v), "aws-chunked") {
			return "", nil, invalidPayloadHash(s.PayloadHash).s3f(chunkedWithoutChunks)
		}
	}
	return token, s, nil
}
