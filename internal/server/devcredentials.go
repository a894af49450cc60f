package server

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"daypass/internal/authn"
	"daypass/internal/identity"
)

// devCredentials are the secrets of the demo site: made at the first start,
// kept in DATA/dev-credentials.json (0600), repeated at every start.
type devCredentials struct {
	RootPassword      string `json:"root_password"`
	TestuserPassword  string `json:"testuser_password"`
	AdminClientSecret string `json:"admin_client_secret"`
	// Of the API token, and of the identity pool whose ID roles name.
	APIAccessKey string `json:"api_access_key"`
	APISecretKey string `json:"api_secret_key"`
	IdentityPool string `json:"identity_pool"` // a UUID
	// API keys of the user and of the service ID, and the key management instance
	// that both are managers of.
	IBMAPIKey        string `json:"ibm_api_key"`
	IBMServiceAPIKey string `json:"ibm_service_id_api_key"`
	IBMInstance      string `json:"ibm_instance_id"` // a UUID
	IBMStorage       string `json:"ibm_storage_id"`  // a UUID
	// RootKeys are the long-term key of each demo account's root user.
	RootKeys map[string]devKey `json:"root_keys"`

	path string
}

type devKey struct {
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
}

func loadDevCredentials(path string) (*devCredentials, error) {
	c := &devCredentials{path: path, RootKeys: map[string]devKey{}}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if err := json.Unmarshal(data, c); err != nil {
			// What stands there is secret: no word of it in the error.
			return nil, fmt.Errorf("%s is damaged: remove the data directory to begin anew", path)
		}
	}
	if c.RootKeys == nil {
		c.RootKeys = map[string]devKey{}
	}
	if !c.complete() {
		return c, nil
	}
	return c, c.save()
}

// complete makes what is missing and reports whether anything was.
func (c *devCredentials) complete() (made bool) {
	for _, s := range []*string{&c.RootPassword, &c.TestuserPassword, &c.AdminClientSecret} {
		if *s == "" {
			*s, made = rand.Text(), true
		}
	}
	for _, s := range []*string{&c.APIAccessKey, &c.IdentityPool, &c.IBMInstance, &c.IBMStorage} {
		if *s == "" {
			*s, _ = identity.NewUUID(rand.Reader) // which never fails
			made = true
		}
	}
	for _, s := range []*string{&c.IBMAPIKey, &c.IBMServiceAPIKey} {
		if *s == "" {
			*s, made = (rand.Text() + rand.Text())[:authn.APIKeyLength], true
		}
	}
	if c.APISecretKey == "" {
		// 32 characters of an alphabet of 32.
		c.APISecretKey, made = (rand.Text() + rand.Text())[:authn.APISecretLength], true
	}
	return made
}

func (c *devCredentials) save() error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(c.path, append(data, '\n'), 0o600)
}

func (c *devCredentials) remember(account, id string, secret identity.Secret) error {
	c.RootKeys[account] = devKey{id, secret.Reveal()}
	return c.save()
}
