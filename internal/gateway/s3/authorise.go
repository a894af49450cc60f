package s3

import (
	"slices"
	"strings"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/sigv4"
)

const opAuthorise = "s3.authorise"

// authorise asks for every action of the operation on its bucket or object,
// for the extras that headers ask for, and for reading the source of a copy;
// then it compares the expected owners.
func (x *exchange) authorise() error {
	actions := x.op.actions
	if x.version != "" && x.op.versionActions != nil {
		actions = x.op.versionActions
	}
	res := x.resource()
	for _, a := range actions {
		if err := x.ask(a, res); err != nil {
			return err
		}
	}
	for _, a := range x.extras() {
		if err := x.ask(a, res); err != nil {
			return err
		}
	}
	if err := x.loadBucket(); err != nil {
		return err
	}
	if x.source != nil {
		return x.authoriseSource()
	}
	return nil
}

func (x *exchange) ask(action string, res access.Resource) error {
	d := x.g.access.Authorize(&x.caller, action, res)
	if d.Allowed() {
		return nil
	}
	if d.Err != nil {
		return d.Err
	}
	return identity.NewError(identity.KindAccessDenied, opAuthorise, "")
}

func (x *exchange) resource() access.Resource {
	arn := identity.BucketARN(x.caller.Partition, x.target.Bucket)
	if x.target.Key != "" {
		arn = identity.ObjectARN(x.caller.Partition, x.target.Bucket, x.target.Key)
	}
	return access.Resource{ARN: arn, Bucket: x.target.Bucket, Keys: x.conditionKeys()}
}

// loadBucket reads the bucket's entry and compares the owner that the client
// expects.
func (x *exchange) loadBucket() error {
	b, err := x.g.owned(x.target.Bucket)
	if err != nil {
		return err
	}
	x.bucket = b
	return x.expectOwner(headerExpectedOwner, b)
}

// owned returns a bucket that is served. Errors: KindNoSuchBucket,
// KindNotImplemented when it is kept behind another upstream.
func (g *Gateway) owned(name string) (identity.Bucket, error) {
	b, ok := g.bucket(name)
	if !ok || b.State != identity.BucketOwned {
		return identity.Bucket{}, identity.NewError(identity.KindNoSuchBucket, opAuthorise, "")
	}
	if b.Upstream != g.up.Name {
		return identity.Bucket{}, identity.NewError(identity.KindNotImplemented, opAuthorise, "The bucket is kept behind another upstream.")
	}
	return b, nil
}

func (x *exchange) expectOwner(header string, b identity.Bucket) error {
	for _, want := range x.r.Header[header] {
		if want != b.AccountID {
			return identity.NewError(identity.KindAccessDenied, opAuthorise, "")
		}
	}
	return nil
}

func (x *exchange) authoriseSource() error {
	s := x.source
	action := actionGetObject
	res := access.Resource{ARN: identity.ObjectARN(x.caller.Partition, s.Bucket, s.Key), Bucket: s.Bucket}
	if s.VersionID != "" {
		action = actionGetObjectVersion
		res.Keys = map[string]string{"s3:VersionId": s.VersionID}
	}
	if err := x.ask(action, res); err != nil {
		return err
	}
	b, err := x.g.owned(s.Bucket)
	if err != nil {
		return err
	}
	return x.expectOwner(headerSourceOwner, b)
}

// extras are the rights that headers ask for on top of the operation's own.
func (x *exchange) extras() []string {
	var out []string
	has := func(name string) bool { return len(x.r.Header[name]) > 0 }
	writes := x.op.body == bodyObject || x.op.copies || x.op.Name == "CreateMultipartUpload"
	if writes {
		if has(headerTagging) {
			out = append(out, actionPutObjectTagging)
		}
		if x.acl != "" || x.grants {
			out = append(out, actionPutObjectAcl)
		}
		if has(headerLockMode) || has(headerLockUntil) {
			out = append(out, actionPutRetention)
		}
		if has(headerLockHold) {
			out = append(out, actionPutLegalHold)
		}
	}
	if has(headerBypassGovernance) {
		out = append(out, actionBypassGovernance)
	}
	return out
}

// Condition keys of requests that carry nothing else. They are shared, and
// whoever reads them must not write.
var (
	keysHeader    = map[string]string{"s3:authType": "REST-HEADER", "s3:signatureversion": "AWS4-HMAC-SHA256"}
	keysPresigned = map[string]string{"s3:authType": "REST-QUERY-STRING", "s3:signatureversion": "AWS4-HMAC-SHA256"}
)

var conditionParams = map[string]string{
	"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys", parameterVersionID: "s3:VersionId",
}

var conditionHeaders = []struct{ header, key string }{
	{headerACL, "s3:x-amz-acl"},
	{headerCopySource, "s3:x-amz-copy-source"},
	{"X-Amz-Metadata-Directive", "s3:x-amz-metadata-directive"},
	{"X-Amz-Server-Side-Encryption", "s3:x-amz-server-side-encryption"},
	{"X-Amz-Storage-Class", "s3:x-amz-storage-class"},
	{headerLockMode, "s3:object-lock-mode"},
	{headerLockUntil, "s3:object-lock-retain-until-date"},
	{headerLockHold, "s3:object-lock-legal-hold"},
}

// conditionKeys are AWS's condition keys of the request. The copy source is
// shown as it will be forwarded.
func (x *exchange) conditionKeys() map[string]string {
	base := keysHeader
	if x.signed.Mechanism == sigv4.MechanismPresigned {
		base = keysPresigned
	}
	var own map[string]string
	set := func(k, v string) {
		if own == nil {
			own = make(map[string]string, len(base)+4)
			for k, v := range base {
				own[k] = v
			}
		}
		own[k] = v
	}
	for _, p := range x.target.Query {
		if k, ok := conditionParams[p.Name]; ok && contains(x.op.params, p.Name) {
			set(k, p.Value)
		}
	}
	for _, h := range conditionHeaders {
		if v := x.r.Header[h.header]; len(v) > 0 {
			set(h.key, v[0])
		}
	}
	if x.source != nil {
		set("s3:x-amz-copy-source", x.source.String())
	}
	if x.op.body == bodyObject {
		set("s3:x-amz-content-sha256", x.signed.PayloadHash)
	}
	if len(x.tags) > 0 {
		names := make([]string, 0, len(x.tags))
		for name, values := range x.tags {
			names = append(names, name)
			set("s3:RequestObjectTag/"+name, values[0])
		}
		slices.Sort(names)
		// One value only can be told; several names joined match no policy
		// that lists single ones.
		set("s3:RequestObjectTagKeys", strings.Join(names, ","))
	}
	if own == nil {
		return base
	}
	return own
}
