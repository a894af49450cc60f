// Package operate is what operators do to the installation itself: look at the
// keyring and rotate it. Every method takes the operator's Caller and asks
// package access; no principal of an account, root included, is let in.
//
// It refuses to know how the operator reached it, and anything about accounts:
// that is package directory's.
package operate

import (
	"context"
	"strings"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/keyring"
)

// Operations serves the operator.
type Operations struct {
	keys   *keyring.Keyring
	access *access.Access
	audit  *audit.Log
}

// New makes Operations.
func New(k *keyring.Keyring, a *access.Access, l *audit.Log) *Operations {
	return &Operations{keys: k, access: a, audit: l}
}

// KeyStatus lists our own keys, without any secret. KindAccessDenied for
// anyone but an operator.
func (o *Operations) KeyStatus(_ context.Context, c *identity.Caller) ([]keyring.KeyStatus, error) {
	if d := o.access.Authorize(c, "daypass:ListKeys", access.Resource{}); !d.Allowed() {
		return nil, d.Err
	}
	return o.keys.Status(), nil
}

// RotateKeys makes new keys: "all", or one of the keyring's parts, a signing
// set as "signing/<set>". With now, a new signing key signs at once, before
// those who cache the old key set know it: for emergencies.
func (o *Operations) RotateKeys(ctx context.Context, c *identity.Caller, what string, now bool) (keyring.Report, error) {
	if d := o.access.Authorize(c, "daypass:RotateKeys", access.Resource{}); !d.Allowed() {
		return keyring.Report{}, d.Err
	}
	opt := keyring.RotateOptions{Now: now}
	kind := what
	if set, ok := strings.CutPrefix(what, keyring.RotateSigning+"/"); ok {
		kind, opt.Set = keyring.RotateSigning, set
	}
	report, err := o.keys.Rotate(ctx, kind, opt)
	ev := audit.Change(c, "daypass", "RotateKeys", map[string]string{"what": what})
	if err != nil {
		e := identity.AsError(err)
		ev.ErrorCode, ev.ErrorMessage = string(e.Kind), e.Public
		o.audit.Refuse(ctx, ev)
		return report, err
	}
	return report, o.audit.Record(ctx, ev)
}
