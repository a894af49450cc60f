package s3

import (
	"net/http"
	"net/url"
)

// begunUpload is what CreateMultipartUpload said of an object that condition
// keys show. Clients say it once: its parts and its completion are judged as if
// they had said it too, as in S3, where a policy that refuses unencrypted
// uploads lets the parts of an encrypted one through. It is kept in memory, as
// what uploadMemory holds is: what is forgotten has no value, which refuses.
type begunUpload struct {
	header http.Header
	tags   url.Values
}

// rememberBegun notes what the upload that was just begun is judged by.
func (x *exchange) rememberBegun(id string) {
	b := begunUpload{tags: x.tags}
	for _, name := range keyHeaders {
		if v := x.given[name]; len(v) > 0 {
			if b.header == nil {
				b.header = http.Header{}
			}
			b.header[name] = v[:1:1]
		}
	}
	if b.header != nil || len(b.tags) > 0 {
		x.g.begun.put(uploadName{x.target.Bucket, x.target.Key, id}, b)
	}
}

// recallBegun is what rememberBegun noted of the upload that a part belongs to,
// or that is completed.
func (x *exchange) recallBegun() (begunUpload, bool) {
	switch x.op.Name {
	case "UploadPart", "UploadPartCopy", opComplete:
		return x.g.begun.get(x.uploadName())
	}
	return begunUpload{}, false
}
