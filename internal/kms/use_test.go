package kms_test

import (
	"bytes"
	"testing"

	"daypass/internal/kms"
	"daypass/internal/stacktest"
)

func TestWrap(t *testing.T) {
	t.Parallel()
	s, ctx := stacktest.New(t, stacktest.WithKMS()), t.Context()
	c := root(t, s)
	key := must(s.KMS.Create(ctx, c, here, kms.NewKey{Name: "k", Aliases: []string{"first"}}))(t)
	if key.Version.ID != key.ID || key.Versions != 1 || key.Imported || key.CreatedBy != c.IAMID() {
		t.Errorf("%+v", key)
	}
	plain, aad := []byte("data key"), []string{"ab", "c"}
	w := must(s.KMS.Wrap(ctx, c, here, key.ID, plain, aad))(t)
	if w.Plaintext != nil || w.Version != key.Version || bytes.Contains(w.Ciphertext, plain) {
		t.Errorf("%+v", w)
	}
	u := must(s.KMS.Unwrap(ctx, c, here, "first", w.Ciphertext, aad))(t)
	if !bytes.Equal(u.Plaintext, plain) || u.Ciphertext != nil || u.Version != key.Version {
		t.Errorf("%+v", u)
	}
	generated := must(s.KMS.Wrap(ctx, c, here, "first", nil, nil))(t)
	if len(generated.Plaintext) != 32 {
		t.Errorf("%d bytes were generated, want 32", len(generated.Plaintext))
	}
	if u := must(s.KMS.Unwrap(ctx, c, here, key.ID, generated.Ciphertext, nil))(t); !bytes.Equal(u.Plaintext, generated.Plaintext) {
		t.Error("what was generated is not what is wrapped")
	}
	for _, other := range [][]string{nil, {"a", "bc"}, {"abc"}, {"c", "ab"}, {"ab", "c", ""}} {
		_, err := s.KMS.Unwrap(ctx, c, here, key.ID, w.Ciphertext, other)
		wantReason(t, "other additional data", err, kms.ReasonCiphertext)
	}
	_, err := s.KMS.Unwrap(ctx, c, here, key.ID, generated.Ciphertext, []string{""})
	wantReason(t, "one empty item for none", err, kms.ReasonCiphertext)
}
