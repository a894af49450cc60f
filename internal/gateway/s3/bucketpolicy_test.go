package s3

import (
	"strings"
	"testing"
)

// TestBucketPolicies: they are kept in the registry, as they were put, and
// never reach the upstream.
func TestBucketPolicies(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	const document = "{\n \"Version\": \"2012-10-17\"}\n"
	confirm := func(v string) map[string]string {
		return map[string]string{"X-Amz-Confirm-Remove-Self-Bucket-Access": v}
	}
	for _, tt := range []struct {
		call   call
		status int
		says   string
	}{
		{call{method: "GET", target: "/photos?policyStatus"}, 404, "NoSuchBucketPolicy"},
		{call{method: "PUT", target: "/photos?policy", body: document, header: confirm("True")}, 204, ""},
		{call{method: "GET", target: "/photos?policy"}, 200, document},
		{call{method: "GET", target: "/photos?policyStatus"}, 200, `<PolicyStatus xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsPublic>false</IsPublic></PolicyStatus>`},
		{call{method: "PUT", target: "/photos?policy", body: document, header: map[string]string{"X-Amz-Expected-Bucket-Owner": "1"}}, 403, "AccessDenied"},
		{call{method: "PUT", target: "/photos?policy", body: strings.Repeat(" ", maxDocument+maxFraming+1)}, 400, "EntityTooLarge"},
		{call{method: "DELETE", target: "/photos?policy"}, 204, ""},
		{call{method: "GET", target: "/photos?policy"}, 404, "NoSuchBucketPolicy"},
		{call{method: "PUT", target: "/nobody?policy", body: document}, 404, "NoSuchBucket"},
	} {
		got := q.do(tt.call)
		if got.Status != tt.status || !strings.Contains(got.Body, tt.says) {
			t.Errorf("%s %s: %d %s, want %d %s", tt.call.method, tt.call.target, got.Status, got.Body, tt.status, tt.says)
		}
	}
	if !q.reg.confirmed {
		t.Error("the confirmation was lost")
	}
	if up := q.store.take(); len(up) != 0 {
		t.Errorf("the upstream was asked: %s", up[0].Line)
	}
}
