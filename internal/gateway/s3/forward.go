package s3

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

const copyBuffer = 128 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, copyBuffer); return &b }}

// forward sends the request on and streams the answer back.
func (x *exchange) forward() error {
	resp, err := x.send()
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	x.begin(resp)
	return x.stream(resp.Body)
}

// send reads or wraps the body as the operation wants, and returns an answer
// that is not a refusal.
func (x *exchange) send() (*http.Response, error) {
	req := x.request()
	switch x.op.body {
	case bodyDocument:
		raw, err := x.readDocument()
		if err != nil {
			return nil, err
		}
		setDocument(req, raw)
	case bodyObject:
		up, err := x.upload(req)
		if err != nil {
			return nil, err
		}
		resp, err := x.do(x.r.Context(), req)
		if failed := up.failure(); failed != nil {
			if resp != nil {
				resp.Body.Close()
			}
			return nil, bodyError(failed)
		}
		x.drained = x.drained || up.finished()
		return resp, err
	}
	return x.do(x.r.Context(), req)
}

// request is the upstream request without its body.
func (x *exchange) request() *upstream.Request {
	return &upstream.Request{
		Method: x.r.Method, Bucket: x.target.Bucket, Key: x.target.RawKey, Query: x.forwardQuery(), Header: x.header,
	}
}

// do sends, and turns what is not a success into an error. 304 is a success:
// an answer to a condition.
func (x *exchange) do(ctx context.Context, req *upstream.Request) (*http.Response, error) {
	resp, err := x.g.up.Do(ctx, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 300 || resp.StatusCode == http.StatusNotModified {
		return resp, nil
	}
	return nil, x.hideMissing(upstreamError(resp))
}

// hideMissing answers 403 for a missing key to callers who may not list the
// bucket, as AWS does: they must not learn which keys exist.
func (x *exchange) hideMissing(err error) error {
	if x.op.level != levelObject || !codeIs(err, "NoSuchKey", "NoSuchVersion", "NotFound") {
		return err
	}
	bucket := x.target.Bucket
	if x.source != nil {
		bucket = x.source.Bucket
	}
	d := x.g.access.Authorize(&x.caller, actionListBucket, x.bucketResource(bucket))
	if d.Allowed() {
		return err
	}
	if d.Err != nil {
		return d.Err
	}
	return identity.NewError(identity.KindAccessDenied, opAuthorise, "")
}

// forwardQuery encodes the parameters that are the upstream's to see.
func (x *exchange) forwardQuery() string {
	if len(x.target.Query) == 0 {
		return ""
	}
	var b strings.Builder
	for _, p := range x.target.Query {
		if isAuthParam(p.Name) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(encode(p.Name, false))
		b.WriteByte('=')
		b.WriteString(encode(p.Value, false))
	}
	return b.String()
}

// hiddenHeaders of the upstream's answer are not passed on.
var hiddenHeaders = map[string]bool{
	"Server": true, "Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Trailer": true, "Te": true,
	"Transfer-Encoding": true, "Upgrade": true, "X-Amz-Request-Id": true, "X-Amz-Id-2": true, "Set-Cookie": true,
	"Www-Authenticate": true, "Alt-Svc": true, "Strict-Transport-Security": true, "Date": true, "Location": true,
	"X-Amz-Bucket-Region": true, "Via": true,
}

// begin writes status and headers of the answer.
func (x *exchange) begin(resp *http.Response) {
	x.copyHeaders(resp)
	x.w.WriteHeader(resp.StatusCode)
}

func (x *exchange) copyHeaders(resp *http.Response) {
	h := x.w.Header()
	for name, values := range resp.Header {
		switch {
		case hiddenHeaders[name]:
		case strings.HasPrefix(name, metaPrefix):
			// SDKs take the rest of the name as it comes, and S3 sends it
			// in lower case.
			h[strings.ToLower(name)] = values
		default:
			h[name] = values
		}
	}
	x.identify()
}

// identify sets the headers that every answer carries.
func (x *exchange) identify() {
	h := x.w.Header()
	h["X-Amz-Request-Id"] = []string{x.id}
	h["X-Amz-Id-2"] = []string{HostID}
}

// stream copies the body of an answer. Its headers are out, so that a failure
// can only cut the connection: the client must not take a part for the whole.
func (x *exchange) stream(body io.Reader) error {
	if x.r.Method == http.MethodHead {
		return nil
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, err := body.Read(*buf)
		if n > 0 {
			if _, werr := x.w.Write((*buf)[:n]); werr != nil {
				return nil // the client went away
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			x.g.log.WarnContext(x.r.Context(), "s3 answer cut short", "request_id", x.id, "error", err)
			panic(http.ErrAbortHandler)
		}
	}
}
