package s3

import (
	"net/http"
	"net/url"
	"strings"

	"daypass/internal/identity"
)

const opHeaders = "s3.headers"

// headerUse says what becomes of a request header.
type headerUse uint8

const (
	headerDropped    headerUse = iota // not for the upstream
	headerForwarded                   // as it is
	headerJudged                      // used here, not forwarded
	headerUnserved                    // known, would act on another name or promise what is not kept: refused
	headerForwardDoc                  // forwarded, except that buffered documents get their own
)

// requestHeaders is the closed list. What begins with x-amz- and is not here
// is NotImplemented: ignoring it could change what the request means. Any
// other header that is not here is dropped.
var requestHeaders = func() map[string]headerUse {
	m := map[string]headerUse{
		"Content-Md5": headerForwardDoc, "X-Amz-Sdk-Checksum-Algorithm": headerForwardDoc,
	}
	for use, names := range map[headerUse]string{
		headerForwarded: `Content-Type Content-Encoding Content-Language Content-Disposition Cache-Control Expires
			Range If-Match If-None-Match If-Modified-Since If-Unmodified-Since
			X-Amz-Tagging X-Amz-Tagging-Directive X-Amz-Metadata-Directive X-Amz-Storage-Class
			X-Amz-Copy-Source-If-Match X-Amz-Copy-Source-If-None-Match X-Amz-Copy-Source-If-Modified-Since
			X-Amz-Copy-Source-If-Unmodified-Since X-Amz-Copy-Source-Range
			X-Amz-Server-Side-Encryption X-Amz-Server-Side-Encryption-Bucket-Key-Enabled
			X-Amz-Server-Side-Encryption-Customer-Algorithm X-Amz-Server-Side-Encryption-Customer-Key
			X-Amz-Server-Side-Encryption-Customer-Key-Md5
			X-Amz-Copy-Source-Server-Side-Encryption-Customer-Algorithm
			X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key
			X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key-Md5
			X-Amz-Object-Lock-Mode X-Amz-Object-Lock-Retain-Until-Date X-Amz-Object-Lock-Legal-Hold
			X-Amz-Bypass-Governance-Retention X-Amz-Bucket-Object-Lock-Enabled
			X-Amz-Object-Attributes X-Amz-Max-Parts X-Amz-Part-Number-Marker X-Amz-Optional-Object-Attributes
			X-Amz-Checksum-Algorithm X-Amz-Checksum-Mode X-Amz-Checksum-Type X-Amz-Mp-Object-Size
			X-Amz-If-Match-Last-Modified-Time X-Amz-If-Match-Size X-Amz-If-Match-Initiated-Time`,
		headerJudged: `X-Amz-Acl X-Amz-Copy-Source X-Amz-Expected-Bucket-Owner X-Amz-Source-Expected-Bucket-Owner
			X-Amz-Date X-Amz-Security-Token X-Amz-Region-Set X-Amz-Content-Sha256 X-Amz-Decoded-Content-Length X-Amz-Trailer
			X-Amz-User-Agent X-Amz-Request-Payer X-Amz-Object-Ownership X-Amz-Confirm-Remove-Self-Bucket-Access
			X-Amz-Grant-Read X-Amz-Grant-Write X-Amz-Grant-Read-Acp X-Amz-Grant-Write-Acp X-Amz-Grant-Full-Control`,
		headerForwardDoc: `X-Amz-Checksum-Crc32 X-Amz-Checksum-Crc32c X-Amz-Checksum-Crc64nvme
			X-Amz-Checksum-Sha1 X-Amz-Checksum-Sha256`,
		headerUnserved: `Ibm-Sse-Kp-Encryption-Algorithm Ibm-Sse-Kp-Customer-Root-Key-Crn Retention-Period Retention-Expiration-Date
			Retention-Legal-Hold-Id Retention-Directive X-Amz-Website-Redirect-Location X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id
			X-Amz-Server-Side-Encryption-Context`,
	} {
		for name := range strings.FieldsSeq(names) {
			m[name] = use
		}
	}
	return m
}()

const metaPrefix = "X-Amz-Meta-"

// readHeaders sorts the request's headers into what is forwarded and what is
// judged here, and refuses what it does not know.
func (x *exchange) readHeaders() error {
	x.header = make(http.Header, 8)
	for name, values := range x.given {
		if len(values) == 0 {
			continue
		}
		use, known := requestHeaders[name]
		amz := strings.HasPrefix(name, "X-Amz-")
		switch {
		case !known && amz && strings.HasPrefix(name, metaPrefix):
			x.header[name] = []string{strings.Join(values, ",")}
		case !known && amz, use == headerUnserved:
			return identity.NewError(identity.KindNotImplemented, opHeaders, "")
		case !known:
		case len(values) > 1:
			return repeatedHeader(name)
		case use == headerForwarded, use == headerForwardDoc && (x.op.body != bodyDocument || x.op.Name == opComplete):
			x.header[name] = values[:1:1]
		case strings.HasPrefix(name, "X-Amz-Grant-"):
			x.grants = true
		}
	}
	if err := x.readACL(); err != nil {
		return err
	}
	if v := x.given[headerTagging]; len(v) > 0 {
		tags, err := url.ParseQuery(v[0])
		for _, values := range tags {
			if len(values) > 1 {
				err = url.EscapeError("")
			}
		}
		if err != nil {
			return argumentError("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
		}
		x.tags = tags
	}
	if x.source != nil {
		x.header[headerCopySource] = []string{x.source.String()}
	}
	stripChunked(x.header)
	return nil
}

func repeatedHeader(name string) error {
	return identity.NewError(identity.KindInvalidRequest, opHeaders, "The header "+strings.ToLower(name)+" was given more than once.")
}

// readACL reads the canned ACL. Buckets here have one owner with full control,
// so that only the ACLs that say so are accepted; public-read is accepted and
// grants nobody anything.
func (x *exchange) readACL() error {
	v := x.given[headerACL]
	if len(v) == 0 {
		return nil
	}
	switch x.acl = v[0]; x.acl {
	case "private", "public-read", "bucket-owner-full-control":
		return nil
	}
	return aclNotSupported()
}

// stripChunked takes the token aws-chunked out of Content-Encoding: it
// describes the upload, not the object.
func stripChunked(h http.Header) {
	v := h["Content-Encoding"]
	if len(v) == 0 || !strings.Contains(strings.ToLower(v[0]), "aws-chunked") {
		return
	}
	var kept []string
	for token := range strings.SplitSeq(v[0], ",") {
		if token = strings.TrimSpace(token); token != "" && !strings.EqualFold(token, "aws-chunked") {
			kept = append(kept, token)
		}
	}
	if len(kept) == 0 {
		delete(h, "Content-Encoding")
		return
	}
	h["Content-Encoding"] = []string{strings.Join(kept, ",")}
}
