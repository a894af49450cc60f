package ibm

import (
	"daypass/internal/identity"
	"daypass/internal/issue"
)

func (h *Handler) byAPIKey(c *call, f form, client issue.IBMClient) (issue.IBMTokens, error) {
	key, err := f.needSecret("apikey")
	if err != nil {
		return issue.IBMTokens{}, err
	}
	return h.Issuer.IBMAPIKey(c.ctx, key, f["account"], client)
}

func (h *Handler) byPassword(c *call, f form, client issue.IBMClient) (issue.IBMTokens, error) {
	username, err := f.need("username")
	if err != nil {
		return issue.IBMTokens{}, err
	}
	password, err := f.needSecret("password")
	if err != nil {
		return issue.IBMTokens{}, err
	}
	if err := f.onlyTOTP(); err != nil {
		return issue.IBMTokens{}, err
	}
	return h.Issuer.IBMPassword(c.ctx, issue.IBMPasswordGrant{
		Username: username, Password: password, Code: identity.Secret(f["security_code"]), Account: f["account"], Client: client,
	})
}

// onlyTOTP refuses second factors that nobody here has: no answer to them may
// look as if it had been judged.
func (f form) onlyTOTP() error {
	for _, name := range []string{"security_question_id", "security_question_answer", "authentication_token"} {
		if f[name] != "" {
			return identity.NewError(identity.KindNotImplemented, "ibm.password", "The property '"+name+"' is not served.")
		}
	}
	if v := f["vendor"]; v != "" && v != "TOTP" {
		return identity.NewError(identity.KindNotImplemented, "ibm.password", "Of the values of 'vendor' only TOTP is served.")
	}
	return nil
}

func (h *Handler) byRefresh(c *call, f form, client issue.IBMClient) (issue.IBMTokens, error) {
	token, err := f.needSecret("refresh_token")
	if err != nil {
		return issue.IBMTokens{}, err
	}
	return h.Issuer.IBMRefresh(c.ctx, token, f["account"], client)
}

func (h *Handler) byPasscode(c *call, f form, client issue.IBMClient) (issue.IBMTokens, error) {
	passcode, err := f.needSecret("passcode")
	if err != nil {
		return issue.IBMTokens{}, err
	}
	return h.Issuer.IBMPasscode(c.ctx, passcode, f["account"], client)
}

func (h *Handler) byCode(c *call, f form, client issue.IBMClient) (issue.IBMTokens, error) {
	code, err := f.needSecret("code")
	if err != nil {
		return issue.IBMTokens{}, err
	}
	redirect, err := f.need("redirect_uri")
	if err != nil {
		return issue.IBMTokens{}, err
	}
	verifier, err := f.needSecret("code_verifier")
	if err != nil {
		return issue.IBMTokens{}, err
	}
	return h.Issuer.IBMCode(c.ctx, issue.IBMCodeGrant{
		Code: code, Verifier: verifier, RedirectURI: redirect, ClientID: f["client_id"], Account: f["account"], Client: client,
	})
}
