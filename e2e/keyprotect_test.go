package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// kpOutcome is what testdata/keyprotect.mjs writes of one call.
type kpOutcome struct {
	Status           int
	Code             string
	Names, Addresses []string
	Total            string
	Payload          any
	Same, Imported   bool
	Bytes, Count     int
	Remaining, State int
	Port             int
}

// keyProtectWants are all methods of IBM's client, with what each is answered with:
// the status, and for refusals the code.
var keyProtectWants = map[string]string{
	"createKey right": "201", "createKey wrong": "400 INVALID_FIELD_ERR", "createKey standard": "201", "createKey imported": "201",
	"createKey wrong iv": "400 INCORRECT_NONCE_IV_ERR",
	"getKeys right":      "200", "getKeys wrong": "400 INVALID_QUERY_PARAM_ERR", "getKeys elsewhere": "401 UNAUTHORIZED_ERR",
	"getKeys stranger":               "401 UNAUTHORIZED_ERR",
	"getKeyCollectionMetadata right": "200", "getKeyCollectionMetadata wrong": "401 *",
	"getKey right": "200", "getKey root": "200", "getKey wrong": "404 KEY_NOT_FOUND_ERR",
	"getKeyMetadata right": "200", "getKeyMetadata wrong": "404 KEY_NOT_FOUND_ERR", "getKeyMetadata deleted": "200",
	"createKeyAlias right": "201", "createKeyAlias wrong": "409 NOT_UNIQUE_ERR",
	"deleteKeyAlias right": "204", "deleteKeyAlias wrong": "404 KEY_NOT_FOUND_ERR",
	"wrapKey right": "200", "wrapKey wrong": "400 KEY_ROOT_REQ_ERR", "wrapKey generated": "200", "wrapKey disabled": "409 KEY_ACTION_INVALID_STATE_ERR",
	"wrapKey stranger": "401 UNAUTHORIZED_ERR",
	"unwrapKey right":  "200", "unwrapKey wrong": "422 UNPROCESSABLE_CIPHERTEXT_ERR", "unwrapKey rotated": "200",
	"rewrapKey right": "200", "rewrapKey wrong": "422 UNPROCESSABLE_CIPHERTEXT_ERR",
	"rotateKey right": "204", "rotateKey wrong": "400 KEY_ROOT_REQ_ERR",
	"getKeyVersions right": "200", "getKeyVersions wrong": "404 KEY_NOT_FOUND_ERR",
	"disableKey right": "204", "disableKey wrong": "409 KEY_ACTION_INVALID_STATE_ERR",
	"enableKey right": "204", "enableKey wrong": "409 KEY_ACTION_INVALID_STATE_ERR",
	"syncAssociatedResources right": "204", "syncAssociatedResources wrong": "404 KEY_NOT_FOUND_ERR",
	"createKeyRing right": "201", "createKeyRing wrong": "409 NOT_UNIQUE_ERR",
	"listKeyRings right": "200", "listKeyRings wrong": "401 UNAUTHORIZED_ERR",
	"deleteKeyRing right": "204", "deleteKeyRing wrong": "409 KEY_RING_NOT_EMPTY_ERR",
	"putPolicy right": "200", "putPolicy wrong": "400 INVALID_FIELD_ERR", "putPolicy mismatch": "400 BODY_QUERY_PARAM_MISMATCH_ERR",
	"getPolicy right": "200", "getPolicy wrong": "404 KEY_NOT_FOUND_ERR",
	"deleteKey alone": "409 AUTHORIZATIONS_NOT_MET", "deleteKey same": "409 AUTHORIZATIONS_NOT_MET",
	"setKeyForDeletion right": "204", "setKeyForDeletion wrong": "409 NOT_DUAL_AUTH_ERR",
	"unsetKeyForDeletion right": "204", "unsetKeyForDeletion wrong": "409 NOT_DUAL_AUTH_ERR",
	"getRegistrations right": "200", "getRegistrations wrong": "404 KEY_NOT_FOUND_ERR",
	"getRegistrationsAllKeys right": "200", "getRegistrationsAllKeys wrong": "400 INVALID_FIELD_ERR",
	"postImportToken right": "201", "postImportToken wrong": "400 INVALID_FIELD_ERR",
	"getImportToken right": "200", "getImportToken wrong": "409 IMPORT_TOKEN_EXPIRED_ERR",
	"deleteKey right": "200", "deleteKey wrong": "410 KEY_DELETED_ERR",
	"restoreKey right": "201", "restoreKey wrong": "409 KEY_ACTION_INVALID_STATE_ERR",
	"putInstancePolicy right": "204", "putInstancePolicy wrong": "403 CONFIG_RULE_CONFLICT_ERR",
	"getInstancePolicy right": "200", "getInstancePolicy wrong": "400 INVALID_FIELD_ERR",
	"getAllowedIpPort right": "200", "getAllowedIpPort wrong": "401 UNAUTHORIZED_ERR",
}

// TestKeyProtectJavaScript calls every method of IBM's client for JavaScript, each
// right and wrong.
func TestKeyProtectJavaScript(t *testing.T) {
	t.Parallel()
	node, modules := needNodeIn(t, "keyprotect", "@ibm-cloud/ibm-key-protect")
	s := Start(t)
	asked, err := json.Marshal(map[string]string{
		"endpoint": s.URL, "apikey": s.IBM.APIKey, "instance": s.IBM.InstanceID, "service": s.serviceWithoutRoles(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "testdata/keyprotect.mjs")
	cmd.Env = append(os.Environ(), "NODE_MODULES="+modules)
	cmd.Stdin = strings.NewReader(string(asked))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	got := decode[map[string]json.RawMessage](t, string(output))
	methods := decode[[]string](t, string(got["methods"]))
	delete(got, "methods")
	outcomes := map[string]kpOutcome{}
	for name, raw := range got {
		outcomes[name] = decode[kpOutcome](t, string(raw))
	}
	for _, m := range methods {
		if _, right := outcomes[m+" right"]; !right {
			t.Errorf("%s is not called right", m)
		}
		if _, wrong := outcomes[m+" wrong"]; !wrong {
			t.Errorf("%s is not called wrong", m)
		}
	}
	for name, want := range keyProtectWants {
		o := outcomes[name]
		status, code, refused := strings.Cut(want, " ")
		if code == "*" { // an answer to HEAD has no body
			code = o.Code
		}
		if !refused {
			code = ""
		}
		if strconv.Itoa(o.Status) != status || o.Code != code {
			t.Errorf("%s: %d %s, want %s", name, o.Status, o.Code, want)
		}
	}
	if len(methods) != 31 || len(outcomes) != len(keyProtectWants) {
		t.Errorf("%d methods, %d calls of %d in the table", len(methods), len(outcomes), len(keyProtectWants))
	}
	checkKeyProtect(t, outcomes)
}

// checkKeyProtect looks at what the calls gave.
func checkKeyProtect(t *testing.T, got map[string]kpOutcome) {
	t.Helper()
	if o := got["getKeys right"]; !slices.Equal(o.Names, []string{"root"}) || o.Payload != false {
		t.Errorf("root keys: %+v", o)
	}
	for name, holds := range map[string]bool{
		"how many there are":         got["getKeyCollectionMetadata right"].Total == "2",
		"payload of a standard key":  got["getKey right"].Payload == "brought in",
		"no payload of a root key":   got["getKey root"].Payload == false,
		"32 bytes are generated":     got["wrapKey generated"].Bytes == 32,
		"unwrapped":                  got["unwrapKey right"].Same,
		"unwrapped after a rotation": got["unwrapKey rotated"].Same,
		"rewrapped":                  got["rewrapKey right"].Same,
		"two versions":               got["getKeyVersions right"].Count == 2,
		"two rings":                  slices.Equal(got["listKeyRings right"].Names, []string{"default", "sdk-ring"}),
		"two policies":               got["getPolicy right"].Count == 2,
		"no registrations":           got["getRegistrations right"].Count == 0,
		"one retrieval":              got["postImportToken right"].Remaining == 1,
		"imported":                   got["createKey imported"].Imported,
		"restored":                   got["restoreKey right"].State == 1,
		"addresses":                  slices.Equal(got["getInstancePolicy right"].Addresses, []string{"127.0.0.0/8"}),
		"port":                       got["getAllowedIpPort right"].Port == 443,
	} {
		if !holds {
			t.Errorf("not so: %s", name)
		}
	}
}
