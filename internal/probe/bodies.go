package probe

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"

	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

// mode is how an upload's body travels to the store.
type mode string

const (
	hashed   mode = "hashed"   // its SHA-256 is signed
	unsigned mode = "unsigned" // nothing covers it
	trailer  mode = "trailer"  // in chunks, with a checksum at the end
	part     mode = "part"     // unsigned, part of a multipart upload
)

// bodyTrials decide the mode of the upstream.
var bodyTrials = []trial{
	{id: "unsigned", what: "put with UNSIGNED-PAYLOAD", needs: "get", needed: true, means: "presigned and streamed uploads fail", try: func(r *run) outcome { return r.tryBody(unsigned) }},
	{id: "trailer", what: "put with a checksum trailer (STREAMING-UNSIGNED-PAYLOAD-TRAILER)", needs: "get", means: "uploads with a trailer reach it plain, and the gate alone checks them", try: func(r *run) outcome { return r.tryBody(trailer) }},
	{id: "cut-hashed", what: "an upload cut short is not stored: hashed", needs: "put", needed: true, means: "a client that goes away leaves a truncated object, and no mode prevents it", try: func(r *run) outcome { return r.tryCut(hashed) }},
	{id: "cut-unsigned", what: "an upload cut short is not stored: UNSIGNED-PAYLOAD", needs: "unsigned", means: "in modes passthrough and plain a client that goes away leaves a truncated object", try: func(r *run) outcome { return r.tryCut(unsigned) }},
	{id: "cut-trailer", what: "an upload cut short is not stored: trailer", needs: "trailer", means: "a client that goes away leaves a truncated object, even in mode reframe", try: func(r *run) outcome { return r.tryCut(trailer) }},
}

var errCut = errors.New("cut short on purpose")

// upload is a request whose body travels in a mode; all but less bytes of what
// was announced are sent, less 0 for a whole one.
func (r *run) upload(req *upstream.Request, content []byte, m mode, less int) *upstream.Request {
	withBody(req, content)
	var body io.Reader = bytes.NewReader(content)
	switch m {
	case unsigned, part:
		req.PayloadHash = sigv4.UnsignedPayload
	case trailer:
		length := int64(len(content))
		body = sigv4.NewFramer(body, length, sigv4.CRC32C)
		req.Length = sigv4.FramedLength(length, sigv4.CRC32C)
		req.PayloadHash = sigv4.StreamingUnsignedTrailer
		req.Header = http.Header{
			"X-Amz-Decoded-Content-Length": {strconv.FormatInt(length, 10)}, "X-Amz-Trailer": {sigv4.CRC32C.Header()},
		}
	}
	if less > 0 {
		body = io.MultiReader(io.LimitReader(body, req.Length-int64(less)), broken{})
	}
	req.Body = io.NopCloser(body)
	return req
}

// broken is the end of a body that is cut short.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errCut }

// bodySize is that of the uploads here: more than one chunk of a framed body.
const bodySize = 100_000

func pattern(seed byte) []byte { return bytes.Repeat([]byte{seed, 'o', 'k', '\n'}, bodySize/4) }

func (r *run) tryBody(m mode) outcome {
	key, content := "body/"+string(m), pattern('b')
	a := r.do(r.upload(r.on(http.MethodPut, key, "", nil), content, m, 0))
	if !a.ok() {
		return fails(a.said())
	}
	b := r.get(key)
	switch {
	case !b.ok():
		return fails("it cannot be read back: " + b.said())
	case !bytes.Equal(b.body, content) && bytes.Contains(b.body, []byte("\r\n")):
		return fails("the chunk framing was stored as data")
	case !bytes.Equal(b.body, content):
		return fails("other bytes came back")
	case m == trailer && b.header.Get("Content-Encoding") != "":
		return differs("Content-Encoding "+clip(b.header.Get("Content-Encoding"))+" was kept", "clients see an encoding that the object has not")
	}
	return works("")
}

// cuts sends uploads that stop half-way, and one byte before the end, onto keys
// that are there and that are not, and then watches all of them for a while.
func (r *run) cuts(modes []mode) {
	old := []byte("as it was before")
	type watched struct {
		mode  mode
		key   string
		whole []byte // what must be there, nil for nothing
		how   string
	}
	var all []watched
	for _, m := range modes {
		for _, c := range []struct {
			name, how string
			less      int
		}{{"half", "half of it", bodySize / 2}, {"last", "all but its last byte", 1}} {
			fresh, there := "cut/"+string(m)+"/fresh-"+c.name, "cut/"+string(m)+"/there-"+c.name
			if a := r.put(there, old, nil); !a.ok() {
				r.cut[m] = "it cannot be told: " + a.said()
			}
			for _, key := range []string{fresh, there} {
				r.do(r.upload(r.on(http.MethodPut, key, "", nil), pattern('c'), m, c.less))
			}
			all = append(all, watched{m, fresh, nil, "a new object holds " + c.how}, watched{m, there, old, "an object was overwritten with " + c.how})
		}
	}
	for _, pause := range r.Settle {
		r.wait(pause)
		for _, w := range all {
			a := r.get(w.key)
			switch {
			case r.cut[w.mode] != "":
			case w.whole == nil && a.refused(), w.whole != nil && a.ok() && bytes.Equal(a.body, w.whole):
			case a.ok():
				r.cut[w.mode] = w.how
			default:
				r.cut[w.mode] = "it cannot be told: " + a.said()
			}
		}
	}
}

func (r *run) tryCut(m mode) outcome {
	if r.cut == nil {
		r.cut = map[mode]string{}
		modes := []mode{hashed}
		for _, m := range []mode{unsigned, trailer} {
			if r.worked(string(m)) {
				modes = append(modes, m)
			}
		}
		r.cuts(modes)
	}
	if how := r.cut[m]; how != "" {
		return fails(how)
	}
	return works("")
}

func (r *run) worked(id string) bool { return r.results[id] == Works || r.results[id] == Differs }

// tryMode decides the mode: passthrough where nothing is lost by it, reframe
// where only a trailer tells the store that an upload was cut, plain where it
// knows no trailers.
func tryMode(r *run) outcome {
	var (
		set          = r.S3.Mode
		plainIsSafe  = r.worked("unsigned") && r.worked("cut-unsigned") && r.worked("cut-part")
		framedWorks  = r.worked("trailer")
		framedIsSafe = framedWorks && r.worked("cut-trailer") && r.worked("cut-part-trailer")
		fits         upstream.Mode
		why          string
	)
	if set == "" {
		set = upstream.Passthrough
	}
	switch {
	case plainIsSafe && framedIsSafe:
		fits, why = upstream.Passthrough, "it knows trailers, and stores nothing that was cut short"
	case framedIsSafe:
		fits, why = upstream.Reframe, "without a checksum trailer it stores uploads that were cut short"
	case plainIsSafe && !framedWorks:
		fits, why = upstream.Plain, "it knows no checksum trailers"
	case plainIsSafe:
		fits, why = upstream.Plain, "it stores framed uploads that were cut short"
	default:
		return fails("none is safe: it stores uploads that were cut short in every mode")
	}
	switch {
	case set == fits:
		return works(string(set) + ": " + why)
	case fits == upstream.Passthrough: // then the others are safe too
		return works(string(set))
	}
	r.advise("mode", string(fits), why, true)
	return fails(string(set) + " is set")
}
