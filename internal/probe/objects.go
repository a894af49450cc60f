package probe

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"daypass/internal/sigv4"
)

// objectTrials are what every client does.
var objectTrials = []trial{
	{id: "put", what: "put an object, its hash signed", needs: "make-bucket", needed: true, means: "nothing can be stored", try: tryPut},
	{id: "get", what: "get it, bytes and headers", needs: "put", needed: true, means: "what was stored does not come back as it was", try: tryGet},
	{id: "head", what: "head it", needs: "put", needed: true, means: "sync and existence tests fail", try: tryHead},
	{id: "empty", what: "put and get an empty object", needs: "put", needed: true, means: "empty files, folders and markers cannot be stored", try: tryEmpty},
	{id: "overwrite", what: "overwrite an object", needs: "get", needed: true, means: "objects cannot be changed", try: tryOverwrite},
	{id: "range", what: "get ranges", needs: "get", needed: true, means: "large downloads in parts and resumed ones are wrong", try: tryRange},
	{id: "list-v1", what: "list objects, version 1, in pages", needs: "put", needed: true, means: "old clients see wrong listings", try: func(r *run) outcome { return r.tryList("") }},
	{id: "list-v2", what: "list objects, version 2, in pages", needs: "put", needed: true, means: "clients see wrong listings", try: func(r *run) outcome { return r.tryList("list-type=2&") }},
	{id: "delimiter", what: "list with a delimiter", needs: "list-v2", needed: true, means: "clients see no folders", try: tryDelimiter},
	{id: "delete", what: "delete an object", needs: "put", needed: true, means: "nothing can be deleted", try: tryDelete},
	{id: "delete-many", what: "delete objects, many in one request", needs: "put", needed: true, means: "recursive deletes and sync --delete fail", try: tryDeleteMany},
	{id: "errors", what: "errors are S3's", needs: "put", try: tryErrors, means: "clients that ask whether something exists are misled"},
	{id: "get-if", what: "conditional get", needs: "get", means: "caches fetch everything anew", try: tryGetIf},
	{id: "put-if", what: "conditional put", needs: "overwrite", means: "clients that lock or create by If-None-Match or If-Match overwrite each other without a word", try: tryPutIf},
	{id: "copy", what: "copy an object", needs: "get", means: "renames and server-side copies fail", try: tryCopy},
	{id: "checksum", what: "checksums are kept and returned", needs: "get", means: "clients cannot compare a download with a checksum that they stored", try: tryChecksum},
}

func tryPut(r *run) outcome {
	a := r.put("first", []byte("first"), http.Header{"Content-Type": {"text/x-check"}, "X-Amz-Meta-Check": {"kept"}, "Cache-Control": {"no-cache"}})
	if !a.ok() {
		return fails(a.said())
	}
	return works("")
}

func tryGet(r *run) outcome {
	a := r.get("first")
	switch {
	case !a.ok():
		return fails(a.said())
	case string(a.body) != "first":
		return fails("other bytes came back")
	}
	var lost []string
	for name, want := range map[string]string{"Content-Type": "text/x-check", "X-Amz-Meta-Check": "kept", "Cache-Control": "no-cache"} {
		if a.header.Get(name) != want {
			lost = append(lost, name)
		}
	}
	if len(lost) > 0 {
		slices.Sort(lost)
		return differs("lost: "+strings.Join(lost, ", "), "clients that rely on these headers are misled")
	}
	if a.header.Get("Etag") == "" || a.header.Get("Last-Modified") == "" {
		return differs("no ETag or Last-Modified", "sync tools cannot tell what changed")
	}
	return works("")
}

func tryHead(r *run) outcome {
	a := r.do(r.on(http.MethodHead, "first", "", nil))
	if !a.ok() || a.header.Get("Content-Length") != "5" {
		return fails(a.said() + ", length " + a.header.Get("Content-Length"))
	}
	return works("")
}

func tryEmpty(r *run) outcome {
	if a := r.put("empty", nil, nil); !a.ok() {
		return fails(a.said())
	}
	if !r.has("empty", nil) {
		return fails("it does not come back")
	}
	return works("")
}

func tryOverwrite(r *run) outcome {
	for _, text := range []string{"longer than the next", "short"} {
		if a := r.put("over", []byte(text), nil); !a.ok() {
			return fails(a.said())
		}
	}
	if a := r.get("over"); string(a.body) != "short" {
		return fails("the old bytes came back: " + a.said())
	}
	return works("")
}

func tryRange(r *run) outcome {
	for _, t := range []struct {
		span, want string
		status     int
	}{
		{"bytes=1-2", "ir", 206}, {"bytes=3-", "st", 206}, {"bytes=-1", "t", 206}, {"bytes=9-", "", 416},
	} {
		a := r.do(r.on(http.MethodGet, "first", "", http.Header{"Range": {t.span}}))
		if a.status != t.status || t.status == 206 && string(a.body) != t.want {
			return fails(t.span + ": " + a.said())
		}
	}
	return works("")
}

// listing is the answer of both listings.
type listing struct {
	Keys      []string `xml:"Contents>Key"`
	Prefixes  []string `xml:"CommonPrefixes>Prefix"`
	Truncated bool     `xml:"IsTruncated"`
	Next      string   `xml:"NextContinuationToken"`
	Encoding  string   `xml:"EncodingType"`
}

// decoded is the keys as they are: not every store encodes them when asked.
func (l *listing) decoded() []string {
	if l.Encoding != "url" {
		return l.Keys
	}
	out := make([]string, len(l.Keys))
	for i, key := range l.Keys {
		out[i] = unescape(key)
	}
	return out
}

// listKeys lists a prefix in pages of most.
func (r *run) listKeys(version, prefix, most string) (keys []string, said string) {
	after := ""
	for range 100 {
		a := r.do(r.on(http.MethodGet, "", version+"encoding-type=url&max-keys="+most+"&prefix="+queryValue(prefix)+after, nil))
		var page listing
		if err := a.decode(&page); err != nil {
			return keys, err.Error()
		}
		keys = append(keys, page.decoded()...)
		if !page.Truncated || len(page.Keys) == 0 {
			return keys, ""
		}
		after = "&marker=" + queryValue(keys[len(keys)-1])
		if version != "" {
			after = "&continuation-token=" + queryValue(page.Next)
		}
	}
	return keys, "the listing has no end"
}

func (r *run) tryList(version string) outcome {
	want := []string{"list/a", "list/b", "list/c"}
	for _, key := range want {
		if a := r.put(key, []byte(key), nil); !a.ok() {
			return fails(a.said())
		}
	}
	got, said := r.listKeys(version, "list/", "2")
	switch {
	case said != "":
		return fails(said)
	case !slices.Equal(got, want):
		return fails("listed " + clip(strings.Join(got, " ")) + " in place of " + strings.Join(want, " "))
	}
	return works("")
}

func tryDelimiter(r *run) outcome {
	a := r.do(r.on(http.MethodGet, "", "list-type=2&delimiter=%2F&encoding-type=url&prefix=", nil))
	var page listing
	if err := a.decode(&page); err != nil {
		return fails(err.Error())
	}
	if !slices.ContainsFunc(page.Prefixes, func(p string) bool { return unescape(p) == "list/" }) || slices.ContainsFunc(page.decoded(), func(k string) bool { return strings.Contains(k, "/") }) {
		return fails("the folder list/ is not shown as one")
	}
	return works("")
}

func tryDelete(r *run) outcome {
	if a := r.do(r.on(http.MethodDelete, "list/a", "", nil)); !a.ok() {
		return fails(a.said())
	}
	if a := r.get("list/a"); a.status != http.StatusNotFound {
		return fails("it is still there: " + a.said())
	}
	if a := r.do(r.on(http.MethodDelete, "list/a", "", nil)); !a.ok() {
		return differs("of what is not there: "+a.said(), "S3 answers 204; clients that clean up twice see an error")
	}
	return works("")
}

func tryDeleteMany(r *run) outcome {
	a := r.do(r.document(http.MethodPost, "", "delete=", `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>list/b</Key></Object><Object><Key>list/c</Key></Object></Delete>`))
	if !a.ok() {
		return fails(a.said())
	}
	for _, key := range []string{"list/b", "list/c"} {
		if a := r.get(key); a.status != http.StatusNotFound {
			return fails("an object is still there: " + a.said())
		}
	}
	return works("")
}

func tryErrors(r *run) outcome {
	missing := r.get("not-there")
	head := r.do(r.on(http.MethodHead, "not-there", "", nil))
	req := r.on(http.MethodGet, "", "list-type=2", nil)
	req.Bucket = NewBucket()
	bucket := r.do(req)
	switch {
	case missing.status != 404 || head.status != 404 || bucket.status != 404:
		return fails("missing key: " + missing.said() + ", head: " + head.said() + ", missing bucket: " + bucket.said())
	case missing.code() != "NoSuchKey" || bucket.code() != "NoSuchBucket":
		return differs("missing key: "+missing.said()+", missing bucket: "+bucket.said(), "the gate passes the codes on, and some clients look at them")
	}
	return works("")
}

func tryGetIf(r *run) outcome {
	a := r.get("first")
	tag := a.header.Get("Etag")
	for _, t := range []struct {
		name, value string
		status      int
	}{
		{"If-None-Match", tag, 304}, {"If-Match", tag, 200}, {"If-Match", `"00000000000000000000000000000000"`, 412},
	} {
		if b := r.do(r.on(http.MethodGet, "first", "", http.Header{t.name: {t.value}})); b.status != t.status {
			return fails(t.name + ": " + b.said())
		}
	}
	since := http.Header{"If-Modified-Since": {a.header.Get("Last-Modified")}}
	if b := r.do(r.on(http.MethodGet, "first", "", since)); b.status != http.StatusNotModified {
		return differs("If-Modified-Since: "+b.said(), "caches that go by time fetch everything anew")
	}
	return works("")
}

func tryPutIf(r *run) outcome {
	if a := r.put("over", []byte("lost"), http.Header{"If-None-Match": {"*"}}); a.status != http.StatusPreconditionFailed {
		return fails("If-None-Match: * on an object that is there: " + a.said())
	}
	if a := r.put("once", []byte("once"), http.Header{"If-None-Match": {"*"}}); !a.ok() {
		return fails("If-None-Match: * on one that is not: " + a.said())
	}
	if a := r.put("over", []byte("lost"), http.Header{"If-Match": {`"00000000000000000000000000000000"`}}); a.status != http.StatusPreconditionFailed {
		return differs("If-Match: "+a.said(), "If-None-Match works; clients that update by If-Match overwrite each other without a word")
	}
	return works("")
}

func tryCopy(r *run) outcome {
	source := "/" + r.bucket + "/first"
	if a := r.do(r.on(http.MethodPut, "copied", "", http.Header{"X-Amz-Copy-Source": {source}})); !a.ok() {
		return fails(a.said())
	}
	b := r.get("copied")
	if string(b.body) != "first" || b.header.Get("X-Amz-Meta-Check") != "kept" {
		return fails("the copy is another: " + b.said())
	}
	h := http.Header{"X-Amz-Copy-Source": {source}, "X-Amz-Metadata-Directive": {"REPLACE"}, "X-Amz-Meta-Check": {"new"}}
	if a := r.do(r.on(http.MethodPut, "copied", "", h)); !a.ok() {
		return fails("with new metadata: " + a.said())
	}
	if c := r.do(r.on(http.MethodHead, "copied", "", nil)); c.header.Get("X-Amz-Meta-Check") != "new" {
		return differs("metadata is not replaced", "changing metadata and storage class in place has no effect")
	}
	return works("")
}

func tryChecksum(r *run) outcome {
	content := []byte("checked")
	h := sigv4.CRC32C.New()
	h.Write(content)
	sum := base64.StdEncoding.EncodeToString(h.Sum(nil))
	if a := r.put("checked", content, http.Header{"X-Amz-Checksum-Crc32c": {sum}}); !a.ok() {
		return fails(a.said())
	}
	if a := r.get("checked"); !bytes.Equal(a.body, content) {
		return fails("other bytes came back: " + a.said())
	}
	a := r.do(r.on(http.MethodHead, "checked", "", http.Header{"X-Amz-Checksum-Mode": {"ENABLED"}}))
	if got := a.header.Get("X-Amz-Checksum-Crc32c"); got != sum {
		return differs("not returned", "the gate checks them on the way in; clients cannot ask for them later")
	}
	return works("")
}
