package directory

import (
	"strings"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// scopeOf resolves what a RevokeSpec names and judges whether the caller may
// end it. What is absent and what is another account's are told alike.
func (d *Directory) scopeOf(r store.Reader, c *identity.Caller, in RevokeSpec) (*scope, error) {
	sc, err := d.resolve(r, c, in)
	if err != nil {
		return nil, err
	}
	if c.Kind == identity.Operator {
		return sc, nil
	}
	if sc.account == "" || sc.account != c.AccountID || sc.root && c.Kind != identity.RootUser {
		return nil, noTarget(in)
	}
	return sc, d.permit(c, "iam:RevokeSessions", sc.arn, c.AccountID)
}

func noTarget(in RevokeSpec) error {
	return &identity.Error{Kind: identity.KindNotFound, Op: "directory.revoke", Public: "There is no " + strings.ReplaceAll(string(in.Scope), "-", " ") + " " + in.ID + "."}
}

func (d *Directory) resolve(r store.Reader, c *identity.Caller, in RevokeSpec) (*scope, error) {
	switch in.Scope {
	case ScopeAccessKey:
		return d.accessKeyScope(r, c, in)
	case ScopeProof:
		return d.proofScope(r, in)
	case ScopeLogin, ScopeFamily:
		return d.loginScope(r, in)
	case ScopePrincipal, ScopeRole:
		found, session, err := d.principalOf(r, in.ID)
		if err != nil {
			return nil, err
		}
		if in.Scope == ScopeRole && found.kind != identity.LineageRole {
			return nil, noTarget(in)
		}
		if session != "" {
			return nil, invalid("%s names sessions of a role: revoke one by its access key ID (daypass sessions list --principal ARN), or the role.", in.ID)
		}
		return found, nil
	case ScopeWebIdentity:
		sc := &scope{kind: identity.LineageWebIdentity, id: identity.WebIdentityID(in.ID, in.Subject), what: "web identity " + in.Subject + " of " + in.ID}
		return d.bound(r, c, sc, in.AccountID)
	case ScopeProvider:
		return d.providerScope(r, in)
	case ScopeAccount:
		acc, err := store.Accounts.Get(r, in.ID)
		if err != nil {
			return nil, orTarget(err, in)
		}
		return &scope{
			kind: identity.LineageAccount, id: acc.ID, account: acc.ID, root: true, what: "account " + acc.ID,
			arn: identity.RootARN(acc.Partition, acc.ID),
		}, nil
	case ScopePoolIdentity:
		return d.poolIdentityScope(r, in)
	}
	return nil, invalid("There is no scope %q.", string(in.Scope))
}

func orTarget(err error, in RevokeSpec) error {
	if identity.KindOf(err) == identity.KindNotFound {
		return noTarget(in)
	}
	return err
}

// bound limits a revocation to sessions in an account: the caller's own, or
// the one that the operator names.
func (d *Directory) bound(r store.Reader, c *identity.Caller, sc *scope, account string) (*scope, error) {
	if c.Kind != identity.Operator {
		account = c.AccountID
	}
	if account == "" {
		return sc, nil
	}
	acc, err := store.Accounts.Get(r, account)
	if err != nil {
		return nil, orTarget(err, RevokeSpec{Scope: ScopeAccount, ID: account})
	}
	sc.account, sc.bounded = acc.ID, true
	sc.what += " in account " + acc.ID
	sc.arn = identity.ARN{Partition: acc.Partition, Service: "iam", Account: acc.ID, Resource: "*"}.String()
	return sc, nil
}

// accessKeyScope is a session by its access key ID, known to the index or not,
// or what was obtained with a long-term key.
func (d *Directory) accessKeyScope(r store.Reader, c *identity.Caller, in RevokeSpec) (*scope, error) {
	if !access.IsSessionKeyID(in.ID) {
		return d.proofScope(r, in)
	}
	sc := &scope{kind: identity.LineageAccessKey, id: in.ID, what: "session " + in.ID}
	s, err := store.SessionRecords.Get(r, in.ID)
	if identity.KindOf(err) == identity.KindNotFound {
		return d.bound(r, c, sc, in.AccountID)
	}
	if err != nil {
		return nil, err
	}
	// An account that names another's session is told the same as for one that
	// nobody knows, and reaches as little.
	if c.Kind != identity.Operator && s.AccountID != c.AccountID {
		return d.bound(r, c, sc, "")
	}
	acc, err := store.Accounts.Get(r, s.AccountID)
	if err != nil {
		return nil, orTarget(err, in)
	}
	sc.account, sc.root, sc.what = s.AccountID, s.Kind == identity.RootUser, sc.what+" ("+s.ARN+")"
	sc.arn = identity.ARN{Partition: acc.Partition, Service: "iam", Account: acc.ID, Resource: "*"}.String()
	if s.Kind == identity.RoleSession {
		if role, err := store.Roles.Get(r, s.PrincipalID); err == nil {
			sc.arn = role.ARN(acc.Partition)
		}
	} else if u, err := store.Users.Get(r, s.PrincipalID); err == nil {
		sc.arn = u.ARN(acc.Partition)
	}
	return sc, nil
}

func (d *Directory) proofScope(r store.Reader, in RevokeSpec) (*scope, error) {
	sc := &scope{kind: identity.LineageProof, id: in.ID, what: "what was obtained with " + in.ID}
	if strings.HasPrefix(in.ID, identity.APIKeyPrefix) {
		k, err := store.APIKeys.Get(r, in.ID)
		if err != nil {
			return sc, orAbsent(err) // nobody knows whose a deleted one was
		}
		return d.ofUser(r, sc, k.UserID)
	}
	k, err := store.AccessKeys.Get(r, in.ID)
	if identity.KindOf(err) == identity.KindNotFound {
		if in.Scope == ScopeAccessKey {
			return nil, noTarget(in)
		}
		return sc, nil // a proof that was deleted, or of another kind
	}
	if err != nil {
		return nil, err
	}
	return d.ofUser(r, sc, k.UserID)
}

func (d *Directory) loginScope(r store.Reader, in RevokeSpec) (*scope, error) {
	sc := &scope{kind: identity.LineageLogin, id: in.ID, what: "log-in session " + in.ID}
	f, err := store.RefreshFamilies.Get(r, in.ID)
	if identity.KindOf(err) == identity.KindNotFound {
		if in.Scope == ScopeFamily {
			return nil, noTarget(in)
		}
		return sc, nil // log-ins without refresh tokens leave no record
	}
	if err != nil {
		return nil, err
	}
	return d.ofUser(r, sc, f.UserID)
}

// ofUser completes a scope by the user that it belongs to, if that still is.
func (d *Directory) ofUser(r store.Reader, sc *scope, userID string) (*scope, error) {
	u, err := store.Users.Get(r, userID)
	if err != nil {
		return sc, orAbsent(err)
	}
	acc, err := store.Accounts.Get(r, u.AccountID)
	if err != nil {
		return nil, err
	}
	sc.account, sc.root, sc.arn = acc.ID, u.Root, u.ARN(acc.Partition)
	sc.what += " of " + sc.arn
	return sc, nil
}

func (d *Directory) providerScope(r store.Reader, in RevokeSpec) (*scope, error) {
	arn, ok := identity.ParseARN(in.ID)
	if !ok || identity.IdentityPoolOf(in.ID) == "" && (arn.Service != "iam" || !strings.HasPrefix(arn.Resource, "oidc-provider/") && !strings.HasPrefix(arn.Resource, "saml-provider/")) {
		return nil, invalid("%s is not the ARN of an OIDC or SAML provider or of an identity pool.", in.ID)
	}
	// The provider itself may be gone already.
	acc, err := store.Accounts.Get(r, arn.Account)
	if err != nil || acc.Partition != arn.Partition {
		return nil, orTarget(orAbsentError(err), in)
	}
	return &scope{kind: identity.LineageProvider, id: in.ID, account: acc.ID, arn: in.ID, what: "provider " + in.ID}, nil
}

// poolIdentityScope is an identity, deleted or not; of a deleted one nobody
// knows whose it was.
func (d *Directory) poolIdentityScope(r store.Reader, in RevokeSpec) (*scope, error) {
	sc := &scope{kind: identity.LineagePoolIdentity, id: in.ID, what: "identity-pool identity " + in.ID}
	i, err := store.PoolIdentities.Get(r, in.ID)
	if err != nil {
		return sc, orAbsent(err)
	}
	acc, err := store.Accounts.Get(r, i.AccountID)
	if err != nil {
		return nil, err
	}
	sc.account, sc.arn = acc.ID, identity.ARN{Partition: acc.Partition, Service: "cognito-identity", Account: acc.ID, Resource: "identitypool/" + i.PoolID}.String()
	if pool, err := store.IdentityPools.Get(r, i.PoolID); err == nil {
		sc.arn = pool.ARN(acc.Partition)
	}
	return sc, nil
}

func orAbsentError(err error) error {
	if err == nil {
		return &identity.Error{Kind: identity.KindNotFound, Op: "directory.revoke"}
	}
	return err
}

// principalOf finds a user, root user or role by ARN or unique ID. For the ARN
// of an assumed role it is the role, and the session's name comes with it.
func (d *Directory) principalOf(r store.Reader, name string) (*scope, string, error) {
	absent := noTarget(RevokeSpec{Scope: ScopePrincipal, ID: name})
	id, session := name, ""
	if arn, ok := identity.ParseARN(name); ok {
		if arn.Resource == "root" {
			id = arn.Account
		} else {
			bound, err := boundID(r, name)
			if err != nil {
				return nil, "", err
			}
			if id, session, _ = strings.Cut(bound, ":"); id == "" {
				return nil, "", absent
			}
		}
	}
	if role, err := store.Roles.Get(r, id); err == nil {
		sc, err := d.ofRole(r, role)
		return sc, session, err
	} else if identity.KindOf(err) != identity.KindNotFound {
		return nil, "", err
	}
	u, err := store.Users.Get(r, id)
	if identity.KindOf(err) == identity.KindNotFound {
		return nil, "", absent
	}
	if err != nil {
		return nil, "", err
	}
	acc, err := store.Accounts.Get(r, u.AccountID)
	if err != nil {
		return nil, "", err
	}
	arn := u.ARN(acc.Partition)
	return &scope{
		kind: identity.LineagePrincipal, id: u.ID, account: acc.ID, root: u.Root, arn: arn, owner: u.ID, what: arn + " (" + u.ID + ")",
	}, session, nil
}

func (d *Directory) ofRole(r store.Reader, role *identity.Role) (*scope, error) {
	acc, err := store.Accounts.Get(r, role.AccountID)
	if err != nil {
		return nil, err
	}
	arn := role.ARN(acc.Partition)
	return &scope{kind: identity.LineageRole, id: role.ID, account: acc.ID, arn: arn, what: arn + " (" + role.ID + ")"}, nil
}
