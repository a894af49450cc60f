package ibm

import (
	"cmp"
	"net/http"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

var tokenService = map[string]endpoint{
	"/identity/token": {"Identity_Token", map[string]operation{http.MethodPost: (*Handler).token}},
	TokenPath:         {"Identity_Token", map[string]operation{http.MethodPost: (*Handler).token}},
	"/identity/keys":  {"Identity_Keys", map[string]operation{http.MethodGet: (*Handler).keys}},
	"/identity/.well-known/openid-configuration": {"Identity_Configuration", map[string]operation{http.MethodGet: (*Handler).discovery}},
	"/identity/passcode":                         {"Identity_Passcode", map[string]operation{http.MethodGet: (*Handler).passcode}},
	"/identity/authorize":                        {"Identity_Authorize", map[string]operation{http.MethodGet: (*Handler).authorize}},
	"/identity/introspect":                       {"Identity_Introspect", map[string]operation{http.MethodPost: signed(introspect)}},
	"/identity/userinfo":                         {"Identity_UserInfo", map[string]operation{http.MethodGet: signed(userInfo), http.MethodPost: signed(userInfo)}},
}

// notSupported stands for a refresh token where none is given.
const notSupported = "not_supported"

// tokenResponse is the answer of the token service, in its order. Clients take
// the lifetime from either of its two members.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	Expiration   int64  `json:"expiration"` // Unix seconds
	Scope        string `json:"scope"`
	SessionID    string `json:"session_id,omitempty"`
}

// grant is one row of the table of grant types.
type grant struct {
	log func(*Handler, *call, form, issue.IBMClient) (issue.IBMTokens, error)
	// unknown is how a proof that proves nothing is answered.
	unknown wrongProof
}

// wrongProof is the number and the sentence of a refused proof.
type wrongProof struct{ number, sentence string }

// noProfileProof answers who may not become a trusted profile, and whoever asks
// for one that is not there.
var noProfileProof = wrongProof{"BXNIM0513E", "The trusted profile cannot be found, or the proof that was shown does not fit it."}

var grants = map[string]grant{
	issue.IBMGrantAPIKey:   {(*Handler).byAPIKey, wrongProof{"BXNIM0415E", "Provided API key could not be found."}},
	issue.IBMGrantPassword: {(*Handler).byPassword, wrongProof{"BXNIM0602E", "The credentials you entered are incorrect."}},
	issue.IBMGrantAssume:   {(*Handler).byAssume, noProfileProof},
	issue.IBMGrantCRToken:  {(*Handler).byCRToken, noProfileProof},
	issue.IBMGrantRefresh:  {(*Handler).byRefresh, wrongProof{"BXNIM0407E", "Provided refresh token is invalid or expired."}},
	issue.IBMGrantCode:     {(*Handler).byCode, wrongProof{"BXNIM0407E", "Provided authorization code is invalid or expired."}},
	issue.IBMGrantPasscode: {(*Handler).byPasscode, wrongProof{"BXNIM0407E", "Provided passcode is invalid or expired."}},
}

func (h *Handler) token(c *call) error {
	f, err := readForm(c.w, c.r)
	if err != nil {
		return err
	}
	kind, err := f.need("grant_type")
	if err != nil {
		return err
	}
	g, ok := grants[kind]
	if !ok {
		return identity.NewError(identity.KindUnsupportedGrant, "ibm.token", "")
	}
	client, err := client(c.r)
	if err != nil {
		return err
	}
	t, err := g.log(h, c, f, client)
	if identity.KindOf(err) == identity.KindInvalidCredentials {
		return &refusedProof{g.unknown, err}
	}
	if err != nil {
		return err
	}
	send(c.w, http.StatusOK, encode(tokenResponse{
		AccessToken: t.Access.Reveal(), RefreshToken: cmp.Or(t.Refresh.Reveal(), notSupported), TokenType: "Bearer",
		ExpiresIn: t.ExpiresIn, Expiration: t.ExpiresAt.Unix(), Scope: t.Scope, SessionID: t.SessionID,
	}))
	return nil
}
