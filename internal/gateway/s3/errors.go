package s3

import (
	"errors"
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

// codeIs reports whether err is an upstream's refusal with one of the codes.
func codeIs(err error, codes ...string) bool {
	e := identity.AsError(err)
	return e != nil && e.Kind == identity.KindUpstream && contains(codes, e.DetailValue("Code"))
}
