package s3

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

const (
	maxObject   = 5 << 30 // of one PUT, as S3
	maxDocument = 1 << 20
	// A completion names up to 10,000 parts with their checksums.
	maxCompletion = 4 << 20
	opBody        = "s3.body"
	// opComplete carries the checksum of the object, not of its document.
	opComplete = "CompleteMultipartUpload"
	opCopy     = "CopyObject"
)

// uploadBody is a body on its way to the upstream. It remembers why reading
// failed: what the transport returns then need not tell.
type uploadBody struct {
	r    io.Reader
	mu   sync.Mutex
	err  error
	done bool
}

func (u *uploadBody) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if err != nil {
		u.mu.Lock()
		if errors.Is(err, io.EOF) {
			u.done = true
		} else if u.err == nil {
			u.err = err
		}
		u.mu.Unlock()
	}
	return n, err
}

// Close does not close the client's connection: net/http does.
func (u *uploadBody) Close() error { return nil }

func (u *uploadBody) failure() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

func (u *uploadBody) finished() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.done
}

// upload gives req the client's body in the form that the upstream gets:
//
//   - a hashed body as it is, with the hash that it is checked against here;
//   - a body with a checksum trailer, checked here and framed anew;
//   - an uncovered body, or the content of signed chunks, which only we can
//     check, as it is, or with a checksum trailer of ours where the upstream
//     would commit a body cut short (mode reframe);
//   - to a store that knows no trailers (mode plain) the content as it is, of
//     exact length, checked here.
//
// What reads it never gets the end of a body that is not as promised.
func (x *exchange) upload(req *upstream.Request) (*uploadBody, error) {
	p := x.signed.Payload
	length := p.ContentLength(x.r.ContentLength)
	if length < 0 || x.r.ContentLength == 0 && x.r.Header.Get("Content-Length") == "" && x.r.ProtoMajor == 1 {
		return nil, identity.NewError(identity.KindMissingContentLength, opBody, "")
	}
	return x.frame(req, content{
		mode: p.PayloadMode, hash: p.PayloadHash, trailer: p.Trailer, body: p.Reader(x.r.Body, x.r.ContentLength), length: length,
	})
}

// content is an object's bytes, and what covers them.
type content struct {
	mode    sigv4.PayloadMode
	hash    string
	trailer sigv4.Checksum
	body    io.Reader
	length  int64
}

func (x *exchange) frame(req *upstream.Request, c content) (*uploadBody, error) {
	if c.length > maxObject {
		return nil, identity.NewError(identity.KindTooLarge, opBody, "Your proposed upload exceeds the maximum allowed size")
	}
	claimed, value, err := claimedChecksum(req.Header)
	if err != nil {
		return nil, err
	}
	trailing := c.mode == sigv4.PayloadTrailer || c.mode == sigv4.PayloadChunksTrailer
	if trailing && claimed != "" {
		return nil, identity.NewError(identity.KindInvalidRequest, opBody, "Expecting a single x-amz-checksum- header.")
	}
	plain := x.up.Mode == upstream.Plain
	if plain && !trailing {
		if c.body, err = heldBack(c, claimed, value); err != nil {
			return nil, err
		}
	}
	up := &uploadBody{r: c.body}
	if c.length == 0 {
		return up, emptyUpload(req, up, c)
	}
	req.Body, req.Length, req.PayloadHash = up, c.length, sigv4.UnsignedPayload
	if plain && c.mode != sigv4.PayloadHashed {
		// No value of it comes to a store that knows no trailers.
		delete(req.Header, headerChecksumAlgorithm)
	}
	switch c.mode {
	case sigv4.PayloadHashed:
		req.PayloadHash = strings.ToLower(c.hash)
		return up, nil
	case sigv4.PayloadTrailer, sigv4.PayloadChunksTrailer:
		if plain {
			return up, nil
		}
		claimed = c.trailer
	case sigv4.PayloadUnsigned, sigv4.PayloadChunks:
		if x.up.Mode != upstream.Reframe {
			return up, nil
		}
		if claimed == "" {
			claimed, err = x.chosenChecksum(req.Header)
		}
	default:
		err = identity.NewError(identity.KindPayloadModeUnserved, opBody, "")
	}
	if err == nil {
		up.r, err = x.verified(req.Header, c.body, claimed, value)
	}
	if err != nil {
		return nil, err
	}
	reframe(req, up, c.length, claimed)
	return up, nil
}

// chosenChecksum is the algorithm that the client named, or that of the upload
// that a part belongs to, or the one that is cheapest to compute.
func (x *exchange) chosenChecksum(h http.Header) (sigv4.Checksum, error) {
	for _, name := range []string{headerChecksumAlgorithm, "X-Amz-Checksum-Algorithm"} {
		if named, ok := sigv4.ChecksumOfHeader("x-amz-checksum-" + h.Get(name)); ok {
			return named, nil
		}
	}
	if x.op.Name == "UploadPart" {
		if sum, err := x.checksumOfPart(); sum != "" || err != nil {
			return sum, err
		}
	}
	return sigv4.CRC32C, nil
}

// reframe makes the body of req one with a checksum trailer.
func reframe(req *upstream.Request, up *uploadBody, length int64, sum sigv4.Checksum) {
	up.r = sigv4.NewFramer(up.r, length, sum)
	req.Length = sigv4.FramedLength(length, sum)
	req.PayloadHash = sigv4.StreamingUnsignedTrailer
	req.Header[headerDecodedLength] = []string{strconv.FormatInt(length, 10)}
	req.Header[headerTrailer] = []string{sum.Header()}
	if _, named := req.Header[headerChecksumAlgorithm]; named {
		req.Header[headerChecksumAlgorithm] = []string{strings.ToUpper(string(sum))}
	}
}

// emptyUpload checks a body without content before anything is sent.
func emptyUpload(req *upstream.Request, up *uploadBody, c content) error {
	if _, err := io.Copy(io.Discard, c.body); err != nil {
		return bodyError(err)
	}
	up.done, req.PayloadHash = true, sigv4.EmptySHA256
	if t, ok := c.body.(*sigv4.TrailerReader); ok {
		req.Header[http.CanonicalHeaderKey(c.trailer.Header())] = []string{t.Value()}
	}
	return nil
}

// claimedChecksum returns the checksum that a header announced, "" for none.
func claimedChecksum(h http.Header) (sum sigv4.Checksum, value string, err error) {
	for name, v := range h {
		c, ok := sigv4.ChecksumOfHeader(name)
		if !ok {
			continue
		}
		if sum != "" {
			return "", "", identity.NewError(identity.KindInvalidRequest, opBody,
				"Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		sum, value = c, v[0]
	}
	return sum, value, nil
}

// verified wraps content, which will be framed anew, so that what headers said
// about it is checked here: a checksum (value "" for none) and Content-MD5.
// Both headers go: the one becomes the trailer, the other speaks of a body
// that the upstream no longer gets.
func (x *exchange) verified(h http.Header, content io.Reader, sum sigv4.Checksum, value string) (io.Reader, error) {
	if value != "" {
		digest, err := digestOf(content, sum, value)
		if err != nil {
			return nil, err
		}
		delete(h, http.CanonicalHeaderKey(sum.Header()))
		content = digest
	}
	if v := h.Get("Content-Md5"); v != "" {
		want, err := decodeMD5(v)
		if err != nil {
			return nil, err
		}
		delete(h, "Content-Md5")
		content = &digestReader{r: content, sum: md5.New(), want: want, name: "Content-MD5"}
	}
	return content, nil
}

// digestOf checks content against the base64 value of a checksum.
func digestOf(content io.Reader, sum sigv4.Checksum, value string) (*digestReader, error) {
	want, err := base64.StdEncoding.DecodeString(value)
	if err != nil || base64.StdEncoding.EncodedLen(len(want)) != sum.EncodedLen() {
		return nil, identity.NewError(identity.KindInvalidRequest, opBody, "Value for "+sum.Header()+" header is invalid.")
	}
	return &digestReader{r: content, sum: sum.New(), want: want, name: strings.ToUpper(string(sum))}, nil
}

func decodeMD5(v string) ([]byte, error) {
	want, err := base64.StdEncoding.DecodeString(v)
	if err != nil || len(want) != md5.Size {
		return nil, coded("InvalidDigest", http.StatusBadRequest, "The Content-MD5 you specified was invalid.")
	}
	return want, nil
}

// digestReader checks a digest at the end of a body. It does not hold back:
// what it feeds is framed, and incomplete without its end, or a lastByteReader.
type digestReader struct {
	r    io.Reader
	sum  hash.Hash
	want []byte
	name string
}

func (d *digestReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && !bytes.Equal(d.sum.Sum(nil), d.want) {
		err = badDigest(d.name)
	}
	return n, err
}

func badDigest(name string) error {
	return identity.NewError(identity.KindBadDigest, opBody, "The "+name+" you specified did not match the calculated checksum.")
}

// readDocument reads a bounded XML document and checks everything the request
// says of it: hash or trailer, checksum header, Content-MD5.
func (x *exchange) readDocument() ([]byte, error) {
	most := int64(maxDocument)
	switch x.op.Name {
	case opComplete:
		most = maxCompletion
	case "DeleteObjects":
		most = maxDeleteBody
	}
	if x.r.ContentLength > most+maxFraming || x.signed.DecodedLength > most {
		return nil, identity.NewError(identity.KindTooLarge, opBody, "")
	}
	if x.r.ContentLength < 0 && !x.signed.PayloadMode.Framed() {
		return nil, identity.NewError(identity.KindMissingContentLength, opBody, "")
	}
	raw, err := io.ReadAll(io.LimitReader(x.signed.Reader(x.r.Body, x.r.ContentLength), most+1))
	if err != nil {
		return nil, bodyError(err)
	}
	if int64(len(raw)) > most {
		return nil, identity.NewError(identity.KindTooLarge, opBody, "")
	}
	x.drained = true
	return raw, x.checkDocument(raw)
}

// maxFraming is what chunking may add to a document.
const maxFraming = 64 << 10

func (x *exchange) checkDocument(raw []byte) error {
	if v := x.r.Header.Get("Content-Md5"); v != "" {
		want, err := decodeMD5(v)
		if err != nil {
			return err
		}
		if got := md5.Sum(raw); !bytes.Equal(got[:], want) {
			return badDigest("Content-MD5")
		}
	}
	if x.op.Name == opComplete {
		return nil // there the checksum is the object's
	}
	sum, value, err := claimedChecksum(x.r.Header)
	if err != nil || sum == "" {
		return err
	}
	h := sum.New()
	h.Write(raw)
	if base64.StdEncoding.EncodeToString(h.Sum(nil)) != value {
		return badDigest(strings.ToUpper(string(sum)))
	}
	return nil
}

// setDocument gives req a body that was checked, covered by its own hash.
func setDocument(req *upstream.Request, raw []byte) {
	sum := sha256.Sum256(raw)
	req.Body, req.Length = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	req.PayloadHash = hex.EncodeToString(sum[:])
	if len(raw) > 0 {
		digest := md5.Sum(raw)
		req.Header["Content-Md5"] = []string{base64.StdEncoding.EncodeToString(digest[:])}
	}
}
