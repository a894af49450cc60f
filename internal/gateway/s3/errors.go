package s3

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
)

// coded is an error of S3 that no kind stands for.
func coded(code string, status int, message string) error {
	return &identity.Error{Kind: identity.KindUpstream, Op: "s3", Detail: []identity.Detail{
		{Name: "Code", Value: code}, {Name: "Status", Value: strconv.Itoa(status)}, {Name: "Message", Value: message},
	}}
}

func aclNotSupported() error {
	return coded("AccessControlListNotSupported", http.StatusBadRequest, "The bucket does not allow ACLs")
}

// bodyError turns an error of reading a request body into one that crosses
// packages: a *sigv4.Error keeps its failure as the kind, anything else is an
// incomplete body.
func bodyError(err error) error {
	var e *sigv4.Error
	if errors.As(err, &e) {
		out := &identity.Error{Kind: identity.Kind(e.Failure), Op: "s3.body", Public: e.S3Message()}
		for _, d := range e.Detail {
			out.Detail = append(out.Detail, identity.Detail(d))
		}
		return out
	}
	var own *identity.Error
	if errors.As(err, &own) {
		return own
	}
	return &identity.Error{Kind: identity.KindIncompleteBody, Op: "s3.body", Err: err}
}

const maxErrorBody = 64 << 10

// wireError is the error document of an upstream; only these two are read.
type wireError struct {
	XMLName xml.Name `xml:"Error"`
	Code    string   `xml:"Code"`
	Message string   `xml:"Message"`
}

// upstreamError turns a refusal of the upstream into an error: code, message
// and status of its XML, never its body. It consumes the answer.
func upstreamError(resp *http.Response) error {
	defer resp.Body.Close()
	status := resp.StatusCode
	if status < 400 {
		// A redirect names a place that is not the client's business.
		return &identity.Error{
			Kind: identity.KindUnavailable, Op: "s3.upstream", RetryAfterSeconds: 1,
			Err: errors.New("upstream answered " + strconv.Itoa(status)),
		}
	}
	var e wireError
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err == nil && len(raw) > 0 {
		err = xml.Unmarshal(raw, &e)
	}
	if err != nil || e.Code == "" {
		e = wireError{Code: codeOf(status), Message: http.StatusText(status)}
	}
	refused := coded(e.Code, status, e.Message)
	if status == http.StatusServiceUnavailable {
		identity.AsError(refused).RetryAfterSeconds = 1
	}
	return refused
}

// codeOf is the S3 code of an answer without a body, such as one to HEAD.
func codeOf(status int) string {
	switch status {
	case http.StatusNotFound:
		return "NoSuchKey"
	case http.StatusForbidden:
		return "AccessDenied"
	case http.StatusPreconditionFailed:
		return "PreconditionFailed"
	case http.StatusRequestedRangeNotSatisfiable:
		return "InvalidRange"
	case http.StatusMethodNotAllowed:
		return "MethodNotAllowed"
	case http.StatusNotImplemented:
		return "NotImplemented"
	case http.StatusServiceUnavailable:
		return "SlowDown"
	case http.StatusBadRequest:
		return "InvalidRequest"
	}
	return "InternalError"
}

// codeIs reports whether err is an upstream's refusal with one of the codes.
func codeIs(err error, codes ...string) bool {
	e := identity.AsError(err)
	return e != nil && e.Kind == identity.KindUpstream && contains(codes, e.DetailValue("Code"))
}
