package identity

import "time"

// SAMLProvider is a SAML 2.0 identity provider of an account.
type SAMLProvider struct {
	AccountID string `json:"account_id"`
	Name      string `json:"name"`
	// Metadata is the provider's EntityDescriptor (XML): its entity ID and the
	// certificates that it signs with.
	Metadata string `json:"metadata"`
	// Audience and Recipient are what its assertions must be for; "" stands for
	// the installation's external URL, and for that with /saml.
	Audience  string    `json:"audience,omitempty"`
	Recipient string    `json:"recipient,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// Key is the provider's unique name.
func (p *SAMLProvider) Key() string { return p.AccountID + "/" + p.Name }

// ARN is the provider's name in policies.
func (p *SAMLProvider) ARN(partition string) string {
	return SAMLProviderARN(partition, p.AccountID, p.Name)
}

// SAMLProviderARN names a SAML provider.
func SAMLProviderARN(partition, account, name string) string {
	return ARN{partition, "iam", "", account, "saml-provider/" + name}.String()
}
