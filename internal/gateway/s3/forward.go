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

// A small answer takes a small buffer: large ones, which the collector takes out
// of the pool now and then, cost more to clear than it costs to fill them.
const (
	copyBuffer  = 192 << 10
	smallBuffer = 16 << 10
)

var (
	buffers      = sync.Pool{New: func() any { b := make([]byte, copyBuffer); return &b }}
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, smallBuffer); return &b }}
)

// forward sends the request on and streams the answer back.
func (x *exchange) forward() error {
	resp, err := x.send()
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	x.begin(resp)
	return x.stream(resp)
}

// send reads or wraps the body as the operation wants, and returns an answer
// that is not a refusal.
func (x *exchange) send() (*http.Response, error) {
	req := x.request()
	switch x.op.body {
	case bodyDocument:
		raw := x.judged
		if raw == nil {
			var err error
			if raw, err = x.readDocument(); err != nil {
				return nil, err
			}
		}
		setDocument(req, raw)
	case bodyObject:
		up, err := x.upload(req)
		if err != nil {
			return nil, err
		}
		return x.sendUpload(req, up)
	}
	return x.do(x.r.Context(), req)
}

// sendUpload is do for a request with the body up; what was wrong with the body
// goes before what the upstream said of it.
func (x *exchange) sendUpload(req *upstream.Request, up *uploadBody) (*http.Response, error) {
	resp, err := x.do(x.r.Context(), req)
	if err != nil && x.wasCut() {
		return nil, errCut
	}
	if failed := up.failure(); failed != nil {
		if resp != nil {
			resp.Body.Close()
		}
		return nil, bodyError(failed)
	}
	if err != nil && x.r.Context().Err() != nil && !up.finished() {
		// net/http ends the request as soon as it has read the end of a
		// connection, which may be before anybody here has.
		return nil, &identity.Error{Kind: identity.KindIncompleteBody, Op: opBody, Err: err}
	}
	x.drained = x.drained || up.finished()
	return resp, err
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
	resp, err := x.up.Do(ctx, req)
	if err != nil && x.wasCut() {
		return nil, errCut
	}
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 300 || resp.StatusCode == http.StatusNotModified {
		return resp, nil
	}
	answer := resp.Header
	refused := x.refused(req, resp)
	err = x.hideMissing(refused)
	if err == refused {
		x.explain(answer)
	}
	return nil, err
}

// explain passes on what a refusal says in headers: that the version is a
// delete marker, and its ID.
func (x *exchange) explain(answer http.Header) {
	for _, name := range []string{"X-Amz-Delete-Marker", "X-Amz-Version-Id", "Last-Modified", "Content-Range", "Allow"} {
		if v := answer[name]; len(v) > 0 {
			x.w.Header()[name] = v
		}
	}
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
	if denied := x.ask(actionListBucket, x.touched(bucket, "", "")); denied != nil {
		return denied
	}
	return err
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

// answerHeaders of the upstream's answer are passed on, and those that begin with
// X-Amz-: what else stores and the proxies before them say is about themselves.
var answerHeaders = map[string]bool{
	"Accept-Ranges": true, "Cache-Control": true, "Content-Disposition": true, "Content-Encoding": true, "Content-Language": true,
	"Content-Length": true, "Content-Md5": true, "Content-Range": true, "Content-Type": true, "Etag": true, "Expires": true, "Last-Modified": true,
}

// hiddenHeaders begin with X-Amz- and are not passed on all the same.
var hiddenHeaders = map[string]bool{
	"X-Amz-Request-Id": true, "X-Amz-Id-2": true, "X-Amz-Bucket-Region": true, "X-Amz-Bucket-Arn": true, "X-Amz-Access-Point-Alias": true,
	"X-Amz-Bucket-Location-Name": true, "X-Amz-Bucket-Location-Type": true,
	"X-Amz-Cf-Id": true, "X-Amz-Cf-Pop": true, "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": true, "X-Amz-Server-Side-Encryption-Context": true,
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
		case answerHeaders[name]:
			h[name] = values
		case !strings.HasPrefix(name, "X-Amz-") || hiddenHeaders[name]:
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
	h, values := x.w.Header(), []string{x.id, HostID}
	h["X-Amz-Request-Id"], h["X-Amz-Id-2"] = values[:1:1], values[1:2:2]
}

// stream copies the body of an answer. Its headers are out, so that a failure
// can only cut the connection: the client must not take a part for the whole.
func (x *exchange) stream(resp *http.Response) error {
	if x.r.Method == http.MethodHead || resp.ContentLength == 0 {
		return nil
	}
	pool := &buffers
	if n := resp.ContentLength; n > 0 && n <= smallBuffer {
		pool = &smallBuffers
	}
	buf := pool.Get().(*[]byte)
	defer pool.Put(buf)
	for {
		n, err := resp.Body.Read(*buf)
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
