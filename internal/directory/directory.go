package directory

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"io"
	"log/slog"
	"strings"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// Options of a Directory.
type Options struct {
	DB      *store.DB
	Keyring *keyring.Keyring
	Authn   *authn.Authn
	Access  *access.Access
	Audit   *audit.Log
	Clock   identity.Clock
	Log     *slog.Logger
	Random  io.Reader // crypto/rand when nil
	// ExternalURL is what the issuers of our own realms begin with.
	ExternalURL string
	// ConsoleURL is where people log in; "" where there is no console.
	ConsoleURL string
	// ReservedBuckets are names that no bucket may have: the first path
	// segments of the control dialects.
	ReservedBuckets []string
}

// Directory manages identities.
type Directory struct {
	db       *store.DB
	keys     *keyring.Keyring
	authn    *authn.Authn
	access   *access.Access
	audit    *audit.Log
	clock    identity.Clock
	log      *slog.Logger
	random   io.Reader
	external string
	console  string // without a slash at its end
	reserved map[string]bool
}

// New makes a Directory.
func New(o Options) *Directory {
	d := &Directory{
		db: o.DB, keys: o.Keyring, authn: o.Authn, access: o.Access, audit: o.Audit, clock: o.Clock, log: o.Log,
		random: o.Random, external: o.ExternalURL, console: strings.TrimSuffix(o.ConsoleURL, "/"), reserved: map[string]bool{},
	}
	if d.random == nil {
		d.random = rand.Reader
	}
	for _, name := range o.ReservedBuckets {
		d.reserved[name] = true
	}
	return d
}

// Page is where a listing begins and how long it is; MaxItems 0 means 100.
type Page struct {
	Marker   string
	MaxItems int
}

func (p Page) limit() int {
	if p.MaxItems <= 0 {
		return 100
	}
	return p.MaxItems
}

// Listing is one page; Next is the marker of the following one, "" at the end.
type Listing[T any] struct {
	Items []T
	Next  string
}

// permit asks package access; the error is the denial.
func (d *Directory) permit(c *identity.Caller, action, arn, account string) error {
	return d.access.Authorize(c, action, access.Resource{ARN: arn, AccountID: account}).Err
}

// permitKeyed is permit with the condition keys of the call.
func (d *Directory) permitKeyed(c *identity.Caller, action, arn, account string, keys access.EntityKeys) error {
	return d.access.Authorize(c, action, access.Resource{ARN: arn, AccountID: account, Keys: keys}).Err
}

// permitShown is permit for a resource that a refusal must not name: shown
// stands in its place.
func (d *Directory) permitShown(c *identity.Caller, action, arn, shown, account string) error {
	return d.access.Authorize(c, action, access.Resource{ARN: arn, Shown: shown, AccountID: account}).Err
}

// change runs one transaction that changes identities: the caller's lineage is
// judged again in it, and its event commits with it.
func (d *Directory) change(ctx context.Context, c *identity.Caller, ev audit.Event, fn func(store.Tx) error) error {
	_, err := d.audit.Commit(ctx, d.db, ev, func(tx store.Tx) error {
		if err := d.access.StillLive(tx, c); err != nil {
			return err
		}
		return fn(tx)
	})
	return err
}

// refused records a call whose proof was no good. Calls without rights are
// recorded by package access.
func (d *Directory) refused(ctx context.Context, ev audit.Event, err error) {
	e := identity.AsError(err)
	ev.ErrorCode, ev.ErrorMessage = string(e.Kind), e.Public
	d.audit.Refuse(ctx, ev)
}

var idEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// uniqueID makes an ID such as "AIDA…": the prefix and n base32 characters.
func (d *Directory) uniqueID(prefix string, n int) (string, error) {
	b := make([]byte, (n*5+7)/8)
	if _, err := io.ReadFull(d.random, b); err != nil {
		return "", &identity.Error{Kind: identity.KindInternal, Op: "directory.id", Err: err}
	}
	return prefix + idEncoding.EncodeToString(b)[:n], nil
}
