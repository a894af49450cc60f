package admin

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/identity"
	"daypass/internal/kms"
)

// keyUses answers with what it was asked.
type keyUses struct{}

func (keyUses) Usage(_ context.Context, c *identity.Caller, at kms.At, id string) ([]kms.Use, error) {
	if c.Kind != identity.Operator || at == (kms.At{}) {
		return nil, nil
	}
	return []kms.Use{{KeyName: "n", KMSUse: identity.KMSUse{KeyID: id, Instance: at.Instance, Counts: map[string]uint64{"wrap": 2}}}}, nil
}

func TestKeyUsageTravelsWhole(t *testing.T) {
	t.Parallel()
	client, _ := start(t, Config{KeyUses: keyUses{}})
	got, err := client.KeyUsage(t.Context(), "a&b", "c d")
	want := []kms.Use{{KeyName: "n", KMSUse: identity.KMSUse{KeyID: "c d", Instance: "a&b", Counts: map[string]uint64{"wrap": 2}}}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
	if none, err := client.KeyUsage(t.Context(), "", ""); none == nil || len(none) != 0 || err != nil {
		t.Errorf("%v %v", none, err)
	}
}

func TestOpenInstanceTravels(t *testing.T) {
	t.Parallel()
	opened := ""
	client, _ := start(t, Config{OpenInstance: func(_ context.Context, c *identity.Caller, instance string) error {
		if c.Kind != identity.Operator || instance == "absent" {
			return identity.NewError(identity.KindNotFound, "fake", "no such instance")
		}
		opened = instance
		return nil
	}})
	if err := client.OpenInstance(t.Context(), "an instance"); err != nil || opened != "an instance" {
		t.Errorf("%v, opened %q", err, opened)
	}
	if err := client.OpenInstance(t.Context(), "absent"); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("an absent instance: %v", err)
	}
}
