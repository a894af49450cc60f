package stax

import (
	_ "embed"
	"encoding/base64"
	"net/http"
	"strconv"

	"daypass/internal/directory"
)

//go:embed openapi.json
var openAPI []byte

// configDocument is the config document (schema public.ReadConfig): all ten
// members, and no others.
type configDocument struct {
	APIAuth   authConfig `json:"ApiAuth"`
	JumaAuth  authConfig
	Auth      authConfig
	Analytics struct {
		Disable bool `json:"disable"`
	}
	API struct {
		Endpoints []endpointConfig `json:"endpoints"`
	}
	AppSync struct {
		Region    string     `json:"region"`
		GraphQL   string     `json:"graphqlEndpoint"`
		Core      syncConfig `json:"core"`
		Analytics syncConfig `json:"analytics"`
	}
	Juma struct {
		FullDomainName string `json:"fullDomainName"`
		DomainName     string `json:"domainName"`
		Stage          string `json:"stage"`
		Region         string `json:"controlplaneRegion"`
		MasterAccount  int    `json:"masterAccountId"`
	}
	Segment struct {
		Key string `json:"key"`
	}
	Sentry struct {
		DSN         string `json:"dsn"`
		ProjectName string `json:"projectName"`
	}
	Features []string
}

type authConfig struct {
	IdentityPoolID  string `json:"identityPoolId"`
	Region          string `json:"region"`
	UserPoolID      string `json:"userPoolId,omitempty"`
	ClientID        string `json:"userPoolWebClientId,omitempty"`
	MandatorySignIn bool   `json:"mandatorySignIn"`
}

type endpointConfig struct {
	Name     string `json:"name"`
	Endpoint string `json:"endpoint"`
	Region   string `json:"region"`
}

type syncConfig struct {
	Endpoint string `json:"endpoint"`
	Region   string `json:"region"`
}

func newConfigDocument(c *directory.APIConfig) *configDocument {
	d := &configDocument{Features: []string{}}
	d.APIAuth = authConfig{c.IdentityPoolID, c.Region, c.UserPoolID, c.ClientID, true}
	d.JumaAuth = d.APIAuth
	d.Auth = authConfig{IdentityPoolID: c.IdentityPoolID, Region: c.Region, MandatorySignIn: true}
	d.Analytics.Disable = true
	d.API.Endpoints = []endpointConfig{{"api", c.Endpoint, c.Region}}
	d.AppSync.Region = c.Region
	d.AppSync.Core.Region, d.AppSync.Analytics.Region = c.Region, c.Region
	d.Juma.Region = c.Region
	return d
}

// config answers with the config document, or with its base64 form, which the
// product's documentation decodes.
func (h *Handler) config(w http.ResponseWriter, r *http.Request, form func([]byte) ([]byte, string)) error {
	facts, err := h.Directory.APIConfig(r.Host)
	if err != nil {
		return err
	}
	body, mediaType := form(encode(newConfigDocument(&facts)))
	public(w, mediaType, body)
	return nil
}

func plain(b []byte) ([]byte, string) { return b, "application/json" }

func inBase64(b []byte) ([]byte, string) {
	return base64.StdEncoding.AppendEncode(nil, b), "text/plain; charset=us-ascii"
}

// public answers with a document that is the same for everybody.
func public(w http.ResponseWriter, mediaType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	w.Write(body)
}
