package cognito

import (
	"context"
	"fmt"
	"regexp"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

// SignIn is how people and API tokens get the tokens of a user pool;
// *issue.Issuer is the implementation.
type SignIn interface {
	PoolLogin(ctx context.Context, r issue.PoolAuth) (issue.PoolOutcome, error)
	PoolAnswer(ctx context.Context, r issue.PoolAnswer) (issue.PoolOutcome, error)
	PoolTokensFor(ctx context.Context, r issue.PoolRefresh) (issue.PoolTokens, error)
	PoolRevoke(ctx context.Context, r issue.PoolRefresh) error
	PoolEnrol(ctx context.Context, session identity.Secret) (seed, next identity.Secret, err error)
	PoolConfirm(ctx context.Context, session identity.Secret, code, name string) (identity.Secret, error)
}

var _ SignIn = (*issue.Issuer)(nil)

// signInCalls are unsigned: the proof is in the body.
var signInCalls = map[string]operation{
	"InitiateAuth":              {serve: initiateAuth},
	"RespondToAuthChallenge":    {serve: respondToAuthChallenge},
	"GetTokensFromRefreshToken": {serve: getTokensFromRefreshToken},
	"RevokeToken":               {serve: revokeToken},
}

// authFlows and challengeNames are the enumerations of the service's model,
// served or not.
const (
	authFlows = "USER_SRP_AUTH, REFRESH_TOKEN_AUTH, REFRESH_TOKEN, CUSTOM_AUTH, ADMIN_NO_SRP_AUTH, USER_PASSWORD_AUTH, ADMIN_USER_PASSWORD_AUTH, USER_AUTH"

	challengeNames = "SMS_MFA, EMAIL_OTP, SOFTWARE_TOKEN_MFA, SELECT_MFA_TYPE, MFA_SETUP, PASSWORD_VERIFIER, CUSTOM_CHALLENGE, SELECT_CHALLENGE, " +
		"DEVICE_SRP_AUTH, DEVICE_PASSWORD_VERIFIER, ADMIN_NO_SRP_AUTH, NEW_PASSWORD_REQUIRED, SMS_OTP, PASSWORD, WEB_AUTHN, PASSWORD_SRP"
)

// Bounds of the service's model.
const (
	maxClientID  = 128
	minSession   = 20
	maxSession   = 2048
	maxUsername  = 128
	maxPassword  = 256
	maxEntries   = 64 // of a map
	maxEntry     = 131072
	clientIDForm = `[\w+]+`
)

var (
	clientIDRE = regexp.MustCompile(`^[\w+]+$`)
	namesIn    = regexp.MustCompile(`[A-Z_]+`)
)

// stringMap is a map of the model; a null in it is no entry.
type stringMap map[string]*string

// read bounds a map and returns it.
func (m stringMap) read(member string) (map[string]string, error) {
	if len(m) > maxEntries {
		return nil, badMember(member, fmt.Sprintf("Member must have length less than or equal to %d", maxEntries))
	}
	out := make(map[string]string, len(m))
	for name, v := range m {
		if len(name) > maxEntry || v != nil && len(*v) > maxEntry {
			return nil, badMember(member, fmt.Sprintf("Map value must satisfy constraint: [Member must have length less than or equal to %d]", maxEntry))
		}
		if v != nil {
			out[name] = *v
		}
	}
	if len(out["USERNAME"]) > maxUsername {
		return nil, badMember("username", fmt.Sprintf("Member must have length less than or equal to %d", maxUsername))
	}
	for _, name := range []string{"PASSWORD", "NEW_PASSWORD"} {
		if len(out[name]) > maxPassword {
			return nil, badMember("password", fmt.Sprintf("Member must have length less than or equal to %d", maxPassword))
		}
	}
	return out, nil
}

func checkClientID(id *string) error {
	switch {
	case id == nil:
		return missing("clientId")
	case *id == "":
		return badMember("clientId", "Member must have length greater than or equal to 1")
	case len(*id) > maxClientID:
		return badMember("clientId", fmt.Sprintf("Member must have length less than or equal to %d", maxClientID))
	case !clientIDRE.MatchString(*id):
		return badMember("clientId", "Member must satisfy regular expression pattern: "+clientIDForm)
	}
	return nil
}

func checkEnum(member string, v *string, names string) error {
	if v == nil {
		return missing(member)
	}
	for _, name := range namesIn.FindAllString(names, -1) {
		if *v == name {
			return nil
		}
	}
	return badMember(member, "Member must satisfy enum value set: ["+names+"]")
}

func checkSession(s *string) error {
	switch {
	case s == nil:
		return nil
	case len(*s) < minSession:
		return badMember("session", fmt.Sprintf("Member must have length greater than or equal to %d", minSession))
	case len(*s) > maxSession:
		return badMember("session", fmt.Sprintf("Member must have length less than or equal to %d", maxSession))
	}
	return nil
}

// authenticationResult are tokens as Cognito writes them.
type authenticationResult struct {
	AccessToken  string
	ExpiresIn    int
	TokenType    string
	RefreshToken string `json:",omitempty"`
	IdToken      string
}

func resultOf(t *issue.PoolTokens) *authenticationResult {
	if t == nil {
		return nil
	}
	return &authenticationResult{
		AccessToken: t.Access.Reveal(), ExpiresIn: t.ExpiresIn, TokenType: "Bearer", RefreshToken: t.Refresh.Reveal(), IdToken: t.ID.Reveal(),
	}
}

// authResponse is what came of a log-in, or of a step of one.
type authResponse struct {
	ChallengeName        string                `json:",omitempty"`
	Session              string                `json:",omitempty"`
	ChallengeParameters  map[string]string     `json:",omitempty"`
	AuthenticationResult *authenticationResult `json:",omitempty"`
}

func outcome(o issue.PoolOutcome, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	if o.Tokens != nil { // clients read an empty map, and no null
		return struct {
			ChallengeParameters  map[string]string
			AuthenticationResult *authenticationResult
		}{map[string]string{}, resultOf(o.Tokens)}, nil
	}
	return authResponse{ChallengeName: o.Challenge, Session: o.Session.Reveal(), ChallengeParameters: o.Parameters}, nil
}

type initiateAuthRequest struct {
	AuthFlow, ClientId, Session *string
	AuthParameters              stringMap
}

func (in *initiateAuthRequest) read(c *call) (issue.PoolAuth, error) {
	if err := c.decode(in); err != nil {
		return issue.PoolAuth{}, err
	}
	if err := checkEnum("authFlow", in.AuthFlow, authFlows); err != nil {
		return issue.PoolAuth{}, err
	}
	if err := checkClientID(in.ClientId); err != nil {
		return issue.PoolAuth{}, err
	}
	if err := checkSession(in.Session); err != nil {
		return issue.PoolAuth{}, err
	}
	parameters, err := in.AuthParameters.read("authParameters")
	return issue.PoolAuth{ClientID: *in.ClientId, Flow: *in.AuthFlow, Parameters: parameters}, err
}

func initiateAuth(h *Handler, c *call) (any, error) {
	var in initiateAuthRequest
	r, err := in.read(c)
	if err != nil {
		return nil, err
	}
	return outcome(h.SignIn.PoolLogin(c.ctx, r))
}

type respondRequest struct {
	ClientId, ChallengeName, Session *string
	ChallengeResponses               stringMap
}

func (in *respondRequest) read(c *call) (issue.PoolAnswer, error) {
	if err := c.decode(in); err != nil {
		return issue.PoolAnswer{}, err
	}
	if err := checkClientID(in.ClientId); err != nil {
		return issue.PoolAnswer{}, err
	}
	if err := checkEnum("challengeName", in.ChallengeName, challengeNames); err != nil {
		return issue.PoolAnswer{}, err
	}
	if err := checkSession(in.Session); err != nil {
		return issue.PoolAnswer{}, err
	}
	responses, err := in.ChallengeResponses.read("challengeResponses")
	out := issue.PoolAnswer{ClientID: *in.ClientId, Challenge: *in.ChallengeName, Responses: responses}
	if in.Session != nil {
		out.Session = identity.Secret(*in.Session)
	}
	return out, err
}

func respondToAuthChallenge(h *Handler, c *call) (any, error) {
	var in respondRequest
	r, err := in.read(c)
	if err != nil {
		return nil, err
	}
	return outcome(h.SignIn.PoolAnswer(c.ctx, r))
}

// refreshRequest is the request of both calls that carry a refresh token.
type refreshRequest struct {
	ClientId, RefreshToken, Token, ClientSecret *string
}

var (
	tokenRE        = regexp.MustCompile(`^[A-Za-z0-9_=.-]+$`)
	clientSecretRE = regexp.MustCompile(`^[\w+]{24,64}$`)
)

func (in *refreshRequest) read(c *call, member string) (issue.PoolRefresh, error) {
	if err := c.decode(in); err != nil {
		return issue.PoolRefresh{}, err
	}
	if err := checkClientID(in.ClientId); err != nil {
		return issue.PoolRefresh{}, err
	}
	token := in.RefreshToken
	if member == "token" {
		token = in.Token
	}
	switch {
	case token == nil:
		return issue.PoolRefresh{}, missing(member)
	case !tokenRE.MatchString(*token):
		return issue.PoolRefresh{}, badMember(member, "Member must satisfy regular expression pattern: [A-Za-z0-9-_=.]+")
	case in.ClientSecret != nil && !clientSecretRE.MatchString(*in.ClientSecret):
		return issue.PoolRefresh{}, badMember("clientSecret", "Member must satisfy regular expression pattern: "+clientIDForm)
	}
	out := issue.PoolRefresh{ClientID: *in.ClientId, Token: identity.Secret(*token)}
	if in.ClientSecret != nil {
		out.Secret = identity.Secret(*in.ClientSecret)
	}
	return out, nil
}

func getTokensFromRefreshToken(h *Handler, c *call) (any, error) {
	var in refreshRequest
	r, err := in.read(c, "refreshToken")
	if err != nil {
		return nil, err
	}
	tokens, err := h.SignIn.PoolTokensFor(c.ctx, r)
	if err != nil {
		return nil, err
	}
	return struct{ AuthenticationResult *authenticationResult }{resultOf(&tokens)}, nil
}

func revokeToken(h *Handler, c *call) (any, error) {
	var in refreshRequest
	r, err := in.read(c, "token")
	if err != nil {
		return nil, err
	}
	return nothing{}, h.SignIn.PoolRevoke(c.ctx, r)
}
