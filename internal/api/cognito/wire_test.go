package cognito_test

import (
	"log/slog"
	"net/http"
	"testing"

	"daypass/internal/access"
	"daypass/internal/api/cognito"
	"daypass/internal/identity"
	"daypass/internal/wiretest"
)

const (
	requestID = "7f2c1a44-0000-4000-8000-000000000001"
	account   = "123456789012"
)

// authenticator is a fake that accepts any Authorization header. The header
// X-Fault chooses an error (see wiretest.Fault).
type authenticator struct{}

func (authenticator) Authenticate(r *http.Request, svc access.Service, bodySHA256 string) (access.Authenticated, error) {
	if err := wiretest.Fault(r.Header.Get("X-Fault")); err != nil {
		return access.Authenticated{}, err
	}
	if len(bodySHA256) != 64 || r.Header.Get("Authorization") == "" {
		return access.Authenticated{}, identity.NewError(identity.KindMissingAuthentication, "fake", "")
	}
	return access.Authenticated{Caller: identity.Caller{Kind: identity.RootUser, AccountID: account, Partition: "aws", PrincipalID: account}}, nil
}

// newHandler is a handler over fakes, one per area.
func newHandler(c cognito.Config) http.Handler {
	c.Access, c.SignIn, c.Identities, c.IdentityPools = authenticator{}, signers{}, guests{}, guestPools{}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	h := cognito.New(c)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(identity.WithRequest(r.Context(), identity.RequestFacts{ID: requestID})))
	})
}

func TestWire(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, func(*testing.T) http.Handler { return newHandler(cognito.Config{}) })
}
