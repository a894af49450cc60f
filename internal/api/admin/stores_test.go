package admin

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/identity"
	"daypass/internal/operate"
)

// stores is the operator's side of a check; the other methods answer with what
// they were asked.
type stores struct {
	check func(ctx context.Context, name string, w operate.CheckWatch) (operate.CheckReport, error)
	asked []any
}

func (s *stores) ListUpstreams(context.Context, *identity.Caller) ([]operate.Upstream, error) {
	return nil, nil
}

func (s *stores) UpstreamBuckets(_ context.Context, _ *identity.Caller, name string) ([]operate.UpstreamBucket, error) {
	s.asked = append(s.asked, name)
	return nil, nil
}

func (s *stores) ListBuckets(_ context.Context, _ *identity.Caller, f operate.BucketFilter) ([]identity.Bucket, error) {
	s.asked = append(s.asked, f)
	return nil, nil
}

func (s *stores) ClaimBuckets(_ context.Context, _ *identity.Caller, in operate.Claim) (operate.Claimed, error) {
	s.asked = append(s.asked, in)
	return operate.Claimed{}, nil
}

func (s *stores) ReleaseBucket(_ context.Context, _ *identity.Caller, name string, dryRun bool) (identity.Bucket, error) {
	s.asked = append(s.asked, name, dryRun)
	return identity.Bucket{Name: name}, nil
}

func (s *stores) CheckUpstream(ctx context.Context, _ *identity.Caller, name string, w operate.CheckWatch) (operate.CheckReport, error) {
	return s.check(ctx, name, w)
}

func TestStoresTravelWhole(t *testing.T) {
	t.Parallel()
	s := &stores{}
	client, _ := start(t, Config{Stores: s})
	filter := operate.BucketFilter{AccountID: "1 2", Upstream: "a&b"}
	claim := operate.Claim{Upstream: "u", Bucket: "b", Prefix: "p", AccountID: "a", DryRun: true}
	list, err := client.Upstreams(t.Context())
	if list == nil || err != nil {
		t.Errorf("%v %v", list, err)
	}
	for _, call := range []func() error{
		func() error { _, err := client.UpstreamBuckets(t.Context(), "a b"); return err },
		func() error { _, err := client.Buckets(t.Context(), filter); return err },
		func() error { _, err := client.ClaimBuckets(t.Context(), claim); return err },
		func() error { _, err := client.ReleaseBucket(t.Context(), "b", true); return err },
	} {
		if err := call(); err != nil {
			t.Error(err)
		}
	}
	if d := cmp.Diff([]any{"a b", filter, claim, "b", true}, s.asked); d != "" {
		t.Errorf("(-sent +received)\n%s", d)
	}
}

// TestCheckIsTold sees each finding before the next is made.
func TestCheckIsTold(t *testing.T) {
	t.Parallel()
	report := operate.CheckReport{Upstream: "u", Usable: true, Left: []string{"b"}, Advice: []operate.CheckAdvice{}, Findings: []operate.CheckFinding{
		{ID: "one", What: "first", Result: "works", Needed: true}, {ID: "two", What: "second", Result: "fails", Detail: "d", Meaning: "m"},
	}}
	seen := make(chan string)
	client, _ := start(t, Config{Stores: &stores{check: func(_ context.Context, name string, w operate.CheckWatch) (operate.CheckReport, error) {
		if name != "u" {
			t.Errorf("asked for %s", name)
		}
		w.Began("b")
		for _, f := range report.Findings {
			w.Found(f)
			if got := <-seen; got != f.ID {
				t.Errorf("told of %s, not of %s", got, f.ID)
			}
		}
		return report, nil
	}}})
	bucket := ""
	got, err := client.CheckUpstream(t.Context(), "u", operate.CheckWatch{
		Began: func(b string) { bucket = b }, Found: func(f operate.CheckFinding) { seen <- f.ID },
	})
	if err != nil || bucket != "b" {
		t.Fatalf("%v, bucket %q", err, bucket)
	}
	if d := cmp.Diff(report, got); d != "" {
		t.Errorf("(-sent +received)\n%s", d)
	}
}

func TestCheckFailsOrBreaksOff(t *testing.T) {
	t.Parallel()
	client, _ := start(t, Config{Stores: &stores{check: func(ctx context.Context, name string, w operate.CheckWatch) (operate.CheckReport, error) {
		if name == "nope" {
			return operate.CheckReport{}, identity.NewError(identity.KindNotFound, "x", "There is no upstream nope.")
		}
		w.Began("b")
		<-ctx.Done() // as the check does when the operator hangs up
		return operate.CheckReport{Left: []string{"b"}}, nil
	}}})
	_, err := client.CheckUpstream(t.Context(), "nope", operate.CheckWatch{})
	if e := identity.AsError(err); e == nil || e.Kind != identity.KindNotFound || e.Public != "There is no upstream nope. [request R1]" {
		t.Errorf("%v", err)
	}
	ctx, hangUp := context.WithCancel(t.Context())
	var told []string
	_, err = client.CheckUpstream(ctx, "slow", operate.CheckWatch{Began: func(b string) { told = append(told, b); hangUp() }})
	if identity.KindOf(err) != identity.KindUnavailable || !slices.Equal(told, []string{"b"}) {
		t.Errorf("%v, told %v", err, told)
	}
}
