package cognito

import (
	"encoding/base32"
	"regexp"

	"daypass/internal/identity"
)

// softwareTokenCalls set up a person's software token (TOTP).
var softwareTokenCalls = map[string]operation{
	"AssociateSoftwareToken": own(associateSoftwareToken),
	"VerifySoftwareToken":    own(verifySoftwareToken),
}

var userCode = regexp.MustCompile(`^[0-9]{6}$`)

func associateSoftwareToken(h *Handler, c *call) (any, error) {
	var in struct {
		accessTokenRequest
		sessionRequest
	}
	who, session, err := h.personOrSession(c, &in, in.token, &in.sessionRequest)
	if err != nil {
		return nil, err
	}
	if session != "" {
		seed, next, err := h.SignIn.PoolEnrol(c.ctx, session)
		return struct{ SecretCode, Session string }{secretCode(seed), next.Reveal()}, err
	}
	seed, err := h.Self.EnrolTOTP(c.ctx, who)
	return struct{ SecretCode string }{secretCode(seed)}, err
}

// sessionRequest is the session of a log-in, in the place of an access token.
type sessionRequest struct{ Session *string }

// personOrSession decodes a call that carries an access token or a session, and
// accepts the former.
func (h *Handler) personOrSession(c *call, into any, accessToken func() *string, s *sessionRequest) (*identity.Caller, identity.Secret, error) {
	if err := c.decode(into); err != nil {
		return nil, "", err
	}
	if s.Session == nil || accessToken() != nil {
		who, err := h.person(c, into, accessToken)
		return who, "", err
	}
	return nil, identity.Secret(*s.Session), checkSession(s.Session)
}

// secretCode is a seed as devices take it.
func secretCode(seed identity.Secret) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(seed.Reveal()))
}

type verifySoftwareTokenRequest struct {
	accessTokenRequest
	sessionRequest
	UserCode, FriendlyDeviceName *string
}

func verifySoftwareToken(h *Handler, c *call) (any, error) {
	var in verifySoftwareTokenRequest
	who, session, err := h.personOrSession(c, &in, in.token, &in.sessionRequest)
	if err != nil {
		return nil, err
	}
	switch {
	case in.UserCode == nil:
		return nil, missing("userCode")
	case !userCode.MatchString(*in.UserCode):
		return nil, identity.NewError(identity.KindValidation, "cognito", "UserCode must have six digits.")
	}
	name := ""
	if in.FriendlyDeviceName != nil {
		name = *in.FriendlyDeviceName
	}
	if session != "" {
		next, err := h.SignIn.PoolConfirm(c.ctx, session, *in.UserCode, name)
		return struct{ Status, Session string }{"SUCCESS", next.Reveal()}, err
	}
	return struct{ Status string }{"SUCCESS"}, h.Self.ConfirmTOTP(c.ctx, who, *in.UserCode, name)
}
