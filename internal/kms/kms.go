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
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

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
	// CachedVersions bounds the versions whose material stays opened in memory
	// (16,384 when 0).
	CachedVersions int
	// PurgeAfter is how long a deleted key cannot be purged (4 h when 0).
	PurgeAfter time.Duration
	// RotateEvery is how long a key that was rotated is not rotated by hand, and
	// EnableAfter how long one that was disabled or deleted is neither enabled nor
	// restored (IBM: an hour and 30 seconds). Zero: at once.
	RotateEvery, EnableAfter time.Duration
	// NewRSA makes the keys of import tokens: of 4096 bits when nil.
	NewRSA func() (*rsa.PrivateKey, error)
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
	opened *opened
	uses   uses
	newRSA func() (*rsa.PrivateKey, error)
	// unerased is set while copies of what was purged may be left in the store.
	unerased atomic.Bool
	// making and opening are for the making of RSA keys and for their use.
	making, opening *queue

	purgeAfter, rotateEvery, enableAfter time.Duration
}

// New makes a KMS.
func New(o Options) *KMS {
	k := &KMS{
		db: o.DB, keys: o.Keyring, access: o.Access, audit: o.Audit, clock: o.Clock, log: o.Log, random: o.Random,
		opened: newOpened(cmp.Or(o.CachedVersions, 16384)),
		newRSA: o.NewRSA, making: newQueue(maxMaking), opening: newQueue(maxOpening),
		purgeAfter: cmp.Or(o.PurgeAfter, 4*time.Hour), rotateEvery: o.RotateEvery, enableAfter: o.EnableAfter,
	}
	// What was purged before it ended may have left copies.
	k.unerased.Store(true)
	if k.newRSA == nil {
		k.newRSA = func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, importRSABits) }
	}
	if k.random == nil {
		k.random = rand.Reader
	}
	return k
}

func (k *KMS) now() time.Time { return k.clock.Now().UTC().Round(0) }

// At is where a call goes: the instance that the request named and, where it did
// (x-kms-key-ring), the only key ring that it wants to see.
type At struct{ Instance, Ring string }

// source is the eventSource of what happens here.
const source = identity.KeyManagement

// place is an instance that the caller's account has.
type place struct {
	*identity.ServiceInstance
	account string
}

// instance finds the instance in the caller's account. One that is absent or of
// another account is answered like one that the caller has no rights on: with the
// refusal of an action that nobody has.
func (k *KMS) instance(r store.Reader, c *identity.Caller, at At, action string) (place, error) {
	return k.instanceOf(r, c, at, action, "", "")
}

// instanceOf is instance for a call that is about something in it.
func (k *KMS) instanceOf(r store.Reader, c *identity.Caller, at At, action, kind, asked string) (place, error) {
	site, err := store.IBMSites.Get(r, identity.IBMSiteName)
	if err != nil && identity.KindOf(err) != identity.KindNotFound {
		return place{}, err
	}
	if site != nil && site.AccountID == c.AccountID {
		for i := range site.Instances {
			if in := &site.Instances[i]; in.ID == at.Instance && in.Service == identity.KeyManagement {
				return place{in, site.AccountID}, comesFrom(r, c, in.ID)
			}
		}
	}
	nowhere := place{&identity.ServiceInstance{ID: clip(at.Instance)}, "absent"}
	if err := k.permit(c, &nowhere, action, kind, asked, asked, ""); err != nil {
		return place{}, err
	}
	return place{}, identity.NewError(identity.KindAccessDenied, "kms.instance", "")
}

// crn of a resource of the instance; kind and id are "" for the instance itself.
func (p *place) crn(kind, id string) string {
	return crnOf(p.Region, p.account, p.ID, kind, id)
}

func crnOf(region, account, instance, kind, id string) string {
	return "crn:v1:bluemix:public:" + identity.KeyManagement + ":" + region + ":a/" + account + ":" + instance + ":" + kind + ":" + id
}

// Condition keys that policies narrow by, in lower case.
const (
	keyRing       = "kms:keyring"
	resourceGroup = "ibm:resourcegroupid"
)

// permit asks package access; the error is the denial. The ring is that of the
// key, or the one that the call is about. Refusals name what was asked for, and
// nothing that only an instance or a key that exists could have told.
func (k *KMS) permit(c *identity.Caller, p *place, action, kind, id, asked, ring string) error {
	res := p.resource(kind, id, ring)
	res.Shown = crnOf("", c.AccountID, p.ID, kind, asked)
	return k.access.Authorize(c, source+":"+action, res).Err
}

// allows is permit for what is passed over when it is denied.
func (k *KMS) allows(c *identity.Caller, p *place, action, kind, id, ring string) bool {
	res := p.resource(kind, id, ring)
	res.Unrecorded, res.Brief = true, true
	return k.access.Authorize(c, source+":"+action, res).Allowed()
}

// resource is one of the instance, in a ring or "" for none, for package access.
func (p *place) resource(kind, id, ring string) access.Resource {
	return access.Resource{ARN: p.crn(kind, id), AccountID: p.account, Later: func(key string) []string {
		switch {
		case key == keyRing && ring != "":
			return []string{ring}
		case key == resourceGroup:
			return []string{p.ResourceGroupID}
		}
		return nil
	}}
}

// change runs one transaction: the caller's lineage is judged again in it, and its
// event commits with it. A refusal is noted, too.
func (k *KMS) change(ctx context.Context, c *identity.Caller, ev audit.Event, fn func(store.Tx) error) error {
	_, err := k.audit.Commit(ctx, k.db, ev, func(tx store.Tx) error {
		if err := k.access.StillLive(tx, c); err != nil {
			return err
		}
		return fn(tx)
	})
	k.refused(ctx, ev, err)
	return err
}

// refused notes a change that was refused by the rules of this package: denials are
// noted where they are made, and what fails is no refusal.
func (k *KMS) refused(ctx context.Context, ev audit.Event, err error) {
	if ReasonOf(err) == "" {
		return
	}
	e := identity.AsError(err)
	ev.ErrorCode, ev.ErrorMessage = string(e.Kind), e.Public
	k.audit.Refuse(ctx, ev)
}

// maxAsked bounds what a stranger names, where it is repeated.
const maxAsked = 90

func clip(s string) string {
	if len(s) > maxAsked {
		s = s[:maxAsked]
	}
	return strings.ToValidUTF8(s, "")
}
