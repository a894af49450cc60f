// Package kms is the core of key management: root keys that wrap other keys and
// standard keys that are kept, their states, versions and material, who must
// agree to a deletion, and what is told of them. Every method takes the Caller
// and asks package access with the actions of IBM's roles (kms:secrets.wrap, …) on
// the key's CRN.
//
// It refuses to know how a request looked and how an answer looks: that is the
// dialect's. And it never gives the material of a root key to anybody.
package kms

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"slices"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// Options of a KMS.
type Options struct {
	DB      *store.DB
	Keyring *keyring.Keyring
	Access  *access.Access
	Audit   *audit.Log
	Clock   identity.Clock
	Log     *slog.Logger
	Random  io.Reader // crypto/rand when nil
}

// KMS manages keys.
type KMS struct {
	db     *store.DB
	keys   *keyring.Keyring
	access *access.Access
	audit  *audit.Log
	clock  identity.Clock
	log    *slog.Logger
	random io.Reader
}

// New makes a KMS.
func New(o Options) *KMS {
	k := &KMS{db: o.DB, keys: o.Keyring, access: o.Access, audit: o.Audit, clock: o.Clock, log: o.Log, random: o.Random}
	if k.random == nil {
		k.random = rand.Reader
	}
	return k
}

// At is where a call goes: the instance that the request named and, where it did
// (x-kms-key-ring), the only key ring that it wants to see.
type At struct{ Instance, Ring string }

// source is the eventSource of what happens here.
const source = identity.KeyManagement

// place is an instance that the caller's account has.
type place struct {
	identity.ServiceInstance
	account string
}

// instance finds the instance in the caller's account. One that is absent or of
// another account is answered like one that the caller has no rights on: with the
// refusal of an action that nobody has.
func (k *KMS) instance(r store.Reader, c *identity.Caller, at At, action string) (place, error) {
	site, err := store.IBMSites.Get(r, identity.IBMSiteName)
	if err != nil && identity.KindOf(err) != identity.KindNotFound {
		return place{}, err
	}
	if site != nil && site.AccountID == c.AccountID {
		i := slices.IndexFunc(site.Instances, func(i identity.ServiceInstance) bool {
			return i.ID == at.Instance && i.Service == identity.KeyManagement
		})
		if i >= 0 {
			return place{site.Instances[i], c.AccountID}, nil
		}
	}
	return place{}, k.access.Authorize(c, action, access.Resource{ARN: "crn:v1:bluemix:public:kms:::::", AccountID: "absent"}).Err
}

// crn of a resource of the instance; kind and id are "" for the instance itself.
func (p *place) crn(kind, id string) string {
	return "crn:v1:bluemix:public:" + identity.KeyManagement + ":" + p.Region + ":a/" + p.account + ":" + p.ID + ":" + kind + ":" + id
}

// Condition keys that policies narrow by.
const (
	keyRing       = "kms:KeyRing"
	resourceGroup = "ibm:ResourceGroupId"
)

// permit asks package access; the error is the denial. The ring is that of the
// key, or the one that the call is about.
func (k *KMS) permit(c *identity.Caller, p *place, action, kind, id, ring string) error {
	keys := map[string][]string{resourceGroup: {p.ResourceGroupID}}
	if ring != "" {
		keys[keyRing] = []string{ring}
	}
	return k.access.Authorize(c, source+":"+action, access.Resource{ARN: p.crn(kind, id), AccountID: p.account, Keys: keys}).Err
}

// change runs one transaction: the caller's lineage is judged again in it, and its
// event commits with it.
func (k *KMS) change(ctx context.Context, c *identity.Caller, ev audit.Event, fn func(store.Tx) error) error {
	_, err := k.audit.Commit(ctx, k.db, ev, func(tx store.Tx) error {
		if err := k.access.StillLive(tx, c); err != nil {
			return err
		}
		return fn(tx)
	})
	return err
}
