package issue_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

const (
	samlIDP      = "https://idp.example.org/saml"
	samlRole     = "arn:aws:iam::" + stacktest.AccountA + ":role/federated"
	samlProvider = "arn:aws:iam::" + stacktest.AccountA + ":saml-provider/okta"
)

// samlKey is an identity provider's key pair; making one is slow.
type samlKey struct {
	key  *rsa.PrivateKey
	cert []byte
}

func (k *samlKey) GetKeyPair() (*rsa.PrivateKey, []byte, error) { return k.key, k.cert, nil }

func newSAMLKey(bits int) *samlKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp"}, NotBefore: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2035, 1, 1, 0, 0, 0, 0, time.UTC)}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return &samlKey{key, cert}
}

var samlKeys = sync.OnceValue(func() [2]*samlKey { return [2]*samlKey{newSAMLKey(2048), newSAMLKey(2048)} })

func samlMetadata(k *samlKey) string {
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + samlIDP + `"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` +
		base64.StdEncoding.EncodeToString(k.cert) + `</X509Certificate></X509Data></KeyInfo></KeyDescriptor>
<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.org/sso"/></IDPSSODescriptor></EntityDescriptor>`
}

// samlStack is a stack with a SAML provider and a role that trusts it.
func samlStack(t testing.TB) *stacktest.Stack {
	return stacktest.New(t, stacktest.WithSite(func(s *directory.SiteSpec) {
		s.SAMLProviders = append(s.SAMLProviders, directory.SAMLProviderSpec{AccountID: stacktest.AccountA, Name: "okta", Metadata: samlMetadata(samlKeys()[0])})
		for _, role := range []string{"federated", "other"} {
			s.Roles = append(s.Roles, directory.RoleSpec{
				AccountID: stacktest.AccountA, Name: role, MaxSessionDuration: 7200,
				Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + samlProvider + `"},"Action":["sts:AssumeRoleWithSAML","sts:TagSession"],
					"Condition":{"StringEquals":{"saml:aud":"` + stacktest.ExternalURL + `/saml","saml:sub_type":"persistent"}}}]}`,
			})
		}
	}))
}

// response is a SAML response; edit changes its text before it is signed.
type response struct {
	id, audience, recipient, issuer, role, session, subject string
	at                                                      time.Time
	more                                                    string // attributes
	ends                                                    time.Time
	signer                                                  *samlKey
	whole                                                   bool // sign the response, not the assertion
	method                                                  string
	edit                                                    func(string) string
	after                                                   func(*etree.Element) // signed
}

func (r response) encode(t testing.TB) identity.Secret {
	t.Helper()
	stamp := func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05Z") }
	ends := ""
	if !r.ends.IsZero() {
		ends = ` SessionNotOnOrAfter="` + stamp(r.ends) + `"`
	}
	assertion := fmt.Sprintf(`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="%s" Version="2.0" IssueInstant="%s"><saml:Issuer>%s</saml:Issuer>`+
		`<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">%s</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">`+
		`<saml:SubjectConfirmationData NotOnOrAfter="%s" Recipient="%s"/></saml:SubjectConfirmation></saml:Subject>`+
		`<saml:Conditions NotBefore="%s" NotOnOrAfter="%s"><saml:AudienceRestriction><saml:Audience>%s</saml:Audience></saml:AudienceRestriction></saml:Conditions>`+
		`<saml:AuthnStatement AuthnInstant="%s"%s><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`+
		`<saml:AttributeStatement><saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/Role"><saml:AttributeValue>%s</saml:AttributeValue></saml:Attribute>`+
		`<saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/RoleSessionName"><saml:AttributeValue>%s</saml:AttributeValue></saml:Attribute>%s</saml:AttributeStatement></saml:Assertion>`,
		r.id, stamp(r.at), r.issuer, r.subject, stamp(r.at.Add(5*time.Minute)), r.recipient, stamp(r.at.Add(-time.Minute)), stamp(r.at.Add(5*time.Minute)), r.audience,
		stamp(r.at), ends, r.role, r.session, r.more)
	if r.edit != nil {
		assertion = r.edit(assertion)
	}
	sign := func(e *etree.Element) *etree.Element {
		ctx := dsig.NewDefaultSigningContext(r.signer)
		ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
		if r.method != "" {
			if err := ctx.SetSignatureMethod(r.method); err != nil {
				t.Fatal(err)
			}
		}
		signed, err := ctx.SignEnveloped(e)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	parse := func(text string) *etree.Element {
		doc := etree.NewDocument()
		if err := doc.ReadFromString(text); err != nil {
			t.Fatal(err)
		}
		return doc.Root()
	}
	root := parse(`<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="r` + r.id + `" Version="2.0" IssueInstant="` + stamp(r.at) +
		`"><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status></samlp:Response>`)
	body := parse(assertion)
	if r.signer != nil && !r.whole {
		body = sign(body)
	}
	root.AddChild(body)
	if r.signer != nil && r.whole {
		root = sign(root)
	}
	if r.after != nil {
		r.after(root)
	}
	doc := etree.NewDocument()
	doc.SetRoot(root)
	text, err := doc.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return identity.Secret(base64.StdEncoding.EncodeToString([]byte(text)))
}

func goodResponse(s *stacktest.Stack, id string) response {
	return response{
		id: id, audience: stacktest.ExternalURL, recipient: stacktest.ExternalURL + "/saml", issuer: samlIDP, role: samlRole + "," + samlProvider,
		session: "ann", subject: "ann@example.org", at: s.Clock.Now(), signer: samlKeys()[0],
	}
}

func attribute(name string, values ...string) string {
	out := `<saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/` + name + `">`
	for _, v := range values {
		out += "<saml:AttributeValue>" + v + "</saml:AttributeValue>"
	}
	return out + "</saml:Attribute>"
}

func TestSAML(t *testing.T) {
	t.Parallel()
	s := samlStack(t)
	for i, change := range []func(*response){
		func(*response) {},
		func(r *response) { r.whole = true },
		func(r *response) { r.role = samlProvider + " , " + samlRole },
		func(r *response) {
			r.more = attribute("PrincipalTag:Team", "blue") + attribute("TransitiveTagKeys", "Team")
		},
	} {
		r := goodResponse(s, fmt.Sprintf("good%d", i))
		change(&r)
		raw := r.encode(t)
		out, err := s.Issuer.SAML(t.Context(), issue.SAMLRequest{RoleARN: samlRole, PrincipalARN: samlProvider, Assertion: raw})
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if out.AssumedRoleARN != "arn:aws:sts::"+stacktest.AccountA+":assumed-role/federated/ann" || out.Subject != "ann@example.org" || out.SubjectType != "persistent" ||
			out.Issuer != samlIDP || out.Audience != stacktest.ExternalURL+"/saml" || out.NameQualifier == "" || !out.Keys.Expiration.Equal(s.Clock.Now().Add(time.Hour)) {
			t.Errorf("%d: %+v", i, out)
		}
		if _, err := s.Issuer.SAML(t.Context(), issue.SAMLRequest{RoleARN: samlRole, PrincipalARN: samlProvider, Assertion: raw}); identity.KindOf(err) != identity.KindInvalidIdentity {
			t.Errorf("%d, again: %v", i, err)
		}
	}
}

func TestSAMLRefusals(t *testing.T) {
	t.Parallel()
	s := samlStack(t)
	now := s.Clock.Now()
	move := func(root *etree.Element) { // wraps the signed assertion and puts another in its place
		signed := root.FindElement("./Assertion")
		forged := signed.Copy()
		forged.CreateAttr("ID", "forged")
		if sig := forged.FindElement("./Signature"); sig != nil {
			forged.RemoveChild(sig)
		}
		forged.FindElement("./Subject/NameID").SetText("admin@example.org")
		root.RemoveChild(signed)
		ext := etree.NewElement("samlp:Extensions")
		ext.AddChild(signed)
		root.InsertChildAt(0, ext)
		root.AddChild(forged)
	}
	for name, c := range map[string]struct {
		change func(*response)
		role   string
		want   identity.Kind
	}{
		"unsigned":    {func(r *response) { r.signer = nil }, samlRole, identity.KindInvalidIdentity},
		"another key": {func(r *response) { r.signer = samlKeys()[1] }, samlRole, identity.KindInvalidIdentity},
		"SHA-1":       {func(r *response) { r.method = dsig.RSASHA1SignatureMethod }, samlRole, identity.KindInvalidIdentity},
		"changed afterwards": {func(r *response) {
			r.after = func(e *etree.Element) { e.FindElement("./Assertion/Subject/NameID").SetText("bob") }
		}, samlRole, identity.KindInvalidIdentity},
		"whole, changed": {func(r *response) {
			r.whole = true
			r.after = func(e *etree.Element) { e.FindElement("./Assertion/Subject/NameID").SetText("bob") }
		}, samlRole, identity.KindInvalidIdentity},
		"wrapped":        {func(r *response) { r.after = move }, samlRole, identity.KindInvalidIdentity},
		"whole, wrapped": {func(r *response) { r.whole = true; r.after = move }, samlRole, identity.KindInvalidIdentity},
		"two assertions": {func(r *response) {
			r.after = func(e *etree.Element) { e.AddChild(e.FindElement("./Assertion").Copy()) }
		}, samlRole, identity.KindInvalidIdentity},
		"no success": {func(r *response) {
			r.after = func(e *etree.Element) {
				e.FindElement("./Status/StatusCode").CreateAttr("Value", "urn:oasis:names:tc:SAML:2.0:status:Requester")
			}
		}, samlRole, identity.KindInvalidIdentity},
		"another audience":  {func(r *response) { r.audience = "urn:amazon:webservices" }, samlRole, identity.KindInvalidIdentity},
		"another recipient": {func(r *response) { r.recipient = "https://evil.example.org/saml" }, samlRole, identity.KindInvalidIdentity},
		"another issuer":    {func(r *response) { r.issuer = "https://other.example.org" }, samlRole, identity.KindInvalidIdentity},
		"too old":           {func(r *response) { r.at = now.Add(-7 * time.Minute) }, samlRole, identity.KindExpiredIdentity},
		"of tomorrow":       {func(r *response) { r.at = now.Add(24 * time.Hour) }, samlRole, identity.KindInvalidIdentity},
		"no audience": {func(r *response) {
			r.edit = func(x string) string { return cutOut(x, "<saml:AudienceRestriction>", "</saml:AudienceRestriction>") }
		}, samlRole, identity.KindInvalidIdentity},
		"no confirmation": {func(r *response) {
			r.edit = func(x string) string { return cutOut(x, "<saml:SubjectConfirmation ", "</saml:SubjectConfirmation>") }
		}, samlRole, identity.KindInvalidIdentity},
		"no authentication": {func(r *response) {
			r.edit = func(x string) string { return cutOut(x, "<saml:AuthnStatement ", "</saml:AuthnStatement>") }
		}, samlRole, identity.KindInvalidIdentity},
		"session name":             {func(r *response) { r.session = "a b" }, samlRole, identity.KindInvalidIdentity},
		"attribute twice":          {func(r *response) { r.more = attribute("RoleSessionName", "bob") }, samlRole, identity.KindInvalidIdentity},
		"two values of a tag":      {func(r *response) { r.more = attribute("PrincipalTag:Team", "a", "b") }, samlRole, identity.KindInvalidIdentity},
		"source without the right": {func(r *response) { r.more = attribute("SourceIdentity", "ann") }, samlRole, identity.KindAccessDenied},
		"role not in the list":     {func(*response) {}, strings.Replace(samlRole, "federated", "other", 1), identity.KindAccessDenied},
		"role that does not trust": {func(r *response) {
			r.role = "arn:aws:iam::" + stacktest.AccountA + ":role/" + stacktest.RoleName + "," + samlProvider
		}, "arn:aws:iam::" + stacktest.AccountA + ":role/" + stacktest.RoleName, identity.KindAccessDenied},
		"absent role":  {func(r *response) { r.role = samlRole + "x," + samlProvider }, samlRole + "x", identity.KindAccessDenied},
		"root":         {func(r *response) { r.role = "arn:aws:iam::" + stacktest.AccountA + ":root," + samlProvider }, "arn:aws:iam::" + stacktest.AccountA + ":root", identity.KindAccessDenied},
		"session over": {func(r *response) { r.ends = now.Add(time.Minute) }, samlRole, identity.KindExpiredIdentity},
	} {
		r := goodResponse(s, "bad"+strings.ReplaceAll(name, " ", "-"))
		c.change(&r)
		if _, err := s.Issuer.SAML(t.Context(), issue.SAMLRequest{RoleARN: c.role, PrincipalARN: samlProvider, Assertion: r.encode(t)}); identity.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		principal string
		raw       identity.Secret
		want      identity.Kind
	}{
		"absent provider":   {samlProvider + "x", goodResponse(s, "p1").encode(t), identity.KindAccessDenied},
		"another account":   {"arn:demo:iam::" + stacktest.AccountB + ":saml-provider/okta", goodResponse(s, "p2").encode(t), identity.KindAccessDenied},
		"not base64":        {samlProvider, "%%%", identity.KindInvalidIdentity},
		"no XML":            {samlProvider, identity.Secret(base64.StdEncoding.EncodeToString([]byte("no"))), identity.KindInvalidIdentity},
		"external entities": {samlProvider, identity.Secret(base64.StdEncoding.EncodeToString([]byte(`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>`))), identity.KindInvalidIdentity},
	} {
		if _, err := s.Issuer.SAML(t.Context(), issue.SAMLRequest{RoleARN: samlRole, PrincipalARN: c.principal, Assertion: c.raw}); identity.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// TestSAMLBounds: the session at the provider bounds the default, and refuses
// what is asked for beyond it.
func TestSAMLBounds(t *testing.T) {
	t.Parallel()
	s := samlStack(t)
	r := goodResponse(s, "b1")
	r.ends = s.Clock.Now().Add(20 * time.Minute)
	out, err := s.Issuer.SAML(t.Context(), issue.SAMLRequest{RoleARN: samlRole, PrincipalARN: samlProvider, Assertion: r.encode(t)})
	if err != nil || !out.Keys.Expiration.Equal(r.ends) {
		t.Errorf("%v, %s", err, out.Keys.Expiration)
	}
	r.id = "b2"
	_, err = s.Issuer.SAML(t.Context(), issue.SAMLRequest{RoleARN: samlRole, PrincipalARN: samlProvider, Assertion: r.encode(t), DurationSeconds: 3600})
	if identity.KindOf(err) != identity.KindValidation {
		t.Errorf("beyond the session: %v", err)
	}
}

// TestSAMLRevoked: all that came through a SAML provider can be ended.
func TestSAMLRevoked(t *testing.T) {
	t.Parallel()
	s := samlStack(t)
	o := &office{Stack: s, t: t}
	out, err := s.Issuer.SAML(t.Context(), issue.SAMLRequest{RoleARN: samlRole, PrincipalARN: samlProvider, Assertion: goodResponse(s, "r1").encode(t)})
	if err != nil {
		t.Fatal(err)
	}
	o.caller(out.Keys)
	if _, err := s.Directory.RevokeSessions(t.Context(), s.Operator(), directory.RevokeSpec{Scope: directory.ScopeProvider, ID: samlProvider}); err != nil {
		t.Fatal(err)
	}
	_, err = o.try(out.Keys)
	wantKind(t, "a session of a revoked provider", err, identity.KindExpiredToken)
}

func TestSAMLMetadata(t *testing.T) {
	t.Parallel()
	s := samlStack(t)
	for name, text := range map[string]string{
		"no XML": "x", "another document": "<x/>", "no certificate": strings.Replace(samlMetadata(samlKeys()[0]), `use="signing"`, `use="encryption"`, 1),
		"a weak key": samlMetadata(newSAMLKey(1024)), "a broken certificate": strings.Replace(samlMetadata(samlKeys()[0]), "MII", "AII", 1),
	} {
		_, err := s.Directory.Apply(t.Context(), s.Operator(), directory.SiteSpec{SAMLProviders: []directory.SAMLProviderSpec{{AccountID: stacktest.AccountA, Name: "okta", Metadata: text}}}, true)
		if identity.KindOf(err) != identity.KindValidation {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func cutOut(text, from, to string) string {
	i := strings.Index(text, from)
	return text[:i] + text[i+strings.Index(text[i:], to)+len(to):]
}
