//go:build !race

package sigv4

import "testing"

// TestCheckAllocates only the Signed it returns. (Under the race detector
// sync.Pool forgets at random.)
func TestCheckAllocates(t *testing.T) {
	r := benchRequest(t)
	rules := Rules{Service: "s3", S3: true}
	key := Derive(testCredentials.SecretAccessKey, "20260102", "us-east-1", "s3")
	got := testing.AllocsPerRun(200, func() {
		s, err := Parse(r, rules, testTime)
		if err == nil {
			err = s.Check(key, "")
		}
		if err != nil || IsBearer(r) {
			t.Error(err)
		}
	})
	if got > 1 {
		t.Errorf("%v allocations, want 1", got)
	}
}
