package cognito_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/api/cognito"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// ann is a fake of access and directory that knows the access token "ann". What
// it was asked stands in did; a fault of a proof is chosen by its text.
type ann struct{ did string }

func (*ann) UserToken(_ context.Context, raw identity.Secret) (*identity.Caller, error) {
	if raw == "token" {
		return &identity.Caller{Name: "token", Interactive: true, APIToken: true}, nil
	}
	if raw != "ann" {
		return nil, identity.NewError(identity.KindInvalidBearer, "fake", "Access Token has been revoked")
	}
	return &identity.Caller{Name: "ann", Interactive: true}, nil
}

func (a *ann) OwnUser(context.Context, *identity.Caller) (directory.OwnUser, error) {
	u := identity.User{Name: "ann", Subject: "5f1d", Email: "ann@example.com", Attributes: map[string]string{"given_name": "Ann", "custom:team": "blue"}}
	return directory.OwnUser{User: u, HasPassword: true, Devices: []identity.MFADevice{{Serial: "x"}}}, nil
}

func (a *ann) ChangePassword(_ context.Context, _ *identity.Caller, old, password identity.Secret) error {
	if old != "old" {
		return identity.NewError(identity.KindInvalidInput, "fake", "The old password was incorrect.")
	}
	if password == "short" {
		return &identity.Error{Kind: identity.KindValidation, Public: "too short", Detail: []identity.Detail{{Name: "JSONCode", Value: "InvalidPasswordException"}}}
	}
	a.did = "password " + password.Reveal()
	return nil
}

func (a *ann) SignOut(context.Context, *identity.Caller) error { a.did = "out"; return nil }

func (a *ann) EnrolTOTP(_ context.Context, c *identity.Caller) (identity.Secret, error) {
	if c.APIToken {
		return "", identity.NewError(identity.KindAccessDenied, "fake", "User: token is not authorized"+identity.EncodedMessage+"AQAA")
	}
	return "12345678901234567890", nil
}

func (a *ann) ConfirmTOTP(_ context.Context, _ *identity.Caller, code, name string) error {
	if code != "123456" {
		return &identity.Error{Kind: identity.KindAccessDenied, Public: "Code mismatch", Detail: []identity.Detail{{Name: "JSONCode", Value: "EnableSoftwareTokenMFAException"}}}
	}
	a.did = "confirmed " + name
	return nil
}

func (a *ann) TOTPPreference(_ context.Context, _ *identity.Caller, enabled bool) error {
	a.did = map[bool]string{true: "on", false: "off"}[enabled]
	return nil
}

func TestUserCalls(t *testing.T) {
	t.Parallel()
	const missing = `"1 validation error detected`
	for _, c := range []struct {
		op, body string
		status   int
		answer   string // part of it
		did      string
	}{
		{"GetUser", `{"AccessToken":"ann"}`, 200, `{"Username":"ann","UserAttributes":[{"Name":"sub","Value":"5f1d"},{"Name":"email","Value":"ann@example.com"},` +
			`{"Name":"email_verified","Value":"false"},{"Name":"custom:team","Value":"blue"},{"Name":"given_name","Value":"Ann"}],` +
			`"PreferredMfaSetting":"SOFTWARE_TOKEN_MFA","UserMFASettingList":["SOFTWARE_TOKEN_MFA"]}`, ""},
		{"GetUser", `{"AccessToken":"bob"}`, 400, `{"__type":"NotAuthorizedException","message":"Access Token has been revoked"}`, ""},
		{"GetUser", `{}`, 400, `{"__type":"InvalidParameterException","message":` + missing, ""},
		{"GetUser", `{"AccessToken":""}`, 400, "InvalidParameterException", ""},
		{"GetUser", `{"AccessToken":12}`, 400, "SerializationException", ""},
		{"GetUser", ``, 400, "InvalidParameterException", ""},
		{"GetUserAuthFactors", `{"AccessToken":"ann"}`, 200, `"ConfiguredUserAuthFactors":["PASSWORD"]`, ""},
		{"ChangePassword", `{"AccessToken":"ann","PreviousPassword":"old","ProposedPassword":"new"}`, 200, `{}`, "password new"},
		{"ChangePassword", `{"AccessToken":"ann","PreviousPassword":"no","ProposedPassword":"new"}`, 400, `"NotAuthorizedException","message":"Incorrect username or password."`, ""},
		{"ChangePassword", `{"AccessToken":"ann","ProposedPassword":"new"}`, 400, "NotAuthorizedException", ""},
		{"ChangePassword", `{"AccessToken":"ann","PreviousPassword":"old"}`, 400, "InvalidParameterException", ""},
		{"ChangePassword", `{"AccessToken":"ann","PreviousPassword":"old","ProposedPassword":"short"}`, 400, "InvalidPasswordException", ""},
		{"ChangePassword", `{"AccessToken":"bob","PreviousPassword":"old","ProposedPassword":"new"}`, 400, "NotAuthorizedException", ""},
		{"GlobalSignOut", `{"AccessToken":"ann"}`, 200, `{}`, "out"},
		{"GlobalSignOut", `{"AccessToken":"bob"}`, 400, "NotAuthorizedException", ""},
		{"AssociateSoftwareToken", `{"AccessToken":"ann"}`, 200, `{"SecretCode":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}`, ""},
		{"AssociateSoftwareToken", `{"AccessToken":"token"}`, 400, `{"__type":"NotAuthorizedException","message":"User: token is not authorized"}`, ""},
		{"AssociateSoftwareToken", `{}`, 400, "InvalidParameterException", ""},
		{"VerifySoftwareToken", `{"AccessToken":"ann","UserCode":"123456","FriendlyDeviceName":"phone"}`, 200, `{"Status":"SUCCESS"}`, "confirmed phone"},
		{"VerifySoftwareToken", `{"AccessToken":"ann","UserCode":"654321"}`, 400, `"EnableSoftwareTokenMFAException","message":"Code mismatch"`, ""},
		{"VerifySoftwareToken", `{"AccessToken":"ann","UserCode":"12345"}`, 400, "InvalidParameterException", ""},
		{"VerifySoftwareToken", `{"AccessToken":"ann"}`, 400, "InvalidParameterException", ""},
		{"SetUserMFAPreference", `{"AccessToken":"ann","SoftwareTokenMfaSettings":{"Enabled":true,"PreferredMfa":true}}`, 200, `{}`, "on"},
		{"SetUserMFAPreference", `{"AccessToken":"ann","SoftwareTokenMfaSettings":{"Enabled":false}}`, 200, `{}`, "off"},
		{"SetUserMFAPreference", `{"AccessToken":"ann","SoftwareTokenMfaSettings":{"Enabled":false,"PreferredMfa":false},"SMSMfaSettings":{"Enabled":false}}`, 200, `{}`, "off"},
		{"SetUserMFAPreference", `{"AccessToken":"ann","SoftwareTokenMfaSettings":{"PreferredMfa":false}}`, 200, `{}`, ""},
		{"SetUserMFAPreference", `{"AccessToken":"ann","SoftwareTokenMfaSettings":{"Enabled":false,"PreferredMfa":true}}`, 400, "InvalidParameterException", ""},
		{"SetUserMFAPreference", `{"AccessToken":"ann","SMSMfaSettings":{"Enabled":true}}`, 400, "InvalidParameterException", ""},
		{"SetUserMFAPreference", `{"AccessToken":"ann","EmailMfaSettings":{"PreferredMfa":true}}`, 400, "InvalidParameterException", ""},
		{"SetUserMFAPreference", `{"AccessToken":"ann"}`, 200, `{}`, ""},
	} {
		a := &ann{}
		h := cognito.New(cognito.Config{People: a, Self: a, Log: slog.New(slog.DiscardHandler)})
		r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
		r.Header.Set("X-Amz-Target", cognito.TargetIDP+"."+c.op)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.answer) || a.did != c.did {
			t.Errorf("%s %s: got %d %s, did %q; want %d with %s, %q", c.op, c.body, w.Code, w.Body, a.did, c.status, c.answer, c.did)
		}
	}
}

func FuzzUserCalls(f *testing.F) {
	f.Add("GetUser", `{"AccessToken":"ann"}`)
	f.Add("ChangePassword", `{"AccessToken":"ann","PreviousPassword":"old","ProposedPassword":"new"}`)
	f.Add("SetUserMFAPreference", `{"AccessToken":"ann","SoftwareTokenMfaSettings":{"Enabled":true},"SMSMfaSettings":null}`)
	f.Add("VerifySoftwareToken", `{"AccessToken":"ann","UserCode":"123456"}`)
	f.Add("AssociateSoftwareToken", `[]`)
	f.Fuzz(func(t *testing.T, op, body string) {
		a := &ann{}
		h := cognito.New(cognito.Config{People: a, Self: a, Log: slog.New(slog.DiscardHandler)})
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header["X-Amz-Target"] = []string{cognito.TargetIDP + "." + op}
		switch op {
		case "GetUser", "GetUserAuthFactors", "ChangePassword", "GlobalSignOut", "SetUserMFAPreference", "AssociateSoftwareToken", "VerifySoftwareToken":
		default:
			return // other areas have their own
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %q: %d %s", op, body, w.Code, w.Body)
		}
	})
}
