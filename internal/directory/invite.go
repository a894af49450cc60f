package directory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// UserName says which user the operator means. AccountID is an account's ID or
// alias, "" for the only one; Realm is "" for whichever has the user, or for the
// account's only one.
type UserName struct {
	AccountID string `json:"account_id,omitempty"`
	Realm     string `json:"realm,omitempty"`
	Name      string `json:"name"`
}

// Invitation is a user who is to get a way to log in.
type Invitation struct {
	UserName
	Email string `json:"email,omitempty"`
}

// UserReset is a user whose ways to log in are lost.
type UserReset struct {
	UserName
	// RemoveMFA takes its MFA devices and passkeys away when the link is used.
	RemoveMFA bool `json:"remove_mfa,omitempty"`
}

// InviteUser makes a one-time link by which a user gets its first way to log in,
// and the user where there is none of the name. The operator's alone.
// KindAlreadyExists for a user who has a way to log in, KindNotFound,
// KindValidation.
func (d *Directory) InviteUser(ctx context.Context, c *identity.Caller, in Invitation) (NewLink, error) {
	if err := d.permitLinks(c, "daypass:InviteUser"); err != nil {
		return NewLink{}, err
	}
	id, err := d.uniqueID("AIDA", 17)
	if err != nil {
		return NewLink{}, err
	}
	subject, err := identity.NewUUID(d.random)
	if err != nil {
		return NewLink{}, err
	}
	ev := audit.Change(c, "daypass", "InviteUser", map[string]string{"userName": in.Name, "accountId": in.AccountID, "realm": in.Realm})
	var out NewLink
	err = d.change(ctx, c, ev, func(tx store.Tx) error {
		u, created, err := d.invited(tx, in, id, subject)
		if err != nil {
			return err
		}
		w, err := waysIn(tx, u.ID)
		if err != nil {
			return err
		}
		if w.any() {
			return identity.NewError(identity.KindAlreadyExists, "directory.invite", "The user "+u.Name+" can log in already; to make a link all the same: daypass user reset "+u.Name)
		}
		out, err = d.makeLink(tx, u, false, false)
		out.Created = created
		return err
	})
	if identity.KindOf(err) == identity.KindAlreadyExists && identity.AsError(err).Public == "" { // found at commit
		err = invalid("The name or e-mail address is another user's.")
	}
	return out, err
}

// permitLinks asks for the right to make links, which need a console to open.
func (d *Directory) permitLinks(c *identity.Caller, action string) error {
	if err := d.permit(c, action, "", ""); err != nil {
		return err
	}
	if d.console == "" {
		return identity.NewError(identity.KindNotImplemented, "directory.link", "There is no console on this server, so no page for the link.")
	}
	return nil
}

// invited finds or makes the user of an invitation.
func (d *Directory) invited(tx store.Tx, in Invitation, id, subject string) (u *identity.User, created bool, err error) {
	acc, err := accountNamed(tx, in.AccountID)
	if err != nil {
		return nil, false, err
	}
	have, err := userNamed(tx, acc, in.UserName)
	if err != nil && identity.KindOf(err) != identity.KindNotFound {
		return nil, false, err
	}
	v := identity.User{ID: id, AccountID: acc.ID, Name: in.Name, Path: "/", CreatedAt: d.clock.Now().UTC()}
	if created = err != nil; !created {
		v = *have
	} else if err := checkUser(&v); err != nil {
		return nil, false, err
	}
	if v.Token != nil {
		return nil, false, invalid("An API token logs in by its secret.")
	}
	if v.Realm == "" {
		realm, err := realmNamed(tx, acc, in.Realm)
		if err != nil {
			return nil, false, err
		}
		v.Realm, v.Subject = realm.Name, subject
	}
	if in.Email != "" && !v.Root {
		v.Email = in.Email
	}
	if len(v.Email) > 254 {
		return nil, false, invalid("The e-mail address is too long.")
	}
	return &v, created, store.Users.Put(tx, &v)
}

// ResetUser makes a one-time link by which a user who can log in, or could, gets
// a new way. The operator's alone. KindNotFound, KindValidation.
func (d *Directory) ResetUser(ctx context.Context, c *identity.Caller, in UserReset) (NewLink, error) {
	if err := d.permitLinks(c, "daypass:ResetUser"); err != nil {
		return NewLink{}, err
	}
	ev := audit.Change(c, "daypass", "ResetUser", map[string]string{"userName": in.Name, "accountId": in.AccountID, "realm": in.Realm})
	ev.RequestParameters["removeMFA"] = in.RemoveMFA
	var out NewLink
	err := d.change(ctx, c, ev, func(tx store.Tx) error {
		acc, err := accountNamed(tx, in.AccountID)
		if err != nil {
			return err
		}
		u, err := userNamed(tx, acc, in.UserName)
		if err != nil {
			return err
		}
		if u.Token != nil || u.Realm == "" {
			return invalid("The user %s has no place to log in; to give it one: daypass user invite %s", u.Name, u.Name)
		}
		out, err = d.makeLink(tx, u, true, in.RemoveMFA)
		return err
	})
	return out, err
}

// accountNamed finds an account by ID or alias; "" is the only one.
func accountNamed(r store.Reader, name string) (*identity.Account, error) {
	if name == "" {
		list, err := store.Accounts.List(r, "", "", store.After{}, 2)
		if err == nil && len(list) != 1 {
			err = invalid("There are several accounts: name one (--account ID or alias).")
		}
		if err != nil {
			return nil, err
		}
		return list[0], nil
	}
	acc, err := store.Accounts.Get(r, name)
	if identity.KindOf(err) == identity.KindNotFound {
		acc, err = store.Accounts.By(r, "alias", name)
	}
	return acc, ifAbsent(err, identity.NewError(identity.KindNotFound, "directory.account", "There is no account "+clip(name)+"."))
}

// realmNamed finds a realm of an account; "" is the only one.
func realmNamed(r store.Reader, acc *identity.Account, name string) (*identity.Realm, error) {
	own, err := realmsOf(r, acc)
	if err != nil {
		return nil, err
	}
	if name != "" {
		own = slices.DeleteFunc(own, func(r *identity.Realm) bool { return r.Name != name })
	}
	switch {
	case len(own) == 1:
		return own[0], nil
	case name != "":
		return nil, identity.NewError(identity.KindNotFound, "directory.realm", "The account has no realm "+clip(name)+".")
	case len(own) == 0:
		return nil, invalid("The account has no realm, so its users have no place to log in; add one to the site file.")
	}
	return nil, invalid("The account has several realms: name one (--realm NAME).")
}

func realmsOf(r store.Reader, acc *identity.Account) ([]*identity.Realm, error) {
	all, err := store.Realms.List(r, "", "", store.After{}, 0)
	var own []*identity.Realm
	for _, realm := range all {
		if realm.AccountID == acc.ID {
			own = append(own, realm)
		}
	}
	return own, err
}

// userNamed finds a user of an account by name, or by the name or e-mail address
// that it logs in with. KindNotFound.
func userNamed(r store.Reader, acc *identity.Account, n UserName) (*identity.User, error) {
	if n.Realm == "" {
		u, err := store.Users.By(r, "name", store.Join(acc.ID, store.Fold(n.Name)))
		if identity.KindOf(err) != identity.KindNotFound {
			return u, err
		}
	}
	own, err := realmsOf(r, acc)
	if err != nil {
		return nil, err
	}
	for _, realm := range own {
		if n.Realm != "" && n.Realm != realm.Name {
			continue
		}
		u, err := store.Users.By(r, "login", store.Join(realm.Name, store.Fold(n.Name)))
		if identity.KindOf(err) != identity.KindNotFound {
			return u, err
		}
	}
	return nil, noUser(clip(n.Name))
}

// SwitchUser switches a user off, which ends what it has obtained, or on again.
// The operator's alone. KindNotFound; KindValidation for root users, who are
// switched off with their account.
func (d *Directory) SwitchUser(ctx context.Context, c *identity.Caller, in UserName, disabled bool) error {
	if err := d.permit(c, "daypass:SwitchUser", "", ""); err != nil {
		return err
	}
	ev := audit.Change(c, "daypass", "SwitchUser", map[string]string{"userName": in.Name, "accountId": in.AccountID, "realm": in.Realm})
	ev.RequestParameters["disabled"] = disabled
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		acc, err := accountNamed(tx, in.AccountID)
		if err != nil {
			return err
		}
		u, err := userNamed(tx, acc, in)
		if err != nil {
			return err
		}
		if u.Root {
			return invalid("A root user is switched off with its account, or for all accounts by root_login_disabled of the realm %s.", identity.RootRealm)
		}
		v := *u
		v.Disabled = disabled
		if err := store.Users.Put(tx, &v); err != nil {
			return err
		}
		return d.userChanged(tx, u, &v, false)
	})
}

// LoginState says how a user can log in.
type LoginState struct {
	Name      string `json:"name"`
	AccountID string `json:"account_id"`
	Realm     string `json:"realm,omitempty"`
	Email     string `json:"email,omitempty"`
	// State is active, disabled, invited (a link is open) or no-login.
	State       string `json:"state"`
	Password    bool   `json:"password"`
	Passkeys    int    `json:"passkeys"`
	MFADevices  int    `json:"mfa_devices"`
	Identities  int    `json:"identities"`
	MFARequired bool   `json:"mfa_required"`
	// LinkExpiresAt is that of an open one-time link.
	LinkExpiresAt time.Time `json:"link_expires_at,omitzero"`
}

// Values of LoginState.State.
const (
	LoginActive   = "active"
	LoginDisabled = "disabled"
	LoginInvited  = "invited"
	LoginNone     = "no-login"
)

// maxLoginStates bounds what one call answers.
const maxLoginStates = 10000

// LoginStates lists users, API tokens aside, by account and name. The operator's
// alone. KindLimitExceeded when there are too many to list at once.
func (d *Directory) LoginStates(ctx context.Context, c *identity.Caller, account, realm string) ([]LoginState, error) {
	if err := d.permit(c, "daypass:ListUsers", "", ""); err != nil {
		return nil, err
	}
	var out []LoginState
	err := d.db.View(ctx, func(r store.Reader) error {
		id := ""
		if account != "" {
			acc, err := accountNamed(r, account)
			if err != nil {
				return err
			}
			id = acc.ID
		}
		users, err := store.Users.List(r, "", "", store.After{}, 0)
		if err != nil {
			return err
		}
		for _, u := range users {
			if u.Token != nil || id != "" && u.AccountID != id || realm != "" && u.Realm != realm {
				continue
			}
			if len(out) == maxLoginStates {
				return &identity.Error{Kind: identity.KindLimitExceeded, Op: "directory.users", Public: "There are more than 10000 users: name an account or a realm."}
			}
			s, err := d.loginState(r, u)
			if err != nil {
				return err
			}
			out = append(out, s)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b LoginState) int {
		return cmp.Or(cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.Name, b.Name))
	})
	return out, err
}

func (d *Directory) loginState(r store.Reader, u *identity.User) (LoginState, error) {
	s := LoginState{Name: u.Name, AccountID: u.AccountID, Realm: u.Realm, Email: u.Email, MFARequired: u.MFARequired}
	w, err := waysIn(r, u.ID)
	if err != nil {
		return s, err
	}
	s.Password, s.Passkeys, s.MFADevices, s.Identities = w.password, w.passkeys, w.devices, w.identities
	links, err := store.OneTimeLinks.List(r, "user", store.Join(u.ID, ""), store.After{}, 0)
	for _, l := range links {
		if l.UsedAt.IsZero() && l.ReplacedAt.IsZero() && d.clock.Now().Before(l.ExpiresAt) {
			s.LinkExpiresAt = l.ExpiresAt
		}
	}
	switch {
	case u.Disabled:
		s.State = LoginDisabled
	case w.any():
		s.State = LoginActive
	case !s.LinkExpiresAt.IsZero():
		s.State = LoginInvited
	default:
		s.State = LoginNone
	}
	return s, err
}
