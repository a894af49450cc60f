package s3

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"daypass/internal/awswire"
	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

// copiesFolder reports whether the source of a copy is a key that ends in "/"
// behind an upstream of paths, which would read a folder as if it were a file.
func (x *exchange) copiesFolder() bool {
	return arePaths(x.up) && strings.HasSuffix(x.source.Key, "/")
}

func (x *exchange) copyObject() error {
	if x.copiesFolder() {
		return x.copyFolder()
	}
	return x.forwardSlow()
}

func (x *exchange) copyPart() error {
	if x.copiesFolder() {
		return identity.NewError(identity.KindInvalidRequest, opKeys, "A part cannot be copied from a key that ends in '/' in this object store: it is empty.")
	}
	return x.forwardSlow()
}

// describing are the headers of an object that a copy takes over.
var describing = strings.Fields("Content-Type Content-Encoding Content-Language Content-Disposition Cache-Control Expires")

// copyFolder copies the empty object that such a key is: it reads what is said
// of the one and puts the other.
func (x *exchange) copyFolder() error {
	source, err := x.headSource()
	if err != nil {
		return err
	}
	h := x.header
	replaced := strings.EqualFold(h.Get("X-Amz-Metadata-Directive"), "REPLACE")
	if !replaced && x.source.Bucket == x.target.Bucket && x.source.Key == x.target.Key {
		return identity.NewError(identity.KindInvalidRequest, opKeys, "This copy request is illegal because it is trying to copy an object to itself "+
			"without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	for name := range h {
		if strings.HasPrefix(name, headerCopySource) || !replaced && (contains(describing, name) || strings.HasPrefix(name, metaPrefix)) {
			delete(h, name)
		}
	}
	for name, values := range source {
		if !replaced && (contains(describing, name) || strings.HasPrefix(name, metaPrefix)) {
			h[name] = values
		}
	}
	if !strings.EqualFold(h.Get("X-Amz-Tagging-Directive"), "REPLACE") {
		if err := x.copyTags(); err != nil {
			return err
		}
	}
	h.Del("X-Amz-Metadata-Directive")
	h.Del("X-Amz-Tagging-Directive")
	resp, err := x.do(x.r.Context(), &upstream.Request{
		Method: http.MethodPut, Bucket: x.target.Bucket, Key: x.target.RawKey, Header: h, PayloadHash: sigv4.EmptySHA256,
	})
	if err != nil {
		return err
	}
	resp.Body.Close()
	if v := resp.Header["X-Amz-Version-Id"]; len(v) > 0 {
		x.w.Header()["X-Amz-Version-Id"] = v
	}
	x.answer(http.StatusOK, func(d *awswire.XML) {
		d.OpenNS("CopyObjectResult", namespace)
		d.Elem("LastModified", awswire.FormatTimeMilli(x.g.clock.Now()))
		d.Elem("ETag", resp.Header.Get("Etag"))
		d.Close("CopyObjectResult")
	})
	return nil
}

func (x *exchange) sourceRequest(method, query string) *upstream.Request {
	if x.source.VersionID != "" {
		query = strings.TrimPrefix(query+"&versionId="+encode(x.source.VersionID, false), "&")
	}
	return &upstream.Request{Method: method, Bucket: x.source.Bucket, Key: encode(x.source.Key, true), Query: query}
}

// headSource reads what is said of the source, under the copy's conditions; one
// that does not hold is PreconditionFailed.
func (x *exchange) headSource() (http.Header, error) {
	req := x.sourceRequest(http.MethodHead, "")
	req.Header = http.Header{}
	for _, c := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if v := x.header[headerCopySource+"-"+c]; len(v) > 0 {
			req.Header[c] = v
		}
	}
	resp, err := x.do(x.r.Context(), req)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified {
		return nil, coded("PreconditionFailed", http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold")
	}
	return resp.Header, nil
}

// copyTags puts the source's tags into the header of the copy.
func (x *exchange) copyTags() error {
	delete(x.header, headerTagging)
	resp, err := x.do(x.r.Context(), x.sourceRequest(http.MethodGet, "tagging="))
	if codeIs(err, "NoSuchTagSet", "NotImplemented") {
		return nil
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument))
	var tags url.Values
	if err == nil {
		tags, err = ParseTagging(raw)
	}
	if err != nil {
		return &identity.Error{Kind: identity.KindUnavailable, Op: opKeys, Err: err, RetryAfterSeconds: 1}
	}
	if len(tags) > 0 {
		x.header[headerTagging] = []string{tags.Encode()}
	}
	return nil
}
