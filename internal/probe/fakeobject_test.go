package probe

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"daypass/internal/sigv4"
)

// read reads an upload as its mode says; ok false means that it was refused.
func (f *fake) read(w http.ResponseWriter, r *http.Request) (data []byte, ok bool) {
	m := hashed
	switch r.Header.Get("X-Amz-Content-Sha256") {
	case sigv4.UnsignedPayload:
		m = unsigned
		if r.URL.Query().Has("uploadId") {
			m = part
		}
	case sigv4.StreamingUnsignedTrailer:
		m = trailer
	}
	if m == trailer && f.noTrailers {
		refuse(w, 400, "XAmzContentSHA256Mismatch")
		return nil, false
	}
	var body io.Reader = r.Body
	if m == trailer && !f.literal {
		length, _ := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
		body = sigv4.NewTrailerReader(r.Body, length, sigv4.CRC32C)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		defer func() { f.cut <- struct{}{} }()
		return data, f.keepsCut[m]
	}
	return data, true
}

func (f *fake) object(w http.ResponseWriter, r *http.Request, b *fakeBucket, key string) {
	q := r.URL.Query()
	switch {
	case q.Has("tagging"):
		f.tags(w, r, b.newest(key))
	case q.Has("retention"), q.Has("legal-hold"):
		refuse(w, 400, "InvalidRequest")
	case q.Has("uploads"), q.Has("uploadId"):
		f.parts(w, r, b, key, q)
	case r.Method == "PUT":
		f.put(w, r, b, key)
	case r.Method == "DELETE":
		f.remove(w, b, key, q.Get("versionId"))
	default:
		f.get(w, r, b, key, q.Get("versionId"))
	}
}

func (f *fake) put(w http.ResponseWriter, r *http.Request, b *fakeBucket, key string) {
	o := fakeObject{header: http.Header{}}
	for name, values := range r.Header {
		if name == "Content-Type" || name == "Cache-Control" || strings.HasPrefix(name, "X-Amz-Checksum-") || !f.noMeta && strings.HasPrefix(name, "X-Amz-Meta-") {
			o.header[name] = values
		}
	}
	have := b.newest(key)
	switch match := r.Header.Get("If-Match"); {
	case f.ignoresIf:
	case r.Header.Get("If-None-Match") == "*" && have != nil, !f.ignoresIfMatch && match != "" && (have == nil || etag(have.data) != match):
		refuse(w, 412, "PreconditionFailed")
		return
	}
	if source := r.Header.Get("X-Amz-Copy-Source"); source != "" {
		from := f.source(source)
		if f.noCopy || from == nil {
			refuse(w, 501, "NotImplemented")
			return
		}
		o.data = from.data
		if r.Header.Get("X-Amz-Metadata-Directive") != "REPLACE" {
			o.header = from.header
		}
		defer fmt.Fprintf(w, "<R><ETag>%s</ETag></R>", etag(o.data))
	} else {
		var ok bool
		if o.data, ok = f.read(w, r); !ok {
			return
		}
	}
	if !f.noHeaderTags {
		o.tags = r.Header.Get("X-Amz-Tagging")
		if name, value, ok := strings.Cut(o.tags, "="); ok {
			o.tags = "<Tagging><TagSet><Tag><Key>" + name + "</Key><Value>" + value + "</Value></Tag></TagSet></Tagging>"
		}
	}
	if !b.versioned {
		b.objects[key] = nil
	} else {
		o.version = fmt.Sprintf("v%d", len(f.asked))
		w.Header().Set("X-Amz-Version-Id", o.version)
	}
	b.objects[key] = append(b.objects[key], o)
	w.Header().Set("Etag", etag(o.data))
}

func (f *fake) source(value string) *fakeObject {
	plain, _ := url.PathUnescape(value)
	bucket, key, _ := strings.Cut(strings.TrimPrefix(plain, "/"), "/")
	if b := f.buckets[bucket]; b != nil {
		return b.newest(key)
	}
	return nil
}

func (f *fake) get(w http.ResponseWriter, r *http.Request, b *fakeBucket, key, version string) {
	o := b.newest(key)
	if version != "" {
		o = nil
	}
	for i := range b.objects[key] {
		if b.objects[key][i].version == version && version != "" {
			o = &b.objects[key][i]
		}
	}
	if o == nil {
		refuse(w, 404, "NoSuchKey")
		return
	}
	h := w.Header()
	maps.Copy(h, o.header)
	h.Set("Etag", etag(o.data))
	if f.losesRange {
		r.Header.Del("Range")
	}
	http.ServeContent(w, r, "", now.Add(-1e9*3600), bytes.NewReader(o.data))
}

func (f *fake) remove(w http.ResponseWriter, b *fakeBucket, key, version string) {
	all := b.objects[key]
	switch {
	case f.noDelete:
		refuse(w, 403, "AccessDenied")
		return
	case version != "" && version != "null":
		all = slices.DeleteFunc(all, func(o fakeObject) bool { return o.version == version })
	case version == "null", !b.versioned:
		all = slices.DeleteFunc(all, func(o fakeObject) bool { return o.version == "" })
	default:
		w.Header().Set("X-Amz-Delete-Marker", "true")
		all = append(all, fakeObject{deleted: true, version: fmt.Sprintf("v%d", len(f.asked))})
	}
	if b.objects[key] = all; len(all) == 0 {
		delete(b.objects, key)
	}
	w.WriteHeader(204)
}

func (f *fake) tags(w http.ResponseWriter, r *http.Request, o *fakeObject) {
	switch {
	case f.noTags:
		refuse(w, 501, "NotImplemented")
	case o == nil:
		refuse(w, 404, "NoSuchKey")
	case r.Method == "PUT":
		text, _ := io.ReadAll(r.Body)
		o.tags = string(text)
	default:
		io.WriteString(w, o.tags)
	}
}

func (f *fake) parts(w http.ResponseWriter, r *http.Request, b *fakeBucket, key string, q url.Values) {
	id := q.Get("uploadId")
	u := b.uploads[id]
	number, _ := strconv.Atoi(q.Get("partNumber"))
	switch {
	case q.Has("uploads"):
		id = fmt.Sprintf("up/%d+", len(f.asked))
		b.uploads[id] = &fakeUpload{key, map[int][]byte{}}
		fmt.Fprintf(w, "<R><UploadId>%s</UploadId></R>", id)
	case u == nil:
		refuse(w, 404, "NoSuchUpload")
	case r.Method == "GET":
		io.WriteString(w, "<R>")
		for n := range u.parts {
			fmt.Fprintf(w, "<Part><PartNumber>%d</PartNumber></Part>", n)
		}
		io.WriteString(w, "</R>")
	case r.Method == "DELETE":
		if !f.keepsAborted {
			delete(b.uploads, id)
		}
		w.WriteHeader(204)
	case r.Method == "PUT" && r.Header.Get("X-Amz-Copy-Source") != "":
		from := f.source(r.Header.Get("X-Amz-Copy-Source"))
		u.parts[number] = from.data
		fmt.Fprintf(w, "<R><ETag>%s</ETag></R>", escape(etag(from.data)))
	case r.Method == "PUT":
		data, ok := f.read(w, r)
		if ok {
			u.parts[number] = data
			w.Header().Set("Etag", etag(data))
		}
	default:
		var in struct {
			Parts []int `xml:"Part>PartNumber"`
		}
		xml.NewDecoder(r.Body).Decode(&in)
		var whole []byte
		for _, n := range in.Parts {
			whole = append(whole, u.parts[n]...)
		}
		delete(b.uploads, id)
		b.objects[key] = []fakeObject{{data: whole, header: http.Header{}}}
		io.WriteString(w, "<R/>")
	}
}
