package probe

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strings"
)

// featureTrials are what some clients use. What a store has not is refused
// through the gate as by the store.
var featureTrials = []trial{
	{id: "tagging", what: "tags of objects", needs: "put", means: "no object tags, nor policies on s3:ExistingObjectTag", try: tryTagging},
	{id: "bucket-tagging", what: "tags of buckets", needs: "put", means: "no bucket tags", try: func(r *run) outcome {
		return r.trySubresource("tagging", `<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>check</Key><Value>kept</Value></Tag></TagSet></Tagging>`, "kept")
	}},
	{id: "cors", what: "CORS rules of buckets", needs: "put", means: "browsers cannot use the store from other sites", try: func(r *run) outcome {
		return r.trySubresource("cors", `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>https://check.example</AllowedOrigin></CORSRule></CORSConfiguration>`, "https://check.example")
	}},
	{id: "lifecycle", what: "lifecycle rules of buckets", needs: "put", means: "nothing expires by itself", try: func(r *run) outcome {
		return r.trySubresource("lifecycle", `<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ID>check</ID><Filter><Prefix>never/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>3650</Days></Expiration></Rule></LifecycleConfiguration>`, "never/")
	}},
	{id: "versioning", what: "versioning", needs: "overwrite delete", means: "what is overwritten or deleted is gone", try: tryVersioning},
	{id: "object-lock", what: "object lock", needs: "make-bucket", means: "no retention, no legal holds", try: tryLock},
	{id: "sts", what: "the token service answers", needs: "reach", means: "token services cannot hand out keys of this store", try: trySTS},
}

func tryTagging(r *run) outcome {
	if a := r.put("tagged", []byte("tagged"), http.Header{"X-Amz-Tagging": {"by=header"}}); !a.ok() {
		return fails("with the object: " + a.said())
	}
	a := r.do(r.on(http.MethodGet, "tagged", "tagging=", nil))
	if !a.ok() {
		return fails(a.said())
	}
	header := bytes.Contains(a.body, []byte("<Value>header</Value>"))
	p := r.do(r.document(http.MethodPut, "tagged", "tagging=", `<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>by</Key><Value>document</Value></Tag></TagSet></Tagging>`))
	if !p.ok() {
		return fails(p.said())
	}
	if a = r.do(r.on(http.MethodGet, "tagged", "tagging=", nil)); !bytes.Contains(a.body, []byte("<Value>document</Value>")) {
		return fails("they do not come back: " + a.said())
	}
	if !header {
		return differs("x-amz-tagging is ignored", "tags given with an upload are lost")
	}
	return works("")
}

// trySubresource puts a document of the bucket and looks whether it is there.
func (r *run) trySubresource(name, document, kept string) outcome {
	if a := r.do(r.document(http.MethodPut, "", name+"=", document)); !a.ok() {
		return fails(a.said())
	}
	if a := r.do(r.on(http.MethodGet, "", name+"=", nil)); !a.ok() || !bytes.Contains(a.body, []byte(kept)) {
		return fails("it does not come back: " + a.said())
	}
	if a := r.do(r.on(http.MethodDelete, "", name+"=", nil)); !a.ok() {
		return differs("it cannot be removed: "+a.said(), "")
	}
	return works("")
}

// versions is a listing of versions.
type versions struct {
	Versions  []version `xml:"Version"`
	Markers   []version `xml:"DeleteMarker"`
	Truncated bool      `xml:"IsTruncated"`
	Key       string    `xml:"NextKeyMarker"`
	ID        string    `xml:"NextVersionIdMarker"`
}

type version struct {
	Key string `xml:"Key"`
	ID  string `xml:"VersionId"`
}

func tryVersioning(r *run) outcome {
	if a := r.do(r.document(http.MethodPut, "", "versioning=", `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>`)); !a.ok() {
		return fails(a.said())
	}
	one, two := r.put("versions/x", []byte("one"), nil), r.put("versions/x", []byte("two"), nil)
	first := one.header.Get("X-Amz-Version-Id")
	if first == "" || first == two.header.Get("X-Amz-Version-Id") {
		return fails("uploads get no version IDs")
	}
	if a := r.do(r.on(http.MethodDelete, "versions/x", "", nil)); a.header.Get("X-Amz-Delete-Marker") != "true" {
		return fails("deleting makes no delete marker: " + a.said())
	}
	if a := r.do(r.on(http.MethodGet, "versions/x", "versionId="+queryValue(first), nil)); string(a.body) != "one" {
		return fails("the old version does not come back: " + a.said())
	}
	a := r.do(r.on(http.MethodGet, "", "versions=&prefix=versions%2F", nil))
	var list versions
	if err := a.decode(&list); err != nil || len(list.Versions) != 2 || len(list.Markers) != 1 {
		return fails("the list of versions is wrong: " + a.said())
	}
	return works("")
}

// tryLock makes a bucket of its own: lock is switched on when one is made.
// Nothing in it is locked.
func tryLock(r *run) outcome {
	name := r.bucket + "-lock"
	r.extra = append(r.extra, name)
	if a := r.makeBucket(r.u, name, http.Header{"X-Amz-Bucket-Object-Lock-Enabled": {"true"}}); !a.ok() {
		return fails(a.said())
	}
	req := r.on(http.MethodGet, "", "object-lock=", nil)
	req.Bucket = name
	a := r.do(req)
	var lock struct {
		XMLName xml.Name
		Enabled string `xml:"ObjectLockEnabled"`
	}
	if err := a.decode(&lock); err != nil || !strings.EqualFold(lock.Enabled, "Enabled") {
		return fails("the bucket has none: " + a.said())
	}
	return works("")
}
