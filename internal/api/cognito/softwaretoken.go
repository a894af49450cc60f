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
	var in accessTokenRequest
	who, err := h.person(c, &in, in.token)
	if err != nil {
		return nil, err
	}
	seed, err := h.Self.EnrolTOTP(c.ctx, who)
	return struct{ SecretCode string }{secretCode(seed)}, err
}

// secretCode is a seed as devices take it.
func secretCode(seed identity.Secret) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(seed.Reveal()))
}

type verifySoftwareTokenRequest struct {
	accessTokenRequest
	UserCode, FriendlyDeviceName *string
}

func verifySoftwareToken(h *Handler, c *call) (any, error) {
	var in verifySoftwareTokenRequest
	who, err := h.person(c, &in, in.token)
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
	return struct{ Status string }{"SUCCESS"}, h.Self.ConfirmTOTP(c.ctx, who, *in.UserCode, name)
}
