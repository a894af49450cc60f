package s3

import (
	"daypass/internal/access"
	"daypass/internal/identity"
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
	for _, want := range x.given[header] {
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
		res.Keys = keySet{"s3:VersionId": {s.VersionID}}
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
	has := func(name string) bool { return len(x.given[name]) > 0 }
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
