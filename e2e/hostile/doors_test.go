package hostile

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOperatorDoors: the operator's calls are on the socket only, and that is
// the owner's.
func TestOperatorDoors(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	info, err := os.Stat(filepath.Join(r.data(), "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("the socket has mode %s", info.Mode())
	}
	root := r.rootKeys()
	for _, path := range []string{"/v1/keyring", "/v1/keyring/rotate", "/v1/apply"} {
		for _, method := range []string{"GET", "POST"} {
			for name, k := range map[string]keys{"nobody": {}, "root": root} {
				if a := r.do(call{method: method, target: path, keys: k}); a.status < 400 {
					t.Errorf("%s %s by %s on the main port: %s", method, path, name, a)
				}
			}
			q, err := r.request(call{method: method, target: path})
			if err != nil {
				t.Fatal(err)
			}
			q.URL.Host = strings.TrimPrefix(r.facts().AdminURL, "http://")
			q.URL.Opaque, q.URL.Path, q.Host = "", path, q.URL.Host
			resp, err := r.client.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != 404 && resp.StatusCode != 405 {
				t.Errorf("%s %s on the admin listener: %d", method, path, resp.StatusCode)
			}
		}
	}
	q, err := http.NewRequest("GET", r.facts().AdminURL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Host = "evil.test"
	resp, err := r.client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 403 {
		t.Errorf("the admin listener under another name: %d", resp.StatusCode)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if a := r.do(call{target: path}); a.status != 403 || a.code() != "AccessDenied" {
			t.Errorf("GET %s on the main port: %s", path, a)
		}
	}
}

// TestIssuersOutOfReach: an issuer on an address that nobody exempted is never
// called, and one that may be called leads nowhere else.
func TestIssuersOutOfReach(t *testing.T) {
	t.Parallel()
	near, far := startIssuer(t), startIssuer(t)
	r := startRig(t, "", "DAYPASS_EGRESS_EXEMPT="+near.address)
	near.elsewhere = far.url + "/keys"
	for _, f := range []*foreignIssuer{far, near} {
		r.apply(fmt.Sprintf(issuerSite, f.url, f.ca))
		a := r.do(webIdentity(roleARN(r.facts().AccountID, "shasta-admin"), f.token(t, nil)))
		if a.status != 400 || a.code() != "IDPCommunicationError" && a.code() != "InvalidIdentityToken" {
			t.Errorf("%s: %s", f.url, a)
		}
	}
	if n := far.calls.Load(); n != 0 {
		t.Errorf("the issuer that is not exempt was called %d times", n)
	}
	if n := near.calls.Load(); n == 0 {
		t.Error("the issuer that is exempt was never called")
	}
}

const issuerSite = `
providers:
  - {account: "123456789012", url: %[1]q, client_ids: [workload], ca_bundle: %[2]q}
`
