package upstream

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"daypass/internal/identity"
)

// KeyProtect wraps by a root key of a key management service that speaks IBM Key
// Protect's API, such as another Daypass. Its fields are set once. Errors are of
// KindUnavailable while the service is away, and of KindUpstream for what asking
// again does not change; Public then says what to do, and Code is a detail where
// the service gave one.
type KeyProtect struct {
	// URL and TokenURL are of the service, before /api/v2, and of the token
	// service that takes its API keys.
	URL, TokenURL *url.URL
	Instance      string // the ID of the service instance
	Key           string // ID or alias of the root key
	// APIKey is asked for at each call.
	APIKey    func() (identity.Secret, error)
	Transport http.RoundTripper
}

const (
	opKeyProtect = "upstream.KeyProtect"
	// keyProtectTimeout bounds one call, with the log-in before it.
	keyProtectTimeout = 15 * time.Second
	// maxWrapped is the most bytes of a wrapped text; real ones have some hundred.
	maxWrapped  = 16 << 10
	apiKeyGrant = "urn:ibm:params:oauth:grant-type:apikey"
)

// Place names the key for people.
func (k *KeyProtect) Place() string { return "key " + k.Key + " at " + k.URL.Host }

// Wrap wraps a secret (POST keys/{id}/actions/wrap).
func (k *KeyProtect) Wrap(ctx context.Context, secret []byte, aad []string) (string, error) {
	out, err := k.act(ctx, "wrap", keyAction{Plaintext: base64.StdEncoding.EncodeToString(secret), AAD: aad})
	if err == nil && (out.Ciphertext == "" || len(out.Ciphertext) > maxWrapped) {
		err = k.notUnderstood(errors.New("no ciphertext"))
	}
	return out.Ciphertext, err
}

// Unwrap opens what Wrap made (POST keys/{id}/actions/unwrap). again is the secret
// wrapped by a newer version of the key, "" when there is none.
func (k *KeyProtect) Unwrap(ctx context.Context, wrapped string, aad []string) (secret []byte, again string, err error) {
	out, err := k.act(ctx, "unwrap", keyAction{Ciphertext: wrapped, AAD: aad})
	if err != nil {
		return nil, "", err
	}
	secret, err = base64.StdEncoding.DecodeString(out.Plaintext)
	if err != nil || len(out.Ciphertext) > maxWrapped {
		return nil, "", k.notUnderstood(errors.New("no plaintext in base64")) // never the decoder's error, which quotes
	}
	return secret, out.Ciphertext, nil
}

// keyAction is the body of wrap and unwrap, and of their answers.
type keyAction struct {
	Plaintext  string   `json:"plaintext,omitempty"`
	Ciphertext string   `json:"ciphertext,omitempty"`
	AAD        []string `json:"aad,omitempty"`
}

// act logs in and does one action.
func (k *KeyProtect) act(ctx context.Context, action string, in keyAction) (out keyAction, err error) {
	ctx, cancel := context.WithTimeout(ctx, keyProtectTimeout)
	defer cancel()
	token, err := k.token(ctx)
	if err != nil {
		return out, err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return out, &identity.Error{Kind: identity.KindInternal, Op: opKeyProtect, Err: err}
	}
	target := k.URL.JoinPath("api/v2/keys", url.PathEscape(k.Key), "actions", action)
	status, answer, err := k.post(ctx, target, body, http.Header{
		"Content-Type": {"application/vnd.ibm.kms.key_action_" + action + "+json"}, "Authorization": {"Bearer " + token}, "Bluemix-Instance": {k.Instance},
	})
	if err != nil {
		return out, err
	}
	if status != http.StatusOK && status != http.StatusCreated {
		return out, k.refused(status, answer)
	}
	if json.Unmarshal(answer, &out) != nil {
		return out, k.notUnderstood(errors.New("no JSON"))
	}
	return out, nil
}

// token logs in with the API key.
func (k *KeyProtect) token(ctx context.Context) (string, error) {
	key, err := k.APIKey()
	if err != nil {
		return "", err
	}
	form := url.Values{"grant_type": {apiKeyGrant}, "apikey": {key.Reveal()}}
	status, answer, err := k.post(ctx, k.TokenURL, []byte(form.Encode()), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	if err != nil {
		return "", err
	}
	var out struct {
		Token string `json:"access_token"`
		Code  string `json:"errorCode"`
	}
	if err := json.Unmarshal(answer, &out); err != nil && status == http.StatusOK || status == http.StatusOK && !isHeaderValue(out.Token) {
		return "", k.notUnderstood(errors.New("no access token"))
	}
	if status != http.StatusOK {
		return "", k.refusal(status, out.Code, "the token service "+k.TokenURL.Host+" refuses the API key: give one that is there and neither disabled, locked out nor expired")
	}
	return out.Token, nil
}

func isHeaderValue(s string) bool {
	return s != "" && len(s) <= maxToken && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// post sends a body and reads the whole answer. Redirects are answers like any
// other: what goes out is for one place.
func (k *KeyProtect) post(ctx context.Context, target *url.URL, body []byte, header http.Header) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, &identity.Error{Kind: identity.KindInternal, Op: opKeyProtect, Err: err}
	}
	req.Header = header
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "daypass")
	resp, err := k.Transport.RoundTrip(req)
	if err != nil {
		return 0, nil, unreached(target, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return 0, nil, unreached(target, err)
	case len(answer) > maxAnswer:
		return 0, nil, k.notUnderstood(fmt.Errorf("status %d with more than %d bytes", resp.StatusCode, maxAnswer))
	case resp.StatusCode >= http.StatusInternalServerError && resp.StatusCode != http.StatusNotImplemented, resp.StatusCode == http.StatusTooManyRequests:
		return 0, nil, unreached(target, fmt.Errorf("status %d", resp.StatusCode))
	}
	return resp.StatusCode, answer, nil
}
