package probe

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"daypass/internal/upstream"
)

// Subresource is an operation that the gateway passes on to the store, and that
// only a sub-resource tells apart from a right over the bucket or object itself.
type Subresource struct {
	Operation, Method string
	Object            bool   // on an object, else on a bucket
	Query             string // encoded
	OptIn             bool   // passed on where the upstream enables it only
}

// noVersion is an ID that looks like one.
const noVersion = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// Subresources are all of them. Those of POST are left out: without one, POST is
// a form upload, which ours are not.
var Subresources = []Subresource{
	{"ListObjectVersions", "GET", false, "versions=", false},
	{"ListMultipartUploads", "GET", false, "uploads=", false},
	{"GetBucketVersioning", "GET", false, "versioning=", false},
	{"PutBucketVersioning", "PUT", false, "versioning=", false},
	{"GetBucketCors", "GET", false, "cors=", false},
	{"PutBucketCors", "PUT", false, "cors=", false},
	{"DeleteBucketCors", "DELETE", false, "cors=", false},
	{"GetBucketTagging", "GET", false, "tagging=", false},
	{"PutBucketTagging", "PUT", false, "tagging=", false},
	{"DeleteBucketTagging", "DELETE", false, "tagging=", false},
	{"GetObjectLockConfiguration", "GET", false, "object-lock=", false},
	{"PutObjectLockConfiguration", "PUT", false, "object-lock=", false},
	{"GetBucketLifecycleConfiguration", "GET", false, "lifecycle=", true},
	{"PutBucketLifecycleConfiguration", "PUT", false, "lifecycle=", true},
	{"DeleteBucketLifecycle", "DELETE", false, "lifecycle=", true},
	{"GetBucketEncryption", "GET", false, "encryption=", true},
	{"PutBucketEncryption", "PUT", false, "encryption=", true},
	{"DeleteBucketEncryption", "DELETE", false, "encryption=", true},
	{"GetBucketNotificationConfiguration", "GET", false, "notification=", true},
	{"PutBucketNotificationConfiguration", "PUT", false, "notification=", true},
	{"GetBucketLogging", "GET", false, "logging=", true},
	{"PutBucketLogging", "PUT", false, "logging=", true},
	{"GetBucketWebsite", "GET", false, "website=", true},
	{"PutBucketWebsite", "PUT", false, "website=", true},
	{"DeleteBucketWebsite", "DELETE", false, "website=", true},
	{"GetBucketReplication", "GET", false, "replication=", true},
	{"PutBucketReplication", "PUT", false, "replication=", true},
	{"UploadPart", "PUT", true, "partNumber=1&uploadId=none", false},
	{"AbortMultipartUpload", "DELETE", true, "uploadId=none", false},
	{"ListParts", "GET", true, "uploadId=none", false},
	{"GetObjectTagging", "GET", true, "tagging=", false},
	{"PutObjectTagging", "PUT", true, "tagging=", false},
	{"DeleteObjectTagging", "DELETE", true, "tagging=", false},
	{"GetObjectRetention", "GET", true, "retention=", false},
	{"PutObjectRetention", "PUT", true, "retention=", false},
	{"GetObjectLegalHold", "GET", true, "legal-hold=", false},
	{"PutObjectLegalHold", "PUT", true, "legal-hold=", false},
	{"GetObject of a version", "GET", true, "versionId=" + noVersion, false},
	{"DeleteObject of a version", "DELETE", true, "versionId=" + noVersion, false},
}

var subresourceTrials = []trial{
	{
		id: "overlooked", what: "sub-resources are not overlooked", needs: "get overwrite delete", needed: true,
		means: "who may do no more than that can list, make, read, overwrite or delete what it hangs on", try: tryServed,
	},
	{id: "enable", what: "sub-resources that could be enabled are not overlooked", needs: "get overwrite delete", try: tryOptIn},
}

// tryServed tries what is passed on as the upstream is set.
func tryServed(r *run) outcome {
	overlooked, said := r.overlooked(func(s *Subresource) bool { return !s.OptIn || slices.Contains(r.S3.Enable, s.Operation) })
	if said != "" {
		return fails("it cannot be told: " + said)
	}
	if len(overlooked) == 0 {
		return works("")
	}
	if bad := intersect(r.S3.Enable, overlooked); len(bad) > 0 {
		r.advise("enable", "without "+strings.Join(bad, ", "), "it overlooks these sub-resources", true)
	}
	return fails("it overlooks those of " + strings.Join(overlooked, ", "))
}

// tryOptIn tries what would be passed on if it was enabled.
func tryOptIn(r *run) outcome {
	overlooked, said := r.overlooked(func(s *Subresource) bool { return s.OptIn && !slices.Contains(r.S3.Enable, s.Operation) })
	if said != "" {
		return fails("it cannot be told: " + said)
	}
	if len(overlooked) == 0 {
		return works("")
	}
	return differs("it overlooks those of "+strings.Join(overlooked, ", "), "do not enable these: the store would do something else")
}

func intersect(a, b []string) (both []string) {
	for _, s := range a {
		if slices.Contains(b, s) {
			both = append(both, s)
		}
	}
	return both
}

// overlooked tries some sub-resources, in a bucket of their own, since one that
// is overlooked may delete it. said is why it cannot be told.
func (r *run) overlooked(which func(*Subresource) bool) (names []string, said string) {
	t := &overlooking{run: r, bucket: r.bucket + "-sub", fresh: r.bucket + "-new"}
	for _, name := range []string{t.bucket, t.fresh} {
		if !slices.Contains(r.extra, name) {
			r.extra = append(r.extra, name)
		}
	}
	if there, err := t.there(t.fresh); err != nil || there {
		return nil, fmt.Sprintf("%s is there: %v %v", t.fresh, there, err)
	}
	for i := range Subresources {
		s := &Subresources[i]
		if !which(s) {
			continue
		}
		overlooks, err := t.overlooks(s)
		if err != nil {
			return nil, s.Operation + ": " + err.Error()
		}
		if overlooks {
			names = append(names, s.Operation)
		}
	}
	t.ask(http.MethodDelete, t.bucket, subKey, "", nil)
	return names, ""
}

// overlooking is the place where sub-resources are tried.
type overlooking struct {
	*run
	bucket string // is there
	fresh  string // is not
}

const subKey = "object"

var (
	subContent  = []byte("what hangs here")
	subDocument = []byte("<Check/>") // nothing that a store could know
)

func (t *overlooking) ask(method, bucket, key, query string, body []byte) answer {
	return t.do(withBody(&upstream.Request{Method: method, Bucket: bucket, Key: key, Query: query}, body))
}

func (t *overlooking) there(bucket string) (bool, error) {
	a := t.ask(http.MethodHead, bucket, "", "", nil)
	if !a.ok() && a.status != http.StatusNotFound {
		return false, errors.New("head: " + a.said())
	}
	return a.ok(), nil
}

// overlooks tells for one.
func (t *overlooking) overlooks(s *Subresource) (bool, error) {
	there, err := t.there(t.bucket)
	if err != nil {
		return false, err
	}
	if !there {
		if a := t.makeBucket(t.u, t.bucket, nil); !a.ok() {
			return false, errors.New("make a bucket: " + a.said())
		}
	}
	if s.Object {
		return t.ofObject(s)
	}
	return t.ofBucket(s)
}

func (t *overlooking) ofBucket(s *Subresource) (bool, error) {
	bucket := t.bucket
	req := &upstream.Request{Method: s.Method, Bucket: bucket, Query: s.Query}
	if s.Method == http.MethodPut { // a bucket would be made
		bucket = t.fresh
		req = bucketRequest(t.u, bucket, nil)
		req.Query = s.Query
	}
	a := t.do(req)
	if !a.answered() {
		return false, errors.New(a.said())
	}
	if s.Method == http.MethodGet {
		var root struct{ XMLName xml.Name }
		return a.decode(&root) == nil && root.XMLName.Local == "ListBucketResult", nil
	}
	there, err := t.there(bucket)
	switch {
	case err != nil:
		return false, err
	case s.Method == http.MethodDelete:
		return !there || a.code() == "BucketNotEmpty", nil
	case there:
		t.ask(http.MethodDelete, bucket, "", "", nil)
	}
	return there, nil
}

func (t *overlooking) ofObject(s *Subresource) (bool, error) {
	if a := t.ask(http.MethodPut, t.bucket, subKey, "", subContent); !a.ok() {
		return false, errors.New("put: " + a.said())
	}
	var body []byte
	if s.Method == http.MethodPut {
		body = subDocument
	}
	a := t.ask(s.Method, t.bucket, subKey, s.Query, body)
	if !a.answered() {
		return false, errors.New(a.said())
	}
	if s.Method == http.MethodGet {
		return a.ok() && bytes.Equal(a.body, subContent), nil
	}
	after := t.ask(http.MethodGet, t.bucket, subKey, "", nil)
	switch {
	case after.ok():
		return !bytes.Equal(after.body, subContent), nil
	case after.status == http.StatusNotFound:
		return true, nil
	}
	return false, errors.New("get: " + after.said())
}

// answered reports whether an answer tells something: that a store does not know
// a thing is an answer, that it fails is none.
func (a answer) answered() bool {
	return a.err == nil && (a.status < http.StatusInternalServerError || a.status == http.StatusNotImplemented)
}
