package stax_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"daypass/internal/access"
	"daypass/internal/api/stax"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/wiretest"
)

const (
	requestID = "5c0e1111-2222-4333-8444-555566667777"
	account   = "123456789012"
	accessKey = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
	secretKey = "0123456789abcdefghijklmnopqrstuv"
)

// authenticator is a fake that accepts any Authorization header. The header
// X-Fault chooses an error (see wiretest.Fault).
type authenticator struct{}

func (authenticator) Authenticate(r *http.Request, svc access.Service, bodySHA256 string) (access.Authenticated, error) {
	if err := wiretest.Fault(r.Header.Get("X-Fault")); err != nil {
		return access.Authenticated{}, err
	}
	if svc != access.ServiceExecuteAPI || len(bodySHA256) != 64 || r.Header.Get("Authorization") == "" {
		return access.Authenticated{}, identity.NewError(identity.KindMissingAuthentication, "fake", "")
	}
	return access.Authenticated{Caller: identity.Caller{
		Kind: identity.RoleSession, AccountID: account, Partition: "aws", PrincipalID: "AROAIOSFODNN7EXAMPLE", Name: "api_admin",
		ARN: "arn:aws:sts::" + account + ":assumed-role/api_admin/CognitoIdentityCredentials",
	}}, nil
}

var made = time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)

func token() identity.User {
	return identity.User{
		ID: "AIDAIOSFODNN7EXAMPLE", AccountID: account, Name: accessKey, Realm: "people", CreatedAt: made, Local: true,
		Token: &identity.APIToken{Name: "gitlab-cicd", Role: "api_admin", ModifiedAt: made, CreatedBy: "AIDACREATOR"},
	}
}

// core is a fake of issuer and directory that knows one token. What it was
// given shows in its answers; names choose errors.
type core struct{}

func (core) APIToken(_ context.Context, _ *identity.Caller, _, key string) (identity.User, error) {
	if err := wiretest.Fault(key); err != nil {
		return identity.User{}, err
	}
	if key != accessKey {
		return identity.User{}, identity.NewError(identity.KindNotFound, "fake", "There is no API token with this access key.")
	}
	return token(), nil
}

func (core) APIConfig(host string) (directory.APIConfig, error) {
	if host == "nowhere.example.com" {
		return directory.APIConfig{}, identity.NewError(identity.KindNotFound, "fake", "No API answers here.")
	}
	return directory.APIConfig{
		Endpoint: "https://daypass.example.com", Region: "ap-southeast-2", UserPoolID: "ap-southeast-2_Abc123XYZ",
		ClientID: "4exampleclientid", IdentityPoolID: "ap-southeast-2:0a1b2c3d-1111-4222-8333-444455556666",
	}, nil
}

func (core) APIUser(_ context.Context, c *identity.Caller, host string) (directory.APIUser, error) {
	if host == "nobody.example.com" {
		return directory.APIUser{}, identity.NewError(identity.KindNotFound, "fake", "The session is of nobody who is a user here: "+c.ARN)
	}
	return directory.APIUser{User: token(), Role: c.Name}, nil
}

func (core) APITokens(_ context.Context, _ *identity.Caller, _ string, f directory.APITokenFilter, _ directory.Page) (directory.Listing[identity.User], error) {
	u := token()
	u.Token.Deleted = f.Deleted
	if len(f.AccessKeys) > 0 {
		u.Name = f.AccessKeys[len(f.AccessKeys)-1]
	}
	return directory.Listing[identity.User]{Items: []identity.User{u}}, nil
}

func (core) UpdateAPIToken(_ context.Context, _ *identity.Caller, _, key string, in directory.APITokenChange) (identity.User, error) {
	u := token()
	u.Name = key
	if in.Description != nil {
		u.Token.Description = *in.Description
	}
	if in.Role != nil {
		u.Token.Role = *in.Role
	}
	u.Token.Tags = in.Tags
	return u, u.Token.Check()
}

func (core) DeleteAPIToken(_ context.Context, _ *identity.Caller, _, key string) (identity.User, error) {
	u := token()
	u.Name, u.Token.Deleted = key, true
	return u, nil
}

// minter is the issuer, whose method has the name of another.
type minter struct{}

func (minter) APIToken(_ context.Context, _ *identity.Caller, _ string, in issue.NewAPIToken) (issue.CreatedAPIToken, error) {
	u := token()
	u.Token.Name, u.Token.Role, u.Token.Description, u.Token.KeyID, u.Token.Tags = in.Name, in.Role, in.Description, in.KeyID, in.Tags
	if err := wiretest.Fault(in.Name); err != nil {
		return issue.CreatedAPIToken{}, err
	}
	return issue.CreatedAPIToken{User: u, Secret: secretKey}, u.Token.Check()
}

func newHandler(testing.TB) http.Handler {
	h := stax.New(stax.Config{Access: authenticator{}, Issuer: minter{}, Directory: core{}, Log: slog.New(slog.DiscardHandler)})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(identity.WithRequest(r.Context(), identity.RequestFacts{ID: requestID})))
	})
}
