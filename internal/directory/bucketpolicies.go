package directory

import (
	"context"
	"strings"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

const opBucketPolicy = "directory.bucketpolicy"

// PutBucketPolicy gives a bucket of the caller's account a policy (S3
// PutBucketPolicy). confirmed lets the caller take its own right to change the
// policy away. KindMalformedPolicy; KindAccessDenied, for a policy that would
// be public too; KindMethodNotAllowed for callers of other accounts.
func (d *Directory) PutBucketPolicy(ctx context.Context, c *identity.Caller, bucket, document string, confirmed bool) error {
	const action = "s3:PutBucketPolicy"
	res, err := d.permitBucketPolicy(c, action, bucket)
	if err != nil {
		return err
	}
	o := policy.Options{ID: bucket, Within: res.ARN, Partition: c.Partition, Service: "s3", ByName: true}
	p, err := policy.Parse(policy.ResourcePolicy, document, o)
	if err != nil {
		return bucketPolicyError(document, err)
	}
	if p.Public() {
		return identity.NewError(identity.KindAccessDenied, opBucketPolicy, "User: "+c.ARN+" is not authorized to perform: "+action+
			` on resource: "`+res.ARN+`" because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.`)
	}
	if !confirmed && !d.access.MayUnder(c, p, action, res) {
		return identity.NewError(identity.KindAccessDenied, opBucketPolicy, "The policy would take away your right to change it. "+
			"To put it nevertheless, confirm this with the header x-amz-confirm-remove-self-bucket-access: true.")
	}
	ev := audit.Change(c, s3Source, "PutBucketPolicy", map[string]string{"bucketName": bucket})
	return d.changeOwnBucket(ctx, c, ev, bucket, func(tx store.Tx) error {
		o.ByName = false
		_, bound, err := parseBound(tx, policy.ResourcePolicy, document, o)
		if err != nil {
			return bucketPolicyError(document, err)
		}
		return store.BucketPolicies.Put(tx, &identity.BucketPolicy{
			Bucket: bucket, Document: document, Bindings: bound, UpdatedAt: d.clock.Now().UTC(),
		})
	})
}

// BucketPolicy is the document of a bucket's policy as it was put (S3
// GetBucketPolicy). KindNotFound when it has none; KindMethodNotAllowed for
// callers of other accounts.
func (d *Directory) BucketPolicy(_ context.Context, c *identity.Caller, bucket string) (string, error) {
	if _, err := d.permitBucketPolicy(c, "s3:GetBucketPolicy", bucket); err != nil {
		return "", err
	}
	p, err := store.BucketPolicies.Get(d.db.Snapshot(), bucket)
	if err != nil {
		return "", err
	}
	return p.Document, nil
}

// BucketPolicyIsPublic reports whether a bucket's policy is public (S3
// GetBucketPolicyStatus). KindNotFound when it has none.
func (d *Directory) BucketPolicyIsPublic(_ context.Context, c *identity.Caller, bucket string) (bool, error) {
	res := access.Resource{ARN: identity.BucketARN(c.Partition, bucket), Bucket: bucket}
	if err := d.access.Authorize(c, "s3:GetBucketPolicyStatus", res).Err; err != nil {
		return false, err
	}
	p, err := store.BucketPolicies.Get(d.db.Snapshot(), bucket)
	if err != nil {
		return false, err
	}
	return policy.Load(policy.ResourcePolicy, p.Document, policy.Options{Bindings: p.Bindings}).Public(), nil
}

// DeleteBucketPolicy removes a bucket's policy if it has one (S3
// DeleteBucketPolicy). KindMethodNotAllowed for callers of other accounts.
func (d *Directory) DeleteBucketPolicy(ctx context.Context, c *identity.Caller, bucket string) error {
	if _, err := d.permitBucketPolicy(c, "s3:DeleteBucketPolicy", bucket); err != nil {
		return err
	}
	ev := audit.Change(c, s3Source, "DeleteBucketPolicy", map[string]string{"bucketName": bucket})
	return d.changeOwnBucket(ctx, c, ev, bucket, func(tx store.Tx) error {
		return orAbsent(store.BucketPolicies.Delete(tx, bucket))
	})
}

// permitBucketPolicy asks for the right, which as in S3 helps nobody of another
// account.
func (d *Directory) permitBucketPolicy(c *identity.Caller, action, bucket string) (access.Resource, error) {
	res := access.Resource{ARN: identity.BucketARN(c.Partition, bucket), Bucket: bucket}
	if err := d.access.Authorize(c, action, res).Err; err != nil {
		return res, err
	}
	b, err := store.Buckets.Get(d.db.Snapshot(), bucket)
	if err == nil && b.AccountID != c.AccountID {
		err = identity.NewError(identity.KindMethodNotAllowed, opBucketPolicy, "")
	}
	return res, err
}

// changeOwnBucket is change for a bucket that must still be the caller's
// account's, and in service.
func (d *Directory) changeOwnBucket(ctx context.Context, c *identity.Caller, ev audit.Event, bucket string, fn func(store.Tx) error) error {
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		b, err := store.Buckets.Get(tx, bucket)
		if identity.KindOf(err) == identity.KindNotFound || err == nil && (b.AccountID != c.AccountID || b.State != identity.BucketOwned) {
			return identity.NewError(identity.KindNoSuchBucket, opBucketPolicy, "")
		}
		if err != nil {
			return err
		}
		return fn(tx)
	})
}

// bucketPolicyError says in S3's words what the policy language says in IAM's;
// where the fault is stands in a Detail.
func bucketPolicyError(document string, err error) error {
	e := identity.AsError(err)
	if e.Kind != identity.KindMalformedPolicy {
		return err
	}
	text := e.Public
	for _, w := range bucketPolicyWords {
		if !strings.HasPrefix(e.Public, w.iam) {
			continue
		}
		if text = w.s3; w.s3 == notJSON && strings.HasPrefix(strings.TrimLeft(document, " \t\r\n"), "{") {
			text = "This policy contains invalid Json"
		}
		break
	}
	out := &identity.Error{Kind: e.Kind, Op: opBucketPolicy, Public: text, Err: err}
	if text != e.Public {
		out.Detail = []identity.Detail{{Name: "Detail", Value: e.Public}}
	}
	return out
}

const notJSON = "Policies must be valid JSON and the first byte must be '{'"

var bucketPolicyWords = []struct{ iam, s3 string }{
	{"Syntax errors in policy: line", notJSON},
	{"Syntax errors in policy: the Effect", "Invalid effect"},
	{"Syntax errors in policy: a policy needs", "Missing required field Statement"},
	{"Syntax errors", notJSON},
	{"Invalid principal in policy", "Invalid principal in policy"},
	{"Missing required field Principal", "Missing required field Principal"},
	{"Policy statement must contain actions", "Missing required field Action"},
	{"Policy statement must contain resources", "Missing required field Resource"},
	{"Actions/Conditions must be prefaced", "Policy has invalid action"},
	{"Conditions must be prefaced", "Policy has an invalid condition key"},
	{"The condition key", "Policy has an invalid condition key"},
	{"The action", "Policy has invalid action"},
	{"Vendor", "Policy has invalid action"},
	{"Resource ", "Policy has invalid resource"},
	{"Partition", "Policy has invalid resource"},
	{"The policy is longer", "Policy exceeds the maximum allowed document size."},
}
