package keyprotect_test

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/api/keyprotect"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/kms"
	"daypass/internal/stacktest"
)

// stack is the dialect in front of real key management.
type stack struct {
	*stacktest.Stack
	t    *testing.T
	h    http.Handler
	root *identity.Caller
	at   kms.At
}

func newStack(t *testing.T) *stack {
	t.Helper()
	s := stacktest.New(t, stacktest.WithKMS())
	made, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), stacktest.AccountA)
	if err != nil {
		t.Fatal(err)
	}
	return &stack{
		s, t, keyprotect.New(keyprotect.Config{Access: s.Access, KMS: s.KMS, Log: slog.New(slog.DiscardHandler)}),
		&identity.Caller{
			Kind: identity.RootUser, AccountID: stacktest.AccountA, Partition: "aws", PrincipalID: stacktest.AccountA, Name: "root",
			ARN: identity.RootARN("aws", stacktest.AccountA), AccessKeyID: made.Key.ID,
		},
		kms.At{Instance: stacktest.KMSInstance},
	}
}

// manager is the access token of a service ID with the role Manager.
func (s *stack) manager() identity.Secret {
	s.t.Helper()
	u, err := s.Directory.CreateServiceID(s.t.Context(), s.root, directory.NewServiceID{Name: "robot"})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.Directory.CreateAccessPolicy(s.t.Context(), s.root, directory.NewAccessPolicy{
		IAMID: u.ID, Roles: []string{"Manager"}, Attributes: []identity.ResourceAttribute{
			{Name: "accountId", Value: stacktest.AccountA, Operator: identity.StringEquals},
			{Name: "serviceName", Value: identity.KeyManagement, Operator: identity.StringEquals},
		},
	}); err != nil {
		s.t.Fatal(err)
	}
	key, err := s.Issuer.NewIBMAPIKey(s.t.Context(), s.root, issue.NewIBMKey{Name: "a key", IAMID: u.ID})
	if err != nil {
		s.t.Fatal(err)
	}
	tokens, err := s.Issuer.IBMAPIKey(s.t.Context(), key.Text, "", issue.IBMClient{})
	if err != nil {
		s.t.Fatal(err)
	}
	return tokens.Access
}

func (s *stack) call(token identity.Secret, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	r.Header.Set("Bluemix-Instance", s.at.Instance)
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w
}

// TestMaterialInTheClear: where the instance enforces import tokens no body brings
// material without one, however it leaves the encrypted nonce out.
func TestMaterialInTheClear(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	token := s.manager()
	plain := identity.Secret("0123456789abcdef")
	key := func(name string) string {
		k, err := s.KMS.Create(t.Context(), s.root, s.at, kms.NewKey{Name: name, Material: kms.Material{Payload: plain}})
		if err != nil {
			t.Fatal(err)
		}
		return k.ID
	}
	living, deleted := key("living"), key("deleted")
	if _, err := s.KMS.Delete(t.Context(), s.root, s.at, deleted, false); err != nil {
		t.Fatal(err)
	}
	if err := s.KMS.SetInstancePolicies(t.Context(), s.root, s.at, []kms.InstancePolicyChange{{
		Type: "keyCreateImportAccess", Enabled: true, Creation: map[string]bool{"enforce_token": true},
	}}); err != nil {
		t.Fatal(err)
	}
	payload := `"payload":"` + base64.StdEncoding.EncodeToString([]byte(plain.Reveal())) + `"`
	for _, nonce := range []string{"", `,"encryptedNonce":null`, `,"encryptedNonce":"","iv":""`} {
		create := `{"metadata":{"collectionTotal":1},"resources":[{"name":"plain","extractable":false,` + payload + nonce + `}]}`
		for path, body := range map[string]string{
			"/api/v2/keys":                                 create,
			"/api/v2/keys_with_policy_overrides":           create,
			"/api/v2/keys/" + living + "/actions/rotate":   "{" + payload + nonce + "}",
			"/api/v2/keys/" + deleted + "/restore":         "{" + payload + nonce + "}",
			"/api/v2/keys/" + deleted + "/actions/restore": "{" + payload + nonce + "}",
		} {
			if w := s.call(token, http.MethodPost, path, body); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "KEY_CREATE_IMPORT_ACCESS_ERR") {
				t.Errorf("%s %s: %d %s", path, body, w.Code, w.Body)
			}
		}
	}
}
