package access

import (
	"testing"

	"daypass/internal/identity"
)

// TestPoolUsersHaveNoName: aws:username tells the users of IAM apart, so one of
// a user pool with the same name has none.
func TestPoolUsersHaveNoName(t *testing.T) {
	t.Parallel()
	for arn, want := range map[string]string{
		"arn:aws:iam::123456789012:user/alice":                           "alice",
		"arn:aws:iam::123456789012:user/people/alice":                    "alice",
		"arn:aws:iam::123456789012:user/people/pool/alice":               "alice",
		"arn:aws:iam::123456789012:user/pool/eu-west-1_Abcdefghi/alice":  "",
		"arn:demo:iam::123456789012:user/pool/eu-west-1_Abcdefghi/alice": "",
	} {
		c := &identity.Caller{Kind: identity.IAMUser, ARN: arn, Name: "alice", AccountID: "123456789012"}
		if got := policyPrincipal(c).Name; got != want {
			t.Errorf("%s: aws:username is %q, want %q", arn, got, want)
		}
	}
}
