package awswire

import (
	"net/http"
	"strconv"

	"daypass/internal/identity"
)

// Namespaces of the query services' answers.
const (
	NamespaceSTS = "https://sts.amazonaws.com/doc/2011-06-15/"
	NamespaceIAM = "https://iam.amazonaws.com/doc/2010-05-08/"
	// NamespaceFault is that of the error for an unknown action or version.
	NamespaceFault = "http://webservices.amazon.com/AWSFault/2005-15-09"
)

// Versions of the query services' APIs.
const (
	VersionSTS = "2011-06-15"
	VersionIAM = "2010-05-08"
)

// QueryService says in whose words an answer of the query protocol is written.
type QueryService struct {
	// Name is the signing name.
	Name      string
	Namespace string
	// LongExpiredCode makes an expired web-identity token answer
	// ExpiredTokenException, the name in AWS's model, and not ExpiredToken.
	LongExpiredCode bool
}

// The query services; copy one to change its settings.
var (
	STS = QueryService{Name: "sts", Namespace: NamespaceSTS}
	IAM = QueryService{Name: "iam", Namespace: NamespaceIAM}
)

// WriteResponse answers an action: <XResponse><XResult>…</XResult>
// <ResponseMetadata>…. result writes what is inside <XResult>; for operations
// without output it is nil and the element is left out. The answer is one
// write with Content-Length and may not be cached.
func WriteResponse(w http.ResponseWriter, svc QueryService, action, requestID string, result func(*XML)) {
	x := getXML()
	defer putXML(x)
	x.OpenNS(action+"Response", svc.Namespace)
	if result != nil {
		x.Open(action + "Result")
		result(x)
		x.Close(action + "Result")
	}
	x.Open("ResponseMetadata")
	x.Elem("RequestId", requestID)
	x.Close("ResponseMetadata")
	x.Close(action + "Response")
	h, values := w.Header(), []string{"no-store", requestID}
	h["Cache-Control"], h[requestIDHeader] = values[:1:1], values[1:2:2]
	send(w, http.StatusOK, "text/xml", x.b)
}

const requestIDHeader = "X-Amzn-Requestid"

// Failure is an error in the words of one dialect: what its envelope says, for
// the envelope itself and for the audit event.
type Failure struct {
	Code    string
	Status  int
	Message string
}

// Failure says how the service answers err. The message is the Detail
// "QueryMessage" (signature failures carry it), else Public, else the standard
// sentence of the kind; what an error of KindInternal says is never shown. The
// Detail "QueryCode" picks a narrower code of the closed list in
// querycodes.go, with that code's status.
func (svc QueryService) Failure(err error) Failure {
	e := identity.AsError(err)
	f, known := queryFailures[e.Kind]
	if !known || e.Kind == identity.KindInternal {
		return queryFailures[identity.KindInternal]
	}
	switch {
	case e.Kind == identity.KindExpiredIdentity && svc.LongExpiredCode:
		f.Code = "ExpiredTokenException"
	case e.Kind == identity.KindProviderUnreachable && svc.Name == IAM.Name:
		f.Code = "OpenIdIdpCommunicationError"
	}
	if code := e.DetailValue("QueryCode"); code != "" {
		if status, ok := queryCodes[code]; ok {
			f.Code, f.Status = code, status
		}
	}
	if m := e.DetailValue("QueryMessage"); m != "" {
		f.Message = m
	} else if e.Public != "" {
		f.Message = e.Public
	}
	return f
}

// WriteQueryError answers err in the envelope of a query service and returns
// what it said. Errors that can be retried later carry Retry-After.
func WriteQueryError(w http.ResponseWriter, svc QueryService, requestID string, err error) Failure {
	e := identity.AsError(err)
	f := svc.Failure(e)
	namespace := svc.Namespace
	if e.Kind == identity.KindInvalidAction {
		namespace = NamespaceFault
	}
	party := "Sender"
	if f.Status >= 500 {
		party = "Receiver"
	}
	x := getXML()
	defer putXML(x)
	x.OpenNS("ErrorResponse", namespace)
	x.Open("Error")
	x.Elem("Type", party)
	x.Elem("Code", f.Code)
	x.Elem("Message", f.Message)
	x.Close("Error")
	x.Elem("RequestId", requestID)
	x.Close("ErrorResponse")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set(requestIDHeader, requestID)
	setRetryAfter(w, e)
	send(w, f.Status, "text/xml", x.b)
	return f
}

func setRetryAfter(w http.ResponseWriter, e *identity.Error) {
	switch e.Kind {
	case identity.KindUnavailable, identity.KindThrottled:
		w.Header().Set("Retry-After", strconv.Itoa(max(1, e.RetryAfterSeconds)))
	}
}
