package server

import "encoding/json"

// Ready is what the ready file says, for scripts. A key appears as soon as what
// it stands for works.
type Ready struct {
	URL        string                `json:"url"`
	Region     string                `json:"region"`
	Partition  string                `json:"partition,omitempty"`
	AccountID  string                `json:"account_id,omitempty"`
	Root       *ReadyRoot            `json:"root,omitempty"`
	Realms     map[string]ReadyRealm `json:"realms,omitempty"`
	Stax       *ReadyStax            `json:"stax,omitempty"`
	IBM        *ReadyIBM             `json:"ibm,omitempty"`
	ConsoleURL string                `json:"console_url,omitempty"`
	AdminURL   string                `json:"admin_url"`
	TLSURL     string                `json:"tls_url,omitempty"`
	CAFile     string                `json:"ca_file,omitempty"`
}

// ReadyRoot is the demo account's root user.
type ReadyRoot struct {
	Email           string `json:"email"`
	Password        string `json:"password"`
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
}

// ReadyRealm is how to log in at a realm.
type ReadyRealm struct {
	ClientID string `json:"client_id"`
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
}

// ReadyStax is the API token that logs in by Cognito's calls; ConfigURL says
// where, in base64.
type ReadyStax struct {
	ConfigURL string `json:"config_url"`
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
}

// ReadyIBM are API keys of a user and of a service ID, and the instances of key
// management and of object storage that both manage.
type ReadyIBM struct {
	APIKey          string `json:"api_key"`
	ServiceIDAPIKey string `json:"service_id_api_key"`
	InstanceID      string `json:"instance_id"`
	StorageID       string `json:"storage_id"`
}

func (r *Ready) write(path string) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return WriteFile(path, append(data, '\n'), 0o600)
}
