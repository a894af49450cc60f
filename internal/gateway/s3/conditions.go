package s3

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass/internal/sigv4"
)

// keySet holds condition keys with their values, as access.Resource has them.
type keySet = map[string][]string

// baseKeys are the keys of requests that carry nothing else. They are shared,
// and whoever reads them must not write.
var baseKeys = func() map[sigv4.Mechanism][2]keySet {
	m := map[sigv4.Mechanism][2]keySet{}
	for mechanism, name := range map[sigv4.Mechanism]string{
		sigv4.MechanismHeader: "REST-HEADER", sigv4.MechanismPresigned: "REST-QUERY-STRING", sigv4.MechanismPost: "POST",
	} {
		m[mechanism] = [2]keySet{
			{"s3:authType": {name}, "s3:signatureversion": {"AWS4-HMAC-SHA256"}},
			{"s3:authType": {name}, "s3:signatureversion": {"AWS4-ECDSA-P256-SHA256"}},
		}
	}
	return m
}()

var conditionParams = map[string]string{
	"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys", parameterVersionID: "s3:VersionId",
}

var conditionHeaders = []struct{ header, key string }{
	{headerACL, "s3:x-amz-acl"},
	{"X-Amz-Grant-Full-Control", "s3:x-amz-grant-full-control"},
	{"X-Amz-Grant-Read", "s3:x-amz-grant-read"},
	{"X-Amz-Grant-Read-Acp", "s3:x-amz-grant-read-acp"},
	{"X-Amz-Grant-Write", "s3:x-amz-grant-write"},
	{"X-Amz-Grant-Write-Acp", "s3:x-amz-grant-write-acp"},
	{headerCopySource, "s3:x-amz-copy-source"},
	{"X-Amz-Metadata-Directive", "s3:x-amz-metadata-directive"},
	{"X-Amz-Server-Side-Encryption", "s3:x-amz-server-side-encryption"},
	{"X-Amz-Server-Side-Encryption-Customer-Algorithm", "s3:x-amz-server-side-encryption-customer-algorithm"},
	{"X-Amz-Storage-Class", "s3:x-amz-storage-class"},
	{"X-Amz-Object-Ownership", "s3:x-amz-object-ownership"},
	{headerLockMode, "s3:object-lock-mode"},
	{headerLockUntil, "s3:object-lock-retain-until-date"},
	{headerLockHold, "s3:object-lock-legal-hold"},
	{"If-Match", "s3:if-match"},
	{"If-None-Match", "s3:if-none-match"},
}

// conditionKeys are AWS's condition keys of the request. The copy source is
// shown as it will be forwarded.
func (x *exchange) conditionKeys() keySet {
	asymmetric := 0
	if x.signed.Asymmetric {
		asymmetric = 1
	}
	base := baseKeys[x.signed.Mechanism][asymmetric]
	var own keySet
	set := func(key string, values ...string) {
		if own == nil {
			own = make(keySet, len(base)+4)
			maps.Copy(own, base)
		}
		own[key] = values
	}
	for _, p := range x.target.Query {
		if k, ok := conditionParams[p.Name]; ok && contains(x.op.params, p.Name) {
			set(k, p.Value)
		}
	}
	for _, h := range conditionHeaders {
		if v := x.given[h.header]; len(v) > 0 {
			set(h.key, v[0])
		}
	}
	if x.source != nil {
		set("s3:x-amz-copy-source", x.source.String())
	}
	if x.op.body == bodyObject {
		set("s3:x-amz-content-sha256", x.signed.PayloadHash)
	}
	if x.signed.Mechanism != sigv4.MechanismHeader {
		age := x.g.up.Clock.Now().Sub(x.signed.Time).Milliseconds()
		set("s3:signatureAge", strconv.FormatInt(max(0, age), 10))
	}
	if x.location != "" {
		set("s3:locationconstraint", x.location)
	}
	if len(x.tags) > 0 {
		for name, values := range x.tags {
			set("s3:RequestObjectTag/"+name, values[0])
		}
		set("s3:RequestObjectTagKeys", slices.Sorted(maps.Keys(x.tags))...)
	}
	x.lockKeys(set)
	if own == nil {
		return base
	}
	return own
}

// lockKeys are those of a document that sets retention or legal hold, which
// says the same as the headers of an upload, and the days that remain of
// either.
func (x *exchange) lockKeys(set func(string, ...string)) {
	until := http.Header.Get(x.given, headerLockUntil)
	if d := x.lock; d != nil {
		if d.Mode != "" {
			set("s3:object-lock-mode", d.Mode)
		}
		if d.Until != "" {
			until = d.Until
			set("s3:object-lock-retain-until-date", until)
		}
		if d.Hold != "" {
			set("s3:object-lock-legal-hold", d.Hold)
		}
	}
	if at, err := time.Parse(time.RFC3339, strings.TrimSpace(until)); err == nil {
		const day = 24 * time.Hour
		left := at.Sub(x.g.up.Clock.Now())
		set("s3:object-lock-remaining-retention-days", strconv.FormatInt(int64((left+day-1)/day), 10))
	}
}
