package directory_test

import (
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/kms"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// TestInstanceWithKeys cannot go, neither by the API nor with the site file, and
// leaves nothing behind when it can.
func TestInstanceWithKeys(t *testing.T) {
	t.Parallel()
	s, ctx := stacktest.New(t, stacktest.WithKMS()), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	made, err := s.Directory.CreateInstance(ctx, a, directory.NewInstance{Name: "keys", Service: "kms", Region: "us-south"})
	must(t, err)
	site := stacktest.Site()
	stacktest.AddIBM(&site)
	drop := func() error {
		_, err := s.Directory.Apply(ctx, s.Operator(), directory.SiteSpec{IBM: site.IBM}, false)
		return err
	}
	remove := map[string]func() error{
		stacktest.KMSInstance: drop,
		made.ID:               func() error { return s.Directory.DeleteInstance(ctx, a, made.ID) },
	}
	for id, remove := range remove {
		at := kms.At{Instance: id}
		key, err := s.KMS.Create(ctx, a, at, kms.NewKey{Name: "k"})
		must(t, err)
		_, err = s.DB.Update(ctx, func(tx store.Tx) error {
			must(t, store.KMSRings.Put(tx, &identity.KMSRing{Instance: id, ID: "red"}))
			must(t, store.KMSImportTokens.Put(tx, &store.KMSImportToken{Instance: id}))
			return store.KMSInstances.Put(tx, &identity.KMSInstance{ID: id})
		})
		must(t, err)
		expect(t, "with a key", remove(), identity.KindConflict, "")
		_, err = s.KMS.Delete(ctx, a, at, key.ID, false)
		must(t, err)
		expect(t, "with a deleted key", remove(), identity.KindConflict, "")
		s.Clock.Advance(4 * 60 * 60 * 1e9)
		_, err = s.KMS.Purge(ctx, a, at, key.ID)
		must(t, err)
		must(t, remove())
		must(t, s.DB.View(ctx, func(r store.Reader) error {
			for _, table := range []string{store.KMSRings.Name(), store.KMSImportTokens.Name(), store.KMSInstances.Name()} {
				if rows, err := r.Rows(table, "", id, store.After{}, 0); err != nil || len(rows) > 0 {
					t.Errorf("%s: %v, %d rows are left", table, err, len(rows))
				}
			}
			return nil
		}))
	}
	instances, err := s.Directory.Instances(ctx, a)
	if err != nil || len(instances) != 0 {
		t.Errorf("%v, %+v", err, instances)
	}
}
