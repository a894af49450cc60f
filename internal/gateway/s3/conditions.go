package s3

import (
	"crypto/tls"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/sigv4"
)

// subject is the bucket or the object that rights are asked on. It answers for
// condition keys when a policy reads them; nothing is made of the request
// before.
type subject struct {
	x                    *exchange
	bucket, key, version string
	// asked says that the request is about it; otherwise it is only touched, as
	// the source of a copy is, and headers and parameters say nothing of it.
	asked    bool
	resource access.Resource
	action   string // the one that is being asked for
	existing storedTags
}

// subject is what the request is about, or one of the objects in its document.
func (x *exchange) subject(key, version string) *subject {
	s := x.touched(x.target.Bucket, key, version)
	s.asked = true
	return s
}

func (x *exchange) touched(bucket, key, version string) *subject {
	s := &subject{x: x, bucket: bucket, key: key, version: version}
	s.resource = access.Resource{Bucket: bucket, Later: s.lookup}
	if key == "" {
		s.resource.ARN = identity.BucketARN(x.caller.Partition, bucket)
	} else {
		s.resource.ARN = identity.ObjectARN(x.caller.Partition, bucket, key)
	}
	return s
}

// keyHeaders are the headers that condition keys show, by key in lower case.
var keyHeaders = map[string]string{
	"x-amz-acl":                                       headerACL,
	"x-amz-grant-full-control":                        "X-Amz-Grant-Full-Control",
	"x-amz-grant-read":                                "X-Amz-Grant-Read",
	"x-amz-grant-read-acp":                            "X-Amz-Grant-Read-Acp",
	"x-amz-grant-write":                               "X-Amz-Grant-Write",
	"x-amz-grant-write-acp":                           "X-Amz-Grant-Write-Acp",
	"x-amz-metadata-directive":                        headerMetadataDirective,
	"x-amz-server-side-encryption":                    "X-Amz-Server-Side-Encryption",
	"x-amz-server-side-encryption-customer-algorithm": "X-Amz-Server-Side-Encryption-Customer-Algorithm",
	"x-amz-storage-class":                             "X-Amz-Storage-Class",
	"x-amz-object-ownership":                          "X-Amz-Object-Ownership",
	"object-lock-mode":                                headerLockMode,
	"object-lock-retain-until-date":                   headerLockUntil,
	"object-lock-legal-hold":                          headerLockHold,
}

// keyWriteHeaders are those that are keys for writes alone.
var keyWriteHeaders = map[string]string{"if-match": "If-Match", "if-none-match": "If-None-Match"}

// keyParams are the parameters of listings of objects and versions.
var keyParams = map[string]string{"prefix": "prefix", "delimiter": "delimiter", "max-keys": "max-keys"}

var signatureVersions = map[bool]string{false: "AWS4-HMAC-SHA256", true: "AWS4-ECDSA-P256-SHA256"}

var authTypes = map[sigv4.Mechanism]string{
	sigv4.MechanismHeader: "REST-HEADER", sigv4.MechanismPresigned: "REST-QUERY-STRING", sigv4.MechanismPost: "POST",
}

// lookup implements access.Resource.Later: the values of a condition key in
// lower case. What no case knows has none.
func (s *subject) lookup(key string) []string {
	x := s.x
	name, ok := strings.CutPrefix(key, "s3:")
	if !ok {
		return s.requestTags(key, "aws:requesttag/", "aws:tagkeys", levelBucket)
	}
	if tag, ok := strings.CutPrefix(name, "existingobjecttag/"); ok {
		return s.existingTag(tag)
	}
	switch name {
	case "authtype":
		return single(authTypes[x.signed.Mechanism])
	case "signatureversion":
		if x.signed.Mechanism == sigv4.MechanismBearer {
			return nil
		}
		return []string{signatureVersions[x.signed.Asymmetric]}
	case "signatureage":
		if x.signed.Mechanism == sigv4.MechanismHeader || x.signed.Mechanism == sigv4.MechanismBearer {
			return nil
		}
		age := x.g.clock.Now().Sub(x.signed.Time).Milliseconds()
		return []string{strconv.FormatInt(max(0, age), 10)}
	case "x-amz-content-sha256":
		return single(x.signed.PayloadHash)
	case "tlsversion":
		return tlsVersion(x.r.TLS)
	case "versionid":
		return single(s.version)
	}
	if !s.asked {
		return nil
	}
	switch name {
	case "x-amz-copy-source": // as it will be forwarded
		if x.source != nil {
			return []string{x.source.String()}
		}
		return nil
	case "locationconstraint":
		return single(x.location)
	}
	if p, ok := keyParams[name]; ok {
		return s.listing(p)
	}
	if h, ok := keyWriteHeaders[name]; ok && x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return x.headerValues(h)
	}
	if values := x.lockKey(name); values != nil {
		return values
	}
	if h, ok := keyHeaders[name]; ok {
		if begun, known := x.recallBegun(); known {
			return begun.header[h]
		}
		return x.headerValues(h)
	}
	return s.requestTags(name, "requestobjecttag/", "requestobjecttagkeys", levelObject)
}

func single(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

func tlsVersion(state *tls.ConnectionState) []string {
	if state == nil {
		return nil
	}
	switch state.Version {
	case tls.VersionTLS12:
		return []string{"1.2"}
	case tls.VersionTLS13:
		return []string{"1.3"}
	}
	return nil
}

// headerValues are of the headers that were given; of repeated ones only those
// of the client's own metadata are accepted (readHeaders).
func (x *exchange) headerValues(name string) []string {
	if v := x.given[name]; len(v) > 0 {
		return v[:1]
	}
	return nil
}

// listing is a parameter of a listing; one that is there and empty has the
// value "".
func (s *subject) listing(name string) []string {
	switch s.x.op.Name {
	case "ListObjects", "ListObjectsV2", "ListObjectVersions":
		if v, ok := s.x.target.param(name); ok {
			return []string{v}
		}
	}
	return nil
}

// checkJudged refuses values that policies and upstream could read differently.
func (x *exchange) checkJudged() error {
	for _, name := range []string{headerMetadataDirective, headerTaggingDirective} {
		if v := x.given[name]; len(v) > 0 && v[0] != "COPY" && v[0] != "REPLACE" {
			return argumentError("Unknown directive in the header " + strings.ToLower(name) + ".")
		}
	}
	v, ok := x.target.param("max-keys")
	if !ok {
		return nil
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil || n > math.MaxInt32 || v[0] == '+' {
		return argumentError("Provided max-keys not an integer or within integer range")
	}
	return nil
}

// requestTags are the tags that a header or document sets: on an object, or,
// by AWS's global keys, on a bucket.
func (s *subject) requestTags(key, one, all string, at level) []string {
	if !s.asked || s.x.op.level != at && s.x.op != &postObject {
		return nil
	}
	tags := s.x.tags
	if begun, known := s.x.recallBegun(); known {
		tags = begun.tags
	}
	if key == all {
		return slices.Sorted(maps.Keys(tags))
	}
	if tag, ok := strings.CutPrefix(key, one); ok {
		return tagValues(tags, tag)
	}
	return nil
}

// tagValues are the values of all tags whose key is low when case does not
// count, as it does not in policies: of two such tags neither may hide the
// other. Letters that only look alike stay different.
func tagValues(tags map[string][]string, low string) []string {
	var out []string
	for key, values := range tags {
		if len(key) == len(low) && lowered(key) == low {
			out = append(out, values[0])
		}
	}
	return out
}

func lowered(key string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, key)
}

// lockKey are the keys of a document that sets retention or legal hold, which
// says the same as the headers of an upload, and the days that remain of
// either.
func (x *exchange) lockKey(name string) []string {
	d := x.lock
	if d == nil {
		d = &lockDocument{}
	}
	switch name {
	case "object-lock-mode":
		return single(d.Mode)
	case "object-lock-legal-hold":
		return single(d.Hold)
	case "object-lock-retain-until-date":
		return single(d.Until)
	case "object-lock-remaining-retention-days":
		until := d.Until
		if until == "" {
			until = http.Header.Get(x.given, headerLockUntil)
		}
		at, err := time.Parse(time.RFC3339, strings.TrimSpace(until))
		if err != nil {
			return nil
		}
		const day = 24 * time.Hour
		return []string{strconv.FormatInt(int64((at.Sub(x.g.clock.Now())+day-1)/day), 10)}
	}
	return nil
}
