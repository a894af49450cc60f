package cognito

import (
	"context"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

// AdminSignIn is how servers log users in; *issue.Issuer is the implementation.
type AdminSignIn interface {
	AdminPoolLogin(ctx context.Context, c *identity.Caller, poolID string, r issue.PoolAuth) (issue.PoolOutcome, error)
	AdminPoolAnswer(ctx context.Context, c *identity.Caller, poolID string, r issue.PoolAnswer) (issue.PoolOutcome, error)
}

var _ AdminSignIn = (*issue.Issuer)(nil)

var adminSignInOperations = map[string]operation{
	"AdminInitiateAuth":           admin(adminInitiateAuth),
	"AdminRespondToAuthChallenge": admin(adminRespondToAuthChallenge),
}

func adminInitiateAuth(h *Handler, c *call, in *inPool) (any, error) {
	var auth initiateAuthRequest
	r, err := auth.read(c)
	if err != nil {
		return nil, err
	}
	return outcome(h.AdminSignIn.AdminPoolLogin(c.ctx, c.caller, in.UserPoolId, r))
}

func adminRespondToAuthChallenge(h *Handler, c *call, in *inPool) (any, error) {
	var answer respondRequest
	r, err := answer.read(c)
	if err != nil {
		return nil, err
	}
	return outcome(h.AdminSignIn.AdminPoolAnswer(c.ctx, c.caller, in.UserPoolId, r))
}
