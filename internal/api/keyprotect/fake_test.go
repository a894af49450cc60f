package keyprotect_test

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass/internal/api/keyprotect"
	"daypass/internal/identity"
	"daypass/internal/kms"
	"daypass/internal/wiretest"
)

const (
	requestID = "5C0E11112222433A"
	instance  = "00000000-1111-4222-8333-444444444444"
	keyID     = "11111111-1111-4222-8333-444444444444"
	versionID = "22222222-1111-4222-8333-444444444444"
)

var made = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// gate accepts the bearer token "good".
type gate struct{}

func (gate) IBMToken(_ context.Context, raw identity.Secret) (*identity.Caller, error) {
	if raw != "good" {
		return nil, identity.NewError(identity.KindInvalidBearer, "fake", "")
	}
	return &identity.Caller{Kind: identity.IAMUser, AccountID: "123456789012", PrincipalID: "AIDAEXAMPLE"}, nil
}

// core is a fake that knows one instance with one key. Keys named fail-KIND and
// reason-REASON choose errors; what it was given shows in its answers.
type core struct{ keyprotect.KMS }

// fault is the error that a call to a place, about something, is answered with.
func fault(at kms.At, id string) error {
	if at.Instance != instance {
		return identity.NewError(identity.KindAccessDenied, "fake", "what only the log is told")
	}
	if r, ok := strings.CutPrefix(id, "reason-"); ok && slices.Contains(kms.Reasons(), kms.Reason(r)) {
		return &identity.Error{Kind: identity.KindConflict, Op: "fake", Detail: []identity.Detail{{Name: "Reason", Value: r}}}
	}
	return wiretest.Fault(id)
}

func sample() *kms.Key {
	return &kms.Key{
		CRN: "crn:v1:bluemix:public:kms:us-south:a/123456789012:" + instance + ":key:" + keyID,
		KMSKey: identity.KMSKey{
			ID: keyID, Instance: instance, Ring: identity.DefaultKeyRing, Name: "disk", State: identity.KeyActive,
			Aliases:   []identity.KMSAlias{{Name: "first", CreatedBy: "IBMid-AIDAEXAMPLE", CreatedAt: made}},
			CreatedBy: "IBMid-AIDAEXAMPLE", CreatedAt: made, UpdatedAt: made,
			Version: identity.KMSVersionID{ID: keyID, CreatedAt: made}, Versions: 1,
		},
	}
}

// about is the key, or the error that its name chooses.
func about(at kms.At, id string) (*kms.Key, error) {
	if err := fault(at, id); err != nil {
		return nil, err
	}
	return sample(), nil
}

func (core) Create(_ context.Context, _ *identity.Caller, at kms.At, in kms.NewKey) (*kms.Key, error) {
	k, err := about(at, in.Name)
	if err != nil {
		return nil, err
	}
	k.Name, k.Description, k.Tags, k.Extractable, k.ExpiresAt = in.Name, in.Description, in.Tags, in.Extractable, in.ExpiresAt
	k.Imported, k.Aliases = in.Payload != "", nil
	for _, a := range in.Aliases {
		k.Aliases = append(k.Aliases, identity.KMSAlias{Name: a})
	}
	if in.Policies != nil {
		k.Rotation = &identity.KMSPolicy{Enabled: in.Policies.RotationEnabled, Months: in.Policies.RotationMonths}
		k.DualAuth = &identity.KMSPolicy{Enabled: in.Policies.DualAuth}
	}
	return k, nil
}

func (core) Key(_ context.Context, _ *identity.Caller, at kms.At, id string) (*kms.Key, error) {
	return about(at, id)
}

func (core) Payload(_ context.Context, _ *identity.Caller, at kms.At, id string) (*kms.Key, identity.Secret, error) {
	k, err := about(at, id)
	if err == nil {
		k.Extractable = true
	}
	return k, "its material", err
}

func (core) Keys(_ context.Context, _ *identity.Caller, at kms.At, q kms.KeyQuery) (kms.KeyList, error) {
	k, err := about(at, q.Search)
	if err != nil {
		return kms.KeyList{}, err
	}
	k.Description = strings.Join([]string{q.Search, q.Sort, q.Filter}, "|")
	return kms.KeyList{Keys: []*kms.Key{k}, Total: 1000 + q.Offset + len(q.States)}, nil
}

func (core) Versions(_ context.Context, _ *identity.Caller, at kms.At, id string, _, _ int, _ bool) ([]identity.KMSVersionID, int, error) {
	return []identity.KMSVersionID{{ID: versionID, CreatedAt: made}, {ID: keyID, CreatedAt: made}}, 2, fault(at, id)
}

func (core) Patch(_ context.Context, _ *identity.Caller, at kms.At, id, ring string) (*kms.Key, error) {
	k, err := about(at, id)
	if err == nil {
		k.Ring = ring
	}
	return k, err
}

func (core) Delete(_ context.Context, _ *identity.Caller, at kms.At, id string, force bool) (*kms.Key, error) {
	k, err := about(at, id)
	if err != nil {
		return nil, err
	}
	if !force {
		return nil, fault(at, "reason-"+string(kms.ReasonProtected))
	}
	k.State, k.DeletedAt, k.DeletedBy = identity.KeyDestroyed, made.Add(time.Hour), "IBMid-AIDAEXAMPLE"
	k.PurgeAllowedFrom, k.PurgeScheduledOn = made.Add(5*time.Hour), made.Add(90*24*time.Hour)
	return k, nil
}

func (c core) Purge(ctx context.Context, caller *identity.Caller, at kms.At, id string) (*kms.Key, error) {
	return c.Delete(ctx, caller, at, id, true)
}

func (core) Restore(_ context.Context, _ *identity.Caller, at kms.At, id string, in kms.Material) (*kms.Key, error) {
	k, err := about(at, id)
	if err == nil {
		k.Description = in.Payload.Reveal()
	}
	return k, err
}

func (core) Wrap(_ context.Context, _ *identity.Caller, at kms.At, id string, plaintext []byte, aad []string) (kms.Wrapped, error) {
	out := kms.Wrapped{Ciphertext: []byte("wrapped " + string(plaintext) + " " + strings.Join(aad, ",")), Version: sample().Version}
	if len(plaintext) == 0 {
		out.Plaintext = []byte("generated")
	}
	return out, fault(at, id)
}

func (core) Unwrap(_ context.Context, _ *identity.Caller, at kms.At, id string, ciphertext []byte, _ []string) (kms.Unwrapped, error) {
	out := kms.Unwrapped{Plaintext: []byte("opened " + string(ciphertext)), Version: sample().Version, Newest: sample().Version}
	if id == "rotated" {
		out.Ciphertext, out.Newest = []byte("anew"), identity.KMSVersionID{ID: versionID, CreatedAt: made}
	}
	return out, fault(at, id)
}

func (core) Rewrap(_ context.Context, _ *identity.Caller, at kms.At, id string, _ []byte, _ []string) (kms.Unwrapped, error) {
	return kms.Unwrapped{Ciphertext: []byte("anew"), Version: sample().Version, Newest: identity.KMSVersionID{ID: versionID, CreatedAt: made}}, fault(at, id)
}

func (core) Rotate(_ context.Context, _ *identity.Caller, at kms.At, id string, _ kms.Material) error {
	return fault(at, id)
}

func (core) Disable(_ context.Context, _ *identity.Caller, at kms.At, id string) error {
	return fault(at, id)
}

func (core) Enable(_ context.Context, _ *identity.Caller, at kms.At, id string) error {
	return fault(at, id)
}

func (core) SetForDeletion(_ context.Context, _ *identity.Caller, at kms.At, id string) error {
	return fault(at, id)
}

func (core) UnsetForDeletion(_ context.Context, _ *identity.Caller, at kms.At, id string) error {
	return fault(at, id)
}

func (core) Sync(_ context.Context, _ *identity.Caller, at kms.At, id string) error {
	return fault(at, id)
}

func newHandler(testing.TB) http.Handler {
	h := keyprotect.New(keyprotect.Config{Access: gate{}, KMS: core{}, Log: slog.New(slog.DiscardHandler)})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(identity.WithRequest(r.Context(), identity.RequestFacts{ID: requestID, SourceIP: "192.0.2.1"})))
	})
}
