package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"time"

	cognitosrp "github.com/alexrudd/cognito-srp/v4"
)

// poolOf is the demo's user pool and identity pool, as clients find them.
type poolOf struct {
	s       *server
	UserID  string `json:"userPoolId"`
	Client  string `json:"userPoolWebClientId"`
	ID      string `json:"identityPoolId"`
	Region  string `json:"region"`
	refresh string
}

func (s *server) pool() (*poolOf, error) {
	resp, err := http.Get(s.ready.URL + "/20190206/public/config")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	doc := struct {
		ApiAuth *poolOf
	}{&poolOf{s: s}}
	return doc.ApiAuth, json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&doc)
}

func (p *poolOf) provider() string {
	return "cognito-idp." + p.Region + ".amazonaws.com/" + p.UserID
}

// Targets of X-Amz-Target.
const (
	userPools     = "AWSCognitoIdentityProviderService."
	identityPools = "AWSCognitoIdentityService."
)

// request is a whole unsigned request of the JSON protocol.
func (p *poolOf) request(target string, members any) ([]byte, error) {
	body, err := json.Marshal(members)
	return fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Target: %s\r\nContent-Length: %d\r\n\r\n%s",
		p.s.at.address, userAgent, target, len(body), body), err
}

// call sends one and reads the answer.
func (p *poolOf) call(target string, members, into any) error {
	body, err := json.Marshal(members)
	if err != nil {
		return err
	}
	r, err := http.NewRequest("POST", p.s.ready.URL, strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", target)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %.300s", target, resp.Status, text)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

type members map[string]any

func (p *poolOf) auth(flow string, parameters map[string]string) members {
	return members{"AuthFlow": flow, "ClientId": p.Client, "AuthParameters": parameters}
}

type loggedIn struct {
	AuthenticationResult struct{ IDToken, RefreshToken string }
	ChallengeParameters  map[string]string
}

// idTokens makes n different ID tokens of the API token, by refreshing.
func (p *poolOf) idTokens(n int) ([]string, error) {
	var first loggedIn
	if err := p.call(userPools+"InitiateAuth", p.auth("USER_PASSWORD_AUTH", p.secret()), &first); err != nil {
		return nil, err
	}
	p.refresh = first.AuthenticationResult.RefreshToken
	return parallel(n, func(yield func(string) bool) error {
		for {
			var next loggedIn
			err := p.call(userPools+"InitiateAuth", p.auth("REFRESH_TOKEN_AUTH", map[string]string{"REFRESH_TOKEN": p.refresh}), &next)
			if err != nil || !yield(next.AuthenticationResult.IDToken) {
				return err
			}
		}
	})
}

func (p *poolOf) secret() map[string]string {
	return map[string]string{"USERNAME": p.s.ready.Stax.AccessKey, "PASSWORD": p.s.ready.Stax.SecretKey}
}

// answers are n answers to challenges by SRP, each good once.
func (p *poolOf) answers(n int) ([][]byte, error) {
	srp, err := cognitosrp.NewCognitoSRP(p.s.ready.Stax.AccessKey, p.s.ready.Stax.SecretKey, p.UserID, p.Client, nil)
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for range n {
		var challenge loggedIn
		if err := p.call(userPools+"InitiateAuth", p.auth("USER_SRP_AUTH", srp.GetAuthParams()), &challenge); err != nil {
			return nil, err
		}
		responses, err := srp.PasswordVerifierChallenge(challenge.ChallengeParameters, time.Now())
		if err != nil {
			return nil, err
		}
		request, err := p.request(userPools+"RespondToAuthChallenge", members{"ClientId": p.Client, "ChallengeName": "PASSWORD_VERIFIER", "ChallengeResponses": responses})
		if err != nil {
			return nil, err
		}
		all = append(all, request)
	}
	return all, nil
}

// srpAnswers is how many answers by SRP are measured in each round.
const srpAnswers = 40

// cognito measures log-ins at a user pool and keys of an identity pool beside
// the crypto that they cannot do without.
func (b *bench) cognito() error {
	p, err := b.server.pool()
	if err != nil {
		return err
	}
	srp, err := cognitosrp.NewCognitoSRP(b.server.ready.Stax.AccessKey, b.server.ready.Stax.SecretKey, p.UserID, p.Client, nil)
	if err != nil {
		return err
	}
	person := b.server.ready.Realms["shasta"]
	byPassword, err1 := p.request(userPools+"InitiateAuth", p.auth("USER_PASSWORD_AUTH", map[string]string{"USERNAME": person.Username, "PASSWORD": person.Password}))
	bySecret, err2 := p.request(userPools+"InitiateAuth", p.auth("USER_PASSWORD_AUTH", p.secret()))
	begin, err3 := p.request(userPools+"InitiateAuth", p.auth("USER_SRP_AUTH", srp.GetAuthParams()))
	answers, err4 := p.answers(srpAnswers * b.rounds)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	finish := b.loadOn(b.server, 8, answers...)
	finish.once, finish.part = true, srpAnswers
	all, err := b.turns(b.helloLoad(plain()), b.loadOn(b.server, 8, byPassword), b.loadOn(b.server, 8, bySecret), b.loadOn(b.server, 8, begin), finish)
	if err != nil {
		return err
	}
	hash, power, sign, err := b.bareLogin()
	if err != nil {
		return err
	}
	b.report.heading("Log-ins at a user pool (8 connections; two RS256 tokens each; beside the bare crypto)")
	for i, l := range []struct {
		name, beside string
		bare         time.Duration
	}{
		{"InitiateAuth, password", "argon2id + 2 RSA signings", hash + 2*sign},
		{"InitiateAuth, secret of an API token", "3072-bit power + 2 RSA signings", power + 2*sign},
		{"InitiateAuth, SRP: the challenge", "3072-bit power", power},
		{"RespondToAuthChallenge, SRP: the answer", "2 powers + 2 RSA signings", 2*power + 2*sign},
	} {
		cost := all.median(1+i, cpuFirst)
		b.report.most(l.name, duration(cost), l.bare, l.beside, cost/float64(l.bare), 0)
	}
	return b.poolKeys(p)
}

// bareLogin is what one hash, one power of 256 bits in a group of 3072 and one
// signing cost.
func (b *bench) bareLogin() (hash, power, sign time.Duration, err error) {
	bare, err := newSignatures()
	if err != nil {
		return 0, 0, 0, err
	}
	group, err1 := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 3072))
	exponent, err2 := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 256))
	if err := errors.Join(err1, err2); err != nil {
		return 0, 0, 0, err
	}
	group.SetBit(group.SetBit(group, 3071, 1), 0, 1)
	base := new(big.Int).Rsh(group, 1)
	hash, err1 = argonCost(b.duration)
	power, err2 = b.cost(func() error { new(big.Int).Exp(base, exponent, group); return nil })
	sign, err3 := b.cost(bare.signRSA)
	return hash, power, sign, errors.Join(err1, err2, err3)
}

// poolKeys measures GetId and GetCredentialsForIdentity.
func (b *bench) poolKeys(p *poolOf) error {
	tokens, err := p.idTokens(b.fresh * b.rounds)
	if err != nil {
		return err
	}
	var id struct {
		IdentityID string `json:"IdentityId"`
	}
	pool := func(token string) members {
		return members{"IdentityPoolId": p.ID, "Logins": map[string]string{p.provider(): token}}
	}
	if err := p.call(identityPools+"GetId", pool(tokens[0]), &id); err != nil {
		return err
	}
	getID, err := p.request(identityPools+"GetId", pool(tokens[0]))
	if err != nil {
		return err
	}
	var fresh [][]byte
	for _, token := range tokens {
		request, err := p.request(identityPools+"GetCredentialsForIdentity", members{"IdentityId": id.IdentityID, "Logins": map[string]string{p.provider(): token}})
		if err != nil {
			return err
		}
		fresh = append(fresh, request)
	}
	once := b.loadOn(b.server, 32, fresh...)
	once.once, once.part = true, b.fresh
	all, err := b.turns(b.helloLoad(plain()), b.loadOn(b.server, 32, getID), once, b.loadOn(b.server, 32, fresh[0]))
	if err != nil {
		return err
	}
	b.report.heading("Keys of an identity pool (32 connections, audit event on disk before the answer)")
	b.report.cpu("GetId, token seen before", all, 1, 0, "hello", 0)
	b.report.cpu("GetCredentialsForIdentity, fresh token", all, 2, 0, "hello", 0)
	b.report.cpu("GetCredentialsForIdentity, token seen before", all, 3, 0, "hello", 0)
	return nil
}
