// Package operate is what operators do to the installation itself: look at the
// keyring and rotate it, look at the stores behind the gate and try them, give
// buckets that are there to accounts, back the site up and restore it. Every
// method takes the operator's Caller and asks package access; no principal of an
// account, root included, is let in.
//
// It refuses to know how the operator reached it, and anything about the
// identities of accounts: that is package directory's.
package operate

import (
	"context"
	"strings"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
	"daypass/internal/upstream"
)

// Upstreams are the stores behind the gate.
type Upstreams interface {
	ByName(name string) (*upstream.S3, bool)
	All() []*upstream.S3
	STS(name string) (*upstream.STS, bool)
}

// Options are what Operations needs.
type Options struct {
	DB        *store.DB
	Keyring   *keyring.Keyring
	Access    *access.Access
	Audit     *audit.Log
	Clock     identity.Clock
	Upstreams Upstreams
	// ReservedBuckets are names that no bucket may have: the first path
	// segments of the control dialects.
	ReservedBuckets []string
	// Version of the program, as backups note it.
	Version string
}

// Operations serves the operator.
type Operations struct {
	db        *store.DB
	keys      *keyring.Keyring
	access    *access.Access
	audit     *audit.Log
	clock     identity.Clock
	upstreams Upstreams
	reserved  []string
	version   string
}

// Rotation says how far a rotation goes.
type Rotation struct {
	// Now uses new signing keys at once, before those who cache the old key set
	// know them: for emergencies.
	Now bool
	// Compromised, which implies Now, also ends what the old session epochs and
	// signing keys made.
	Compromised bool
}

func (r Rotation) String() string {
	switch {
	case r.Compromised:
		return "compromised"
	case r.Now:
		return "now"
	}
	return "in time"
}

// New makes Operations.
func New(o Options) *Operations {
	return &Operations{
		db: o.DB, keys: o.Keyring, access: o.Access, audit: o.Audit, clock: o.Clock, upstreams: o.Upstreams, reserved: o.ReservedBuckets,
		version: o.Version,
	}
}

// permit asks package access; the error is the denial.
func (o *Operations) permit(c *identity.Caller, action string) error {
	return o.access.Authorize(c, action, access.Resource{}).Err
}

// KeyStatus lists our own keys, without any secret. KindAccessDenied for
// anyone but an operator.
func (o *Operations) KeyStatus(_ context.Context, c *identity.Caller) ([]keyring.KeyStatus, error) {
	if err := o.permit(c, "daypass:ListKeys"); err != nil {
		return nil, err
	}
	return o.keys.Status(), nil
}

// RotateKeys makes new keys: "all", or one of the keyring's parts, a signing
// set as "signing/<set>". The names that KeyStatus shows are understood too.
func (o *Operations) RotateKeys(ctx context.Context, c *identity.Caller, what string, how Rotation) (keyring.Report, error) {
	if err := o.permit(c, "daypass:RotateKeys"); err != nil {
		return keyring.Report{}, err
	}
	opt := keyring.RotateOptions{Now: how.Now, Compromised: how.Compromised}
	kind := what
	if set, ok := strings.CutPrefix(what, keyring.RotateSigning+"/"); ok {
		kind, opt.Set = keyring.RotateSigning, set
	} else if strings.Contains(what, "/") { // a signing set, as KeyStatus names it
		kind, opt.Set = keyring.RotateSigning, what
	} else if what == "box" {
		kind = keyring.RotateBoxes
	}
	report, err := o.keys.Rotate(ctx, kind, opt)
	ev := audit.Change(c, "daypass", "RotateKeys", map[string]string{"what": what, "how": how.String()})
	if err != nil {
		e := identity.AsError(err)
		ev.ErrorCode, ev.ErrorMessage = string(e.Kind), e.Public
		o.audit.Refuse(ctx, ev)
		return report, err
	}
	return report, o.audit.Record(ctx, ev)
}
