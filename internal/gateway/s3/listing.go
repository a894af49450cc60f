package s3

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"

	"daypass/internal/awswire"
	"daypass/internal/identity"
)

// forwardListing streams a listing, and puts the account that owns the bucket
// in place of every owner and initiator: the upstream's are the names of the
// credentials that we hold there.
func (x *exchange) forwardListing() error {
	resp, err := x.do(x.r.Context(), x.request())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	resp.Header.Del("Content-Length")
	x.begin(resp)
	var d awswire.XML
	d.Elem("ID", x.bucket.AccountID)
	d.Elem("DisplayName", x.bucket.AccountID)
	filter := &ownerFilter{src: resp.Body, person: d.Bytes()}
	if err := filter.copyTo(x.w); err != nil {
		x.g.log.WarnContext(x.r.Context(), "s3 listing cut short", "request_id", x.id, "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// ownerFilter replaces what stands inside <Owner> and <Initiator>. In escaped
// text neither tag can occur.
type ownerFilter struct {
	src    io.Reader
	person []byte
}

var persons = []struct{ open, end []byte }{
	{[]byte("<Owner>"), []byte("</Owner>")},
	{[]byte("<Initiator>"), []byte("</Initiator>")},
}

const longestTag = len("</Initiator>")

func (f *ownerFilter) copyTo(w io.Writer) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	b, n := *buf, 0
	var until []byte // inside a person: its end tag
	for {
		m, err := f.src.Read(b[n:])
		n += m
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return err
		}
		rest, werr := f.filter(w, b[:n], &until, last)
		if werr != nil {
			return nil // the client went away
		}
		if last {
			if until != nil {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		n = copy(b, rest)
	}
}

// filter writes what is settled of b and returns the rest.
func (f *ownerFilter) filter(w io.Writer, b []byte, until *[]byte, last bool) ([]byte, error) {
	for {
		if *until != nil {
			i := bytes.Index(b, *until)
			if i < 0 {
				return b[max(0, len(b)-longestTag):], nil
			}
			b, *until = b[i:], nil
		}
		at, open, end := -1, []byte(nil), []byte(nil)
		for _, p := range persons {
			if i := bytes.Index(b, p.open); i >= 0 && (at < 0 || i < at) {
				at, open, end = i, p.open, p.end
			}
		}
		if at < 0 {
			keep := longestTag
			if last {
				keep = 0
			}
			cut := max(0, len(b)-keep)
			_, err := w.Write(b[:cut])
			return b[cut:], err
		}
		at += len(open)
		if _, err := w.Write(b[:at]); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.person); err != nil {
			return nil, err
		}
		b, *until = b[at:], end
	}
}

const maxSlowAnswer = 1 << 20

// forwardSlow is forward for operations that stores may answer with 200 before
// they have worked, and with an error in the body after: the body is read
// before anything is said. The Location in it names the upstream's host and is
// replaced by ours.
func (x *exchange) forwardSlow() error {
	resp, err := x.send()
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxSlowAnswer))
	if err != nil {
		return &identity.Error{Kind: identity.KindUnavailable, Op: "s3.forwardSlow", Err: err, RetryAfterSeconds: 1}
	}
	var e wireError
	if xml.Unmarshal(raw, &e) == nil {
		return x.hideMissing(x.errInBody(e, resp.Header))
	}
	resp.Header.Del("Content-Length")
	x.copyHeaders(resp)
	x.document(resp.StatusCode, x.relocated(bytes.TrimLeft(raw, " \t\r\n")))
	return nil
}

// objectURL is the object as clients reach it.
func (x *exchange) objectURL() string {
	return x.g.external + "/" + x.target.Bucket + "/" + x.target.RawKey
}

// relocated replaces the text of the first <Location> by the object's URL as
// clients reach it.
func (x *exchange) relocated(raw []byte) []byte {
	const open, end = "<Location>", "</Location>"
	before, rest, ok := strings.Cut(string(raw), open)
	if !ok {
		return raw
	}
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		return raw
	}
	var d awswire.XML
	d.Elem("Location", x.objectURL())
	return []byte(before + string(d.Bytes()) + after)
}
