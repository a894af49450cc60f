package directory

import (
	"context"
	"encoding/base64"
	"io"
	"net/url"
	"strconv"
	"time"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	linkLife  = 24 * time.Hour
	linkBytes = 32
	linkLabel = "one-time-link"
	// linkPath is the page that a one-time link opens; its token is in the query,
	// so that the page works without scripts.
	linkPath = "/welcome"
)

// NewLink is a one-time link just made; it is shown this once.
type NewLink struct {
	User      string          `json:"user"`
	AccountID string          `json:"account_id"`
	Realm     string          `json:"realm"`
	Link      identity.Secret `json:"-"`
	ExpiresAt time.Time       `json:"expires_at"`
	// Created says that the user was made for it.
	Created bool `json:"created,omitempty"`
}

// makeLink makes a one-time link for a user; an earlier one ends.
func (d *Directory) makeLink(tx store.Tx, u *identity.User, reset, removeMFA bool) (NewLink, error) {
	b := make([]byte, linkBytes)
	if _, err := io.ReadFull(d.random, b); err != nil {
		return NewLink{}, &identity.Error{Kind: identity.KindInternal, Op: "directory.link", Err: err}
	}
	token := base64.RawURLEncoding.EncodeToString(b)
	now := d.clock.Now().UTC()
	if err := d.endLinks(tx, u.ID, now); err != nil {
		return NewLink{}, err
	}
	row := &store.OneTimeLink{
		Hash: d.keys.Hash(linkLabel, []byte(token)), UserID: u.ID, Reset: reset, RemoveMFA: removeMFA,
		CreatedAt: now, ExpiresAt: now.Add(linkLife),
	}
	return NewLink{
		User: u.Name, AccountID: u.AccountID, Realm: u.Realm, ExpiresAt: row.ExpiresAt,
		Link: identity.Secret(d.console + linkPath + "?" + url.Values{"t": {token}}.Encode()),
	}, store.OneTimeLinks.Insert(tx, row)
}

// endLinks ends the links of a user that are still good.
func (d *Directory) endLinks(tx store.Tx, userID string, now time.Time) error {
	list, err := store.OneTimeLinks.List(tx, "user", store.Join(userID, ""), store.After{}, 0)
	for _, l := range list {
		if err == nil && l.UsedAt.IsZero() && l.ReplacedAt.IsZero() {
			v := *l
			v.ReplacedAt = now
			err = store.OneTimeLinks.Put(tx, &v)
		}
	}
	return err
}

// opened is a one-time link that is good, and whose it is.
type opened struct {
	*store.OneTimeLink
	user    *identity.User
	account *identity.Account
	realm   *identity.Realm
	ways    *ways
}

// identity is whose the link is, for the audit log.
func (o *opened) identity() audit.UserIdentity {
	who := audit.UserIdentity{Type: "IAMUser", PrincipalID: o.UserID}
	if o.user != nil {
		who.AccountID, who.UserName = o.user.AccountID, o.user.Name
		if o.user.Root {
			who.Type = "Root"
		}
	}
	return who
}

// passwordOnly says that the link, which is one factor, must not yield what
// counts as both: the user has a second one, and keeps it.
func (o *opened) passwordOnly() bool {
	return !o.RemoveMFA && (o.ways.devices > 0 || o.ways.passkeys > 0)
}

func badLink(sentence string) error {
	return identity.NewError(identity.KindInvalidGrant, "directory.link", sentence)
}

// openLink finds a link by its token. KindInvalidGrant, with a sentence that
// says why, for one that is not good.
func (d *Directory) openLink(r store.Reader, token identity.Secret) (*opened, error) {
	if len(token) == base64.RawURLEncoding.EncodedLen(linkBytes) {
		for _, hash := range d.keys.Hashes(linkLabel, []byte(token.Reveal())) {
			o, err := d.openHash(r, hash)
			if identity.KindOf(err) != identity.KindNotFound {
				return o, err
			}
		}
	}
	return nil, badLink("This link is not complete, or was never made here.")
}

func (d *Directory) openHash(r store.Reader, hash string) (*opened, error) {
	l, err := store.OneTimeLinks.Get(r, hash)
	if err != nil {
		return nil, err
	}
	o := &opened{OneTimeLink: l} // what is known of one that is not good, for the audit log
	switch {
	case !l.UsedAt.IsZero():
		return o, badLink("This link was used already. If it was not by you, tell whoever runs this site.")
	case !l.ReplacedAt.IsZero():
		return o, badLink("There is a newer link, and this one has ended.")
	case !d.clock.Now().Before(l.ExpiresAt):
		return o, badLink("This link has expired. Ask for a new one.")
	}
	if o.user, err = store.Users.Get(r, l.UserID); err != nil {
		return o, ifAbsent(err, badLink("This link is for a user who is gone."))
	}
	if o.account, err = store.Accounts.Get(r, o.user.AccountID); err != nil {
		return o, err
	}
	if o.user.Disabled || o.account.Disabled {
		return o, badLink("The user is switched off.")
	}
	if o.realm, err = store.Realms.Get(r, o.user.Realm); err != nil {
		return o, ifAbsent(err, badLink("The user has no place to log in any more."))
	}
	o.ways, err = waysIn(r, o.user.ID)
	return o, err
}

// LinkView is what the page of a one-time link shows.
type LinkView struct {
	User, Email, Account, Realm string
	Reset                       bool
	ExpiresAt                   time.Time
	// PasswordOnly: a passkey or another provider would replace a second factor
	// that the user keeps.
	PasswordOnly bool
	// OwesFactor: a password alone will not do.
	OwesFactor bool
	// Rules are what a password must have, in words.
	Rules    []string
	Logins   []string // names of the realm's foreign log-ins
	Passkeys bool     // can be used here
}

// OneTimeLink says what a link is for. It changes nothing: programs that look at
// links before people do must not use them up. KindInvalidGrant for one that is
// not good.
func (d *Directory) OneTimeLink(ctx context.Context, token identity.Secret) (LinkView, error) {
	var out LinkView
	err := d.db.View(ctx, func(r store.Reader) error {
		o, err := d.openLink(r, token)
		if err != nil {
			return err
		}
		out = LinkView{
			User: o.user.Name, Email: o.user.Email, Account: o.account.Name, Realm: o.realm.Name, Reset: o.Reset, ExpiresAt: o.ExpiresAt,
			PasswordOnly: o.passwordOnly(), OwesFactor: o.user.MFARequired || o.ways.devices > 0 && !o.RemoveMFA,
			Rules: passwordRules(o.account.PasswordPolicy), Passkeys: d.authn.HasPasskeys(),
		}
		if out.Account == "" {
			out.Account = o.account.ID
		}
		if !o.user.Root {
			for _, l := range o.realm.Logins {
				out.Logins = append(out.Logins, l.Name)
			}
		}
		return nil
	})
	return out, err
}

// passwordRules are the account's rule for passwords in words.
func passwordRules(p *identity.PasswordPolicy) []string {
	if p == nil {
		p = &identity.PasswordPolicy{MinimumLength: authn.DefaultPasswordLength}
	}
	out := []string{"at least " + strconv.Itoa(p.MinimumLength) + " characters"}
	for _, r := range []struct {
		on   bool
		text string
	}{
		{p.RequireSymbols, "a symbol of " + authn.PasswordSymbols},
		{p.RequireNumbers, "a digit"},
		{p.RequireUppercase, "an upper-case letter"},
		{p.RequireLowercase, "a lower-case letter"},
		{p.ReusePrevention > 0, "none of the last " + strconv.Itoa(p.ReusePrevention) + " passwords"},
	} {
		if r.on {
			out = append(out, r.text)
		}
	}
	return out
}
