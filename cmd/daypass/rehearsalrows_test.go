package main

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
	"daypass/internal/store/sqlite"
)

// Keys of key management that addRows makes: one that is whole, and one without a
// slot, as one that was purged between an archive and its slots.
const (
	wholeKey  = "0a1b2c3d-1111-4222-8333-000000000001"
	purgedKey = "0a1b2c3d-1111-4222-8333-000000000002"
)

const (
	rowAccount = "123456789012"
	rowLater   = 1000 * time.Hour
)

// rowWriter writes records, and remembers the first error.
type rowWriter struct {
	tx  store.Tx
	now time.Time
	err error
}

func put[T any](w *rowWriter, table *store.Table[T], records ...*T) {
	for _, r := range records {
		w.err = errors.Join(w.err, table.Put(w.tx, r))
	}
}

// addRows gives a row to every table that the demo and its log-ins leave empty. No
// server runs on the directory.
func addRows(t *testing.T, data string) {
	t.Helper()
	e, err := sqlite.Open(t.Context(), filepath.Join(data, "daypass.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.OpenDB(t.Context(), e, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	root, _, err := keyring.LoadRootKeyFile(filepath.Join(data, "root.key"), data)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := keyring.Open(t.Context(), db, root, keyring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	seal := func(table, column, row string) []byte {
		sealed, err := keys.Seal(table, column, row, []byte("secret of "+row))
		if err != nil {
			t.Error(err)
		}
		return sealed
	}
	testuser, err := store.Users.By(db.Snapshot(), "login", store.Join("shasta", "testuser"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Update(t.Context(), func(tx store.Tx) error {
		w := &rowWriter{tx: tx, now: time.Now().UTC().Truncate(time.Second)}
		addOfAccounts(w, testuser, seal)
		addOnce(w)
		addKeys(w, seal)
		return w.err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func addOfAccounts(w *rowWriter, testuser *identity.User, seal func(table, column, row string) []byte) {
	put(w, store.ManagedPolicies, &identity.ManagedPolicy{
		ID: "ANPA1", AccountID: rowAccount, Name: "p", Path: "/", Default: "v1", Last: 1, CreatedAt: w.now, UpdatedAt: w.now,
		Versions: []identity.PolicyVersion{{ID: "v1", Document: `{"Version":"2012-10-17","Statement":[]}`, CreatedAt: w.now}},
	})
	put(w, store.Buckets, &identity.Bucket{Name: "kept", AccountID: rowAccount, Region: "us-east-1", Upstream: "away", State: identity.BucketOwned, CreatedAt: w.now})
	put(w, store.BucketPolicies, &identity.BucketPolicy{Bucket: "kept", Document: `{"Version":"2012-10-17","Statement":[]}`, UpdatedAt: w.now})
	serial := "arn:aws:iam::" + rowAccount + ":mfa/phone"
	put(w, store.MFADevices, &identity.MFADevice{Serial: serial, AccountID: rowAccount, Name: "phone", Path: "/", CreatedAt: w.now})
	put(w, store.MFASeeds, &store.MFASeed{Serial: serial, Sealed: seal(store.MFASeeds.Name(), "seed", serial)})
	put(w, store.PoolClientSecrets, &store.PoolClientSecret{ClientID: "other", Sealed: seal(store.PoolClientSecrets.Name(), "secrets", "other")})
	put(w, store.PoolIdentities, &identity.PoolIdentity{ID: "ap-southeast-2:" + wholeKey, PoolID: "pool", AccountID: rowAccount, CreatedAt: w.now, ModifiedAt: w.now})
	put(w, store.SAMLProviders, &identity.SAMLProvider{AccountID: rowAccount, Name: "idp", Metadata: "<EntityDescriptor/>", CreatedAt: w.now})
	put(w, store.Passkeys, &identity.Passkey{ID: "cGFzcw", AccountID: rowAccount, UserID: "AIDAX", Name: "<key> & co", PublicKey: []byte{1, 2, 3}, CreatedAt: w.now})
	put(w, store.IdentityLinks, &identity.IdentityLink{AccountID: rowAccount, UserID: "AIDAX", Issuer: "https://idp.example.org", Subject: "s", CreatedAt: w.now})
	put(w, store.LoginSecrets, &store.LoginSecret{Login: "shasta/idp", Sealed: seal(store.LoginSecrets.Name(), "secret", "shasta/idp")})
	put(w, store.CredentialReports, &store.CredentialReport{AccountID: rowAccount, At: w.now})
	put(w, store.LoginsSeen, &store.LoginSeen{Identity: "seen", At: w.now})
	// It would end what testuser gets for long, were its numbers those of the new
	// feed.
	put(w, store.Revocations, &store.RevocationRow{ID: "p/" + testuser.ID, Revocation: identity.Revocation{
		Kind: identity.LineagePrincipal, ID: testuser.ID, Full: 5, AtMS: w.now.UnixMilli(), ExpiresAt: w.now.Add(rowLater), Reason: "left",
	}})
}

// addOnce adds what is good once, used and unused.
func addOnce(w *rowWriter) {
	put(w, store.UsedProofs, &store.UsedProof{ID: "used", ExpiresAt: w.now.Add(rowLater)})
	put(
		w, store.OneTimeLinks,
		&store.OneTimeLink{Hash: "live", UserID: "AIDAX", CreatedAt: w.now, ExpiresAt: w.now.Add(rowLater)},
		&store.OneTimeLink{Hash: "used", UserID: "AIDAX", CreatedAt: w.now, ExpiresAt: w.now.Add(rowLater), UsedAt: w.now},
	)
	put(
		w, store.Passcodes,
		&store.Passcode{UserID: "live", Hash: "h1", CreatedAt: w.now, ExpiresAt: w.now.Add(rowLater)},
		&store.Passcode{UserID: "used", Hash: "h2", CreatedAt: w.now, ExpiresAt: w.now.Add(rowLater), UsedAt: w.now},
	)
}

// addKeys adds keys of key management.
func addKeys(w *rowWriter, seal func(table, column, row string) []byte) {
	const instance = "0a1b2c3d-1111-4222-8333-00000000000f"
	put(w, store.KMSInstances, &identity.KMSInstance{ID: instance, Policies: map[string]identity.KMSPolicy{"metrics": {Enabled: true, CreatedAt: w.now, UpdatedAt: w.now}}})
	put(w, store.KMSRings, &identity.KMSRing{Instance: instance, ID: "ring", CreatedBy: "IBMid-1", CreatedAt: w.now})
	put(w, store.KMSImportTokens, &store.KMSImportToken{
		Instance: instance, ID: "token", CreatedAt: w.now, ExpiresAt: w.now.Add(rowLater), Max: 1, Remaining: 1, Nonce: []byte("n"),
		Sealed: seal(store.KMSImportTokens.Name(), "key", instance),
	})
	for _, id := range []string{wholeKey, purgedKey} {
		put(w, store.KMSKeys, &identity.KMSKey{
			ID: id, Instance: instance, Ring: "ring", Name: id, State: identity.KeyActive, CreatedBy: "IBMid-1", CreatedAt: w.now,
			Version: identity.KMSVersionID{ID: id, CreatedAt: w.now}, Versions: 1, Aliases: []identity.KMSAlias{{Name: "a" + id, CreatedAt: w.now}},
		})
		put(w, store.KMSVersions, &store.KMSVersion{KeyID: id, Number: 1, ID: id, CreatedAt: w.now, Sealed: []byte("material")})
		put(w, store.KMSRegistrations, &identity.KMSRegistration{Instance: instance, KeyID: id, Resource: "crn:v1:x", CreatedBy: "IBMid-1", CreatedAt: w.now})
		put(w, store.KMSUses, &identity.KMSUse{KeyID: id, Principal: "IBMid-1", Instance: instance, Counts: map[string]uint64{"wrap": 1}, FirstAt: w.now, LastAt: w.now})
	}
	put(w, store.KMSSlots, &store.KMSSlot{KeyID: wholeKey, Sealed: seal(store.KMSSlots.Name(), "slot", wholeKey)})
}
