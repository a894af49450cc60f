package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// kpClient calls key management by the rules of IBM's client for Go: bodies without
// a Content-Type, 200 with JSON alone, 201 with or without, 204, and every other
// status an error; nothing else is a result.
type kpClient struct {
	t               testing.TB
	base            string
	instance, token string
	ring            string
}

// kpAt is a client for an instance of the server, by an API key.
func (s *Server) kpAt(t testing.TB, instance, apiKey string) *kpClient {
	t.Helper()
	return &kpClient{t: t, base: s.URL + "/api/v2/", instance: instance, token: s.kpToken(t, apiKey)}
}

// kpToken is an access token as that client gets one: at /oidc/token.
func (s *Server) kpToken(t testing.TB, apiKey string) string {
	t.Helper()
	r, err := http.PostForm(s.URL+"/oidc/token", url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {apiKey}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var out struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int32  `json:"expires_in"`
		TokenType   string `json:"token_type"`
	}
	if err := json.NewDecoder(r.Body).Decode(&out); err != nil || out.AccessToken == "" || out.TokenType != "Bearer" {
		t.Fatalf("%d %v %q", r.StatusCode, err, out.TokenType)
	}
	return out.AccessToken
}

// do sends a request. result is where JSON goes, nil for calls that expect none:
// these fail on a body. It returns "" or the status and code of a refusal.
func (c *kpClient) do(method, path string, body, result any, headers ...string) string {
	c.t.Helper()
	var sent io.Reader
	if body != nil {
		if text, raw := body.(string); raw {
			sent = strings.NewReader(text)
		} else {
			b, err := json.Marshal(body)
			if err != nil {
				c.t.Fatal(err)
			}
			sent = bytes.NewReader(b)
		}
	}
	r, err := http.NewRequest(method, c.base+path, sent)
	if err != nil {
		c.t.Fatal(err)
	}
	const correlation = "0b8ff2f5-1111-4222-8333-444455556666"
	r.Header = http.Header{
		"Accept": {"application/json"}, "Bluemix-Instance": {c.instance}, "Authorization": {"Bearer " + c.token}, "Correlation-Id": {correlation},
	}
	if c.ring != "" {
		r.Header.Set("X-Kms-Key-Ring", c.ring)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if a.Header.Get("Correlation-Id") != correlation {
		c.t.Errorf("%s %s: the correlation ID is %q", method, path, a.Header.Get("Correlation-Id"))
	}
	return c.judge(method+" "+path, a.StatusCode, text, result)
}

// judge is what the client makes of an answer.
func (c *kpClient) judge(what string, status int, text []byte, result any) string {
	c.t.Helper()
	switch status {
	case http.StatusNoContent:
		return ""
	case http.StatusOK, http.StatusCreated:
		if status == http.StatusCreated && len(text) == 0 {
			return ""
		}
		if result == nil {
			c.t.Errorf("%s: %d has a body where none is expected: %.200s", what, status, text)
		} else if err := json.Unmarshal(text, result); err != nil {
			c.t.Errorf("%s: %d without JSON: %v: %.200s", what, status, err, text)
		}
		return ""
	}
	var refused struct {
		Resources []struct {
			ErrorMsg string
			Reasons  []struct {
				Code, Message string
				Status        int
			}
		}
	}
	if err := json.Unmarshal(text, &refused); err != nil || len(refused.Resources) != 1 || refused.Resources[0].ErrorMsg == "" || len(refused.Resources[0].Reasons) != 1 {
		c.t.Errorf("%s: %d is not an error that the client understands: %.300s", what, status, text)
		return fmt.Sprint(status)
	}
	return fmt.Sprint(status, " ", refused.Resources[0].Reasons[0].Code)
}

// ok demands that a call goes well.
func (c *kpClient) ok(method, path string, body, result any, headers ...string) {
	c.t.Helper()
	if got := c.do(method, path, body, result, headers...); got != "" {
		c.t.Fatalf("%s %s: %s", method, path, got)
	}
}

// kpKeys is a collection of keys, in the client's own types.
type kpKeys struct {
	Metadata struct {
		CollectionType  string `json:"collectionType"`
		CollectionTotal int    `json:"collectionTotal"`
		TotalCount      int    `json:"totalCount"`
	} `json:"metadata"`
	Resources []kpKey `json:"resources"`
}

type kpKey struct {
	ID          string   `json:"id,omitempty"`
	Name        string   `json:"name,omitempty"`
	Type        string   `json:"type,omitempty"`
	Aliases     []string `json:"aliases,omitempty"`
	Extractable bool     `json:"extractable"`
	State       int      `json:"state,omitempty"`
	Payload     string   `json:"payload,omitempty"`
	KeyRingID   string   `json:"keyRingID,omitempty"`
	KeyVersion  *struct {
		ID string `json:"id"`
	} `json:"keyVersion,omitempty"`
	LastRotateDate string `json:"lastRotateDate,omitempty"`
}

type kpAction struct {
	Plaintext  string   `json:"plaintext,omitempty"`
	Ciphertext string   `json:"ciphertext,omitempty"`
	AAD        []string `json:"aad,omitempty"`
	KeyVersion *struct {
		ID string `json:"id"`
	} `json:"keyVersion,omitempty"`
}

// create makes a key and returns its ID.
func (c *kpClient) create(name string, extractable bool, aliases ...string) string {
	c.t.Helper()
	asked := kpKeys{Resources: []kpKey{{Name: name, Type: "application/vnd.ibm.kms.key+json", Extractable: extractable, Aliases: aliases}}}
	asked.Metadata.CollectionType, asked.Metadata.CollectionTotal = "application/vnd.ibm.kms.key+json", 1
	var made kpKeys
	c.ok("POST", "keys", &asked, &made)
	if len(made.Resources) != 1 || made.Resources[0].ID == "" {
		c.t.Fatalf("%+v", made)
	}
	return made.Resources[0].ID
}

// serviceWithoutRoles is the API key of a new service ID.
func (s *Server) serviceWithoutRoles(t testing.TB) string {
	t.Helper()
	text := `{"name":"stranger","account_id":"` + s.AccountID + `","apikey":{"name":"first"}}`
	r, err := http.NewRequest("POST", s.URL+"/v1/serviceids", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.kpToken(t, s.IBM.APIKey))
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	var out struct {
		APIKey struct {
			APIKey string `json:"apikey"`
		} `json:"apikey"`
	}
	if err := json.NewDecoder(a.Body).Decode(&out); err != nil || out.APIKey.APIKey == "" {
		t.Fatalf("%d %v", a.StatusCode, err)
	}
	return out.APIKey.APIKey
}
