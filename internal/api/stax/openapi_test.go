package stax_test

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"daypass/internal/wiretest"
)

// TestOpenAPIIsWhatIsServed holds the document against the handler: each of its
// operations is there, no method that it leaves out is, and every $ref leads
// somewhere.
func TestOpenAPIIsWhatIsServed(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	newHandler(t).ServeHTTP(w, wiretest.Request(t, "GET /20190206/public/oas3-document HTTP/1.1\nHost: api.example.com\n\n"))
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.") || len(doc.Paths) != 6 {
		t.Errorf("version %q, %d paths", doc.OpenAPI, len(doc.Paths))
	}
	ids := map[string]bool{}
	for path, methods := range doc.Paths {
		for _, m := range []string{"get", "put", "post", "delete", "patch"} {
			var op struct {
				OperationID string
				Responses   map[string]any
			}
			raw, want := methods[m]
			if want {
				if err := json.Unmarshal(raw, &op); err != nil || op.OperationID == "" || ids[op.OperationID] || len(op.Responses) == 0 {
					t.Errorf("%s %s: operation %q (%v)", m, path, op.OperationID, err)
				}
				ids[op.OperationID] = true
			}
			w := httptest.NewRecorder()
			target := strings.ToUpper(m) + " " + strings.Replace(path, "{AccessKey}", accessKey, 1)
			newHandler(t).ServeHTTP(w, wiretest.Request(t, signed(target, "")))
			if got := w.Code != 405 && w.Code != 404; got != want {
				t.Errorf("%s: status %d, in the document: %v", target, w.Code, want)
			}
		}
	}
	for _, ref := range strings.Split(w.Body.String(), `"$ref": "`)[1:] {
		name, _, _ := strings.Cut(strings.TrimPrefix(ref, "#/components/schemas/"), `"`)
		if doc.Components.Schemas[name] == nil {
			t.Errorf("no schema %q", name)
		}
	}
}

// TestConfigHasAllMembers compares the members of the config document with its
// schema.
func TestConfigHasAllMembers(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	newHandler(t).ServeHTTP(w, wiretest.Request(t, "GET /20190206/public/config HTTP/1.1\nHost: api.example.com\n\n"))
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	want := []string{"API", "Analytics", "ApiAuth", "AppSync", "Auth", "Features", "Juma", "JumaAuth", "Segment", "Sentry"}
	var got []string
	for name := range doc {
		got = append(got, name)
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", w.Code, w.Header().Get("Content-Type"))
	}
}
