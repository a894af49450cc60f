package s3

import (
	"slices"
	"strings"
	"testing"

	"daypass/internal/probe"
)

// answeredHere are the operations with a sub-resource whose answer no store
// gives, or is looked at: GetObjectAttributes.
var answeredHere = strings.Fields(`
	GetBucketLocation GetBucketPolicy PutBucketPolicy DeleteBucketPolicy GetBucketPolicyStatus GetBucketAcl PutBucketAcl
	GetPublicAccessBlock PutPublicAccessBlock DeletePublicAccessBlock
	GetBucketOwnershipControls PutBucketOwnershipControls DeleteBucketOwnershipControls
	GetObjectAcl PutObjectAcl GetObjectAttributes`)

// TestSubresourcesAreProbed demands that a check of an upstream tries whatever
// is passed on and differs by a sub-resource from a request on what it hangs on.
func TestSubresourcesAreProbed(t *testing.T) {
	t.Parallel()
	for i := range operations {
		op := &operations[i]
		// A listing of version 2 may be one of version 1. POST without a sub-resource
		// is a form, and copying into a part needs the right to write the object.
		if len(op.markers) == 0 || op.Name == "ListObjectsV2" || op.method == "POST" || op.copies {
			continue
		}
		at := slices.IndexFunc(probe.Subresources, func(s probe.Subresource) bool { return s.Operation == op.Name })
		if slices.Contains(answeredHere, op.Name) {
			if at >= 0 || op.handle == nil {
				t.Errorf("%s is not answered here", op.Name)
			}
			continue
		}
		if at < 0 {
			t.Errorf("no check tries %s", op.Name)
			continue
		}
		s := probe.Subresources[at]
		if s.Method != op.method || s.Object != (op.level == levelObject) || s.OptIn != (op.serve == serveOptIn) {
			t.Errorf("%+v is not what the gateway sends for %+v", s, op)
		}
		for _, marker := range op.markers {
			if !strings.Contains("&"+s.Query, "&"+marker+"=") {
				t.Errorf("%s has no %s", s.Query, marker)
			}
		}
	}
	for _, s := range probe.Subresources {
		if !slices.ContainsFunc(operations, func(op Operation) bool {
			return op.Name == strings.TrimSuffix(s.Operation, " of a version")
		}) {
			t.Errorf("the gateway has no %s", s.Operation)
		}
	}
}
