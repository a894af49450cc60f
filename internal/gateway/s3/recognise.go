package s3

import (
	"net/http"
	"strings"

	"daypass/internal/identity"
)

const opRecognise = "s3.Recognise"

// Recognise finds the one operation that a request is. A row of the table
// matches when the method and the level are its own, the copy header is there
// exactly if it wants one, each of its markers is present, and every other
// query parameter is one that the operation knows and that changes no right.
// Exactly one row must match; anything else is KindNotImplemented.
func Recognise(method string, t *Target, header http.Header) (*Operation, error) {
	at := levelObject
	switch {
	case t.Bucket == "":
		at = levelService
	case t.Key == "":
		at = levelBucket
	}
	_, copies := header[headerCopySource]
	var found *Operation
	for _, op := range byShape[shape{method, at, copies}] {
		if !op.matches(t.Query) {
			continue
		}
		if found != nil {
			return nil, notImplementedError()
		}
		found = op
	}
	if found == nil {
		return nil, notImplementedError()
	}
	if v, ok := t.param(parameterVersionID); ok && v == "" {
		return nil, argumentError("Version id cannot be the empty string")
	}
	return found, nil
}

func notImplementedError() error {
	return identity.NewError(identity.KindNotImplemented, opRecognise, "A header or query you provided implies functionality that is not implemented.")
}

// matches reports whether every marker is present and nothing else but
// neutral parameters.
func (op *Operation) matches(query []Param) bool {
	seen := 0
	for i := range query {
		p := &query[i]
		switch {
		case op.marks(p):
			seen++
		case neutral(p.Name), isAuthParam(p.Name), contains(op.params, p.Name):
		default:
			return false
		}
	}
	return seen == len(op.markers)
}

func (op *Operation) marks(p *Param) bool {
	for _, m := range op.markers {
		name, value, valued := strings.Cut(m, "=")
		if name == p.Name && (!valued || value == p.Value) {
			return true
		}
	}
	return false
}

// neutral parameters belong to the SDKs: x-id names the operation for logs.
func neutral(name string) bool { return name == "x-id" }

// isAuthParam tells the parameters of a presigned request. They never reach
// the upstream.
func isAuthParam(name string) bool {
	if len(name) < 10 || !strings.EqualFold(name[:6], "x-amz-") {
		return false
	}
	switch strings.ToLower(name) {
	case "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders",
		"x-amz-signature", "x-amz-security-token", "x-amz-content-sha256", "x-amz-region-set":
		return true
	}
	return false
}

// contains is slices.Contains for the short lists of the table.
func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// hoistHeaders moves the x-amz-* parameters of a presigned request that stand
// for headers into the header, so that one set of rules judges both. SDKs
// hoist signed headers into the query this way; the query is signed. A header
// that is also there is refused.
func hoistHeaders(t *Target, header http.Header) error {
	kept := t.Query[:0]
	for _, p := range t.Query {
		if len(p.Name) < 7 || !strings.EqualFold(p.Name[:6], "x-amz-") || isAuthParam(p.Name) {
			kept = append(kept, p)
			continue
		}
		name := http.CanonicalHeaderKey(p.Name)
		if _, twice := header[name]; twice || !validHeader(name, p.Value) {
			return identity.NewError(identity.KindInvalidRequest, opRecognise, "A header was given both in the query and as a header.")
		}
		header[name] = []string{p.Value}
	}
	t.Query = kept
	return nil
}

func validHeader(name, value string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isUnreserved(c) || c == '~' {
			return false
		}
	}
	for i := 0; i < len(value); i++ {
		if c := value[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
