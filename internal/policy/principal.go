package policy

import (
	"strings"

	"daypass/internal/identity"
)

// grant says how far a Principal element speaks of a caller.
type grant uint8

const (
	noGrant grant = iota
	// delegated: the caller's account is named, so that its own policies decide.
	delegated
	// limited: the caller is meant, within its boundary (everyone, a role, the
	// user behind a federated session, a provider, a service).
	limited
	// direct: exactly this user or this session is named.
	direct
)

type entryKind uint8

const (
	everyone entryKind = iota
	wholeAccount
	boundID   // unique ID of a user or role, or user ID of a session
	byName    // ARN as written, when nothing was bound
	provider  // Federated
	service   // Service
	canonical // CanonicalUser
)

type principalEntry struct {
	kind   entryKind
	value  string
	prefix string // "arn:<partition>:" of an account's ARN, "" for a bare ID
}

type principalSet struct {
	not     bool
	entries []principalEntry
	names   []string // ARNs of users, roles and sessions as written
}

func compilePrincipal(raw *rawPrincipal, not bool, o *Options) (*principalSet, error) {
	set := &principalSet{not: not}
	if raw.anyone {
		set.entries = []principalEntry{{kind: everyone}}
		return set, nil
	}
	if len(raw.entries) == 0 {
		return nil, refused("Missing required field Principal cannot be empty!")
	}
	for _, e := range raw.entries {
		if len(e.value) > MaxPattern || e.value == "" || (e.value != "*" && strings.ContainsAny(e.value, "*?${} \t\r\n")) {
			return nil, invalidPrincipal(e)
		}
		entry := principalEntry{value: e.value}
		switch e.kind {
		case "AWS":
			var ok bool
			if entry, ok = set.aws(e.value, o); !ok {
				return nil, invalidPrincipal(e)
			}
		case "Federated":
			entry.kind = provider
		case "Service":
			entry.kind = service
		case "CanonicalUser":
			entry.kind = canonical
		default:
			return nil, invalidPrincipal(e)
		}
		if entry.value == "*" {
			return nil, invalidPrincipal(e)
		}
		set.entries = append(set.entries, entry)
	}
	return set, nil
}

func invalidPrincipal(e rawPrincipalEntry) error {
	return refused("Invalid principal in policy: %q:%q", e.kind, e.value)
}

// aws compiles "*", an account ID, a unique ID, or the ARN of an account, a
// user, a role, or a session.
func (set *principalSet) aws(value string, o *Options) (principalEntry, bool) {
	if value == "*" {
		return principalEntry{kind: everyone}, true
	}
	if !strings.Contains(value, ":") {
		if isUniqueID(value) {
			return principalEntry{kind: boundID, value: value}, true
		}
		return principalEntry{kind: wholeAccount, value: value}, isAccountID(value)
	}
	a, ok := identity.ParseARN(value)
	if !ok || a.Region != "" || !isAccountID(a.Account) {
		return principalEntry{}, false
	}
	if a.Service == "iam" && a.Resource == "root" {
		return principalEntry{kind: wholeAccount, value: a.Account, prefix: "arn:" + a.Partition + ":"}, true
	}
	kind, name, _ := strings.Cut(a.Resource, "/")
	switch a.Service + ":" + kind {
	case "iam:user", "iam:role", "sts:federated-user":
	case "sts:assumed-role":
		role, session, _ := strings.Cut(name, "/")
		if role == "" || session == "" || strings.Contains(session, "/") {
			return principalEntry{}, false
		}
	default:
		return principalEntry{}, false
	}
	if name == "" || strings.HasSuffix(name, "/") {
		return principalEntry{}, false
	}
	set.names = append(set.names, value)
	if o.ByName {
		return principalEntry{kind: byName, value: value}, true
	}
	// An ARN that nothing was bound to has the ID "", which nobody has.
	return principalEntry{kind: boundID, value: o.Bindings[value]}, true
}

func isUniqueID(s string) bool {
	return (strings.HasPrefix(s, "AIDA") || strings.HasPrefix(s, "AROA")) && len(s) >= 16
}

func isAccountID(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isDigit(c) && c != '-' && (lower(c) < 'a' || lower(c) > 'z') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// grants reports the furthest that the element goes for a caller. forAllow is
// false in a Deny, where an account stands for all its principals and everyone
// includes those who belong to no account.
func (set *principalSet) grants(p *Principal, forAllow bool) grant {
	if set == nil {
		return noGrant
	}
	best := noGrant
	for i := range set.entries {
		best = max(best, set.entries[i].grants(p, forAllow))
		if best == direct {
			break
		}
	}
	if !set.not {
		return best
	}
	// Naming an account exempts its root user alone, as in AWS.
	if best > delegated || (best == delegated && p.Kind == identity.RootUser) {
		return noGrant
	}
	return limited
}

func (e *principalEntry) grants(p *Principal, forAllow bool) grant {
	switch e.kind {
	case everyone:
		// Who comes with a foreign token must be trusted by its provider's name.
		if !forAllow || p.Provider == "" || p.Account != "" {
			return limited
		}
	case wholeAccount:
		if p.Account == e.value && strings.HasPrefix(p.ARN, e.prefix) {
			return delegated
		}
	case boundID:
		if e.value == "" {
			return noGrant
		}
		if e.value == p.UserID && (p.Kind == identity.RoleSession || p.Kind == identity.Federated) {
			return direct
		}
		return p.grantOfOwner(e.value == p.ID)
	case byName:
		if e.value == p.ARN {
			return direct
		}
		return p.grantOfOwner(e.value == p.OwnerARN && p.OwnerARN != "")
	case provider:
		return limitedIf(p.Provider == e.value)
	case service:
		return limitedIf(p.Service == e.value)
	case canonical:
		return limitedIf(p.CanonicalID == e.value)
	}
	return noGrant
}

// grantOfOwner is the grant to the user or role behind the caller.
func (p *Principal) grantOfOwner(named bool) grant {
	switch {
	case !named:
		return noGrant
	case p.Kind == identity.IAMUser || p.Kind == identity.ServiceID:
		return direct
	}
	return limited
}

func limitedIf(named bool) grant {
	if named {
		return limited
	}
	return noGrant
}
