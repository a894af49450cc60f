package client

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"daypass/internal/identity"
)

// keys lists n keys of one instance, a page at a time.
func (c *cloud) keys(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Bluemix-Instance") != "instance" {
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"resources":[{"errorMsg":"Unauthorized","reasons":[{"code":"UNAUTHORIZED_ERR","message":"No access."}]}]}`)
		return
	}
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		c.posted = append(c.posted, r.URL.Path+" "+r.Header.Get("X-Kms-Key-Ring")+" "+string(body))
		io.WriteString(w, `{"resources":[{"id":"made"}],"plaintext":"cGxhaW4=","ciphertext":"wrapped"}`)
		return
	}
	q := r.URL.Query()
	offset, _ := strconv.Atoi(q.Get("offset"))
	limit, _ := strconv.Atoi(q.Get("limit"))
	var page []string
	for i := offset; i < min(offset+limit, c.keyCount); i++ {
		page = append(page, fmt.Sprintf(`{"id":"%d","name":"state %s"}`, i, q.Get("state")))
	}
	fmt.Fprintf(w, `{"resources":[%s]}`, strings.Join(page, ","))
}

func TestKMSKeysOfManyPages(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, kmsPage, 2*kmsPage + 1} {
		c, p := newCloud(t)
		c.keyCount = n
		k := p.keeper()
		if _, err := k.IBMLogIn(t.Context(), IBMProof{APIKey: "k"}); err != nil {
			t.Fatal(err)
		}
		list, err := k.KMSKeys(t.Context(), "instance", n == 1)
		if err != nil || len(list) != n || n > 0 && list[n-1].ID != strconv.Itoa(n-1) {
			t.Errorf("%d keys of %d, %v", len(list), n, err)
		}
		if n == 1 && list[0].Name != "state 1,2,3,5" {
			t.Errorf("deleted ones were not asked for: %s", list[0].Name)
		}
	}
}

func TestKMSCalls(t *testing.T) {
	t.Parallel()
	c, p := newCloud(t)
	k := p.keeper()
	if _, err := k.IBMLogIn(t.Context(), IBMProof{APIKey: "k"}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.KMSKeys(t.Context(), "another", false); identity.KindOf(err) != identity.KindAccessDenied || !strings.Contains(identity.AsError(err).Public, "No access (UNAUTHORIZED_ERR)") {
		t.Errorf("another instance: %v", err)
	}
	made, err := k.CreateKMSKey(t.Context(), "instance", NewKMSKey{Name: "n", Ring: "r", Payload: []byte{0}})
	if err != nil || made.ID != "made" {
		t.Errorf("created %+v, %v", made, err)
	}
	wrapped, err := k.WrapKMS(t.Context(), "instance", "a/b", []byte("x"), []string{"aad"})
	if err != nil || wrapped.Ciphertext != "wrapped" || string(wrapped.Plaintext) != "plain" {
		t.Errorf("wrapped %+v, %v", wrapped, err)
	}
	want := []string{
		`/api/v2/keys r {"metadata":{"collectionType":"application/vnd.ibm.kms.key+json","collectionTotal":1},"resources":[{"name":"n","extractable":false,"payload":"AA==","type":"application/vnd.ibm.kms.key+json"}]}`,
		`/api/v2/keys/a/b/actions/wrap  {"plaintext":"eA==","aad":["aad"]}`,
	}
	for i, w := range want {
		if c.posted[i] != w {
			t.Errorf("sent %s\nwant %s", c.posted[i], w)
		}
	}
	if text, err := json.Marshal(KMSKey{Payload: "secret"}); err != nil || strings.Contains(string(text), "secret") {
		t.Errorf("a key shows its material: %s, %v", text, err)
	}
}
