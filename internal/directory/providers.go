package directory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// NewProvider is what an OIDC provider is made of.
type NewProvider struct {
	URL                    string // the issuer
	ClientIDs, Thumbprints []string
	Tags                   map[string]string
}

// ProviderDetails is an OIDC provider under its names.
type ProviderDetails struct {
	identity.Provider
	ARN string
	// Issuer is its URL, of a realm of this installation the realm's.
	Issuer string
}

// CreateOpenIDConnectProvider registers an issuer in the caller's account (IAM
// CreateOpenIDConnectProvider). The issuer of a realm of the account stands for
// that realm. KindAlreadyExists when it is registered.
func (d *Directory) CreateOpenIDConnectProvider(ctx context.Context, c *identity.Caller, in NewProvider) (ProviderDetails, error) {
	out := ProviderDetails{ARN: identity.ProviderARN(c.Partition, c.AccountID, in.URL), Issuer: in.URL}
	const action = "iam:CreateOpenIDConnectProvider"
	if err := d.permitCreation(c, action, "iam:TagOpenIDConnectProvider", out.ARN, access.EntityKeys{}.Tagging(in.Tags), in.Tags); err != nil {
		return out, err
	}
	out.Provider = identity.Provider{
		AccountID: c.AccountID, URL: in.URL, ClientIDs: unrepeated(in.ClientIDs), Thumbprints: in.Thumbprints, Tags: in.Tags,
		CreatedAt: d.clock.Now().UTC(),
	}
	if err := d.checkProvider(&out.Provider); err != nil {
		return out, err
	}
	ev := audit.Change(c, iamSource, "CreateOpenIDConnectProvider", map[string]string{"url": in.URL, "clientIDList": strings.Join(in.ClientIDs, ",")})
	err := d.change(ctx, c, ev, func(tx store.Tx) error {
		if _, err := store.Accounts.Get(tx, c.AccountID); err != nil {
			return err
		}
		have, err := d.providers(tx, c.AccountID)
		if err != nil {
			return err
		}
		if err := d.checkIssuers(tx, &out.Provider); err != nil {
			return err
		}
		// http and https are one provider, as their ARN is.
		if slices.ContainsFunc(have, func(p ProviderDetails) bool { return p.ARN == out.ARN }) {
			return providerExists(in.URL)
		}
		if len(have) >= maxProviders {
			return &identity.Error{Kind: identity.KindLimitExceeded, Op: "directory.provider", Public: fmt.Sprintf("Cannot exceed quota for OpenIdConnectProvidersPerAccount: %d", maxProviders)}
		}
		return store.Providers.Insert(tx, &out.Provider)
	})
	if identity.KindOf(err) == identity.KindAlreadyExists {
		err = providerExists(in.URL)
	}
	return out, err
}

// checkIssuers wants every spelling of an issuer to be one provider's of the
// account, and no alias to be an issuer of this installation.
func (d *Directory) checkIssuers(r store.Reader, p *identity.Provider) error {
	list, err := store.Providers.List(r, "", p.AccountID+"/", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, alias := range p.IssuerAliases {
		if d.authn.OwnRealm(alias) != nil || d.authn.ForOthers(alias) {
			return invalid("provider %s: issuer_aliases: %s is an issuer of this installation", p.URL, alias)
		}
	}
	for _, other := range list {
		if other.Key() == p.Key() {
			continue
		}
		for _, alias := range p.IssuerAliases {
			if identity.TrimScheme(alias) == identity.TrimScheme(other.URL) || slices.Contains(other.IssuerAliases, alias) {
				return invalid("provider %s: issuer_aliases: %s is the issuer of another provider of the account", p.URL, alias)
			}
		}
		if p.URL != "" && slices.ContainsFunc(other.IssuerAliases, func(alias string) bool { return identity.TrimScheme(alias) == identity.TrimScheme(p.URL) }) {
			return &identity.Error{Kind: identity.KindInvalidInput, Op: "directory.provider", Public: fmt.Sprintf("The URL %s is an alias of the provider %s.", p.URL, other.URL)}
		}
	}
	return nil
}

func providerExists(url string) error {
	return &identity.Error{Kind: identity.KindAlreadyExists, Op: "directory.provider", Public: fmt.Sprintf("Provider with url %s already exists.", url)}
}

// checkProvider judges a provider that the API makes. An issuer that is a realm
// of this installation becomes that realm, which must be the account's own.
func (d *Directory) checkProvider(p *identity.Provider) error {
	if realm := d.authn.OwnRealm(p.URL); realm != nil {
		if realm.AccountID != p.AccountID {
			return &identity.Error{Kind: identity.KindInvalidInput, Op: "directory.provider", Public: "The URL is the issuer of a realm of another account."}
		}
		p.URL, p.OwnRealm = "", realm.Name
	} else if d.authn.ForOthers(p.URL) {
		return &identity.Error{Kind: identity.KindInvalidInput, Op: "directory.provider", Public: "The URL is an issuer of tokens for others: this installation takes none of them."}
	} else if !strings.HasPrefix(p.URL, "https://") || !isIssuer(p.URL) || len(p.URL) > maxProviderID || strings.HasPrefix(identity.TrimScheme(p.URL), "realm:") {
		return &identity.Error{Kind: identity.KindInvalidInput, Op: "directory.provider", Public: "Invalid Open ID Connect Provider URL"}
	}
	if err := checkClientIDs(p.ClientIDs); err != nil {
		return err
	}
	if err := checkThumbprints(p.Thumbprints); err != nil {
		return err
	}
	return checkTags(p.Tags)
}

func checkClientIDs(ids []string) error {
	if len(ids) > maxClientIDs {
		return &identity.Error{Kind: identity.KindLimitExceeded, Op: "directory.provider", Public: fmt.Sprintf("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClientIDs)}
	}
	for _, id := range ids {
		if id == "" || len(id) > maxProviderID {
			return invalid("1 validation error detected: Value at 'clientID' failed to satisfy constraint: Member must have length less than or equal to %d", maxProviderID)
		}
	}
	return nil
}

func checkThumbprints(list []string) error {
	if len(list) > maxThumbprints {
		return &identity.Error{Kind: identity.KindInvalidInput, Op: "directory.provider", Public: fmt.Sprintf("Thumbprint list must contain at most %d entries.", maxThumbprints)}
	}
	for _, t := range list {
		if !thumbRE.MatchString(t) {
			return &identity.Error{Kind: identity.KindInvalidInput, Op: "directory.provider", Public: "A thumbprint has 40 hexadecimal digits."}
		}
	}
	return nil
}

func unrepeated(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// issuerOf is a provider's issuer.
func (d *Directory) issuerOf(r store.Reader, p *identity.Provider) (string, error) {
	if p.OwnRealm == "" {
		return p.URL, nil
	}
	realm, err := store.Realms.Get(r, p.OwnRealm)
	if err != nil {
		return "", err
	}
	return realm.IssuerURL(d.external), nil
}

// providers are those of an account, by ARN.
func (d *Directory) providers(r store.Reader, account string) ([]ProviderDetails, error) {
	list, err := store.Providers.List(r, "", account+"/", store.After{}, 0)
	if err != nil {
		return nil, err
	}
	out := make([]ProviderDetails, len(list))
	for i, p := range list {
		arn, err := d.providerARN(r, p)
		if err != nil {
			return nil, err
		}
		issuer, err := d.issuerOf(r, p)
		if err != nil {
			return nil, err
		}
		out[i] = ProviderDetails{Provider: *p, ARN: arn, Issuer: issuer}
	}
	slices.SortFunc(out, func(a, b ProviderDetails) int { return strings.Compare(a.ARN, b.ARN) })
	return out, nil
}

// targetProvider resolves the provider that an IAM call is about and asks
// whether the caller may. Absent ones and those of other accounts are alike.
func (d *Directory) targetProvider(r store.Reader, c *identity.Caller, action, arn string, keys access.EntityKeys) (ProviderDetails, error) {
	if keys == nil {
		keys = access.EntityKeys{}
	}
	list, err := d.providers(r, c.AccountID)
	if err != nil {
		return ProviderDetails{}, err
	}
	i := slices.IndexFunc(list, func(p ProviderDetails) bool { return p.ARN == arn })
	if i >= 0 {
		keys.Tagged(list[i].Tags)
	}
	if denied := d.permitKeyed(c, action, arn, c.AccountID, keys); denied != nil {
		return ProviderDetails{}, denied
	}
	if i < 0 {
		return ProviderDetails{}, &identity.Error{Kind: identity.KindNotFound, Op: "directory.provider", Public: "OpenIDConnect Provider not found for arn " + arn}
	}
	return list[i], nil
}

// GetOpenIDConnectProvider returns a provider of the caller's account (IAM
// GetOpenIDConnectProvider).
func (d *Directory) GetOpenIDConnectProvider(ctx context.Context, c *identity.Caller, arn string) (ProviderDetails, error) {
	var out ProviderDetails
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		out, err = d.targetProvider(r, c, "iam:GetOpenIDConnectProvider", arn, nil)
		return err
	})
	return out, err
}

// ListOpenIDConnectProviders lists the account's providers, realms of this
// installation among them, by ARN (IAM ListOpenIDConnectProviders).
func (d *Directory) ListOpenIDConnectProviders(ctx context.Context, c *identity.Caller) ([]ProviderDetails, error) {
	if err := d.permit(c, "iam:ListOpenIDConnectProviders", identity.ProviderARN(c.Partition, c.AccountID, "*"), c.AccountID); err != nil {
		return nil, err
	}
	var out []ProviderDetails
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		out, err = d.providers(r, c.AccountID)
		return err
	})
	return out, err
}

// changeProvider runs one transaction that puts a changed copy of a provider.
func (d *Directory) changeProvider(ctx context.Context, c *identity.Caller, call, arn string, params map[string]string, keys access.EntityKeys, fn func(*identity.Provider) error) error {
	params["openIDConnectProviderArn"] = arn
	return d.change(ctx, c, audit.Change(c, iamSource, call, params), func(tx store.Tx) error {
		p, err := d.targetProvider(tx, c, "iam:"+call, arn, maps.Clone(keys))
		if err != nil {
			return err
		}
		v := p.Provider
		if err := fn(&v); err != nil {
			return err
		}
		if err := d.providerChanged(tx, &p.Provider, &v); err != nil {
			return err
		}
		return store.Providers.Put(tx, &v)
	})
}

// AddClientID adds an audience that a provider's tokens may have; one that is
// there does not matter (IAM AddClientIDToOpenIDConnectProvider).
func (d *Directory) AddClientID(ctx context.Context, c *identity.Caller, arn, clientID string) error {
	return d.changeProvider(ctx, c, "AddClientIDToOpenIDConnectProvider", arn, map[string]string{"clientID": clientID}, nil, func(p *identity.Provider) error {
		p.ClientIDs = unrepeated(append(slices.Clone(p.ClientIDs), clientID))
		return checkClientIDs(p.ClientIDs)
	})
}

// RemoveClientID removes an audience; one that is not there does not matter
// (IAM RemoveClientIDFromOpenIDConnectProvider). Sessions by the provider end.
func (d *Directory) RemoveClientID(ctx context.Context, c *identity.Caller, arn, clientID string) error {
	return d.changeProvider(ctx, c, "RemoveClientIDFromOpenIDConnectProvider", arn, map[string]string{"clientID": clientID}, nil, func(p *identity.Provider) error {
		p.ClientIDs = slices.DeleteFunc(slices.Clone(p.ClientIDs), func(id string) bool { return id == clientID })
		return nil
	})
}

// UpdateThumbprints replaces the thumbprints, which are kept for clients that
// want them: TLS is verified by the roots (IAM
// UpdateOpenIDConnectProviderThumbprint).
func (d *Directory) UpdateThumbprints(ctx context.Context, c *identity.Caller, arn string, thumbprints []string) error {
	params := map[string]string{"thumbprintList": strings.Join(thumbprints, ",")}
	return d.changeProvider(ctx, c, "UpdateOpenIDConnectProviderThumbprint", arn, params, nil, func(p *identity.Provider) error {
		p.Thumbprints = thumbprints
		return checkThumbprints(thumbprints)
	})
}

// DeleteOpenIDConnectProvider removes a provider and ends the sessions that
// came by it; its tokens from before count no more, even when it is registered
// again. One that is not there is no error (IAM DeleteOpenIDConnectProvider).
func (d *Directory) DeleteOpenIDConnectProvider(ctx context.Context, c *identity.Caller, arn string) error {
	ev := audit.Change(c, iamSource, "DeleteOpenIDConnectProvider", map[string]string{"openIDConnectProviderArn": arn})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		p, err := d.targetProvider(tx, c, "iam:DeleteOpenIDConnectProvider", arn, nil)
		if err != nil {
			return orAbsent(err)
		}
		if err := store.Providers.Delete(tx, p.Key()); err != nil {
			return err
		}
		return d.providerChanged(tx, &p.Provider, nil)
	})
}

// TagOpenIDConnectProvider adds tags to a provider, or changes them (IAM
// TagOpenIDConnectProvider).
func (d *Directory) TagOpenIDConnectProvider(ctx context.Context, c *identity.Caller, arn string, tags map[string]string) error {
	return d.changeProvider(ctx, c, "TagOpenIDConnectProvider", arn, tagNames(tags), access.EntityKeys{}.Tagging(tags), func(p *identity.Provider) (err error) {
		p.Tags, err = withTags(p.Tags, tags)
		return err
	})
}

// UntagOpenIDConnectProvider removes tags from a provider (IAM
// UntagOpenIDConnectProvider).
func (d *Directory) UntagOpenIDConnectProvider(ctx context.Context, c *identity.Caller, arn string, tagKeys []string) error {
	params := map[string]string{"tagKeys": strings.Join(tagKeys, ",")}
	return d.changeProvider(ctx, c, "UntagOpenIDConnectProvider", arn, params, access.EntityKeys{}.TagKeys(tagKeys), func(p *identity.Provider) error {
		p.Tags = withoutTags(p.Tags, tagKeys)
		return nil
	})
}

// ListOpenIDConnectProviderTags lists a provider's tags, by key (IAM
// ListOpenIDConnectProviderTags).
func (d *Directory) ListOpenIDConnectProviderTags(ctx context.Context, c *identity.Caller, arn string, p Page) (Listing[Tag], error) {
	var found ProviderDetails
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		found, err = d.targetProvider(r, c, "iam:ListOpenIDConnectProviderTags", arn, nil)
		return err
	})
	if err != nil {
		return Listing[Tag]{}, err
	}
	return d.listTags(c, found.Key(), found.Tags, p)
}
