package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"daypass/internal/sigv4"
)

// keys sign requests.
type keys = sigv4.Credentials

const (
	userAgent   = "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux md/arch#x86_64 lang/python#3.13 md/command#sts.get-caller-identity"
	formType    = "application/x-www-form-urlencoded; charset=utf-8"
	maxAnswer   = 1 << 20
	region      = "us-east-1"
	callerQuery = "Action=GetCallerIdentity&Version=2011-06-15"
)

// plain is a GET without anything.
func plain() []byte { return []byte("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n\r\n") }

// signed is a whole request, signed for service; payload "" means unsigned.
func signed(at target, k keys, service, method, path string, body []byte, payload string, header http.Header) ([]byte, error) {
	host := at.address
	if at.network == "unix" {
		host = "objectstore"
	}
	r, err := http.NewRequest(method, "http://"+host+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, v := range header {
		r.Header[name] = v
	}
	r.Header.Set("User-Agent", userAgent)
	r.Header.Set("Accept-Encoding", "identity")
	if service != "s3" {
		sum := sha256.Sum256(body)
		payload = hex.EncodeToString(sum[:])
	}
	if err := sigv4.Sign(r, k, region, service, payload, time.Now()); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = r.Write(&out)
	return out.Bytes(), err
}

// callerIdentity is the smallest signed request that goes through everything
// but an upstream.
func callerIdentity(at target, k keys) ([]byte, error) {
	return signed(at, k, "sts", "POST", "/", []byte(callerQuery), "", http.Header{"Content-Type": {formType}})
}

// webIdentity asks for session keys.
func webIdentity(at target, roleARN, token string) []byte {
	body := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"},
		"RoleArn": {roleARN}, "RoleSessionName": {"bench"}, "WebIdentityToken": {token},
	}.Encode()
	return post(at, "/", body)
}

func post(at target, path, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		path, at.address, userAgent, formType, len(body), body)
}

// call sends a form and returns the body of a 200.
func call(s *server, path string, form url.Values) ([]byte, error) {
	resp, err := http.Post(s.ready.URL+path, formType, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %.300s", path, resp.Status, text)
	}
	return text, err
}

func tokenPath(realm string) string {
	return "/auth/realms/" + realm + "/protocol/openid-connect/token"
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (s *server) grant(realm string, form url.Values) (tokens, error) {
	var t tokens
	text, err := call(s, tokenPath(realm), form)
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	return t, err
}

// rootForm logs the root user in.
func (s *server) rootForm() url.Values {
	return url.Values{
		"grant_type": {"password"}, "client_id": {"root-client"},
		"username": {s.ready.Root.Email}, "password": {s.ready.Root.Password},
	}
}

// rootTokens makes n different ES256 tokens of the root user, by refreshing.
func (s *server) rootTokens(n int) ([]string, error) {
	return parallel(n, func(yield func(string) bool) error {
		t, err := s.grant("root-accounts", s.rootForm())
		for err == nil && yield(t.Access) {
			t, err = s.grant("root-accounts", url.Values{
				"grant_type": {"refresh_token"}, "client_id": {"root-client"}, "refresh_token": {t.Refresh},
			})
		}
		return err
	})
}

// clientSecret is that of the demo's service account.
func (s *server) clientSecret() (string, error) {
	text, err := os.ReadFile(filepath.Join(s.data, "dev-credentials.json"))
	if err != nil {
		return "", err
	}
	var c struct {
		Secret string `json:"admin_client_secret"`
	}
	err = json.Unmarshal(text, &c)
	return c.Secret, err
}

func clientForm(secret string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {"admin-client"}, "client_secret": {secret}}
}

// clientTokens makes n different RS256 tokens of the demo's service account.
func (s *server) clientTokens(n int) ([]string, error) {
	secret, err := s.clientSecret()
	if err != nil {
		return nil, err
	}
	return parallel(n, func(yield func(string) bool) error {
		for {
			t, err := s.grant("shasta", clientForm(secret))
			if err != nil || !yield(t.Access) {
				return err
			}
		}
	})
}

// parallel collects n tokens from some makers at a time.
func parallel(n int, maker func(yield func(string) bool) error) ([]string, error) {
	const makers = 8
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		all  []string
		errs []error
	)
	for range makers {
		wg.Go(func() {
			err := maker(func(token string) bool {
				mu.Lock()
				defer mu.Unlock()
				if len(all) < n {
					all = append(all, token)
				}
				return len(all) < n
			})
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	wg.Wait()
	return all, errors.Join(errs...)
}

func (s *server) rootARN() string {
	return "arn:" + s.ready.Partition + ":iam::" + s.ready.AccountID + ":root"
}

func (s *server) adminARN() string {
	return "arn:" + s.ready.Partition + ":iam::" + s.ready.AccountID + ":role/shasta-admin"
}

// sessionKeys exchanges a root token for keys.
func (s *server) sessionKeys() (keys, error) {
	t, err := s.grant("root-accounts", s.rootForm())
	if err != nil {
		return keys{}, err
	}
	text, err := call(s, "/", url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"},
		"RoleArn": {s.rootARN()}, "RoleSessionName": {"bench"}, "WebIdentityToken": {t.Access},
	})
	if err != nil {
		return keys{}, err
	}
	var a struct {
		AccessKeyID     string `xml:"AssumeRoleWithWebIdentityResult>Credentials>AccessKeyId"`
		SecretAccessKey string `xml:"AssumeRoleWithWebIdentityResult>Credentials>SecretAccessKey"`
		SessionToken    string `xml:"AssumeRoleWithWebIdentityResult>Credentials>SessionToken"`
	}
	if err := xml.Unmarshal(text, &a); err != nil || a.SessionToken == "" {
		return keys{}, fmt.Errorf("an answer without keys: %v", err)
	}
	return keys{AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey, SessionToken: a.SessionToken}, nil
}
