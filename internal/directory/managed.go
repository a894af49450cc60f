package directory

import (
	"context"
	"crypto/sha256"
	"strings"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// Quotas of managed policies (IAM).
const (
	maxPolicyName    = 128
	maxPolicies      = 1500
	maxVersions      = 5
	cannedAccount    = "aws" // in the ARNs of canned policies
	firstVersion     = "v1"
	uniqueIDLength   = 17
	managedPolicyIDs = "ANPA"
)

// PolicyInfo is a managed policy and how much it is used in the caller's
// account. A canned policy has the account "aws" and the time of the caller's
// account.
type PolicyInfo struct {
	identity.ManagedPolicy
	Attachments, Boundaries int
}

// NewPolicy is what a managed policy is made of.
type NewPolicy struct {
	Name, Path, Description, Document string
	Tags                              map[string]string
}

// CreatePolicy makes a managed policy (IAM CreatePolicy). KindAlreadyExists
// when the name, in any case, is taken.
func (d *Directory) CreatePolicy(ctx context.Context, c *identity.Caller, in NewPolicy) (PolicyInfo, error) {
	in.Path = orSlash(in.Path)
	now := d.clock.Now().UTC()
	p := identity.ManagedPolicy{
		AccountID: c.AccountID, Name: in.Name, Path: in.Path, Description: in.Description, Tags: in.Tags,
		Versions: []identity.PolicyVersion{{ID: firstVersion, Document: in.Document, CreatedAt: now}},
		Default:  firstVersion, Last: 1, CreatedAt: now, UpdatedAt: now,
	}
	arn, keys := p.ARN(c.Partition), access.EntityKeys{}.Tagging(in.Tags)
	if err := d.permitCreation(c, "iam:CreatePolicy", "iam:TagPolicy", arn, keys, in.Tags); err != nil {
		return PolicyInfo{}, err
	}
	if err := checkManaged(&p, c.Partition); err != nil {
		return PolicyInfo{}, err
	}
	have, err := store.ManagedPolicies.List(d.db.Snapshot(), "path", store.Join(c.AccountID, ""), store.After{}, maxPolicies)
	if err != nil {
		return PolicyInfo{}, err
	}
	if len(have) >= maxPolicies {
		return PolicyInfo{}, exceeded("Cannot exceed quota for PoliciesPerAccount: %d", maxPolicies)
	}
	if p.ID, err = d.uniqueID(managedPolicyIDs, uniqueIDLength); err != nil {
		return PolicyInfo{}, err
	}
	ev := audit.Change(c, iamSource, "CreatePolicy", map[string]string{
		"policyName": p.Name, "path": p.Path, "description": p.Description, "policyDocument": audited(in.Document),
	})
	err = d.change(ctx, c, ev, func(tx store.Tx) error {
		if _, err := store.Accounts.Get(tx, p.AccountID); err != nil {
			return err
		}
		if _, err := store.ManagedPolicies.By(tx, "name", store.Join(p.AccountID, store.Fold(p.Name))); err == nil {
			return policyExists(p.Name)
		}
		return store.ManagedPolicies.Insert(tx, &p)
	})
	if identity.KindOf(err) == identity.KindAlreadyExists {
		err = policyExists(p.Name)
	}
	return PolicyInfo{ManagedPolicy: p}, err
}

// checkManaged judges a managed policy with one version.
func checkManaged(p *identity.ManagedPolicy, partition string) error {
	if err := checkName("policyName", p.Name, maxPolicyName); err != nil {
		return err
	}
	if err := checkPath(p.Path); err != nil {
		return err
	}
	if len(p.Description) > maxDescription {
		return invalid("1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to %d", maxDescription)
	}
	if err := checkTags(p.Tags); err != nil {
		return err
	}
	return checkDocument(p.InForce(), partition)
}

func checkDocument(document, partition string) error {
	_, err := policy.Parse(policy.ManagedPolicy, document, policy.Options{Partition: partition})
	return err
}

func policyExists(name string) error {
	return &identity.Error{
		Kind: identity.KindAlreadyExists, Op: "directory.policy",
		Public: "A policy called " + name + " already exists. Duplicate names are not allowed.",
	}
}

// usablePolicy finds a policy that an account can use: one of its own, or a
// canned one of its partition. KindNotFound for any other.
func usablePolicy(r store.Reader, acc *identity.Account, arn string) (*identity.ManagedPolicy, error) {
	if isCanned(arn) {
		if p := cannedPolicy(acc, arn); p != nil {
			return p, nil
		}
		return nil, noPolicy(arn)
	}
	p, err := access.ManagedPolicy(r, acc, arn)
	if identity.KindOf(err) == identity.KindNotFound {
		return nil, noPolicy(arn)
	}
	return p, err
}

func isCanned(arn string) bool {
	a, ok := identity.ParseARN(arn)
	return ok && a.Account == cannedAccount
}

// cannedPolicy is nil when there is none of this ARN in the account's partition.
func cannedPolicy(acc *identity.Account, arn string) *identity.ManagedPolicy {
	name, ok := policy.CannedName(arn)
	if !ok || arn != policy.CannedARN(acc.Partition, name) {
		return nil
	}
	document, _ := policy.CannedDocument(arn)
	sum := sha256.Sum256([]byte(name))
	return &identity.ManagedPolicy{
		ID: managedPolicyIDs + idEncoding.EncodeToString(sum[:])[:uniqueIDLength], AccountID: cannedAccount, Name: name, Path: "/",
		Versions: []identity.PolicyVersion{{ID: firstVersion, Document: document, CreatedAt: acc.CreatedAt}},
		Default:  firstVersion, Last: 1, CreatedAt: acc.CreatedAt, UpdatedAt: acc.CreatedAt,
	}
}

func noPolicy(arn string) error { return absent("Policy %s was not found.", arn) }

// readPolicy finds a policy that a call only reads.
func (d *Directory) readPolicy(r store.Reader, c *identity.Caller, action, arn string) (*identity.ManagedPolicy, error) {
	return d.policy(r, c, action, arn, c.AccountID, nil)
}

// ownPolicy finds a policy that a call changes. Canned ones are nobody's.
func (d *Directory) ownPolicy(tx store.Tx, c *identity.Caller, action, arn string, more access.EntityKeys) (*identity.ManagedPolicy, error) {
	account := c.AccountID
	if isCanned(arn) {
		account = cannedAccount
	}
	p, err := d.policy(tx, c, action, arn, account, more)
	if err == nil && p.AccountID != c.AccountID {
		return nil, &identity.Error{Kind: identity.KindInvalidInput, Op: "directory.policy", Public: "Policy " + arn + " cannot be changed."}
	}
	return p, err
}

// policy finds a policy and asks, as of a resource of the account, whether the
// caller may.
func (d *Directory) policy(r store.Reader, c *identity.Caller, action, arn, account string, more access.EntityKeys) (*identity.ManagedPolicy, error) {
	acc, err := store.Accounts.Get(r, c.AccountID)
	var p *identity.ManagedPolicy
	if err == nil {
		p, err = usablePolicy(r, acc, arn)
	}
	keys := access.EntityKeys{}
	if err == nil {
		keys.Tagged(p.Tags)
	}
	for k, v := range more {
		keys[k] = v
	}
	if denied := d.access.Authorize(c, action, access.Resource{ARN: arn, AccountID: account, Keys: keys}).Err; denied != nil {
		return nil, denied
	}
	if a, ok := identity.ParseARN(arn); !ok || !strings.HasPrefix(a.Resource, "policy/") {
		return nil, &identity.Error{Kind: identity.KindInvalidInput, Op: "directory.policy", Public: "ARN " + arn + " is not valid."}
	}
	return p, err
}

// GetPolicy returns a managed policy with its tags (IAM GetPolicy).
func (d *Directory) GetPolicy(ctx context.Context, c *identity.Caller, arn string) (PolicyInfo, error) {
	var out PolicyInfo
	err := d.db.View(ctx, func(r store.Reader) error {
		p, err := d.readPolicy(r, c, "iam:GetPolicy", arn)
		if err != nil {
			return err
		}
		out, err = policyInfo(r, c, p)
		return err
	})
	return out, err
}

func policyInfo(r store.Reader, c *identity.Caller, p *identity.ManagedPolicy) (PolicyInfo, error) {
	out := PolicyInfo{ManagedPolicy: *p}
	arn := p.ARN(c.Partition)
	var err error
	if out.Attachments, err = countUses(r, PolicyUse, c.AccountID, arn); err != nil {
		return out, err
	}
	out.Boundaries, err = countUses(r, BoundaryUse, c.AccountID, arn)
	return out, err
}

// PolicyFilter chooses policies. Its zero value is all of them.
type PolicyFilter struct {
	PathPrefix   string
	NoCanned     bool // AWS's Scope Local
	OnlyCanned   bool // AWS's Scope AWS
	OnlyAttached bool
	Use          PolicyUsage // with AnyUse, also what nothing uses
}

// ListPolicies lists managed policies without their tags, the canned ones
// first, else by path and name (IAM ListPolicies).
func (d *Directory) ListPolicies(ctx context.Context, c *identity.Caller, f PolicyFilter, p Page) (Listing[PolicyInfo], error) {
	var out Listing[PolicyInfo]
	f.PathPrefix = orSlash(f.PathPrefix)
	arn := identity.ARN{Partition: c.Partition, Service: "iam", Account: c.AccountID, Resource: "policy" + f.PathPrefix}.String()
	if err := d.permit(c, "iam:ListPolicies", arn, c.AccountID); err != nil {
		return out, err
	}
	if err := checkPathPrefix(f.PathPrefix); err != nil {
		return out, err
	}
	err := d.db.View(ctx, func(r store.Reader) error {
		acc, err := store.Accounts.Get(r, c.AccountID)
		if err != nil {
			return err
		}
		show := func(m *identity.ManagedPolicy, at store.After) (row[PolicyInfo], error) {
			info, err := policyInfo(r, c, m)
			return row[PolicyInfo]{at: at, item: info, skip: !f.takes(&info)}, err
		}
		canned := func(after store.After, limit int) (out []row[PolicyInfo], err error) {
			for _, name := range policy.CannedNames() {
				if name > after.Value && len(out) < limit {
					next, err := show(cannedPolicy(acc, policy.CannedARN(acc.Partition, name)), store.After{Value: name})
					if err != nil {
						return nil, err
					}
					out = append(out, next)
				}
			}
			return out, nil
		}
		own := tableSpan(r, store.ManagedPolicies, "path", store.Join(c.AccountID, f.PathPrefix), func(m *identity.ManagedPolicy) (row[PolicyInfo], error) {
			return show(m, store.After{Value: store.Join(m.AccountID, m.Path+m.Name), Key: m.ID})
		})
		out, err = pages(d, c, "policies", p, canned, own)
		return err
	})
	return out, err
}

// takes says whether a policy is among those asked for.
func (f *PolicyFilter) takes(p *PolicyInfo) bool {
	canned := p.AccountID == cannedAccount
	switch {
	case canned && f.NoCanned || !canned && f.OnlyCanned || !strings.HasPrefix(p.Path, f.PathPrefix):
		return false
	case f.OnlyAttached && p.Attachments == 0 && p.Boundaries == 0:
		return false
	case f.Use == PolicyUse && p.Attachments == 0, f.Use == BoundaryUse && p.Boundaries == 0:
		return false
	}
	return true
}

// DeletePolicy removes a policy that nothing uses and that has no version but
// the default one (IAM DeletePolicy).
func (d *Directory) DeletePolicy(ctx context.Context, c *identity.Caller, arn string) error {
	ev := audit.Change(c, iamSource, "DeletePolicy", map[string]string{"policyArn": arn})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		p, err := d.ownPolicy(tx, c, "iam:DeletePolicy", arn, nil)
		if err != nil {
			return err
		}
		for _, use := range []PolicyUsage{PolicyUse, BoundaryUse} {
			if n, err := countUses(tx, use, c.AccountID, arn); err != nil || n > 0 {
				if err == nil {
					err = conflicting("Cannot delete a policy attached to entities.")
				}
				return err
			}
		}
		if len(p.Versions) > 1 {
			return conflicting("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		return store.ManagedPolicies.Delete(tx, p.ID)
	})
}
