package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
)

const (
	ibmTokenPath   = "/identity/token"
	ibmGrantAPIKey = "urn:ibm:params:oauth:grant-type:apikey"
)

// ibmTokens are what the token service of IBM's dialect gives.
type ibmTokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// cloudKey is the API key of cloudSite.
const cloudKey = "bench-bench-bench-bench-bench-bench-bench-be"

// cloudSite is a site whose tokens of IBM's dialect are ES256 from the beginning:
// another algorithm of a site that has one signs only when everybody knows its
// key.
const cloudSite = `
accounts:
  - {id: "123456789012", name: Bench, root: {email: bench@example.com, password: bench-password-1}}
realms:
  - {name: root-accounts, clients: [{id: root-client, public: true, grants: [password]}]}
  - {name: people, account: "123456789012", clients: [{id: people, public: true, grants: [password]}]}
ibm:
  account: "123456789012"
  realm: people
  algorithm: ES256
  service_ids: [{name: robot}]
  api_keys: [{service_id: robot, name: first, secret: ` + cloudKey + `}]
`

// cloud is a server with cloudSite.
func (b *bench) cloud() (*server, error) {
	s, err := serve(b, "cloud", nil)
	if err != nil {
		return nil, err
	}
	if err := s.apply(b, cloudSite); err != nil {
		s.end()
		return nil, err
	}
	s.ready.IBM.APIKey = cloudKey
	return s, nil
}

func (s *server) ibmKeyForm() url.Values {
	return url.Values{"grant_type": {ibmGrantAPIKey}, "apikey": {s.ready.IBM.APIKey}}
}

func (s *server) ibmLogin() (out ibmTokens, err error) {
	text, err := call(s, ibmTokenPath, s.ibmKeyForm())
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(text, &out)
}

// refreshes are n first uses of refresh tokens, each of a log-in of its own.
func (s *server) refreshes(n int) ([][]byte, error) {
	tokens, err := parallel(n, func(yield func(string) bool) error {
		for {
			t, err := s.ibmLogin()
			if err != nil || !yield(t.Refresh) {
				return err
			}
		}
	})
	var all [][]byte
	for _, t := range tokens {
		all = append(all, post(s.at, ibmTokenPath, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t}}.Encode()))
	}
	return all, err
}

// ibm measures the token service of IBM's dialect, and its tokens at S3, beside
// the signatures in them.
func (b *bench) ibm() error {
	bare, err := newSignatures()
	if err != nil {
		return err
	}
	s := b.server
	tokens, err1 := s.ibmLogin()
	refreshes, err2 := s.refreshes(b.fresh * b.rounds)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	question := url.Values{"token": {tokens.Access}}.Encode()
	introspect := fmt.Appendf(nil, "POST /identity/introspect HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		s.at.address, tokens.Access, formType, len(question), question)
	list := fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAuthorization: Bearer %s\r\nibm-service-instance-id: %s\r\n\r\n",
		s.at.address, tokens.Access, s.ready.IBM.StorageID)
	once := b.loadOn(s, 32, refreshes...)
	once.once, once.part = true, b.fresh
	es256, err := b.cloud()
	if err != nil {
		return err
	}
	defer es256.end()
	logIn := func(s *server) *load { return b.loadOn(s, 32, post(s.at, ibmTokenPath, s.ibmKeyForm().Encode())) }
	all, err := b.turns(b.helloLoad(plain()), logIn(s), once, b.loadOn(s, 32, introspect), b.loadOn(s, 32, list), logIn(es256))
	if err != nil {
		return err
	}
	sign, err1 := b.cost(bare.signRSA)
	verify, err2 := b.cost(bare.verifyRSA)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	b.report.heading("IBM's token service (32 connections, audit event on disk before the answer; RS256 unless said)")
	for i, l := range []struct {
		name, beside string
		bare         time.Duration
		limit        float64
	}{
		{"API key to tokens", "one RSA-2048 signing", sign, 1.1},
		{"refresh token, first use (two rows)", "one RSA-2048 signing", sign, 0},
		{"introspection", "two RSA-2048 verifications", 2 * verify, 0},
		{"ListBuckets, bearer token", "one RSA-2048 verification", verify, 0},
	} {
		cost := all.median(1+i, cpuFirst)
		b.report.most(l.name, duration(cost), l.bare, l.beside, cost/float64(l.bare), l.limit)
		b.report.cpu("  the same", all, 1+i, 0, "hello", 0)
	}
	b.report.cpu("API key to tokens, ES256", all, 5, 0, "hello", 5)
	return nil
}
