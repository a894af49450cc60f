package directory

import (
	"strings"

	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// SAMLProviderSpec is a SAML 2.0 identity provider of an account. See
// identity.SAMLProvider.
type SAMLProviderSpec struct {
	AccountID, Name, Metadata string
	Audience, Recipient       string
}

func checkSAMLSpec(p SAMLProviderSpec) error {
	if err := checkName("saml provider", p.Name, 128); err != nil {
		return err
	}
	if _, err := authn.SAMLMetadata(p.Metadata); err != nil {
		return prefixed("saml provider "+p.Name, err)
	}
	return nil
}

func (a *applying) samlProvider(s SAMLProviderSpec) error {
	acc, err := a.inAccount("saml provider "+s.Name, s.AccountID)
	if err != nil {
		return err
	}
	want := identity.SAMLProvider{AccountID: s.AccountID, Name: s.Name, CreatedAt: a.now}
	have, err := there(store.SAMLProviders.Get(a.tx, want.Key()))
	if err != nil {
		return err
	}
	if have != nil {
		want = *have
	}
	want.Metadata, want.Audience, want.Recipient = s.Metadata, s.Audience, s.Recipient
	if have != nil && strings.TrimSpace(have.Metadata) != strings.TrimSpace(want.Metadata) {
		// A certificate may have been taken away: what it signed ends.
		err := a.d.access.Revoke(a.tx, identity.Revocation{
			Kind: identity.LineageProvider, ID: want.ARN(acc.Partition), Reason: "SAML metadata changed by apply",
		})
		if err != nil {
			return err
		}
	}
	return upsert(a, store.SAMLProviders, "saml provider", want.Key(), have, &want)
}
