package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	// maxUserPools bounds those of one account: each has signing keys.
	maxUserPools = 100
	maxPoolKept  = 64 << 10 // bytes
	// Lifetimes of the realm behind a pool, in seconds.
	poolRealmAccess  = 3600
	poolRealmRefresh = 86400
	temporaryDays    = 7
)

// UserPoolSettings are what a user pool is made of; nil leaves things alone, or
// to their defaults. Kept are members that are shown again and not used.
type UserPoolSettings struct {
	Name, MFA                        *string
	PasswordPolicy                   *identity.PasswordPolicy
	TemporaryPasswordDays            *int
	UsernameAttributes, AutoVerified []string
	Tags                             map[string]string
	Protected                        *bool
	Kept                             map[string]json.RawMessage
}

func (s *UserPoolSettings) over(p *identity.UserPool) {
	set(&p.Name, s.Name)
	set(&p.MFA, s.MFA)
	set(&p.TemporaryPasswordDays, s.TemporaryPasswordDays)
	set(&p.Protected, s.Protected)
	if s.PasswordPolicy != nil {
		rule := *s.PasswordPolicy
		p.PasswordPolicy = &rule
	}
	if s.UsernameAttributes != nil {
		p.UsernameAttributes = s.UsernameAttributes
	}
	if s.AutoVerified != nil {
		p.AutoVerifiedAttributes = s.AutoVerified
	}
	if s.Tags != nil {
		p.Tags = s.Tags
	}
	if len(s.Kept) > 0 {
		p.Kept = maps.Clone(p.Kept)
		if p.Kept == nil {
			p.Kept = map[string]json.RawMessage{}
		}
		maps.Copy(p.Kept, s.Kept)
	}
}

// set changes what is not nil.
func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func checkUserPool(p *identity.UserPool) error {
	kept := 0
	for k, v := range p.Kept {
		kept += len(k) + len(v)
	}
	rule := p.PasswordPolicy
	switch {
	case !poolNameRE.MatchString(p.Name):
		return invalid(`1 validation error detected: Value at 'poolName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w\s+=,.@-]+`)
	case !regionRE.MatchString(p.Region) || len(p.Region) > 32:
		return invalid("The region of the request is none that a user pool can be in.")
	case !slices.Contains([]string{identity.MFAOff, identity.MFAOptional, identity.MFAOn}, p.MFA):
		return invalid("1 validation error detected: Value at 'mfaConfiguration' failed to satisfy constraint: Member must satisfy enum value set: [OPTIONAL, OFF, ON]")
	case rule != nil && (rule.MinimumLength < 6 || rule.MinimumLength > 99 || rule.ReusePrevention < 0 || rule.ReusePrevention > authn.MostPasswordHistory):
		return invalid("A password policy has a minimum length of 6 to 99 and a history of 0 to %d.", authn.MostPasswordHistory)
	case p.TemporaryPasswordDays < 0 || p.TemporaryPasswordDays > 365:
		return invalid("The validity of temporary passwords is 0 to 365 days.")
	case kept > maxPoolKept:
		return invalid("The settings of a user pool have at most %d bytes.", maxPoolKept)
	}
	for _, a := range slices.Concat(p.UsernameAttributes, p.AutoVerifiedAttributes) {
		if a != "email" && a != "phone_number" {
			return invalid("Attributes are email or phone_number.")
		}
	}
	return checkTags(p.Tags)
}

// UserPoolDetails is a user pool with its realm.
type UserPoolDetails struct {
	identity.Realm
	// Rule is what passwords must be like: the pool's, or else the account's.
	Rule identity.PasswordPolicy
	// Users is an estimate of how many there are.
	Users int
}

// CreateUserPool makes a user pool in the caller's account and the region of the
// request, with a realm of its own whose name is the pool's ID (Cognito
// CreateUserPool). KindValidation, KindLimitExceeded.
func (d *Directory) CreateUserPool(ctx context.Context, c *identity.Caller, in UserPoolSettings) (UserPoolDetails, error) {
	var out UserPoolDetails
	if err := d.permitKeyed(c, "cognito-idp:CreateUserPool", "*", c.AccountID, access.EntityKeys{}.Tagging(in.Tags)); err != nil {
		return out, err
	}
	now := d.clock.Now().UTC()
	pool := &identity.UserPool{Region: c.Request.Region, MFA: identity.MFAOff, TemporaryPasswordDays: temporaryDays, Made: true, CreatedAt: now, ModifiedAt: now}
	in.over(pool)
	if err := checkUserPool(pool); err != nil {
		return out, err
	}
	name, err := d.uniqueID("", 9)
	if err != nil {
		return out, err
	}
	realm := identity.Realm{
		AccountID: c.AccountID, Algorithm: "ES256", AccessTokenSeconds: poolRealmAccess, RefreshTokenSeconds: poolRealmRefresh,
		LongestTokenSeconds: poolRealmRefresh, Scope: "openid", PoolName: name, Pool: pool,
	}
	realm.Name = realm.PoolID()
	ev := audit.Change(c, poolSource, "CreateUserPool", map[string]string{"poolName": pool.Name, "mfaConfiguration": pool.MFA})
	ev.ResponseElements = map[string]any{"userPoolId": realm.PoolID()}
	err = d.change(ctx, c, ev, func(tx store.Tx) error {
		acc, err := store.Accounts.Get(tx, c.AccountID)
		if err != nil {
			return err
		}
		have, err := poolsOf(tx, c.AccountID)
		if err != nil {
			return err
		}
		if len(have) >= maxUserPools {
			return identity.NewError(identity.KindLimitExceeded, "directory.userpool", fmt.Sprintf("An account has at most %d user pools.", maxUserPools))
		}
		out = UserPoolDetails{Realm: realm, Rule: ruleOf(acc, &realm)}
		return store.Realms.Insert(tx, &realm)
	})
	if err != nil {
		return out, err
	}
	return out, d.ensureSigningKeys(ctx)
}

// poolsOf are the realms of an account that have a user pool, by pool ID.
func poolsOf(r store.Reader, account string) ([]identity.Realm, error) {
	realms, err := store.Realms.List(r, "", "", store.After{}, 0)
	var out []identity.Realm
	for _, realm := range realms {
		if realm.AccountID == account && realm.Pool != nil {
			out = append(out, *realm)
		}
	}
	slices.SortFunc(out, func(a, b identity.Realm) int { return strings.Compare(a.PoolID(), b.PoolID()) })
	return out, err
}

// ruleOf is what passwords of a pool's users must be like.
func ruleOf(acc *identity.Account, realm *identity.Realm) identity.PasswordPolicy {
	switch {
	case realm.Pool.PasswordPolicy != nil:
		return *realm.Pool.PasswordPolicy
	case acc.PasswordPolicy != nil:
		return *acc.PasswordPolicy
	}
	return identity.PasswordPolicy{MinimumLength: authn.DefaultPasswordLength}
}

func noUserPool(id string) error {
	return identity.NewError(identity.KindNotFound, "directory.userpool", "User pool "+clip(id)+" does not exist.")
}

// targetUserPool finds the user pool that a call is about and asks whether the
// caller may. Absent ones and those of other accounts are alike.
func (d *Directory) targetUserPool(r store.Reader, c *identity.Caller, op, id string, keys access.EntityKeys) (*identity.Realm, error) {
	keys = maps.Clone(keys)
	if keys == nil {
		keys = access.EntityKeys{}
	}
	realm, err := store.Realms.By(r, "pool", id)
	if orAbsent(err) != nil {
		return nil, err
	}
	region, account := c.Request.Region, c.AccountID
	own := err == nil && (realm.AccountID == c.AccountID || c.Kind == identity.Operator)
	if own {
		region, account = realm.Pool.Region, realm.AccountID
		keys.Tagged(realm.Pool.Tags)
	}
	arn := identity.UserPoolARN(c.Partition, region, account, clip(id))
	if err := d.permitKeyed(c, "cognito-idp:"+op, arn, account, keys); err != nil {
		return nil, err
	}
	if !own {
		return nil, noUserPool(id)
	}
	return realm, nil
}

// readUserPool runs fn with the pool that a call without changes is about.
func (d *Directory) readUserPool(ctx context.Context, c *identity.Caller, op, id string, fn func(store.Reader, *identity.Realm) error) error {
	return d.db.View(ctx, func(r store.Reader) error {
		realm, err := d.targetUserPool(r, c, op, id, nil)
		if err != nil {
			return err
		}
		return fn(r, realm)
	})
}

// inUserPool runs one transaction that changes what is in a pool.
func (d *Directory) inUserPool(ctx context.Context, c *identity.Caller, op, id string, params map[string]string, fn func(store.Tx, *identity.Realm) error) error {
	return d.inUserPoolKeyed(ctx, c, op, id, params, nil, fn)
}

// inUserPoolKeyed is inUserPool with the condition keys of the call.
func (d *Directory) inUserPoolKeyed(ctx context.Context, c *identity.Caller, op, id string, params map[string]string, keys access.EntityKeys, fn func(store.Tx, *identity.Realm) error) error {
	all := map[string]string{"userPoolId": clip(id)}
	maps.Copy(all, params)
	return d.change(ctx, c, audit.Change(c, poolSource, op, all), func(tx store.Tx) error {
		realm, err := d.targetUserPool(tx, c, op, id, keys)
		if err != nil {
			return err
		}
		return fn(tx, realm)
	})
}

// UserPool returns a user pool of the caller's account (Cognito
// DescribeUserPool). KindNotFound.
func (d *Directory) UserPool(ctx context.Context, c *identity.Caller, id string) (UserPoolDetails, error) {
	var out UserPoolDetails
	err := d.readUserPool(ctx, c, "DescribeUserPool", id, func(r store.Reader, realm *identity.Realm) error {
		acc, err := store.Accounts.Get(r, realm.AccountID)
		if err != nil {
			return err
		}
		users, err := store.Users.List(r, "realm", store.Join(realm.Name, ""), store.After{}, maxScan)
		out = UserPoolDetails{Realm: *realm, Rule: ruleOf(acc, realm)}
		for _, u := range users {
			if poolUser(u) {
				out.Users++
			}
		}
		return err
	})
	return out, err
}

// ListUserPools lists the user pools of the caller's account by ID (Cognito
// ListUserPools).
func (d *Directory) ListUserPools(ctx context.Context, c *identity.Caller, p Page) (Listing[identity.Realm], error) {
	var out Listing[identity.Realm]
	if err := d.permit(c, "cognito-idp:ListUserPools", "*", c.AccountID); err != nil {
		return out, err
	}
	err := d.db.View(ctx, func(r store.Reader) error {
		all, err := poolsOf(r, c.AccountID)
		if err != nil {
			return err
		}
		out, err = pages(d, c, "user-pools", p, sliceSpan(all, (*identity.Realm).PoolID))
		return err
	})
	return out, err
}

// UpdateUserPool changes a user pool; what is not given stays (Cognito
// UpdateUserPool). A new duty to show a second factor ends the log-ins of its
// users. KindNotFound, KindValidation.
func (d *Directory) UpdateUserPool(ctx context.Context, c *identity.Caller, id string, in UserPoolSettings) error {
	stricter, name := false, ""
	params := map[string]string{}
	if in.MFA != nil {
		params["mfaConfiguration"] = *in.MFA
	}
	err := d.inUserPool(ctx, c, "UpdateUserPool", id, params, func(tx store.Tx, realm *identity.Realm) error {
		if in.Tags != nil {
			if _, err := d.targetUserPool(tx, c, "TagResource", id, access.EntityKeys{}.Tagging(in.Tags)); err != nil {
				return err
			}
		}
		v, pool := *realm, *realm.Pool
		v.Pool = &pool
		in.over(&pool)
		if err := checkUserPool(&pool); err != nil {
			return err
		}
		pool.ModifiedAt = d.clock.Now().UTC()
		stricter, name = realm.Pool.MFA != identity.MFAOn && pool.MFA == identity.MFAOn, realm.Name
		return store.Realms.Put(tx, &v)
	})
	if err != nil || !stricter {
		return err
	}
	return d.eachPoolUser(ctx, c, "UpdateUserPool", name, func(tx store.Tx, u *identity.User) error {
		if u.Token != nil { // machines owe no second factor
			return nil
		}
		return d.factorChanged(tx, u.ID)
	})
}

// errNoneLeft rolls a transaction back that had nothing to do.
var errNoneLeft = errors.New("none left")

// batch is how many records one transaction over many changes.
const batch = 100

// eachPoolUser runs fn on the users of a realm, API tokens too.
func (d *Directory) eachPoolUser(ctx context.Context, c *identity.Caller, op, realm string, fn func(store.Tx, *identity.User) error) error {
	return d.eachUser(ctx, c, op, "realm", store.Join(realm, ""), fn)
}

// eachUser runs fn on the users under a prefix of an index, in which their names
// follow it, so many in a transaction; fn may delete the user. It goes on with
// what a call began, as further events of its name.
func (d *Directory) eachUser(ctx context.Context, c *identity.Caller, op, index, prefix string, fn func(store.Tx, *identity.User) error) error {
	for after := (store.After{}); ; {
		var last *identity.User
		ev := audit.Change(c, poolSource, op, map[string]string{"realm": strings.Split(prefix, "\x00")[0], "part": "users"})
		err := d.change(ctx, c, ev, func(tx store.Tx) error {
			last = nil
			list, err := store.Users.List(tx, index, prefix, after, batch)
			if err != nil {
				return err
			}
			for _, u := range list {
				if err := fn(tx, u); err != nil {
					return err
				}
				last = u
			}
			if last == nil {
				return errNoneLeft
			}
			return nil
		})
		if errors.Is(err, errNoneLeft) {
			return nil
		}
		if err != nil {
			return err
		}
		after = store.After{Value: prefix + store.Fold(last.Name), Key: last.ID}
	}
}
