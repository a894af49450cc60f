package awswire

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"daypass/internal/identity"
)

// S3Request is what the error envelope of S3 repeats of a request.
type S3Request struct {
	Method string // HEAD gets no body
	ID     string // x-amz-request-id and <RequestId>
	HostID string // x-amz-id-2 and <HostId>
	// Resource is the path as the client wrote it; "" leaves the element out.
	Resource string
}

// S3Failure says how S3 answers err. The message is Public, else the standard
// sentence of the kind; what an error of KindInternal says is never shown.
// KindUpstream takes code, status and message from its Details "Code",
// "Status" and "Message", cleaned; an upstream that refuses our own credential
// is our fault and becomes InternalError.
func S3Failure(err error) Failure {
	e := identity.AsError(err)
	f, known := s3Failures[e.Kind]
	switch {
	case !known || e.Kind == identity.KindInternal:
		return s3Failures[identity.KindInternal]
	case e.Kind == identity.KindUpstream:
		return upstreamFailure(e)
	case e.Public != "":
		f.Message = e.Public
	}
	return f
}

// WriteS3Error answers err in the envelope of S3, a bare <Error> with the
// Details of err as further elements in their order, and returns what it said.
// Connection: close, where the body was not read, is the caller's to set.
func WriteS3Error(w http.ResponseWriter, r S3Request, err error) Failure {
	e := identity.AsError(err)
	f := S3Failure(e)
	h := w.Header()
	h.Set("X-Amz-Request-Id", r.ID)
	h.Set("X-Amz-Id-2", r.HostID)
	setRetryAfter(w, e)
	if r.Method == http.MethodHead || f.Status == http.StatusNotModified {
		w.WriteHeader(f.Status)
		return f
	}
	WriteXML(w, f.Status, func(x *XML) {
		x.Open("Error")
		x.Elem("Code", f.Code)
		x.Elem("Message", f.Message)
		if e.Kind != identity.KindInternal {
			writeDetails(x, e)
		}
		x.OptElem("Resource", r.Resource)
		x.Elem("RequestId", r.ID)
		x.Elem("HostId", r.HostID)
		x.Close("Error")
	})
	return f
}

// notElements are Details that speak to other dialects, and names that the
// envelope writes itself.
var notElements = []string{
	"QueryMessage", "QueryCode", "Parameter", "Got", "Service", "Status",
	"Code", "Message", "Resource", "RequestId", "HostId",
}

func writeDetails(x *XML, e *identity.Error) {
	for _, d := range e.Detail {
		if elementName(d.Name) && !slices.Contains(notElements, d.Name) {
			x.Elem(d.Name, d.Value)
		}
	}
	// SDKs correct their clock only when this is there too.
	const skew = "MaxAllowedSkewMilliseconds"
	if e.Kind == identity.KindTimeSkewed && e.DetailValue(skew) == "" {
		x.Elem(skew, "900000")
	}
}

func elementName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c != '-' && (c < '0' || '9' < c)) {
			return false
		}
	}
	return s != ""
}

// ownCredential are codes by which an upstream refuses the credential that we
// presented to it. Passed on, they would tell clients that theirs is bad.
var ownCredential = []string{
	"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "RequestTimeTooSkewed",
	"AuthorizationHeaderMalformed", "AuthorizationQueryParametersError", "InvalidSecurity", "AccountProblem",
	"TokenRefreshRequired", "NotSignedUp",
}

func upstreamFailure(e *identity.Error) Failure {
	f := s3Failures[identity.KindUpstream]
	status, err := strconv.Atoi(e.DetailValue("Status"))
	code := e.DetailValue("Code")
	if slices.Contains(ownCredential, code) {
		return s3Failures[identity.KindInternal]
	}
	if err != nil || status < 300 || status > 599 || len(code) > 64 || !elementName(code) {
		return f
	}
	m := e.DetailValue("Message")
	if m == "" {
		m = f.Message
	}
	return Failure{Code: code, Status: status, Message: cleanForeign(m)}
}

// cleanForeign makes one bounded line of a text that a stranger wrote.
func cleanForeign(s string) string {
	const most = 1024
	if len(s) > most {
		s = s[:most]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
