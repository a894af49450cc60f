package ibm_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"daypass/internal/api/ibm"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/wiretest"
)

const (
	requestID = "5C0E11112222433A"
	account   = "123456789012"
	apiKey    = "EXAMPLEabcdefghijklmnopqrstuvwxyz0123456789A"
)

var made = time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)

// clock goes on by 6 ms from one look at it to the next.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time {
	c.now = c.now.Add(6 * time.Millisecond)
	return c.now
}

// issuer is a fake that knows one API key. What it was given shows in its
// answers; keys named fail-KIND choose errors.
type issuer struct{}

func (issuer) IBMAPIKey(_ context.Context, key identity.Secret, account string, client issue.IBMClient) (issue.IBMTokens, error) {
	if err := wiretest.Fault(key.Reveal()); err != nil {
		return issue.IBMTokens{}, err
	}
	if key != apiKey {
		return issue.IBMTokens{}, identity.NewError(identity.KindInvalidCredentials, "fake", "")
	}
	return granted("apikey", "", account, client), nil
}

func (issuer) IBMPassword(_ context.Context, g issue.IBMPasswordGrant) (issue.IBMTokens, error) {
	if err := wiretest.Fault(g.Username); err != nil {
		return issue.IBMTokens{}, err
	}
	return granted("password", g.Username+"/"+g.Password.Reveal()+"/"+g.Code.Reveal(), g.Account, g.Client), nil
}

func (issuer) IBMRefresh(_ context.Context, token identity.Secret, account string, client issue.IBMClient) (issue.IBMTokens, error) {
	if err := wiretest.Fault(token.Reveal()); err != nil {
		return issue.IBMTokens{}, err
	}
	return granted("refresh", token.Reveal(), account, client), nil
}

func (issuer) IBMPasscode(_ context.Context, passcode identity.Secret, account string, client issue.IBMClient) (issue.IBMTokens, error) {
	if err := wiretest.Fault(passcode.Reveal()); err != nil {
		return issue.IBMTokens{}, err
	}
	return granted("passcode", passcode.Reveal(), account, client), nil
}

func (issuer) IBMCode(_ context.Context, g issue.IBMCodeGrant) (issue.IBMTokens, error) {
	if err := wiretest.Fault(g.Code.Reveal()); err != nil {
		return issue.IBMTokens{}, err
	}
	return granted("code", g.Code.Reveal()+"/"+g.Verifier.Reveal()+"/"+g.RedirectURI+"/"+g.ClientID, g.Account, g.Client), nil
}

// IBMIntrospect knows one token.
func (issuer) IBMIntrospect(_ context.Context, c *identity.Caller, token identity.Secret) (map[string]json.RawMessage, error) {
	if err := wiretest.Fault(token.Reveal()); err != nil {
		return nil, err
	}
	if token != "good" {
		return nil, nil
	}
	return map[string]json.RawMessage{"iam_id": json.RawMessage(`"` + c.IAMID() + `"`), "sub": json.RawMessage(`"robot"`), "exp": json.RawMessage("1767326645")}, nil
}

// granted is tokens with a refresh token.
func granted(how, proof, account string, client issue.IBMClient) issue.IBMTokens {
	t := tokens(how+"/"+proof, account, client)
	t.Refresh = "a-refresh-token"
	return t
}

// tokens tells in its access token what the issuer got.
func tokens(how, account string, client issue.IBMClient) issue.IBMTokens {
	return issue.IBMTokens{
		Access:    identity.Secret(how + "/" + account + "/" + client.ID + "/" + client.Secret.Reveal()),
		ExpiresIn: 3600, ExpiresAt: made.Add(time.Hour), Scope: "ibm openid", SessionID: "00000000-1111-4222-8333-444444444444",
	}
}

func (issuer) IBM() (issue.IBMFacts, error) {
	return issue.IBMFacts{
		Regions: []string{"us-south", "eu-de"},
		Issuer:  "https://daypass.example.com/identity", Algorithm: "RS256", Keys: []byte(`{"keys":[]}`), KeysMaxAge: 10 * time.Minute,
	}, nil
}

func newHandler(testing.TB) http.Handler {
	h := ibm.New(ibm.Config{
		Access: gate{}, Issuer: issuer{}, Directory: core{}, ExternalURL: "https://daypass.example.com/", ConsoleURL: "https://console.example.com/",
		Clock: &clock{made}, Log: slog.New(slog.DiscardHandler),
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(identity.WithRequest(r.Context(), identity.RequestFacts{
			ID: requestID, SourceIP: "192.0.2.1", UserAgent: r.UserAgent(),
		})))
	})
}
