package issue_test

import (
	"testing"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

// TestAPITokenIsNoPerson shows the secret of an API token where people log in:
// tokens of realms lead to roles that the API token was never given.
func TestAPITokenIsNoPerson(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	_, err := s.Issuer.Password(t.Context(), issue.PasswordGrant{
		Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, Username: stacktest.APIAccessKey, Password: stacktest.APISecretKey,
	})
	if identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("at the realm: %v", err)
	}
	_, err = s.Issuer.ConsoleLogin(t.Context(), issue.ConsoleLogin{Place: "shasta", Username: stacktest.APIAccessKey, Password: stacktest.APISecretKey})
	if identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("at the console: %v", err)
	}
}
