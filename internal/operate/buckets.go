package operate

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/upstream"
)

const (
	opBucket = "operate.bucket"
	source   = "daypass"
)

// BucketFilter chooses entries of the registry of buckets; "" fits any.
type BucketFilter struct{ AccountID, Upstream string }

// ListBuckets lists the registry of buckets, by name.
func (o *Operations) ListBuckets(_ context.Context, c *identity.Caller, f BucketFilter) ([]identity.Bucket, error) {
	if err := o.permit(c, "daypass:ListBuckets"); err != nil {
		return nil, err
	}
	snap := o.db.Snapshot()
	if f.AccountID != "" {
		acc, err := account(snap, f.AccountID)
		if err != nil {
			return nil, err
		}
		f.AccountID = acc.ID
	}
	list, err := store.Buckets.List(snap, "", "", store.After{}, 0)
	if err != nil {
		return nil, err
	}
	var out []identity.Bucket
	for _, b := range list {
		if (f.AccountID == "" || b.AccountID == f.AccountID) && (f.Upstream == "" || b.Upstream == f.Upstream) {
			out = append(out, *b)
		}
	}
	return out, nil
}

// Claim says which buckets of an upstream become an account's: one by its name,
// or all whose names begin with Prefix.
type Claim struct {
	Upstream string `json:"upstream"`
	Bucket   string `json:"bucket,omitempty"`
	Prefix   string `json:"prefix,omitempty"`
	// AccountID may be the account's alias.
	AccountID string `json:"account_id"`
	// DryRun only says what would be claimed.
	DryRun bool `json:"dry_run,omitempty"`
}

// Claimed is what a claim did, or would do.
type Claimed struct {
	AccountID string            `json:"account_id"`
	Buckets   []identity.Bucket `json:"buckets"`
	// Refused are those under the prefix that cannot be claimed.
	Refused []Refused `json:"refused"`
	DryRun  bool      `json:"dry_run,omitempty"`
}

// Refused is a bucket that cannot be claimed.
type Refused struct {
	Bucket string `json:"bucket"`
	Why    string `json:"why"`
}

// ClaimBuckets makes buckets that an upstream has, and the registry has not,
// an account's. Nothing changes in the upstream. One that is named and cannot
// be claimed is an error: KindNotFound (upstream, bucket, account),
// KindInvalidBucketName, KindAlreadyExists (in the registry), KindValidation,
// KindUpstream (not readable with our credentials), KindUnavailable.
func (o *Operations) ClaimBuckets(ctx context.Context, c *identity.Caller, in Claim) (Claimed, error) {
	if err := o.permit(c, "daypass:ClaimBucket"); err != nil {
		return Claimed{}, err
	}
	u, err := o.upstream(in.Upstream)
	if err != nil {
		return Claimed{}, err
	}
	if (in.Bucket == "") == (in.Prefix == "") {
		return Claimed{}, identity.NewError(identity.KindValidation, opBucket, "Name one bucket, or a prefix of names.")
	}
	acc, err := claimant(o.db.Snapshot(), in.AccountID)
	if err != nil {
		return Claimed{}, err
	}
	out := Claimed{AccountID: acc.ID, Buckets: []identity.Bucket{}, Refused: []Refused{}, DryRun: in.DryRun}
	if in.Bucket != "" {
		b, err := o.claim(ctx, c, u, acc, storeBucket{Name: in.Bucket}, in.DryRun)
		if err == nil {
			out.Buckets = append(out.Buckets, b)
		}
		return out, err
	}
	there, err := listBuckets(ctx, u)
	if err != nil {
		return out, err
	}
	for _, b := range there {
		if !strings.HasPrefix(b.Name, in.Prefix) {
			continue
		}
		claimed, err := o.claim(ctx, c, u, acc, b, in.DryRun)
		switch identity.KindOf(err) {
		case "":
			out.Buckets = append(out.Buckets, claimed)
		case identity.KindInternal, identity.KindUnavailable:
			return out, brokenOff(err, len(out.Buckets), in.DryRun)
		default:
			out.Refused = append(out.Refused, Refused{b.Name, identity.AsError(err).Public})
		}
	}
	return out, nil
}

// brokenOff adds to an error what was done before it.
func brokenOff(err error, done int, dry bool) error {
	if done == 0 || dry {
		return err
	}
	e := *identity.AsError(err)
	e.Public = strings.TrimSuffix(e.Public, ".") + ". Before that " + strconv.Itoa(done) + " were claimed; claim again for the rest."
	return &e
}

// claim looks at one bucket, and enters it in the registry.
func (o *Operations) claim(ctx context.Context, c *identity.Caller, u *upstream.S3, acc *identity.Account, there storeBucket, dry bool) (identity.Bucket, error) {
	name := there.Name
	b := identity.Bucket{
		Name: name, AccountID: acc.ID, Region: u.Region, Upstream: u.Name, State: identity.BucketOwned,
		CreatedAt: cmp.Or(there.CreatedAt, o.clock.Now()).UTC(),
	}
	if err := o.claimable(o.db.Snapshot(), name); err != nil {
		return b, err
	}
	if err := readable(ctx, u, name); err != nil {
		return b, err
	}
	if dry {
		return b, nil
	}
	ev := audit.Change(c, source, "ClaimBucket", map[string]string{"bucketName": name, "upstream": u.Name, "account": acc.ID})
	_, err := o.audit.Commit(ctx, o.db, ev, func(tx store.Tx) error {
		if _, err := claimant(tx, acc.ID); err != nil {
			return err
		}
		if err := o.claimable(tx, name); err != nil {
			return err
		}
		return store.Buckets.Put(tx, &b)
	})
	return b, err
}

// claimable refuses names that no bucket may have, and those in the registry.
func (o *Operations) claimable(r store.Reader, name string) error {
	if !identity.ValidBucketName(name) {
		return identity.NewError(identity.KindInvalidBucketName, opBucket, "No bucket can have the name "+clip(name)+" here: it is against S3's rules for names.")
	}
	if slices.Contains(o.reserved, name) {
		return identity.NewError(identity.KindInvalidBucketName, opBucket, "The name "+name+" is kept for calls that are no S3.")
	}
	have, err := store.Buckets.Get(r, name)
	switch {
	case identity.KindOf(err) == identity.KindNotFound:
		return nil
	case err != nil:
		return err
	}
	return identity.NewError(identity.KindAlreadyExists, opBucket,
		"The bucket "+name+" is in the registry already: of account "+have.AccountID+", on upstream "+have.Upstream+".")
}

// readable asks the upstream for a bucket with our credentials.
func readable(ctx context.Context, u *upstream.S3, name string) error {
	resp, err := u.Do(ctx, &upstream.Request{Method: http.MethodHead, Bucket: name})
	if err != nil {
		return away(u, err)
	}
	resp.Body.Close()
	switch s := resp.StatusCode; {
	case s == http.StatusOK:
		return nil
	case s == http.StatusNotFound:
		return identity.NewError(identity.KindNotFound, opBucket, "The upstream "+u.Name+" has no bucket "+name+".")
	case s == http.StatusForbidden:
		return identity.NewError(identity.KindUpstream, opBucket,
			"The bucket "+name+" cannot be read with the credentials of the upstream "+u.Name+": it is somebody else's there, or they are refused (daypass upstream check "+u.Name+").")
	}
	return identity.NewError(identity.KindUpstream, opBucket, "The upstream "+u.Name+" answered "+resp.Status+" when it was asked for the bucket "+name+".")
}

// ReleaseBucket takes a bucket out of the registry, with its bucket policy, and
// returns what was there. Nothing changes in the upstream. KindNotFound;
// KindConflict while it is being created or deleted.
func (o *Operations) ReleaseBucket(ctx context.Context, c *identity.Caller, name string, dryRun bool) (identity.Bucket, error) {
	if err := o.permit(c, "daypass:ReleaseBucket"); err != nil {
		return identity.Bucket{}, err
	}
	if dryRun {
		return o.releasable(o.db.Snapshot(), name)
	}
	var out identity.Bucket
	ev := audit.Change(c, source, "ReleaseBucket", map[string]string{"bucketName": name})
	_, err := o.audit.Commit(ctx, o.db, ev, func(tx store.Tx) (err error) {
		if out, err = o.releasable(tx, name); err != nil {
			return err
		}
		return store.ForgetBucket(tx, name)
	})
	return out, err
}

// releasable finds an entry that may go. One between two states is left to
// those who settle it, unless its upstream is configured no more.
func (o *Operations) releasable(r store.Reader, name string) (identity.Bucket, error) {
	b, err := store.Buckets.Get(r, name)
	if identity.KindOf(err) == identity.KindNotFound {
		return identity.Bucket{}, identity.NewError(identity.KindNotFound, opBucket, "There is no bucket "+clip(name)+" in the registry.")
	}
	if err != nil {
		return identity.Bucket{}, err
	}
	if _, there := o.upstreams.ByName(b.Upstream); there && b.State != identity.BucketOwned {
		return identity.Bucket{}, identity.NewError(identity.KindConflict, opBucket,
			"The bucket "+name+" is being created or deleted; the server settles that within a minute once the upstream "+b.Upstream+" answers.")
	}
	return *b, nil
}

// account finds an account by ID or alias.
func account(r store.Reader, name string) (*identity.Account, error) {
	acc, err := store.Accounts.Get(r, name)
	if identity.KindOf(err) == identity.KindNotFound && name != "" {
		acc, err = store.Accounts.By(r, "alias", name)
	}
	if identity.KindOf(err) == identity.KindNotFound {
		err = identity.NewError(identity.KindNotFound, "operate.account", "There is no account "+clip(name)+".")
	}
	return acc, err
}

// claimant finds an account that buckets can be given to.
func claimant(r store.Reader, name string) (*identity.Account, error) {
	acc, err := account(r, name)
	if err == nil && acc.Disabled {
		err = identity.NewError(identity.KindValidation, "operate.account", "The account "+acc.ID+" is disabled.")
	}
	return acc, err
}

// clip bounds what is repeated of a call.
func clip(s string) string { return identity.Printable(s[:min(len(s), 64)]) }
