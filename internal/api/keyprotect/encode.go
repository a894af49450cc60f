package keyprotect

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Types of collections, which are media types too.
const (
	keyType    = "application/vnd.ibm.kms.key+json"
	policyType = "application/vnd.ibm.kms.policy+json"
	aliasType  = "application/vnd.ibm.kms.alias+json"
	ringType   = "application/vnd.ibm.kms.key_ring+json"

	registrationType = "application/vnd.ibm.kms.registration+json"
	importTokenType  = "application/vnd.ibm.kms.import_token+json"
	portType         = "application/vnd.ibm.kms.allowed_ip_metadata+json"
	versionType      = "application/vnd.ibm.kms.key.version+json"
)

// metadata stands before the resources of a collection.
type metadata struct {
	Type  string `json:"collectionType"`
	Total int    `json:"collectionTotal"`
	// Count is of all that there are, beyond the page.
	Count *int `json:"totalCount,omitempty"`
	// AllStates is of versions.
	AllStates *bool `json:"allKeyStates,omitempty"`
}

// collection is what almost every answer is. Bare is an answer that is none: its
// one resource.
type collection struct {
	Metadata  metadata `json:"metadata"`
	Resources any      `json:"resources"`
	bare      bool
}

func collectionOf[T any](kind string, resources []T) *collection {
	if resources == nil {
		resources = []T{}
	}
	return &collection{Metadata: metadata{Type: kind, Total: len(resources)}, Resources: resources}
}

// bare is an answer that is no collection.
func bare(kind string, v any) *collection {
	return &collection{Metadata: metadata{Type: kind}, Resources: v, bare: true}
}

// counted notes how many there are beyond the page.
func (c *collection) counted(n int) *collection {
	c.Metadata.Count = &n
	return c
}

// encode writes JSON as it is: nobody embeds it in a page.
func encode(c *collection) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	var v any = c
	if c.bare {
		v = c.Resources
	}
	if err := enc.Encode(v); err != nil {
		// The types of this package hold only what encodes.
		panic("keyprotect: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}

// send answers a success. The media type is the collection's for who asks for one
// of IBM's, else plain JSON.
func send(w http.ResponseWriter, r *http.Request, a answer) {
	if a.body == nil {
		write(w, a.status, "", nil)
		return
	}
	media := "application/json"
	if strings.Contains(r.Header.Get("Accept"), "application/vnd.ibm.kms.") {
		media = a.body.Metadata.Type
	}
	write(w, a.status, media, encode(a.body))
}

// write answers in one write, which nobody may keep.
func write(w http.ResponseWriter, status int, media string, body []byte) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if media != "" {
		h.Set("Content-Type", media)
	}
	if status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	// A failed write means that the client has gone.
	_, _ = w.Write(body)
}

// at is a time as the wire has it, nil for none.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}
