package s3

import (
	"fmt"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

const opAuthorise = "s3.authorise"

// authorise asks for every action of the operation on its bucket or object,
// for the extras that headers ask for, and for reading the source of a copy;
// then it compares the expected owners.
func (x *exchange) authorise() error {
	if err := x.checkJudged(); err != nil {
		return err
	}
	actions := x.op.actions
	if x.version != "" && x.op.versionActions != nil {
		actions = x.op.versionActions
	}
	extras := x.extras()
	x.dropIdleTags()
	s := x.subject(x.target.Key, x.version)
	if x.op.level != levelObject { // the registry asks too
		x.caller.Keys = s.resource.Later
	}
	for _, list := range [...][]string{actions, extras} {
		for _, a := range list {
			if err := x.ask(a, s); err != nil {
				return err
			}
		}
	}
	if err := x.loadBucket(); err != nil {
		return err
	}
	if x.source != nil {
		return x.authoriseSource(s)
	}
	return nil
}

// ask asks for one right. What was allowed without tags that a policy wanted to
// see, because they could not be read, is refused.
func (x *exchange) ask(action string, s *subject) error {
	s.action = action
	d := x.g.access.Authorize(&x.caller, action, s.resource)
	if d.Allowed() {
		return s.existing.err
	}
	if d.Err != nil {
		return d.Err
	}
	return identity.NewError(identity.KindAccessDenied, opAuthorise, "")
}

// loadBucket reads the bucket's entry and compares the owner that the client
// expects. Errors: KindUnavailable when its upstream is not the one that the
// names of the request were checked for, or is not configured any more.
func (x *exchange) loadBucket() error {
	b, err := x.g.owned(x.target.Bucket)
	if err != nil {
		return err
	}
	if x.up == nil || x.up.Name != b.Upstream {
		return upstreamGone(b)
	}
	x.bucket = b
	return x.expectOwner(headerExpectedOwner, b)
}

// owned returns a bucket that has an owner. Errors: KindNoSuchBucket.
func (g *Gateway) owned(name string) (identity.Bucket, error) {
	b, ok := g.bucket(name)
	if !ok || b.State != identity.BucketOwned {
		return identity.Bucket{}, identity.NewError(identity.KindNoSuchBucket, opAuthorise, "")
	}
	return b, nil
}

// ownedAt is owned with the bucket's upstream. Errors: KindUnavailable too, when
// that is not configured any more.
func (g *Gateway) ownedAt(name string) (*upstream.S3, error) {
	b, err := g.owned(name)
	if err != nil {
		return nil, err
	}
	up, ok := g.ups.ByName(b.Upstream)
	if !ok {
		return nil, upstreamGone(b)
	}
	return up, nil
}

// upstreamGone names for the operator what the configuration lacks.
func upstreamGone(b identity.Bucket) error {
	return &identity.Error{
		Kind: identity.KindUnavailable, Op: opAuthorise, RetryAfterSeconds: goneRetrySeconds,
		Err: fmt.Errorf("bucket %s is kept at upstream %q, which is not configured", b.Name, b.Upstream),
	}
}

const goneRetrySeconds = 30

// resolve finds the upstream of the target's bucket for this exchange.
func (x *exchange) resolve() {
	x.up = x.g.upstreamFor(x.caller.AccountID, x.target.Bucket)
}

// upstreamFor returns where the registry says that a bucket is, or where account
// would create it; nil when that is not configured any more, which is said once
// the caller is known to have rights there.
func (g *Gateway) upstreamFor(account, bucket string) *upstream.S3 {
	var up *upstream.S3
	if b, known := g.bucket(bucket); known {
		up, _ = g.ups.ByName(b.Upstream)
	} else {
		up, _ = g.ups.ForNew(account, bucket)
	}
	return up
}

func (x *exchange) expectOwner(header string, b identity.Bucket) error {
	for _, want := range x.given[header] {
		if want != b.AccountID {
			return identity.NewError(identity.KindAccessDenied, opAuthorise, "")
		}
	}
	return nil
}

func (x *exchange) authoriseSource(target *subject) error {
	source := x.touched(x.source.Bucket, x.source.Key, x.source.VersionID)
	action := actionGetObject
	if source.version != "" {
		action = actionGetObjectVersion
	}
	if err := x.ask(action, source); err != nil {
		return err
	}
	b, err := x.g.owned(source.bucket)
	if err != nil {
		return err
	}
	if err := x.expectOwner(headerSourceOwner, b); err != nil {
		return err
	}
	if b.Upstream != x.up.Name {
		return identity.NewError(identity.KindNotImplemented, opAuthorise, "Copying between buckets of different object stores is not implemented.")
	}
	// checkSource may have judged them by another store: the bucket was not there
	// yet, or somewhere else.
	if err := checkKey(x.source.Key, x.up); err != nil {
		return err
	}
	if err := checkID(x.source.VersionID, x.up); err != nil {
		return err
	}
	return x.judgeTagging(target, source)
}

// extras are the rights that headers ask for on top of the operation's own.
func (x *exchange) extras() []string {
	var out []string
	has := func(name string) bool { return len(x.given[name]) > 0 }
	if has(headerTagging) {
		out = append(out, actionPutObjectTagging)
	}
	writes := x.op.body == bodyObject || x.op.copies || x.op.Name == "CreateMultipartUpload"
	if writes && (x.acl != "" || x.grants) {
		out = append(out, actionPutObjectAcl)
	}
	if has(headerLockMode) || has(headerLockUntil) {
		out = append(out, actionPutRetention)
	}
	if has(headerLockHold) {
		out = append(out, actionPutLegalHold)
	}
	if has(headerBypassGovernance) {
		out = append(out, actionBypassGovernance)
	}
	return out
}
