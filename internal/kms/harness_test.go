package kms_test

import (
	"testing"

	"daypass/internal/identity"
	"daypass/internal/kms"
	"daypass/internal/stacktest"
)

var here = kms.At{Instance: stacktest.KMSInstance}

// root is the root user of account A, who may do everything in it.
func root(t testing.TB, s *stacktest.Stack) *identity.Caller {
	t.Helper()
	made := must(s.Issuer.RootAccessKey(t.Context(), s.Operator(), stacktest.AccountA))(t)
	return &identity.Caller{
		Kind: identity.RootUser, AccountID: stacktest.AccountA, Partition: "aws", PrincipalID: stacktest.AccountA, Name: "root",
		ARN: identity.RootARN("aws", stacktest.AccountA), AccessKeyID: made.Key.ID,
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wantReason demands a refusal with a reason.
func wantReason(t testing.TB, what string, err error, want kms.Reason) {
	t.Helper()
	if err == nil || kms.ReasonOf(err) != want {
		t.Errorf("%s: %v (reason %q), want reason %q", what, err, kms.ReasonOf(err), want)
	}
}
