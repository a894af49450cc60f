package directory

import (
	"context"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

const s3Source = "s3.amazonaws.com"

// ReserveBucket takes a name for the caller's account before the upstream
// creates the bucket. KindBucketOwnedByYou, KindBucketExists,
// KindInvalidBucketName.
func (d *Directory) ReserveBucket(ctx context.Context, c *identity.Caller, name, region, upstream string) error {
	if err := d.checkBucketName(name); err != nil {
		return err
	}
	if err := d.permit(c, "s3:CreateBucket", identity.BucketARN(c.Partition, name), c.AccountID); err != nil {
		return err
	}
	b := &identity.Bucket{
		Name: name, AccountID: c.AccountID, Region: region, Upstream: upstream,
		State: identity.BucketReserved, CreatedAt: d.clock.Now().UTC(),
	}
	ev := audit.Change(c, s3Source, "CreateBucket", map[string]string{"bucketName": name, "locationConstraint": region})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		have, err := store.Buckets.Get(tx, name)
		if identity.KindOf(err) == identity.KindNotFound {
			return store.Buckets.Put(tx, b)
		}
		if err != nil {
			return err
		}
		if have.AccountID == c.AccountID {
			return &identity.Error{Kind: identity.KindBucketOwnedByYou, Op: "directory.bucket"}
		}
		return &identity.Error{Kind: identity.KindBucketExists, Op: "directory.bucket"}
	})
}

// ConfirmBucket makes a reserved bucket the caller's, after the upstream
// created it.
func (d *Directory) ConfirmBucket(ctx context.Context, c *identity.Caller, name string) error {
	return d.moveBucket(ctx, c, "s3:CreateBucket", name, identity.BucketReserved, identity.BucketOwned)
}

// AbandonBucket frees a reserved name that the upstream refused.
func (d *Directory) AbandonBucket(ctx context.Context, c *identity.Caller, name string) error {
	return d.moveBucket(ctx, c, "s3:CreateBucket", name, identity.BucketReserved, "")
}

// BeginDeleteBucket takes a bucket out of service before the upstream removes
// it.
func (d *Directory) BeginDeleteBucket(ctx context.Context, c *identity.Caller, name string) error {
	return d.moveBucket(ctx, c, "s3:DeleteBucket", name, identity.BucketOwned, identity.BucketDeleting)
}

// EndDeleteBucket ends what BeginDeleteBucket began: the bucket is gone, or
// back in service because the upstream refused.
func (d *Directory) EndDeleteBucket(ctx context.Context, c *identity.Caller, name string, gone bool) error {
	to := identity.BucketOwned
	if gone {
		to = ""
	}
	return d.moveBucket(ctx, c, "s3:DeleteBucket", name, identity.BucketDeleting, to)
}

// moveBucket brings a bucket from one state to another; to "" removes it. What
// is being created is its account's alone; whether one that is there may be
// deleted, its policy has a say in.
func (d *Directory) moveBucket(ctx context.Context, c *identity.Caller, action, name string, from, to identity.BucketState) error {
	res := access.Resource{ARN: identity.BucketARN(c.Partition, name), AccountID: c.AccountID}
	owner := c.AccountID
	if from != identity.BucketReserved {
		have, err := store.Buckets.Get(d.db.Snapshot(), name)
		if err == nil {
			owner = have.AccountID
		}
		res.Bucket = name
	}
	if err := d.access.Authorize(c, action, res).Err; err != nil {
		return err
	}
	event := audit.Change(c, s3Source, "Bucket:"+string(from)+">"+string(to), map[string]string{"bucketName": name})
	return d.change(ctx, c, event, func(tx store.Tx) error {
		b, err := store.Buckets.Get(tx, name)
		if identity.KindOf(err) == identity.KindNotFound || (err == nil && (b.AccountID != owner || b.State != from)) {
			return &identity.Error{Kind: identity.KindNoSuchBucket, Op: "directory.bucket"}
		}
		if err != nil {
			return err
		}
		if to == "" {
			return store.ForgetBucket(tx, name)
		}
		v := *b
		v.State = to
		return store.Buckets.Put(tx, &v)
	})
}

// ListBuckets lists the buckets of the caller's account, by name.
func (d *Directory) ListBuckets(_ context.Context, c *identity.Caller) ([]identity.Bucket, error) {
	if err := d.permit(c, "s3:ListAllMyBuckets", identity.BucketARN(c.Partition, "*"), c.AccountID); err != nil {
		return nil, err
	}
	list, err := store.Buckets.List(d.db.Snapshot(), "account", store.Join(c.AccountID, ""), store.After{}, 0)
	if err != nil {
		return nil, err
	}
	out := make([]identity.Bucket, 0, len(list))
	for _, b := range list {
		if b.State == identity.BucketOwned {
			out = append(out, *b)
		}
	}
	return out, nil
}

// UnsettledBuckets are those that a crash left between two states. Operator
// only.
func (d *Directory) UnsettledBuckets(_ context.Context, c *identity.Caller) ([]identity.Bucket, error) {
	if err := d.permit(c, "daypass:SettleBuckets", "", ""); err != nil {
		return nil, err
	}
	list, err := store.Buckets.List(d.db.Snapshot(), "", "", store.After{}, 0)
	if err != nil {
		return nil, err
	}
	var out []identity.Bucket
	for _, b := range list {
		if b.State != identity.BucketOwned {
			out = append(out, *b)
		}
	}
	return out, nil
}

// SettleBucket decides an unsettled bucket by whether the upstream has it.
// Operator only.
func (d *Directory) SettleBucket(ctx context.Context, c *identity.Caller, name string, existsUpstream bool) error {
	if err := d.permit(c, "daypass:SettleBuckets", "", ""); err != nil {
		return err
	}
	ev := audit.Change(c, s3Source, "SettleBucket", map[string]string{"bucketName": name})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		b, err := store.Buckets.Get(tx, name)
		if err != nil {
			return err
		}
		if b.State == identity.BucketOwned {
			// Its request ended after the upstream was asked: to free the name
			// now would give the bucket to whoever takes it next.
			return &identity.Error{Kind: identity.KindConflict, Op: "directory.bucket"}
		}
		if !existsUpstream {
			return store.ForgetBucket(tx, name)
		}
		v := *b
		v.State = identity.BucketOwned
		return store.Buckets.Put(tx, &v)
	})
}
