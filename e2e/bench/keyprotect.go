package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// kpKeys is how many keys the lists are of.
const kpKeys = 500

// kpRequest is a raw request to key management, with the demo's token.
func (s *server) kpRequest(token, method, path, body string) []byte {
	return fmt.Appendf(nil, "%s /api/v2/%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAuthorization: Bearer %s\r\nBluemix-Instance: %s\r\nContent-Length: %d\r\n\r\n%s",
		method, path, s.at.address, token, s.ready.IBM.InstanceID, len(body), body)
}

// kp calls key management and decodes what it answers with 200 or 201.
func (s *server) kp(token, path, body string, into any) error {
	r, err := http.NewRequest("POST", s.ready.URL+"/api/v2/"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Bluemix-Instance", s.ready.IBM.InstanceID)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode > 201 {
		return errors.Join(err, fmt.Errorf("%s: %d %.300s", path, a.StatusCode, text))
	}
	return json.Unmarshal(text, into)
}

// keyManagement measures wraps and unwraps of a data key, with their events on
// disk, beside an AES-GCM of as many bytes, and pages of keys.
func (b *bench) keyManagement() error {
	s := b.server
	tokens, err := s.ibmLogin()
	if err != nil {
		return err
	}
	var made struct{ Resources []struct{ ID string } }
	for range kpKeys {
		if err := s.kp(tokens.Access, "keys", `{"metadata":{"collectionTotal":1},"resources":[{"name":"bench","extractable":false}]}`, &made); err != nil {
			return err
		}
	}
	path := "keys/" + made.Resources[0].ID + "/actions/"
	plaintext := `{"plaintext":"` + strings.Repeat("QUJD", 10) + `QQ=="}`
	var wrapped struct{ Ciphertext string }
	if err := s.kp(tokens.Access, path+"wrap", plaintext, &wrapped); err != nil {
		return err
	}
	all, err := b.turns(b.helloLoad(plain()),
		b.loadOn(s, 32, s.kpRequest(tokens.Access, "POST", path+"wrap", plaintext)),
		b.loadOn(s, 32, s.kpRequest(tokens.Access, "POST", path+"unwrap", `{"ciphertext":"`+wrapped.Ciphertext+`"}`)),
		b.loadOn(s, 32, s.kpRequest(tokens.Access, "GET", "keys?limit=20", "")),
		b.loadOn(s, 32, s.kpRequest(tokens.Access, "GET", fmt.Sprintf("keys?limit=20&offset=%d", kpKeys-20), "")),
		b.loadOn(s, 32, s.kpRequest(tokens.Access, "GET", "keys?limit=20&sort=-creationDate", "")))
	if err != nil {
		return err
	}
	seal, err := b.cost(sealing())
	if err != nil {
		return err
	}
	b.report.heading(fmt.Sprintf("Key management (32 connections, audit event on disk before the answer; %d keys)", kpKeys))
	for i, name := range []string{"wrap", "unwrap", "first page of 20 keys", "last page of 20 keys", "first page, sorted"} {
		b.report.cpu(name, all, 1+i, 0, "hello", 0)
		if i < 2 {
			cost := all.median(1+i, cpuFirst)
			b.report.most("  beside the bare AEAD", duration(cost), seal, "AES-256-GCM of 31 bytes", cost/float64(seal), 0)
		}
	}
	return nil
}

// sealing is one AES-256-GCM of a data key.
func sealing() func() error {
	block, _ := aes.NewCipher(make([]byte, 32)) // the size is one of AES's
	aead, err := cipher.NewGCMWithRandomNonce(block)
	plaintext := make([]byte, 31)
	return func() error {
		if err != nil {
			return err
		}
		aead.Seal(nil, nil, plaintext, nil)
		return nil
	}
}
