package issue

import (
	"context"
	"strings"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// ConsoleKeysRequest asks for session keys at the console.
type ConsoleKeysRequest struct {
	// RoleARN is the role to assume, or, with PoolID, one that this identity pool
	// gives; "" for the person's own rights.
	RoleARN, PoolID string
	DurationSeconds int
}

// ConsoleKeys are session keys, and whose they are.
type ConsoleKeys struct {
	Keys identity.SessionKeys
	ARN  string
}

// ConsoleRole is a role that a person may assume.
type ConsoleRole struct {
	ARN, Name, Description string
	MaxSeconds             int
	// PoolID and PoolName are of the identity pool that gives it; "" for one that
	// the person assumes.
	PoolID, PoolName string
}

// ConsoleChoice is what a person may ask keys for.
type ConsoleChoice struct {
	// MinSeconds bounds all lifetimes, OwnSeconds those of keys with the
	// person's own rights.
	MinSeconds, OwnSeconds int
	Roles                  []ConsoleRole
}

// Fresh reports whether a person proved to be one lately enough to get
// credentials.
func (i *Issuer) fresh(c *identity.Caller) error {
	if err := atConsole(c); err != nil {
		return err
	}
	if age := i.clock.Now().Sub(c.IssuedAt); age >= freshLogin {
		return &identity.Error{Kind: identity.KindExpiredIdentity, Op: "issue.console", Public: "The log-in is more than five minutes old: show your password again."}
	}
	return nil
}

// ConsoleFresh is nil when the person proved to be one within five minutes, as
// whoever asks for credentials must have; else KindExpiredIdentity.
func (i *Issuer) ConsoleFresh(_ context.Context, c *identity.Caller) error { return i.fresh(c) }

// ConsoleKeys gives a person who logged in at the console within five minutes
// session keys: with its own rights, as GetSessionToken does, or those of a
// role, as AssumeRole does. KindExpiredIdentity when the log-in is older,
// otherwise errors as of those.
func (i *Issuer) ConsoleKeys(ctx context.Context, c *identity.Caller, r ConsoleKeysRequest) (ConsoleKeys, error) {
	name := "GetSessionToken"
	switch {
	case r.PoolID != "":
		name = "GetCredentialsForIdentity"
	case r.RoleARN != "":
		name = "AssumeRole"
	}
	ev := audit.Change(c, consoleDialect, name, map[string]string{"roleArn": bounded(r.RoleARN), "identityPoolId": bounded(r.PoolID)})
	out, err := i.consoleKeys(ctx, c, r, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) consoleKeys(ctx context.Context, c *identity.Caller, r ConsoleKeysRequest, ev *audit.Event) (ConsoleKeys, error) {
	if err := i.fresh(c); err != nil {
		return ConsoleKeys{}, err
	}
	if r.PoolID != "" {
		return i.consolePoolKeys(ctx, c, r, ev)
	}
	if r.RoleARN != "" {
		out, err := i.assumeRole(ctx, c, AssumeRoleRequest{
			RoleARN: r.RoleARN, RoleSessionName: sessionNameOf(c), DurationSeconds: r.DurationSeconds,
		}, ev)
		return ConsoleKeys{Keys: out.Keys, ARN: out.AssumedRoleARN}, err
	}
	if d := i.access.AuthorizeOwn(c, "sts:GetSessionToken", access.Resource{ARN: c.ARN, AccountID: c.AccountID}); !d.Allowed() {
		return ConsoleKeys{}, d.Err
	}
	keys, err := i.sessionToken(ctx, c, SessionTokenRequest{DurationSeconds: r.DurationSeconds}, ev)
	return ConsoleKeys{Keys: keys, ARN: c.ARN}, err
}

// sessionNameOf is the name of a person as a RoleSessionName can have it
// ([\w+=,.@-]{2,64}).
func sessionNameOf(c *identity.Caller) string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+=,.@-_", r)) {
			return r
		}
		return '-'
	}, c.Name)
	if len(name) < 2 {
		name += "-console"
	}
	return name[:min(len(name), 64)]
}

// maxOffered bounds the roles that are looked at and offered.
const maxOffered = 1000

// ConsoleChoice says what a person may ask keys for: the roles of its account
// that it may assume, and those that identity pools give it.
func (i *Issuer) ConsoleChoice(ctx context.Context, c *identity.Caller) (ConsoleChoice, error) {
	if err := atConsole(c); err != nil {
		return ConsoleChoice{}, err
	}
	out := ConsoleChoice{MinSeconds: i.minLife, OwnSeconds: maxTokenLife}
	if c.Kind == identity.RootUser {
		out.OwnSeconds = maxRootTokenLife
	}
	roles, err := store.Roles.List(i.db.Snapshot(), "path", store.Join(c.AccountID, ""), store.After{}, maxOffered)
	if err != nil {
		return ConsoleChoice{}, err
	}
	for _, role := range roles {
		keys := roleKeys(role, sessionNameOf(c), "", &sessionTags{})
		if i.access.AuthorizeRole(c, role, c.Partition, assumeRoleAction, keys).Allowed() {
			out.Roles = append(out.Roles, ConsoleRole{
				ARN: role.ARN(c.Partition), Name: role.Name, Description: role.Description, MaxSeconds: min(role.MaxSessionDuration, maxSessionLife),
			})
		}
	}
	given, err := i.poolChoices(ctx, c)
	out.Roles = append(out.Roles, given...)
	return out, err
}
