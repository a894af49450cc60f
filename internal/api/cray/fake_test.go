package cray_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"daypass/internal/api/cray"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/wiretest"
)

const (
	requestID = "5c0e1111-2222-4333-8444-555566667777"
	goodToken = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.e30.c2ln"
)

// issuer is a fake that knows one token. A token "fail-KIND", and the first
// label of such a host, choose an error (see wiretest.Fault).
type issuer struct{}

func (issuer) TokenService(_ context.Context, r issue.TokenServiceRequest) (issue.TokenServiceKeys, error) {
	if err := wiretest.Fault(r.Token.Reveal()); err != nil {
		return issue.TokenServiceKeys{}, err
	}
	if r.Token.Reveal() != goodToken {
		return issue.TokenServiceKeys{}, identity.NewError(identity.KindInvalidIdentity, "fake", "")
	}
	endpoint := "http://rgw.example.com:8080"
	if r.Forwarded {
		endpoint = "http://forwarded.example.com:8080"
	}
	return issue.TokenServiceKeys{
		AccessKeyID: "ASIAIOSFODNN7EXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", SessionToken: "made-up<token>/+=",
		ExpiresAt: time.Date(2026, 11, 22, 6, 5, 17, 461969999, time.FixedZone("", 3600)), EndpointURL: endpoint,
	}, nil
}

func (issuer) TokenServiceReady(_ context.Context, host string) error {
	return wiretest.Fault(host)
}

func newHandler(testing.TB) http.Handler {
	h := cray.New(cray.Config{Issuer: issuer{}, Log: slog.New(slog.DiscardHandler)})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(identity.WithRequest(r.Context(), identity.RequestFacts{ID: requestID})))
	})
}
