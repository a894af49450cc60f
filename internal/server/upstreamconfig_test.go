package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"daypass/internal/identity"
)

// keyFiles are a folder with an access key, a secret and an authority that is
// none.
func keyFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"id": "AKUP\n", "secret": "s3cr3t/+\n", "two": "a\nb\n", "empty": "\n", "ca.pem": "not PEM"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestUpstreamsOfConfig(t *testing.T) {
	t.Parallel()
	dir := keyFiles(t)
	const good = "access_key_id: AKUP, secret_key_file: DIR/secret"
	for _, tc := range []struct{ name, text, want string }{
		{"least", "upstreams: [{name: ceph, endpoint: 'https://rgw.internal:8080', " + good + "}]\n", ""},
		{"everything", `
upstreams:
  - {name: ceph, endpoint: 'http://[::1]:8080', region: default, access_key_file: DIR/id, secret_key_file: DIR/secret, addressing: path,
     mode: plain, key_semantics: path, max_requests: 8, enable: [PutBucketReplication], sts: {endpoint: 'https://sts.internal'}}
  - {name: aws, endpoint: 'https://s3.eu-west-1.amazonaws.com', region: eu-west-1, addressing: virtual, mode: reframe, ` + good + `}
s3:
  routes: [{bucket: logs-a, upstream: embedded}, {prefix: logs-, upstream: ceph}, {account: "123456789012", upstream: aws}]
  default_upstream: ceph
`, ""},
		{"no embedded store", "object_store: {enabled: false}\ns3: {default_upstream: ceph}\nupstreams: [{name: ceph, endpoint: 'https://c', " + good + "}]\n", ""},
		{"unknown key", "upstreams: [{nam: ceph}]\n", `c.yaml:1: upstreams[0].nam: unknown key (did you mean "name"?)`},
		{"reserved name", "upstreams: [{name: embedded}]\n", `c.yaml:1: upstreams[0].name: "embedded" is the object store that daypass brings along`},
		{"bad name", "upstreams: [{name: Ceph}]\n", `upstreams[0].name: "Ceph" is not 1 to 32 of a-z, 0-9 and -`},
		{"name twice", "upstreams:\n- {name: a, endpoint: 'https://c', " + good + "}\n- {name: a, endpoint: 'https://c', " + good + "}\n", `c.yaml:3: upstreams[1].name: "a" is the name of an earlier one`},
		{"no endpoint", "upstreams: [{name: a, " + good + "}]\n", "upstreams[0].endpoint: must be given"},
		{"endpoint without a scheme", "upstreams: [{name: a, endpoint: 'rgw:8080', " + good + "}]\n", `upstreams[0].endpoint: "rgw:8080" is not of the form https://HOST[:PORT]`},
		{"endpoint with a path", "upstreams: [{name: a, endpoint: 'https://rgw/s3', " + good + "}]\n", "is not of the form https://HOST[:PORT]"},
		{"endpoint with a user", "upstreams: [{name: a, endpoint: 'https://u:p@rgw', " + good + "}]\n", "is not of the form https://HOST[:PORT]"},
		{"endpoint with a bad port", "upstreams: [{name: a, endpoint: 'https://rgw:70000', " + good + "}]\n", "is not of the form https://HOST[:PORT]"},
		{"virtual hosts at an address", "upstreams: [{name: a, endpoint: 'https://10.0.0.1', addressing: virtual, " + good + "}]\n", "upstreams[0].addressing: virtual puts the bucket before the host's name, and 10.0.0.1 is an address"},
		{"itself", "upstreams: [{name: a, endpoint: 'http://127.0.0.1:8080', " + good + "}]\n", "upstreams[0].endpoint: http://127.0.0.1:8080 is this server's own"},
		{"itself by name", "upstreams: [{name: a, endpoint: 'http://localhost:8080', " + good + "}]\n", "is this server's own"},
		{"itself on all addresses", "listen: '0.0.0.0:9000'\nallow_plain_http: true\nupstreams: [{name: a, endpoint: 'http://127.0.0.1:9000', " + good + "}]\n", "is this server's own"},
		{"itself from outside", "external_url: 'https://s3.example.com'\nupstreams: [{name: a, endpoint: 'https://s3.example.com:443', " + good + "}]\n", "is this server's own"},
		{"a neighbour", "external_url: 'https://s3.example.com'\nupstreams: [{name: a, endpoint: 'https://s3.example.com:8443', " + good + "}]\n", ""},
		{"authorities of its STS alone", "upstreams: [{name: a, endpoint: 'http://rgw', ca_file: DIR/ca.pem, sts: {endpoint: 'https://sts'}, " + good + "}]\n", "ca.pem: holds no certificate in PEM"},
		{"authorities without TLS", "upstreams: [{name: a, endpoint: 'http://rgw', ca_file: DIR/ca.pem, " + good + "}]\n", "upstreams[0].ca_file: goes with an endpoint of https only"},
		{"no authorities", "upstreams: [{name: a, endpoint: 'https://rgw', ca_file: DIR/ca.pem, " + good + "}]\n", "ca.pem: holds no certificate in PEM"},
		{"no key", "upstreams: [{name: a, endpoint: 'https://rgw', secret_key_file: DIR/secret}]\n", "upstreams[0].access_key_id: give either access_key_id or access_key_file"},
		{"two keys", "upstreams: [{name: a, endpoint: 'https://rgw', access_key_file: DIR/id, " + good + "}]\n", "upstreams[0].access_key_id: give either access_key_id or access_key_file"},
		{"no secret", "upstreams: [{name: a, endpoint: 'https://rgw', access_key_id: AK}]\n", "upstreams[0].secret_key_file: must be given: secrets are read from files only"},
		{"missing secret", "upstreams: [{name: a, endpoint: 'https://rgw', access_key_id: AK, secret_key_file: DIR/none}]\n", "none: no such file or directory"},
		{"secret of two lines", "upstreams: [{name: a, endpoint: 'https://rgw', access_key_id: AK, secret_key_file: DIR/two}]\n", "two: does not hold one key"},
		{"empty secret", "upstreams: [{name: a, endpoint: 'https://rgw', access_key_id: AK, secret_key_file: DIR/empty}]\n", "empty: does not hold one key"},
		{"bad mode", "upstreams: [{name: a, endpoint: 'https://rgw', mode: raw, " + good + "}]\n", `upstreams[0].mode: "raw" is not passthrough or reframe or plain`},
		{"bad bound", "upstreams: [{name: a, endpoint: 'https://rgw', max_requests: -1, " + good + "}]\n", "upstreams[0].max_requests: -1 is not within 1 to 65536"},
		{"nothing to enable", "upstreams: [{name: a, endpoint: 'https://rgw', enable: [GetObject], " + good + "}]\n", `upstreams[0].enable[0]: "GetObject" is not an operation that can be enabled: `},
		{"route nowhere", "s3: {routes: [{prefix: a, upstream: ceph}]}\n", `c.yaml:1: s3.routes[0].upstream: "ceph" is not the name of an upstream`},
		{"route for nothing", "s3: {routes: [{upstream: embedded}]}\n", "s3.routes[0]: give one of bucket, prefix and account"},
		{"route for two", "s3: {routes: [{prefix: a, account: b, upstream: embedded}]}\n", "s3.routes[0]: give one of bucket, prefix and account"},
		{"route for no bucket", "s3: {routes: [{bucket: A_, upstream: embedded}]}\n", `s3.routes[0].bucket: "A_" is not the name of a bucket`},
		{"no default", "object_store: {enabled: false}\n", "s3.default_upstream: the embedded object store is switched off (object_store.enabled): name one of upstreams"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := LoadConfig(writeConfig(t, strings.ReplaceAll(tc.text, "DIR", dir)), nil)
			if tc.want == "" {
				if err != nil {
					t.Errorf("got %v", identity.AsError(err).Public)
				}
				return
			}
			if got := identity.AsError(err); err == nil || got.Kind != identity.KindValidation || !strings.Contains(got.Public, tc.want) {
				t.Errorf("got %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestNoSecretInComplaints(t *testing.T) {
	t.Parallel()
	dir := keyFiles(t)
	if err := os.WriteFile(filepath.Join(dir, "bad"), []byte("first-secret second-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := LoadConfig(writeConfig(t, "upstreams: [{name: a, endpoint: 'https://rgw', access_key_id: AK, secret_key_file: "+dir+"/bad}]\n"), nil)
	if err == nil || strings.Contains(identity.AsError(err).Public+err.Error(), "first-secret") {
		t.Errorf("got %v", err)
	}
}
