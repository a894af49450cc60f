package probe

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

type clock struct{}

func (clock) Now() time.Time { return now }

// fake is a store in memory that does what S3 does, as far as a check looks,
// and less where it is told.
type fake struct {
	// Defects.
	noTrailers, literal          bool
	keepsCut                     map[mode]bool // stores uploads that were cut short
	paths, foldsCase             bool          // takes other keys for one
	ignoresIf, ignoresIfMatch    bool
	noRights, silent             bool // may not list buckets; tells a wrong secret apart from that no more
	region                       string
	virtualOnly                  bool
	skew                         time.Duration
	noDelete, keepsAborted       bool
	plainText, noBuckets         bool
	noVersions, noTags, noCORS   bool
	noHeaderTags, noMeta, noLock bool
	losesRange, noCopy           bool
	keepsBucket                  bool
	overlooks                    string // METHOD and sub-resource that it takes no notice of

	// failsFrom is the number of the request from which on it only fails; 0 for never.
	failsFrom int

	mu      sync.Mutex
	buckets map[string]*fakeBucket
	cut     chan struct{} // one for each upload that was cut short and dealt with
	asked   []string      // method and path of every request
}

type fakeBucket struct {
	objects   map[string][]fakeObject // the newest last
	uploads   map[string]*fakeUpload
	documents map[string]string
	versioned bool
	lock      bool
}

type fakeObject struct {
	data    []byte
	header  http.Header
	tags    string
	version string
	deleted bool
}

type fakeUpload struct {
	key   string
	parts map[int][]byte
}

const (
	fakeKey    = "AKUP"
	fakeSecret = "secret"
)

// serve starts the store, and makes the upstream that leads to it.
func (f *fake) serve(t *testing.T) *upstream.S3 {
	t.Helper()
	f.buckets, f.cut = map[string]*fakeBucket{}, make(chan struct{}, 100)
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	endpoint, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := upstream.NewTransport(upstream.TransportConfig{})
	t.Cleanup(transport.CloseIdleConnections)
	return &upstream.S3{
		Name: "fake", Endpoint: endpoint, Region: "us-east-1", Clock: clock{}, Transport: settled{transport, f.cut},
		Credentials: func() (string, identity.Secret, error) { return fakeKey, fakeSecret, nil },
		Mode:        upstream.Passthrough, KeySemantics: upstream.KeysAreOpaque,
	}
}

// settled is a transport that comes back from an upload that was cut short when
// the store has dealt with it.
type settled struct {
	http.RoundTripper
	cut chan struct{}
}

func (s settled) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.RoundTripper.RoundTrip(r)
	if errors.Is(err, errCut) {
		select {
		case <-s.cut:
		case <-time.After(10 * time.Second):
			return nil, errors.New("the store has not seen an upload that was cut")
		}
	}
	return resp, err
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", now.Add(f.skew).Format(http.TimeFormat))
	signed, err := sigv4.Parse(r, sigv4.Rules{Service: "s3", S3: true}, now)
	if err == nil {
		err = signed.Check(sigv4.Derive(fakeSecret, signed.Date, signed.Region, "s3"), "")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.Method+" "+r.RequestURI)
	switch {
	case f.failsFrom > 0 && len(f.asked) >= f.failsFrom:
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			f.cut <- struct{}{}
		}
		refuse(w, 503, "SlowDown")
	case f.plainText:
		io.WriteString(w, "<html>hello</html>")
	case err != nil && f.silent:
		refuse(w, 403, "AccessDenied")
	case signed != nil && signed.AccessKeyID != fakeKey:
		refuse(w, 403, "InvalidAccessKeyId")
	case err != nil:
		refuse(w, 403, "SignatureDoesNotMatch")
	case f.region != "" && signed.Region != f.region:
		w.WriteHeader(400)
		fmt.Fprintf(w, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>%s</Region></Error>", f.region)
	default:
		f.route(w, r)
	}
}

func (f *fake) route(w http.ResponseWriter, r *http.Request) {
	target, _, _ := strings.Cut(r.RequestURI, "?")
	bucket, key, _ := strings.Cut(strings.TrimPrefix(target, "/"), "/")
	if label, _, ok := strings.Cut(r.Host, ".127.0.0.1"); ok {
		bucket, key = label, strings.TrimPrefix(target, "/")
	} else if f.virtualOnly && bucket != "" {
		refuse(w, 400, "InvalidRequest")
		return
	}
	key, _ = url.PathUnescape(key)
	if f.paths {
		key = strings.TrimPrefix(path.Clean("/"+bucket+"/"+key), "/"+bucket)
		key = strings.TrimPrefix(key, "/")
	}
	if f.foldsCase {
		key = strings.ToLower(key)
	}
	if method, sub, _ := strings.Cut(f.overlooks, " "); method == r.Method && r.URL.Query().Has(sub) {
		r.URL.RawQuery = ""
	}
	b := f.buckets[bucket]
	switch {
	case bucket == "":
		f.listBuckets(w)
	case key == "" && r.Method == "PUT" && r.URL.RawQuery == "":
		f.makeBucket(w, r, bucket)
	case b == nil:
		refuse(w, 404, "NoSuchBucket")
	case key == "":
		f.bucket(w, r, bucket, b)
	default:
		f.object(w, r, b, key)
	}
}

func (f *fake) listBuckets(w http.ResponseWriter) {
	if f.noRights {
		refuse(w, 403, "AccessDenied")
		return
	}
	io.WriteString(w, "<ListAllMyBucketsResult><Buckets>")
	for _, name := range slices.Sorted(maps.Keys(f.buckets)) {
		fmt.Fprintf(w, "<Bucket><Name>%s</Name></Bucket>", name)
	}
	io.WriteString(w, "</Buckets></ListAllMyBucketsResult>")
}

func (f *fake) makeBucket(w http.ResponseWriter, r *http.Request, name string) {
	lock := r.Header.Get("X-Amz-Bucket-Object-Lock-Enabled") == "true"
	if f.noBuckets || lock && f.noLock {
		refuse(w, 403, "AccessDenied")
		return
	}
	f.buckets[name] = &fakeBucket{objects: map[string][]fakeObject{}, uploads: map[string]*fakeUpload{}, documents: map[string]string{}, lock: lock}
}

func (f *fake) bucket(w http.ResponseWriter, r *http.Request, name string, b *fakeBucket) {
	q := r.URL.Query()
	for _, sub := range []string{"cors", "tagging", "lifecycle", "versioning", "object-lock", "encryption", "notification", "logging", "website", "replication"} {
		if q.Has(sub) {
			f.document(w, r, b, sub)
			return
		}
	}
	switch {
	case r.Method == "HEAD":
		w.Header().Set("X-Amz-Bucket-Region", cmp.Or(f.region, "us-east-1"))
	case r.Method == "DELETE" && (f.keepsBucket || len(b.objects)+len(b.uploads) > 0):
		refuse(w, 409, "BucketNotEmpty")
	case r.Method == "DELETE":
		delete(f.buckets, name)
		w.WriteHeader(204)
	case q.Has("delete"):
		var in struct {
			Keys []string `xml:"Object>Key"`
		}
		xml.NewDecoder(r.Body).Decode(&in)
		for _, key := range in.Keys {
			delete(b.objects, key)
		}
	case q.Has("uploads"):
		io.WriteString(w, "<R>")
		for id, u := range b.uploads {
			fmt.Fprintf(w, "<Upload><Key>%s</Key><UploadId>%s</UploadId></Upload>", u.key, id)
		}
		io.WriteString(w, "</R>")
	case q.Has("versions"):
		f.listVersions(w, b, q.Get("prefix"))
	default:
		f.list(w, b, q)
	}
}

func (f *fake) document(w http.ResponseWriter, r *http.Request, b *fakeBucket, sub string) {
	text, _ := io.ReadAll(r.Body)
	switch {
	case sub == "cors" && f.noCORS, sub == "versioning" && f.noVersions, sub == "tagging" && f.noTags:
		refuse(w, 501, "NotImplemented")
	case sub == "object-lock" && b.lock:
		io.WriteString(w, "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>")
	case r.Method == "PUT":
		b.documents[sub], b.versioned = string(text), b.versioned || sub == "versioning"
	case r.Method == "DELETE":
		delete(b.documents, sub)
		w.WriteHeader(204)
	case b.documents[sub] == "":
		refuse(w, 404, "NoSuchConfiguration")
	default:
		io.WriteString(w, b.documents[sub])
	}
}

func escape(s string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(s))
	return b.String()
}

func (f *fake) list(w http.ResponseWriter, b *fakeBucket, q url.Values) {
	encode := escape
	if q.Get("encoding-type") == "url" {
		encode = url.QueryEscape
	}
	most, err := strconv.Atoi(q.Get("max-keys"))
	if err != nil {
		most = 1000
	}
	after := cmp.Or(q.Get("marker"), q.Get("continuation-token"))
	io.WriteString(w, "<ListBucketResult><EncodingType>"+q.Get("encoding-type")+"</EncodingType>")
	prefixes, n, last := map[string]bool{}, 0, ""
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if b.newest(key) == nil || !strings.HasPrefix(key, q.Get("prefix")) || key <= after {
			continue
		}
		if i := strings.Index(key, "/"); q.Get("delimiter") == "/" && i >= 0 {
			prefixes[key[:i+1]] = true
			continue
		}
		if n++; n > most {
			fmt.Fprintf(w, "<IsTruncated>true</IsTruncated><NextContinuationToken>%s</NextContinuationToken>", escape(last))
			break
		}
		fmt.Fprintf(w, "<Contents><Key>%s</Key></Contents>", encode(key))
		last = key
	}
	for p := range prefixes {
		fmt.Fprintf(w, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", encode(p))
	}
	io.WriteString(w, "</ListBucketResult>")
}

func (f *fake) listVersions(w http.ResponseWriter, b *fakeBucket, prefix string) {
	io.WriteString(w, "<R>")
	for key, all := range b.objects {
		for _, o := range all {
			if !strings.HasPrefix(key, prefix) {
				continue
			}
			element := "Version"
			if o.deleted {
				element = "DeleteMarker"
			}
			fmt.Fprintf(w, "<%s><Key>%s</Key><VersionId>%s</VersionId></%s>", element, escape(key), cmp.Or(o.version, "null"), element)
		}
	}
	io.WriteString(w, "</R>")
}

// newest is the object that a key names, nil for none.
func (b *fakeBucket) newest(key string) *fakeObject {
	all := b.objects[key]
	if len(all) == 0 || all[len(all)-1].deleted {
		return nil
	}
	return &all[len(all)-1]
}

func etag(data []byte) string {
	sum := md5.Sum(data)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}
