package issue

import (
	"context"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	passcodeLife = 5 * time.Minute
	// passcodeKeeps is how long a passcode is kept when its time is over, to say
	// who used it.
	passcodeKeeps = time.Hour
)

// Passcode is a one-time code with which a program logs the person in that got
// it at the console.
type Passcode struct {
	Text      identity.Secret
	ExpiresAt time.Time
}

// PasscodePlace says for whose users passcodes are, and what became of the one
// that the person got last.
type PasscodePlace struct {
	AccountID, Realm string
	Last             *LastPasscode // nil for none
}

// LastPasscode is a passcode that a person got, without its text. UsedAt is zero
// for one that was not used; SourceIP and UserAgent are of who used it.
type LastPasscode struct {
	CreatedAt, ExpiresAt, UsedAt time.Time
	SourceIP, UserAgent          string
}

// ConsolePasscodes says whether a person may get passcodes: a user of the realm
// and the account of IBM's dialect, not their root. KindNotFound where that
// dialect is not served, KindAccessDenied for other people.
func (i *Issuer) ConsolePasscodes(ctx context.Context, c *identity.Caller) (PasscodePlace, error) {
	if err := atConsole(c); err != nil {
		return PasscodePlace{}, err
	}
	site, err := store.IBMSites.Get(i.db.Snapshot(), identity.IBMSiteName)
	if err != nil {
		return PasscodePlace{}, err
	}
	out := PasscodePlace{AccountID: site.AccountID, Realm: site.Realm}
	u, err := store.Lookup(ctx, i.db, store.Users, c.PrincipalID)
	if err == nil {
		err = permitPasscode(site, u)
	}
	return out, err
}

// LastPasscode adds to what ConsolePasscodes says the passcode that the person
// got last.
func (i *Issuer) LastPasscode(ctx context.Context, c *identity.Caller) (PasscodePlace, error) {
	out, err := i.ConsolePasscodes(ctx, c)
	if err != nil {
		return out, err
	}
	err = i.db.View(ctx, func(r store.Reader) error {
		out.Last = nil
		p, err := store.Passcodes.Get(r, c.PrincipalID)
		if err != nil {
			return orAbsent(err)
		}
		out.Last = &LastPasscode{p.CreatedAt, p.ExpiresAt, p.UsedAt, p.SourceIP, p.UserAgent}
		return nil
	})
	return out, err
}

// permitPasscode is step 2 for both ends of a passcode: whose it may be.
func permitPasscode(site *identity.IBMSite, u *identity.User) error {
	if u.AccountID == site.AccountID && u.Realm == site.Realm && !u.Root && u.Token == nil {
		return nil
	}
	return identity.NewError(identity.KindAccessDenied, "issue.passcode",
		"One-time codes are for users of the realm "+site.Realm+" in account "+site.AccountID+", and you logged in as another.")
}

// ConsolePasscode gives a person who logged in at the console within five minutes
// a passcode, which ends the one before. It descends from that log-in: what ends
// the one ends what the other yields. KindExpiredIdentity when the log-in is
// older, otherwise errors as of ConsolePasscodes.
func (i *Issuer) ConsolePasscode(ctx context.Context, c *identity.Caller) (Passcode, error) {
	ev := audit.Change(c, ibmDialect, "CreatePasscode", nil)
	out, err := i.consolePasscode(ctx, c, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) consolePasscode(ctx context.Context, c *identity.Caller, ev *audit.Event) (Passcode, error) {
	text, hash, err := i.authn.NewPasscode()
	if err != nil {
		return Passcode{}, err
	}
	p := &store.Passcode{Hash: hash}
	if err := i.keepCode(ctx, c, p, passcodeLife, ev); err != nil {
		return Passcode{}, err
	}
	return Passcode{text, p.ExpiresAt}, nil
}

// keepCode completes a one-time code of the person who asks and stores it.
func (i *Issuer) keepCode(ctx context.Context, c *identity.Caller, p *store.Passcode, life time.Duration, ev *audit.Event) error {
	// 1 prove
	if err := i.ready(); err != nil {
		return err
	}
	if err := i.fresh(c); err != nil {
		return err
	}
	// 3 bound, 4 mint
	now := i.clock.Now().UTC()
	p.UserID, p.AccountID, p.Lineage, p.Position = c.PrincipalID, c.AccountID, c.Lineage, c.Position
	p.Methods, p.CreatedAt, p.ExpiresAt = c.Methods, now, now.Add(life)
	if c.MFA {
		p.MFAMS = c.MFATime.UnixMilli()
	}
	// No digest of the code is noted: it may be short, and is good for minutes.
	ev.ResponseElements = map[string]any{"expiration": p.ExpiresAt.Format(time.RFC3339)}
	_, err := i.audit.Commit(ctx, i.db, *ev, func(tx store.Tx) error {
		if err := i.access.StillLive(tx, c); err != nil {
			return err
		}
		// 2 permit
		site, err := store.IBMSites.Get(tx, identity.IBMSiteName)
		if err != nil {
			return err
		}
		u, err := store.Users.Get(tx, c.PrincipalID)
		if err != nil {
			return err
		}
		if err := permitPasscode(site, u); err != nil {
			return err
		}
		// 5 record
		return store.Passcodes.Put(tx, p)
	})
	return err
}

// IBMPasscode logs the person in who got a passcode at the console (grant type
// passcode). KindInvalidCredentials for one that is unknown, used, too old or
// whose log-in has ended, KindThrottled, KindAccessDenied for an account other
// than the person's.
func (i *Issuer) IBMPasscode(ctx context.Context, passcode identity.Secret, account string, client IBMClient) (IBMTokens, error) {
	ev := ibmEvent("PasscodeGrant", client)
	out, err := i.ibmPasscode(ctx, passcode, account, client, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) ibmPasscode(ctx context.Context, passcode identity.Secret, account string, client IBMClient, ev *audit.Event) (IBMTokens, error) {
	l, err := i.beginIBM(IBMGrantPasscode, client)
	if err != nil {
		return IBMTokens{}, err
	}
	// 1 prove
	p, u, err := i.authn.Passcode(ctx, passcode)
	if err != nil {
		return IBMTokens{}, err
	}
	return i.redeemCode(ctx, l, p, u, account, ev)
}

// redeemCode is what follows the proof of a log-in by a one-time code.
func (i *Issuer) redeemCode(ctx context.Context, l *ibmLogin, p *store.Passcode, u *identity.User, account string, ev *audit.Event) (IBMTokens, error) {
	l.user, l.from, l.mfa, l.mfaMS = u, p.Lineage, p.MFAMS != 0, p.MFAMS
	l.methods = p.Methods
	l.use = func(tx store.Tx) error { return i.usePasscode(ctx, tx, p, l.sid) }
	describeUser(ev, u)
	// 2 permit
	if permitPasscode(l.ibm, u) != nil {
		return IBMTokens{}, errBadPasscode
	}
	if err := i.permitIBM(l, i.db.Snapshot(), account); err != nil {
		return IBMTokens{}, err
	}
	return i.ibmFamily(ctx, l, ev)
}

var errBadPasscode = &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.passcode"}

// usePasscode uses a one-time code up, and judges it and the log-in that it comes
// from again, in the transaction that stores the session that it yields.
func (i *Issuer) usePasscode(ctx context.Context, tx store.Tx, found *store.Passcode, sid string) error {
	p, err := store.Passcodes.Get(tx, found.Key())
	if err != nil {
		return notFoundAs(err, identity.KindInvalidCredentials)
	}
	now := i.clock.Now()
	if p.Hash != found.Hash || !p.Live(now) || i.access.LineageLive(tx, p.AccountID, p.Lineage, p.Position, p.CreatedAt) != nil {
		return errBadPasscode
	}
	v, f := *p, identity.RequestOf(ctx)
	v.UsedAt, v.SessionID, v.SourceIP, v.UserAgent = now.UTC(), sid, f.SourceIP, f.UserAgent
	return store.Passcodes.Put(tx, &v)
}
