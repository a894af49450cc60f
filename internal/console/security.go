package console

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"html/template"
	"image/png"
	"net/http"
	"net/url"
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

var securityPages = []page{
	{pattern: "GET /security", area: "Security", serve: (*Console).security},
	{pattern: "POST /security/password", serve: (*Console).changePassword},
	{pattern: "POST /security/authenticator", fresh: "/security", serve: (*Console).enrol},
	{pattern: "POST /security/authenticator/confirm", serve: (*Console).confirm},
	{pattern: "POST /security/authenticator/remove", fresh: "/security", serve: (*Console).removeAuthenticator},
}

// securityData is what the Security page shows.
type securityData struct {
	directory.OwnUser
	Passkeys   []identity.Passkey
	Identities []identity.IdentityLink
	Logins     []string // foreign log-ins of the person's realm
}

func (c *Console) security(v *visit) error { return c.showSecurity(v, view{}) }

func (c *Console) showSecurity(v *visit, w view) error {
	own, err := c.Directory.OwnUser(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	data := securityData{OwnUser: own}
	if data.Passkeys, err = c.Directory.ListPasskeys(v.r.Context(), v.caller); err != nil {
		return err
	}
	if data.Identities, err = c.Directory.ListForeign(v.r.Context(), v.caller); err != nil {
		return err
	}
	_, data.Logins = c.Issuer.ForeignLogins(v.r.Context(), own.Realm)
	w.Title, w.Area, w.Data = "Security", "Security", data
	return c.show(v, "security", w)
}

// changePassword changes the person's own password, which ends all its
// sessions, this one too.
func (c *Console) changePassword(v *visit) error {
	f := v.r.PostForm
	if f.Get("new") != f.Get("repeated") {
		return c.showSecurity(v, view{Status: http.StatusBadRequest, Alarm: notRepeated})
	}
	err := c.Directory.ChangePassword(v.r.Context(), v.caller, identity.Secret(f.Get("password")), identity.Secret(f.Get("new")))
	switch kind := identity.KindOf(err); kind {
	case "":
		return c.endedBy(v, "password-changed")
	case identity.KindValidation, identity.KindInvalidInput, identity.KindAccessDenied, identity.KindThrottled, identity.KindInvalidCredentials:
		return c.showSecurity(v, view{Status: troubleOf(kind).status, Alarm: sentence(err)})
	}
	return err
}

// endedBy leads to the log-in after what ended the session that did it.
func (c *Console) endedBy(v *visit, done string) error {
	c.forget(v)
	return v.see("/login?done=" + done)
}

// enrolData is what the page of a new authenticator shows: the seed, once. It
// is empty when the code that was shown for it was wrong.
type enrolData struct {
	Secret identity.Secret // base32
	QR     template.URL    // a picture of the otpauth URL, as data
}

// enrol begins to set up an authenticator.
func (c *Console) enrol(v *visit) error {
	seed, err := c.Directory.EnrolTOTP(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	data, err := c.enrolment(v.caller.Name+"@"+v.caller.AccountID, seed)
	if err != nil {
		return err
	}
	return c.showEnrol(v, view{}, data)
}

// enrolment is what is shown of a new authenticator; who names the person in
// the app.
func (c *Console) enrolment(who string, seed identity.Secret) (enrolData, error) {
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(seed.Reveal()))
	picture, err := qrOf(c.otpauth(who, text))
	if err != nil {
		return enrolData{}, &identity.Error{Kind: identity.KindInternal, Op: "console.qr", Err: err}
	}
	return enrolData{Secret: identity.Secret(text), QR: picture}, nil
}

func (c *Console) showEnrol(v *visit, w view, data enrolData) error {
	w.Title, w.Area, w.Data = "Set up an authenticator", "Security", data
	return c.show(v, "authenticator", w)
}

// otpauth is the URL that authenticator apps read (Key URI format).
func (c *Console) otpauth(who, secret string) string {
	issuer := "Daypass " + c.host
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + who}
	u.RawQuery = "secret=" + secret + "&issuer=" + url.PathEscape(issuer)
	return u.String()
}

func qrOf(text string) (template.URL, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", err
	}
	const scale, quiet = 4, 4 // pixels of a module; modules around it
	size := code.Bounds().Dx() * scale
	scaled, err := barcode.Scale(code, size, size)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := png.Encode(&b, framed{scaled, quiet * scale}); err != nil {
		return "", err
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}

// confirm ends what enrol began, and all sessions of the person, this one too.
func (c *Console) confirm(v *visit) error {
	name := strings.TrimSpace(v.r.PostForm.Get("name"))
	err := c.Directory.ConfirmTOTP(v.r.Context(), v.caller, codeOf(v.r.PostForm).Reveal(), name)
	switch kind := identity.KindOf(err); kind {
	case "":
		return c.endedBy(v, "authenticator-on")
	case identity.KindAccessDenied, identity.KindThrottled:
		w, _ := refusedProof(err)
		w.Status = troubleOf(kind).status
		return c.showEnrol(v, w, enrolData{})
	}
	return err
}

// removeAuthenticator takes all authenticators of the person away, and ends its
// sessions, this one too.
func (c *Console) removeAuthenticator(v *visit) error {
	err := c.Directory.TOTPPreference(v.r.Context(), v.caller, false)
	switch kind := identity.KindOf(err); kind {
	case "":
		return c.endedBy(v, "authenticator-off")
	case identity.KindValidation:
		return c.showSecurity(v, view{Status: troubleOf(kind).status, Alarm: sentence(err)})
	}
	return err
}
