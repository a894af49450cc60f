package directory

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// VersionInfo is a version of a managed policy.
type VersionInfo struct {
	identity.PolicyVersion
	Default bool
}

// CreatePolicyVersion adds a version, which comes into force at once when
// asDefault is set (IAM CreatePolicyVersion). KindLimitExceeded for the sixth.
func (d *Directory) CreatePolicyVersion(ctx context.Context, c *identity.Caller, arn, document string, asDefault bool) (VersionInfo, error) {
	var out VersionInfo
	ev := audit.Change(c, iamSource, "CreatePolicyVersion", map[string]string{
		"policyArn": arn, "policyDocument": audited(document), "setAsDefault": strconv.FormatBool(asDefault),
	})
	err := d.change(ctx, c, ev, func(tx store.Tx) error {
		p, err := d.ownPolicy(tx, c, "iam:CreatePolicyVersion", arn, nil)
		if err != nil {
			return err
		}
		if err := checkDocument(document, c.Partition); err != nil {
			return err
		}
		if len(p.Versions) >= maxVersions {
			return exceeded("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
		}
		v := *p
		out = VersionInfo{d.addVersion(&v, document, asDefault), asDefault}
		return store.ManagedPolicies.Put(tx, &v)
	})
	return out, err
}

// addVersion gives a policy, which is a copy, a further version.
func (d *Directory) addVersion(p *identity.ManagedPolicy, document string, asDefault bool) identity.PolicyVersion {
	p.Last++
	p.UpdatedAt = d.clock.Now().UTC()
	v := identity.PolicyVersion{ID: "v" + strconv.Itoa(p.Last), Document: document, CreatedAt: p.UpdatedAt}
	p.Versions = append(slices.Clone(p.Versions), v)
	if asDefault {
		p.Default = v.ID
	}
	return v
}

func findVersion(p *identity.ManagedPolicy, arn, id string) (int, error) {
	i := slices.IndexFunc(p.Versions, func(v identity.PolicyVersion) bool { return v.ID == id })
	if i < 0 {
		return 0, absent("Policy %s version %s does not exist or is not attachable.", arn, id)
	}
	return i, nil
}

// GetPolicyVersion returns a version with its document (IAM GetPolicyVersion).
func (d *Directory) GetPolicyVersion(ctx context.Context, c *identity.Caller, arn, version string) (VersionInfo, error) {
	var out VersionInfo
	err := d.db.View(ctx, func(r store.Reader) error {
		p, err := d.readPolicy(r, c, "iam:GetPolicyVersion", arn)
		if err != nil {
			return err
		}
		i, err := findVersion(p, arn, version)
		if err != nil {
			return err
		}
		out = VersionInfo{p.Versions[i], p.Versions[i].ID == p.Default}
		return nil
	})
	return out, err
}

// ListPolicyVersions lists the versions, newest first (IAM ListPolicyVersions).
func (d *Directory) ListPolicyVersions(ctx context.Context, c *identity.Caller, arn string, page Page) (Listing[VersionInfo], error) {
	var out Listing[VersionInfo]
	err := d.db.View(ctx, func(r store.Reader) error {
		p, err := d.readPolicy(r, c, "iam:ListPolicyVersions", arn)
		if err != nil {
			return err
		}
		rows := make([]row[VersionInfo], len(p.Versions))
		for i, v := range p.Versions {
			rows[len(rows)-1-i] = row[VersionInfo]{at: store.After{Value: v.ID}, item: VersionInfo{v, v.ID == p.Default}}
		}
		out, err = pages(d, c, "versions/"+p.ID, page, func(after store.After, limit int) ([]row[VersionInfo], error) {
			number := versionNumber(after.Value)
			rest := slices.DeleteFunc(slices.Clone(rows), func(v row[VersionInfo]) bool {
				return after.Value != "" && versionNumber(v.item.ID) >= number
			})
			return rest[:min(limit, len(rest))], nil
		})
		return err
	})
	return out, err
}

func versionNumber(id string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(id, "v"))
	return n
}

// DeletePolicyVersion removes a version that is not the default one (IAM
// DeletePolicyVersion).
func (d *Directory) DeletePolicyVersion(ctx context.Context, c *identity.Caller, arn, version string) error {
	ev := audit.Change(c, iamSource, "DeletePolicyVersion", map[string]string{"policyArn": arn, "versionId": version})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		p, err := d.ownPolicy(tx, c, "iam:DeletePolicyVersion", arn, nil)
		if err != nil {
			return err
		}
		i, err := findVersion(p, arn, version)
		if err != nil {
			return err
		}
		if version == p.Default {
			return conflicting("Cannot delete the default version of a policy.")
		}
		v := *p
		v.Versions = slices.Delete(slices.Clone(p.Versions), i, i+1)
		return store.ManagedPolicies.Put(tx, &v)
	})
}

// SetDefaultPolicyVersion brings a version into force (IAM
// SetDefaultPolicyVersion).
func (d *Directory) SetDefaultPolicyVersion(ctx context.Context, c *identity.Caller, arn, version string) error {
	ev := audit.Change(c, iamSource, "SetDefaultPolicyVersion", map[string]string{"policyArn": arn, "versionId": version})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		p, err := d.ownPolicy(tx, c, "iam:SetDefaultPolicyVersion", arn, nil)
		if err != nil {
			return err
		}
		if _, err := findVersion(p, arn, version); err != nil {
			return err
		}
		v := *p
		v.Default, v.UpdatedAt = version, d.clock.Now().UTC()
		return store.ManagedPolicies.Put(tx, &v)
	})
}

// TagPolicy adds tags to a managed policy, or changes them (IAM TagPolicy).
func (d *Directory) TagPolicy(ctx context.Context, c *identity.Caller, arn string, tags map[string]string) error {
	params := tagNames(tags)
	params["policyArn"] = arn
	ev := audit.Change(c, iamSource, "TagPolicy", params)
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		p, err := d.ownPolicy(tx, c, "iam:TagPolicy", arn, access.EntityKeys{}.Tagging(tags))
		if err != nil {
			return err
		}
		v := *p
		if v.Tags, err = withTags(p.Tags, tags); err != nil {
			return err
		}
		return store.ManagedPolicies.Put(tx, &v)
	})
}

// UntagPolicy removes tags of a managed policy; keys that it has not are no
// error (IAM UntagPolicy).
func (d *Directory) UntagPolicy(ctx context.Context, c *identity.Caller, arn string, keys []string) error {
	ev := audit.Change(c, iamSource, "UntagPolicy", map[string]string{"policyArn": arn, "tagKeys": strings.Join(keys, ",")})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		p, err := d.ownPolicy(tx, c, "iam:UntagPolicy", arn, access.EntityKeys{}.TagKeys(keys))
		if err != nil {
			return err
		}
		v := *p
		v.Tags = withoutTags(p.Tags, keys)
		return store.ManagedPolicies.Put(tx, &v)
	})
}

// ListPolicyTags lists the tags of a managed policy by key (IAM ListPolicyTags).
func (d *Directory) ListPolicyTags(ctx context.Context, c *identity.Caller, arn string, page Page) (Listing[Tag], error) {
	var out Listing[Tag]
	err := d.db.View(ctx, func(r store.Reader) error {
		p, err := d.readPolicy(r, c, "iam:ListPolicyTags", arn)
		if err != nil {
			return err
		}
		out, err = d.listTags(c, p.ID, p.Tags, page)
		return err
	})
	return out, err
}
