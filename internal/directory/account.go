package directory

import (
	"context"
	"fmt"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// changeOwnAccount changes the caller's account in one transaction.
func (d *Directory) changeOwnAccount(ctx context.Context, c *identity.Caller, action string, params map[string]string, fn func(tx store.Tx, a *identity.Account) error) error {
	if err := d.permit(c, "iam:"+action, "*", c.AccountID); err != nil {
		return err
	}
	return d.change(ctx, c, audit.Change(c, iamSource, action, params), func(tx store.Tx) error {
		have, err := store.Accounts.Get(tx, c.AccountID)
		if err != nil {
			return err
		}
		v := *have
		if err := fn(tx, &v); err != nil {
			return err
		}
		return store.Accounts.Put(tx, &v)
	})
}

// account reads the caller's account after asking for the action.
func (d *Directory) account(c *identity.Caller, action string) (*identity.Account, error) {
	if err := d.permit(c, "iam:"+action, "*", c.AccountID); err != nil {
		return nil, err
	}
	return store.Accounts.Get(d.db.Snapshot(), c.AccountID)
}

// SetAccountAlias gives the caller's account its alias, in place of the one it
// has (IAM CreateAccountAlias). KindAlreadyExists when it is another account's.
func (d *Directory) SetAccountAlias(ctx context.Context, c *identity.Caller, alias string) error {
	taken := &identity.Error{Kind: identity.KindAlreadyExists, Op: "directory.alias", Public: fmt.Sprintf("The account alias %s already exists.", clip(alias))}
	err := d.changeOwnAccount(ctx, c, "CreateAccountAlias", map[string]string{"accountAlias": alias}, func(tx store.Tx, a *identity.Account) error {
		if !aliasRE.MatchString(alias) {
			return invalid("1 validation error detected: Value '%s' at 'accountAlias' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$", clip(alias))
		}
		if other, err := store.Accounts.By(tx, "alias", alias); err == nil && other.ID != a.ID {
			return taken
		}
		a.Alias = alias
		return nil
	})
	if identity.KindOf(err) == identity.KindAlreadyExists {
		return taken
	}
	return err
}

// DeleteAccountAlias takes the alias away (IAM DeleteAccountAlias).
func (d *Directory) DeleteAccountAlias(ctx context.Context, c *identity.Caller, alias string) error {
	return d.changeOwnAccount(ctx, c, "DeleteAccountAlias", map[string]string{"accountAlias": alias}, func(_ store.Tx, a *identity.Account) error {
		if alias == "" || a.Alias != alias {
			return &identity.Error{Kind: identity.KindNotFound, Op: "directory.alias", Public: fmt.Sprintf("The account alias %s cannot be found.", clip(alias))}
		}
		a.Alias = ""
		return nil
	})
}

// AccountAlias is the alias of the caller's account, "" when it has none (IAM
// ListAccountAliases).
func (d *Directory) AccountAlias(_ context.Context, c *identity.Caller) (string, error) {
	a, err := d.account(c, "ListAccountAliases")
	if err != nil {
		return "", err
	}
	return a.Alias, nil
}

// Bounds of a password policy (IAM UpdateAccountPasswordPolicy).
const (
	leastPassword     = 6
	mostLeastPassword = 128
	mostPasswordAge   = 1095
)

func noPasswordPolicy(account string) error {
	return &identity.Error{Kind: identity.KindNotFound, Op: "directory.passwordpolicy", Public: "The Password Policy with domain name " + account + " cannot be found."}
}

// PasswordPolicy returns the rule that the account has set (IAM
// GetAccountPasswordPolicy); KindNotFound while it has none.
func (d *Directory) PasswordPolicy(_ context.Context, c *identity.Caller) (identity.PasswordPolicy, error) {
	a, err := d.account(c, "GetAccountPasswordPolicy")
	if err != nil {
		return identity.PasswordPolicy{}, err
	}
	if a.PasswordPolicy == nil {
		return identity.PasswordPolicy{}, noPasswordPolicy(a.ID)
	}
	return *a.PasswordPolicy, nil
}

// SetPasswordPolicy replaces the account's rule for passwords; what p leaves
// out is off (IAM UpdateAccountPasswordPolicy). It binds passwords set from
// then on, and their age at once.
func (d *Directory) SetPasswordPolicy(ctx context.Context, c *identity.Caller, p identity.PasswordPolicy) error {
	return d.changeOwnAccount(ctx, c, "UpdateAccountPasswordPolicy", nil, func(_ store.Tx, a *identity.Account) error {
		if p.MinimumLength == 0 {
			p.MinimumLength = leastPassword
		}
		switch {
		case p.MinimumLength < leastPassword || p.MinimumLength > mostLeastPassword:
			return invalid("1 validation error detected: Value '%d' at 'minimumPasswordLength' failed to satisfy constraint: Member must have value between %d and %d", p.MinimumLength, leastPassword, mostLeastPassword)
		case p.MaxAgeDays < 0 || p.MaxAgeDays > mostPasswordAge:
			return invalid("1 validation error detected: Value '%d' at 'maxPasswordAge' failed to satisfy constraint: Member must have value between 1 and %d", p.MaxAgeDays, mostPasswordAge)
		case p.ReusePrevention < 0 || p.ReusePrevention > authn.MostPasswordHistory:
			return invalid("1 validation error detected: Value '%d' at 'passwordReusePrevention' failed to satisfy constraint: Member must have value between 1 and %d", p.ReusePrevention, authn.MostPasswordHistory)
		}
		a.PasswordPolicy = &p
		return nil
	})
}

// DeletePasswordPolicy brings the default rule back (IAM
// DeleteAccountPasswordPolicy).
func (d *Directory) DeletePasswordPolicy(ctx context.Context, c *identity.Caller) error {
	return d.changeOwnAccount(ctx, c, "DeleteAccountPasswordPolicy", nil, func(_ store.Tx, a *identity.Account) error {
		if a.PasswordPolicy == nil {
			return noPasswordPolicy(a.ID)
		}
		a.PasswordPolicy = nil
		return nil
	})
}

// AccountSummary counts what the caller's account has, and its quotas, under
// the names of IAM GetAccountSummary.
func (d *Directory) AccountSummary(ctx context.Context, c *identity.Caller) (map[string]int, error) {
	a, err := d.account(c, "GetAccountSummary")
	if err != nil {
		return nil, err
	}
	out := map[string]int{
		"UsersQuota": 1_000_000, "GroupsQuota": 10_000, "RolesQuota": 100_000, "PoliciesQuota": 100_000,
		"AccessKeysPerUserQuota": identity.AccessKeysPerUser, "GroupsPerUserQuota": 10, "AttachedPoliciesPerUserQuota": 10,
		"AttachedPoliciesPerRoleQuota": 10, "AttachedPoliciesPerGroupQuota": 10, "PolicySizeQuota": 6144, "UserPolicySizeQuota": 2048,
		"RolePolicySizeQuota": 10240, "GroupPolicySizeQuota": 5120, "AssumeRolePolicySizeQuota": 4096, "VersionsPerPolicyQuota": 5,
		"PolicyVersionsInUseQuota": 500_000, "GlobalEndpointTokenVersion": 2, "ServerCertificates": 0, "ServerCertificatesQuota": 0,
		"SigningCertificatesPerUserQuota": 0, "AccountSigningCertificatesPresent": 0, "InstanceProfiles": 0, "InstanceProfilesQuota": 0,
	}
	err = d.db.View(ctx, func(r store.Reader) error {
		prefix := store.Join(a.ID, "/")
		users, err := store.Users.List(r, "path", prefix, store.After{}, 0)
		if err != nil {
			return err
		}
		roles, err := store.Roles.List(r, "path", prefix, store.After{}, 0)
		if err != nil {
			return err
		}
		groups, err := store.Groups.List(r, "path", prefix, store.After{}, 0)
		if err != nil {
			return err
		}
		policies, err := store.ManagedPolicies.List(r, "path", prefix, store.After{}, 0)
		if err != nil {
			return err
		}
		providers, err := store.Providers.List(r, "", a.ID+"/", store.After{}, 0)
		if err != nil {
			return err
		}
		devices, err := store.MFADevices.List(r, "account", store.Join(a.ID, ""), store.After{}, 0)
		if err != nil {
			return err
		}
		rootKeys, err := store.AccessKeys.List(r, "user", a.ID, store.After{}, 0)
		if err != nil {
			return err
		}
		for _, u := range users {
			if u.Root {
				_, err := store.Passwords.Get(r, u.ID)
				out["AccountPasswordPresent"] = truth(err == nil)
				continue
			}
			out["Users"]++
		}
		for _, k := range rootKeys {
			if k.UserID == a.ID {
				out["AccountAccessKeysPresent"] = 1
			}
		}
		for _, m := range devices {
			out["MFADevices"]++
			if m.UserID != "" {
				out["MFADevicesInUse"]++
			}
			if m.UserID == a.ID {
				out["AccountMFAEnabled"] = 1
			}
		}
		for _, p := range policies {
			out["PolicyVersionsInUse"] += len(p.Versions)
		}
		out["Roles"], out["Groups"], out["Policies"], out["Providers"] = len(roles), len(groups), len(policies), len(providers)
		return nil
	})
	for _, name := range []string{"Users", "MFADevices", "MFADevicesInUse", "AccountMFAEnabled", "AccountAccessKeysPresent", "AccountPasswordPresent", "PolicyVersionsInUse"} {
		out[name] += 0
	}
	return out, err
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
