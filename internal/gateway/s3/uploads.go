package s3

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"sync"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

// partSum is the checksum that the parts of a multipart upload have. The zero
// value says that the upload was begun without one.
type partSum struct {
	sum sigv4.Checksum
	// composite: the object's checksum is one of its parts' checksums, so
	// each part must come with its own.
	composite bool
}

const maxUploadsKnown = 4096

// uploadMemory remembers something of uploads that are under way, of a bounded
// number of them.
type uploadMemory[V any] struct {
	mu          sync.Mutex
	recent, old map[uploadName]V
}

// uploadSums are the checksums; what is forgotten the upstream tells.
type uploadSums = uploadMemory[partSum]

type uploadName struct{ bucket, key, id string }

// put makes room by halves: of two generations, the older one goes.
func (u *uploadMemory[V]) put(name uploadName, v V) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.recent) >= maxUploadsKnown/2 {
		u.old, u.recent = u.recent, nil
	}
	if u.recent == nil {
		u.recent = map[uploadName]V{}
	}
	u.recent[name] = v
}

func (u *uploadMemory[V]) get(name uploadName) (V, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	s, ok := u.recent[name]
	if !ok {
		s, ok = u.old[name]
	}
	return s, ok
}

func (x *exchange) uploadName() uploadName {
	id, _ := x.target.param("uploadId")
	return uploadName{x.target.Bucket, x.target.Key, id}
}

// createUpload forwards CreateMultipartUpload and remembers which checksum the
// upstream says that the parts will have.
func (x *exchange) createUpload() error {
	resp, err := x.send()
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxSlowAnswer))
	if err != nil {
		return &identity.Error{Kind: identity.KindUnavailable, Op: "s3.createUpload", Err: err, RetryAfterSeconds: 1}
	}
	var made struct {
		ID string `xml:"UploadId"`
	}
	if xml.Unmarshal(raw, &made) == nil && made.ID != "" {
		x.rememberBegun(made.ID)
		sum := readPartSum(resp.Header.Get("X-Amz-Checksum-Algorithm"), resp.Header.Get("X-Amz-Checksum-Type"))
		asked := x.header["X-Amz-Checksum-Algorithm"]
		if sum.sum != "" || len(asked) == 0 {
			x.g.uploads.put(uploadName{x.target.Bucket, x.target.Key, made.ID}, sum)
		}
	}
	resp.Header.Del("Content-Length")
	x.copyHeaders(resp)
	x.document(resp.StatusCode, bytes.TrimLeft(raw, " \t\r\n"))
	return nil
}

// uploadPart forwards a part. Where the upload has no checksum, the answer does
// not show the one that the part had on its way: clients (minio-go) would name
// it when they complete the upload, and the store would refuse that.
func (x *exchange) uploadPart() error {
	resp, err := x.send()
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if s, known := x.g.uploads.get(x.uploadName()); known && s.sum == "" {
		for name := range resp.Header {
			if _, ok := sigv4.ChecksumOfHeader(name); ok {
				delete(resp.Header, name)
			}
		}
	}
	x.begin(resp)
	return x.stream(resp)
}

// readPartSum reads the words of S3. What they do not name (some stores write
// "null") is no checksum here: the upstream judges the part.
func readPartSum(algorithm, kind string) partSum {
	sum, ok := sigv4.ChecksumOfHeader("x-amz-checksum-" + algorithm)
	if !ok {
		return partSum{}
	}
	return partSum{sum, kind == "COMPOSITE" || kind != "FULL_OBJECT" && sum != sigv4.CRC64NVME}
}

// partChecksum is the checksum of the upload that a part belongs to.
func (x *exchange) partChecksum() (partSum, error) {
	name := x.uploadName()
	if s, ok := x.g.uploads.get(name); ok {
		return s, nil
	}
	resp, err := x.do(x.r.Context(), &upstream.Request{
		Method: http.MethodGet, Bucket: x.target.Bucket, Key: x.target.RawKey,
		Query: "max-parts=1&uploadId=" + encode(name.id, false),
	})
	if err != nil {
		return partSum{}, err
	}
	defer resp.Body.Close()
	var list struct {
		XMLName   xml.Name `xml:"ListPartsResult"`
		Algorithm string   `xml:"ChecksumAlgorithm"`
		Type      string   `xml:"ChecksumType"`
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxSlowAnswer))
	if err == nil {
		err = xml.Unmarshal(raw, &list)
	}
	if err != nil {
		return partSum{}, &identity.Error{Kind: identity.KindUnavailable, Op: "s3.partChecksum", Err: err, RetryAfterSeconds: 1}
	}
	s := readPartSum(list.Algorithm, list.Type)
	x.g.uploads.put(name, s)
	return s, nil
}

// checksumOfPart picks the checksum that a part without one gets for its way
// to the upstream. S3 asks for the part's own where the object's is made of
// them.
func (x *exchange) checksumOfPart() (sigv4.Checksum, error) {
	s, err := x.partChecksum()
	if err != nil {
		return "", err
	}
	if s.composite {
		return "", identity.NewError(identity.KindInvalidRequest, "s3.checksumOfPart",
			"Checksum Type mismatch occurred, expected checksum Type: "+strings.ToLower(string(s.sum))+", actual checksum Type: null")
	}
	return s.sum, nil
}
