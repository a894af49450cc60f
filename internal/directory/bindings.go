package directory

import (
	"strings"

	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// parseBound compiles a trust or bucket policy that is about to be stored and
// resolves the users, roles and sessions that its Principal names to their
// unique IDs, so that a recreated name inherits nothing. KindMalformedPolicy
// for a name that nobody has.
func parseBound(r store.Reader, kind policy.Kind, document string, o policy.Options) (*policy.Policy, map[string]string, error) {
	p, err := policy.Parse(kind, document, o)
	if err != nil {
		return nil, nil, err
	}
	var bound map[string]string
	for _, arn := range p.Principals() {
		id, err := boundID(r, arn)
		if err != nil {
			return nil, nil, err
		}
		if id == "" {
			return nil, nil, &identity.Error{Kind: identity.KindMalformedPolicy, Op: "directory.bind", Public: `Invalid principal in policy: "AWS":"` + arn + `"`}
		}
		if bound == nil {
			bound = map[string]string{}
		}
		bound[arn] = id
	}
	return p, bound, nil
}

// boundID is the unique ID behind an ARN, of a session with its name behind
// it, and "" for nobody's.
func boundID(r store.Reader, text string) (string, error) {
	arn, ok := identity.ParseARN(text)
	if !ok {
		return "", nil
	}
	acc, err := store.Accounts.Get(r, arn.Account)
	if err != nil || acc.Partition != arn.Partition {
		return "", orAbsent(err)
	}
	kind, rest, _ := strings.Cut(arn.Resource, "/")
	switch kind {
	case "user":
		path, name, _ := arn.Name("user")
		u, err := store.Users.By(r, "name", store.Join(acc.ID, store.Fold(name)))
		if err != nil || u.Name != name || u.Path != path {
			return "", orAbsent(err)
		}
		return u.ID, nil
	case "role":
		path, name, _ := arn.Name("role")
		role, err := store.Roles.By(r, "name", store.Join(acc.ID, store.Fold(name)))
		if err != nil || role.Name != name || role.Path != path {
			return "", orAbsent(err)
		}
		return role.ID, nil
	case "assumed-role":
		name, session, _ := strings.Cut(rest, "/")
		role, err := store.Roles.By(r, "name", store.Join(acc.ID, store.Fold(name)))
		if err != nil || role.Name != name {
			return "", orAbsent(err)
		}
		return role.ID + ":" + session, nil
	case "federated-user":
		return acc.ID + ":" + rest, nil
	}
	return "", nil
}

// orAbsent passes on only errors of the store.
func orAbsent(err error) error {
	if identity.KindOf(err) == identity.KindNotFound {
		return nil
	}
	return err
}
