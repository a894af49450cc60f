package s3

import (
	"context"
	"slices"
	"strings"
	"sync"

	"daypass/internal/identity"
)

// fakeRegistry keeps buckets in a map.
type fakeRegistry struct {
	mu sync.Mutex
	m  map[string]identity.Bucket
	// policies by bucket, and whether the last was confirmed.
	policies  map[string]string
	confirmed bool
	deleting  func() // runs before a deletion begins; nil for none
}

func (f *fakeRegistry) get(name string) (identity.Bucket, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.m[name]
	return b, ok
}

func (f *fakeRegistry) move(name string, from, to identity.BucketState) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.m[name]
	if !ok || b.State != from {
		return identity.NewError(identity.KindNoSuchBucket, "test", "")
	}
	if b.State = to; to == "" {
		delete(f.m, name)
		return nil
	}
	f.m[name] = b
	return nil
}

func (f *fakeRegistry) ReserveBucket(_ context.Context, c *identity.Caller, name, region, up string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.m[name]; ok {
		return identity.NewError(identity.KindBucketExists, "test", "")
	}
	f.m[name] = identity.Bucket{Name: name, AccountID: c.AccountID, Region: region, Upstream: up, State: identity.BucketReserved, CreatedAt: testTime}
	return nil
}

func (f *fakeRegistry) ConfirmBucket(_ context.Context, _ *identity.Caller, name string) error {
	return f.move(name, identity.BucketReserved, identity.BucketOwned)
}

func (f *fakeRegistry) AbandonBucket(_ context.Context, _ *identity.Caller, name string) error {
	return f.move(name, identity.BucketReserved, "")
}

func (f *fakeRegistry) BeginDeleteBucket(_ context.Context, _ *identity.Caller, name string) error {
	if f.deleting != nil {
		f.deleting()
	}
	return f.move(name, identity.BucketOwned, identity.BucketDeleting)
}

func (f *fakeRegistry) EndDeleteBucket(_ context.Context, _ *identity.Caller, name string, gone bool) error {
	if gone {
		return f.move(name, identity.BucketDeleting, "")
	}
	return f.move(name, identity.BucketDeleting, identity.BucketOwned)
}

func (f *fakeRegistry) ListBuckets(_ context.Context, c *identity.Caller) ([]identity.Bucket, error) {
	return f.list(func(b identity.Bucket) bool { return b.State == identity.BucketOwned && b.AccountID == c.AccountID }), nil
}

func (f *fakeRegistry) PutBucketPolicy(_ context.Context, _ *identity.Caller, name, document string, confirmed bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.policies == nil {
		f.policies = map[string]string{}
	}
	f.policies[name], f.confirmed = document, confirmed
	return nil
}

func (f *fakeRegistry) BucketPolicy(_ context.Context, _ *identity.Caller, name string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p, ok := f.policies[name]; ok {
		return p, nil
	}
	return "", identity.NewError(identity.KindNotFound, "test", "")
}

func (f *fakeRegistry) BucketPolicyIsPublic(ctx context.Context, c *identity.Caller, name string) (bool, error) {
	_, err := f.BucketPolicy(ctx, c, name)
	return false, err
}

func (f *fakeRegistry) DeleteBucketPolicy(_ context.Context, _ *identity.Caller, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.policies, name)
	return nil
}

func (f *fakeRegistry) UnsettledBuckets(context.Context, *identity.Caller) ([]identity.Bucket, error) {
	return f.list(func(b identity.Bucket) bool { return b.State != identity.BucketOwned }), nil
}

func (f *fakeRegistry) SettleBucket(_ context.Context, _ *identity.Caller, name string, exists bool) error {
	b, _ := f.get(name)
	if exists {
		return f.move(name, b.State, identity.BucketOwned)
	}
	return f.move(name, b.State, "")
}

func (f *fakeRegistry) list(want func(identity.Bucket) bool) []identity.Bucket {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []identity.Bucket
	for _, b := range f.m {
		if want(b) {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b identity.Bucket) int { return strings.Compare(a.Name, b.Name) })
	return out
}
