package probe

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
)

// partTrials are about multipart uploads.
var partTrials = []trial{
	{id: "multipart", what: "multipart upload", needs: "get", needed: true, means: "large files cannot be stored: every client splits them", try: tryMultipart},
	{id: "multipart-abort", what: "abort a multipart upload", needs: "multipart", needed: true, means: "what was given up stays and costs room", try: tryAbort},
	{id: "cut-part", what: "a part cut short does not count: UNSIGNED-PAYLOAD", needs: "multipart", means: "in modes passthrough and plain a client that goes away leaves a truncated part", try: func(r *run) outcome { return r.tryCutPart(unsigned) }},
	{id: "cut-part-trailer", what: "a part cut short does not count: trailer", needs: "multipart trailer", means: "a client that goes away leaves a truncated part, even in mode reframe", try: func(r *run) outcome { return r.tryCutPart(trailer) }},
	{id: "mode", what: "the mode that is set is the right one", needs: "multipart", needed: true, means: "uploads are refused, or stored truncated", try: tryMode},
	{id: "multipart-copy", what: "copy into a part", needs: "multipart", means: "server-side copies of large objects fail", try: tryPartCopy},
}

// minPart is the least size of a part that is not the last.
const minPart = 5 << 20

func (r *run) begin(key string) (id string, a answer) {
	a = r.do(r.on(http.MethodPost, key, "uploads=", nil))
	var made struct {
		ID string `xml:"UploadId"`
	}
	if a.decode(&made) != nil {
		return "", a
	}
	return made.ID, a
}

func partQuery(id string, number int) string {
	return "partNumber=" + strconv.Itoa(number) + "&uploadId=" + queryValue(id)
}

func queryValue(s string) string { return strings.ReplaceAll(encodeKey(s), "/", "%2F") }

func (r *run) complete(key, id string, tags ...string) answer {
	var b strings.Builder
	b.WriteString(`<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	for i, tag := range tags {
		b.WriteString("<Part><PartNumber>" + strconv.Itoa(i+1) + "</PartNumber><ETag>" + tag + "</ETag></Part>")
	}
	b.WriteString("</CompleteMultipartUpload>")
	return r.do(withBody(r.on(http.MethodPost, key, "uploadId="+queryValue(id), nil), []byte(b.String())))
}

func tryMultipart(r *run) outcome {
	const key = "parts/whole"
	id, a := r.begin(key)
	if id == "" {
		return fails("begin: " + a.said())
	}
	parts := [][]byte{bytes.Repeat([]byte("part one"), minPart/8), []byte("part two")}
	var tags []string
	for i, content := range parts {
		p := r.do(r.upload(r.on(http.MethodPut, key, partQuery(id, i+1), nil), content, unsigned, 0))
		if !p.ok() {
			return fails("part: " + p.said())
		}
		tags = append(tags, p.header.Get("Etag"))
	}
	if got, said := r.parts(key, id); got != 2 {
		return fails("list of parts: " + strconv.Itoa(got) + " in place of 2 " + said)
	}
	if !r.get(key).refused() {
		return fails("the object is there before it is complete")
	}
	if c := r.complete(key, id, tags...); !c.ok() || c.wireError().Code != "" || bytes.Contains(c.body, []byte("<Error>")) {
		return fails("complete: " + c.said())
	}
	if !r.has(key, bytes.Join(parts, nil)) {
		return fails("other bytes came back")
	}
	return works("")
}

// parts counts the parts that an upload has.
func (r *run) parts(key, id string) (n int, said string) {
	a := r.do(r.on(http.MethodGet, key, "uploadId="+queryValue(id), nil))
	var list struct {
		Parts []int `xml:"Part>PartNumber"`
	}
	if err := a.decode(&list); err != nil {
		return -1, a.said()
	}
	return len(list.Parts), ""
}

func tryAbort(r *run) outcome {
	const key = "parts/given-up"
	id, a := r.begin(key)
	if id == "" {
		return fails("begin: " + a.said())
	}
	r.do(r.upload(r.on(http.MethodPut, key, partQuery(id, 1), nil), []byte("part"), unsigned, 0))
	if a := r.do(r.on(http.MethodDelete, key, "uploadId="+queryValue(id), nil)); !a.ok() {
		return fails(a.said())
	}
	if a := r.do(r.on(http.MethodGet, key, "uploadId="+queryValue(id), nil)); !a.refused() {
		return fails("the upload is still there: " + a.said())
	}
	if a := r.get(key); a.status != http.StatusNotFound {
		return fails("an object came of it: " + a.said())
	}
	return works("")
}

func (r *run) tryCutPart(m mode) outcome {
	key := "parts/cut-" + string(m)
	id, a := r.begin(key)
	if id == "" {
		return fails("begin: " + a.said())
	}
	r.do(r.upload(r.on(http.MethodPut, key, partQuery(id, 1), nil), pattern('p'), m, 1))
	out := works("")
	for _, pause := range r.Settle {
		r.wait(pause)
		if n, said := r.parts(key, id); n != 0 {
			out = fails("the part is listed")
			if n < 0 {
				out = fails("it cannot be told: " + said)
			}
		}
	}
	r.do(r.on(http.MethodDelete, key, "uploadId="+queryValue(id), nil))
	return out
}

func tryPartCopy(r *run) outcome {
	const key = "parts/copied"
	id, a := r.begin(key)
	if id == "" {
		return fails("begin: " + a.said())
	}
	c := r.do(r.on(http.MethodPut, key, partQuery(id, 1), http.Header{"X-Amz-Copy-Source": {"/" + r.bucket + "/first"}}))
	var made struct {
		Tag string `xml:"ETag"`
	}
	if err := c.decode(&made); err != nil {
		r.do(r.on(http.MethodDelete, key, "uploadId="+queryValue(id), nil))
		return fails(c.said())
	}
	if a := r.complete(key, id, made.Tag); !a.ok() || !r.has(key, []byte("first")) {
		return fails("complete: " + a.said())
	}
	return works("")
}
