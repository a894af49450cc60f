package kms_test

import (
	"bytes"
	"strings"
	"testing"

	"daypass/internal/kms"
)

func TestWrap(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	c := s.root
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

// TestWrapBounds tries what is too long, and that what is as long as it may be is
// not.
func TestWrapBounds(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	key := s.key()
	long := strings.Repeat("é", kms.MaxAADItem)
	for _, v := range []struct {
		name  string
		plain int
		aad   []string
		want  kms.Reason
	}{
		{"the longest", kms.MaxPlaintext, []string{long}, ""},
		{"a plaintext too long", kms.MaxPlaintext + 1, nil, kms.ReasonBadField},
		{"an item too long", 1, []string{long + "x"}, kms.ReasonBadField},
		{"most items", 1, make([]string, kms.MaxAAD), ""},
		{"too many items", 1, make([]string, kms.MaxAAD+1), kms.ReasonBadField},
	} {
		w, err := s.KMS.Wrap(ctx, s.root, here, key.ID, make([]byte, v.plain), v.aad)
		wantReason(t, v.name, err, v.want)
		if err == nil {
			u := must(s.KMS.Unwrap(ctx, s.root, here, key.ID, w.Ciphertext, v.aad))(t)
			if len(u.Plaintext) != v.plain {
				t.Errorf("%s: %d bytes came back", v.name, len(u.Plaintext))
			}
		}
	}
}

// TestForeignCiphertext: what is of another key or instance, or damaged in any
// byte, does not open.
func TestForeignCiphertext(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	material := kms.Material{Payload: "0123456789abcdef"}
	one := s.key(func(in *kms.NewKey) { in.Material = material })
	two := s.key(func(in *kms.NewKey) { in.Material = material })
	far := must(s.KMS.Create(ctx, s.root, there, kms.NewKey{Name: "k", Material: material}))(t)
	w := must(s.KMS.Wrap(ctx, s.root, here, one.ID, []byte("x"), nil))(t).Ciphertext
	for _, v := range []struct {
		at kms.At
		id string
	}{{here, two.ID}, {there, far.ID}} {
		_, err := s.KMS.Unwrap(ctx, s.root, v.at, v.id, w, nil)
		wantReason(t, "of another key", err, kms.ReasonCiphertext)
		forged := bytes.Clone(must(s.KMS.Wrap(ctx, s.root, v.at, v.id, []byte("x"), nil))(t).Ciphertext)
		copy(forged[21:], w[21:])
		_, err = s.KMS.Unwrap(ctx, s.root, v.at, v.id, forged, nil)
		wantReason(t, "under another header", err, kms.ReasonCiphertext)
	}
	for i := range w {
		damaged := bytes.Clone(w)
		damaged[i] ^= 1
		_, err := s.KMS.Unwrap(ctx, s.root, here, one.ID, damaged, nil)
		wantReason(t, "damaged", err, kms.ReasonCiphertext)
		_, err = s.KMS.Rewrap(ctx, s.root, here, one.ID, w[:i], nil)
		wantReason(t, "cut", err, kms.ReasonCiphertext)
	}
	_, err := s.KMS.Unwrap(ctx, s.root, here, one.ID, append(bytes.Clone(w), 0), nil)
	wantReason(t, "longer", err, kms.ReasonCiphertext)
}
