package e2e

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestKeyProtectGoClient walks key management by the rules of IBM's client for Go,
// which cannot be had as a module.
func TestKeyProtectGoClient(t *testing.T) {
	t.Parallel()
	s := Start(t)
	c := s.kpAt(t, s.IBM.InstanceID, s.IBM.APIKey)
	id := c.create("root", false, "go-root")
	var list kpKeys
	c.ok("GET", "keys?limit=2000&offset=0", nil, &list)
	c.ok("GET", "keys?search=name%3Aexact%3AROOT%2C&sort=-creationDate&filter=+creationDate%3Dgt%3A%222020-01-01T00%3A00%3A00.5Z%22+state%3D1%2C2+extractable%3Dfalse", nil, &list)
	if list.Metadata.TotalCount != 1 || len(list.Resources) != 1 || list.Resources[0].ID != id || list.Resources[0].LastRotateDate != "" {
		t.Errorf("found: %+v", list)
	}
	var wrapped, again, opened kpAction
	plaintext := base64.StdEncoding.EncodeToString([]byte("a data key"))
	c.ok("POST", "keys/"+id+"/actions/wrap", kpAction{Plaintext: plaintext, AAD: []string{"a", "b"}}, &wrapped)
	c.ok("POST", "keys/go-root/actions/wrap", "null", &again)
	c.ok("POST", "keys/go-root/actions/unwrap", kpAction{Ciphertext: wrapped.Ciphertext, AAD: []string{"a", "b"}}, &opened)
	if opened.Plaintext != plaintext || opened.Ciphertext != "" || len(again.Plaintext) != 44 || wrapped.KeyVersion.ID != id {
		t.Errorf("%+v %+v", opened, again)
	}
	for _, aad := range [][]string{nil, {"ab"}, {"b", "a"}, {"a", "b", ""}} {
		if got := c.do("POST", "keys/"+id+"/actions/unwrap", kpAction{Ciphertext: wrapped.Ciphertext, AAD: aad}, &opened); got != "422 UNPROCESSABLE_CIPHERTEXT_ERR" {
			t.Errorf("with other data %q: %s", aad, got)
		}
	}
	c.ok("POST", "keys/"+id+"/actions/rotate", "{}", nil)
	c.ok("POST", "keys/"+id+"/actions/unwrap", kpAction{Ciphertext: wrapped.Ciphertext, AAD: []string{"a", "b"}}, &opened)
	newer := kpAction{}
	c.ok("POST", "keys/"+id+"/actions/unwrap", kpAction{Ciphertext: opened.Ciphertext, AAD: []string{"a", "b"}}, &newer)
	var versions struct {
		Resources []struct{ ID string }
	}
	c.ok("GET", "keys/"+id+"/versions?limit=10&totalCount=true", nil, &versions)
	if opened.Plaintext != plaintext || newer.Plaintext != plaintext || newer.Ciphertext != "" || len(versions.Resources) != 2 || versions.Resources[0].ID != newer.KeyVersion.ID {
		t.Errorf("after a rotation: %+v, %+v, versions %+v", opened, newer, versions)
	}
	c.ringsAndDeletion(id)
}

// ringsAndDeletion are the calls that expect no result.
func (c *kpClient) ringsAndDeletion(id string) {
	c.t.Helper()
	c.ok("POST", "key_rings/go-ring", nil, nil)
	var key kpKeys
	c.ok("PATCH", "keys/"+id, `{"KeyRingID":"go-ring"}`, &key)
	if key.Resources[0].KeyRingID != "go-ring" {
		c.t.Errorf("moved: %+v", key)
	}
	ring := *c
	ring.ring = "default"
	if got := ring.do("GET", "keys/"+id+"/metadata", nil, &key); got != "404 KEY_NOT_FOUND_ERR" {
		c.t.Errorf("in another ring: %s", got)
	}
	c.ok("POST", "keys/"+id+"/actions/sync", nil, nil)
	c.ok("POST", "keys/"+id+"/actions/disable", "null", nil)
	c.ok("POST", "keys/"+id+"/actions/enable", "null", nil)
	c.ok("POST", "keys/"+id+"/aliases/more", nil, &struct{}{})
	c.ok("DELETE", "keys/"+id+"/aliases/more", nil, nil)
	var policies struct {
		Resources []struct {
			Rotation *struct{ Months int } `json:"rotation"`
		}
	}
	c.ok("PUT", "keys/"+id+"/policies", `{"metadata":{"collectionType":"x","collectionTotal":1},"resources":[{"type":"x","rotation":{"interval_month":3}}]}`, &policies, "Prefer", "return=minimal")
	if len(policies.Resources) != 1 {
		c.t.Errorf("policies: %+v", policies)
	}
	c.ok("DELETE", "keys/"+id+"?force=false", nil, &key, "Prefer", "return=representation")
	if key.Resources[0].State != 5 {
		c.t.Errorf("deleted: %+v", key)
	}
	if got := c.do("DELETE", "key_rings/go-ring", `{"Force":false}`, nil); got != "409 KEY_RING_NOT_EMPTY_ERR" {
		c.t.Errorf("a ring with a deleted key: %s", got)
	}
	c.ok("DELETE", "key_rings/go-ring?force=true", `{"Force":true}`, nil)
	if got := c.do("DELETE", "keys/"+id+"/purge", nil, nil); got != "401 UNAUTHORIZED_ERR" && got != "409 REQ_TOO_EARLY_ERR" {
		c.t.Errorf("a purge at once: %s", got)
	}
}

// TestKeyProtectConcurrently: many use one key while it rotates, and all get back
// what they wrapped.
func TestKeyProtectConcurrently(t *testing.T) {
	t.Parallel()
	s := Start(t)
	c := s.kpAt(t, s.IBM.InstanceID, s.IBM.APIKey)
	id := c.create("shared", false)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 10 {
				plaintext := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%d of %d", i, worker))
				var w, u kpAction
				if got := c.do("POST", "keys/"+id+"/actions/wrap", kpAction{Plaintext: plaintext}, &w); got != "" {
					t.Errorf("wrap: %s", got)
				}
				if worker == 0 && i%3 == 0 {
					if got := c.do("POST", "keys/"+id+"/actions/rotate", "null", nil); got != "" {
						t.Errorf("rotate: %s", got)
					}
				}
				if got := c.do("POST", "keys/"+id+"/actions/unwrap", kpAction{Ciphertext: w.Ciphertext}, &u); got != "" || u.Plaintext != plaintext {
					t.Errorf("unwrap: %s, %q", got, u.Plaintext)
				}
			}
		})
	}
	all.Wait()
}

// TestKeyProtectTenants: what is another instance's, another account's, or nobody's
// looks the same, and nobody without a role learns which.
func TestKeyProtectTenants(t *testing.T) {
	t.Parallel()
	s := Start(t)
	c := s.kpAt(t, s.IBM.InstanceID, s.IBM.APIKey)
	id := c.create("mine", false, "my-alias")
	stranger := s.kpAt(t, s.IBM.InstanceID, s.serviceWithoutRoles(t))
	const absent = "99999999-1111-4222-8333-444455556666"
	for _, path := range []string{"keys", "keys/" + id, "keys/" + absent, "keys/my-alias/metadata", "key_rings", "instance/policies", "keys/registrations"} {
		if got := stranger.do("GET", path, nil, &struct{}{}); got != "401 UNAUTHORIZED_ERR" {
			t.Errorf("without a role, %s: %s", path, got)
		}
		for _, instance := range []string{absent, "", "x", s.IBM.StorageID} {
			elsewhere := *c
			elsewhere.instance = instance
			if got := elsewhere.do("GET", path, nil, &struct{}{}); got != "401 UNAUTHORIZED_ERR" {
				t.Errorf("instance %q, %s: %s", instance, path, got)
			}
		}
	}
	for _, name := range []string{absent, "no-alias", strings.ToUpper(id), id + "x"} {
		if got := c.do("GET", "keys/"+name, nil, &struct{}{}); got != "404 KEY_NOT_FOUND_ERR" {
			t.Errorf("key %s: %s", name, got)
		}
	}
}

// TestKeyProtectLeaksNothing looks for what was wrapped, brought in and opened in
// all that the server has written.
func TestKeyProtectLeaksNothing(t *testing.T) {
	t.Parallel()
	s := Start(t)
	c := s.kpAt(t, s.IBM.InstanceID, s.IBM.APIKey)
	const plain, material, wrong = "KNOWN-PLAINTEXT-of-a-wrap", "KNOWN-MATERIAL-of-a-standard-key", "KNOWN-PLAINTEXT-of-a-refusal"
	id := c.create("root", false)
	secrets := []string{c.token}
	for _, text := range []string{plain, material, wrong} {
		secrets = append(secrets, text, base64.StdEncoding.EncodeToString([]byte(text)))
	}
	var w, u kpAction
	c.ok("POST", "keys/"+id+"/actions/wrap", kpAction{Plaintext: secrets[2], AAD: []string{"KNOWN-AAD"}}, &w)
	c.ok("POST", "keys/"+id+"/actions/unwrap", kpAction{Ciphertext: w.Ciphertext, AAD: []string{"KNOWN-AAD"}}, &u)
	c.ok("POST", "keys", `{"metadata":{"collectionTotal":1},"resources":[{"name":"s","extractable":true,"payload":"`+secrets[4]+`","aliases":["standard"]}]}`, &struct{}{})
	c.ok("GET", "keys/standard", nil, &struct{}{})
	if got := c.do("POST", "keys/standard/actions/wrap", kpAction{Plaintext: secrets[6]}, &w); got != "400 KEY_ROOT_REQ_ERR" {
		t.Errorf("wrap with a standard key: %s", got)
	}
	if got := c.do("POST", "keys/"+id+"/actions/wrap", `{"plaintext":"`+wrong+`?"}`, &w); got != "400 INVALID_FIELD_ERR" {
		t.Errorf("wrap of what is not base64: %s", got)
	}
	if u.Plaintext != secrets[2] {
		t.Fatalf("unwrapped %q", u.Plaintext)
	}
	written := map[string]string{"the log": s.Log(), "standard output": s.Printed.String()}
	if err := filepath.WalkDir(s.Data, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		written[path] = string(b)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	seen := false
	for where, text := range written {
		seen = seen || strings.Contains(text, id) && strings.Contains(text, "secrets.wrap")
		for i, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("secret %d is in %s", i, where)
			}
		}
	}
	if !seen {
		t.Error("no event of a wrap was found: the search sees nothing")
	}
}
