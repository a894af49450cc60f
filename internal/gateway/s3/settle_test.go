package s3

import (
	"context"
	"net/http"
	"testing"

	"daypass/internal/identity"
)

// TestCreateGoesOn: a reservation whose request failed half-way is finished by
// the client's next try, whether or not the upstream had made the bucket.
func TestCreateGoesOn(t *testing.T) {
	t.Parallel()
	for name, made := range map[string]bool{"the upstream has it": true, "the upstream has it not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := newRig(t, nil)
			q.reg.m["half"] = identity.Bucket{Name: "half", AccountID: account, Upstream: "main", State: identity.BucketReserved}
			puts := 0
			q.store.reply = func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodPut && made:
					puts++
					w.WriteHeader(http.StatusConflict)
				case r.Method == http.MethodPut:
					puts++
				case !made:
					w.WriteHeader(http.StatusNotFound)
				}
			}
			if a := q.do(call{method: "PUT", target: "/half"}); a.Status != 200 {
				t.Errorf("got %d %s", a.Status, a.Body)
			}
			if b, _ := q.reg.get("half"); b.State != identity.BucketOwned {
				t.Errorf("the bucket is %q", b.State)
			}
			if want := map[bool]int{true: 0, false: 1}[made]; puts != want {
				t.Errorf("created %d times upstream, want %d", puts, want)
			}
		})
	}
}

// TestChangingBuckets: what one request is at work on, no other touches, and
// what was left half deleted is nobody's to create.
func TestChangingBuckets(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	q.reg.m["leaving"] = identity.Bucket{Name: "leaving", AccountID: account, Upstream: "main", State: identity.BucketDeleting}
	q.reg.m["coming"] = identity.Bucket{Name: "coming", AccountID: account, Upstream: "main", State: identity.BucketReserved}
	q.gw.changing.enter("coming")
	q.gw.changing.enter("photos")
	for _, c := range []struct {
		method, target string
		status         int
	}{
		{"PUT", "/leaving", 409},
		{"PUT", "/coming", 409},
		{"DELETE", "/photos", 409},
		{"PUT", "/theirs", 409}, // the other account's, whoever is at work on it
	} {
		if a := q.do(call{method: c.method, target: c.target}); a.Status != c.status {
			t.Errorf("%s %s: got %d %s, want %d", c.method, c.target, a.Status, a.Body, c.status)
		}
	}
	q.store.take()
	operator := &identity.Caller{Kind: identity.Operator}
	if err := q.gw.Reconcile(context.Background(), operator); err != nil {
		t.Fatal(err)
	}
	if b, _ := q.reg.get("coming"); b.State != identity.BucketReserved {
		t.Errorf("a bucket was settled under a request's hands: %q", b.State)
	}
	if b, _ := q.reg.get("leaving"); b.State != identity.BucketOwned {
		t.Errorf("what the upstream has was not brought back: %q", b.State)
	}
	q.gw.changing.leave("coming")
	if err := q.gw.Reconcile(context.Background(), operator); err != nil {
		t.Fatal(err)
	}
	if b, _ := q.reg.get("coming"); b.State != identity.BucketOwned {
		t.Errorf("a bucket nobody is at work on was not settled: %q", b.State)
	}
	q.gw.changing.leave("photos")
	if a := q.do(call{method: "DELETE", target: "/photos"}); a.Status != 204 {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
}
