package hostile

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
)

const (
	samlNames  = "urn:oasis:names:tc:SAML:2.0"
	dsigNames  = "http://www.w3.org/2000/09/xmldsig#"
	exclusive  = "http://www.w3.org/2001/10/xml-exc-c14n#"
	samlPrefix = "https://aws.amazon.com/SAML/Attributes/"
)

// samlProvider signs assertions.
type samlProvider struct {
	entity string
	key    *rsa.PrivateKey
	cert   string // base64
}

func newSAMLProvider(t testing.TB, entity string) *samlProvider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &samlProvider{entity, key, base64.StdEncoding.EncodeToString(cert)}
}

func (p *samlProvider) metadata() string {
	return `<EntityDescriptor xmlns="` + samlNames + `:metadata" entityID="` + p.entity + `"><IDPSSODescriptor protocolSupportEnumeration="` + samlNames + `:protocol">` +
		`<KeyDescriptor use="signing"><KeyInfo xmlns="` + dsigNames + `"><X509Data><X509Certificate>` + p.cert + `</X509Certificate></X509Data></KeyInfo>` +
		`</KeyDescriptor></IDPSSODescriptor></EntityDescriptor>`
}

// assert is a response for those who are at a URL, of one who may have a role
// ("role,provider"), as it travels. What is written here is in canonical form
// (Exclusive XML Canonicalization), so that the digests are of the text itself.
// change, when set, is done to it after it was signed.
func (p *samlProvider) assert(t testing.TB, at, role string, change func(string) string) string {
	t.Helper()
	now := time.Now().UTC()
	stamp := func(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04:05Z") }
	attribute := func(name, value string) string {
		return `<saml:Attribute Name="` + samlPrefix + name + `"><saml:AttributeValue>` + value + `</saml:AttributeValue></saml:Attribute>`
	}
	id := "a" + strings.ToLower(rand.Text())
	begin := fmt.Sprintf(`<saml:Assertion xmlns:saml="%s:assertion" ID="%s" IssueInstant="%s" Version="2.0"><saml:Issuer>%s</saml:Issuer>`, samlNames, id, stamp(0), p.entity)
	rest := fmt.Sprintf(`<saml:Subject><saml:NameID Format="%[1]s:nameid-format:persistent">ann</saml:NameID><saml:SubjectConfirmation Method="%[1]s:cm:bearer">`+
		`<saml:SubjectConfirmationData NotOnOrAfter="%[2]s" Recipient="%[3]s/saml"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>`+
		`<saml:Conditions NotBefore="%[4]s" NotOnOrAfter="%[2]s"><saml:AudienceRestriction><saml:Audience>%[3]s</saml:Audience></saml:AudienceRestriction></saml:Conditions>`+
		`<saml:AuthnStatement AuthnInstant="%[4]s"><saml:AuthnContext><saml:AuthnContextClassRef>%[1]s:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`+
		`<saml:AttributeStatement>%[5]s%[6]s</saml:AttributeStatement></saml:Assertion>`,
		samlNames, stamp(5*time.Minute), at, stamp(-time.Second), attribute("Role", role), attribute("RoleSessionName", "ann"))
	text := begin + p.signature(t, id, begin+rest) + rest
	if change != nil {
		text = change(text)
	}
	return base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf(`<samlp:Response xmlns:samlp="%[1]s:protocol" ID="r%[2]s" IssueInstant="%[3]s" Version="2.0"><samlp:Status>`+
		`<samlp:StatusCode Value="%[1]s:status:Success"></samlp:StatusCode></samlp:Status>%[4]s</samlp:Response>`, samlNames, id, stamp(0), text)))
}

// signature is the enveloped signature of an element that is in canonical form.
func (p *samlProvider) signature(t testing.TB, id, element string) string {
	t.Helper()
	digest := sha256.Sum256([]byte(element))
	info := fmt.Sprintf(`<ds:SignedInfo xmlns:ds="%[1]s"><ds:CanonicalizationMethod Algorithm="%[2]s"></ds:CanonicalizationMethod>`+
		`<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></ds:SignatureMethod><ds:Reference URI="#%[3]s"><ds:Transforms>`+
		`<ds:Transform Algorithm="%[1]senveloped-signature"></ds:Transform><ds:Transform Algorithm="%[2]s"></ds:Transform></ds:Transforms>`+
		`<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue>%[4]s</ds:DigestValue></ds:Reference></ds:SignedInfo>`,
		dsigNames, exclusive, id, base64.StdEncoding.EncodeToString(digest[:]))
	sum := sha256.Sum256([]byte(info))
	signed, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return `<ds:Signature xmlns:ds="` + dsigNames + `">` + info + `<ds:SignatureValue>` + base64.StdEncoding.EncodeToString(signed) + `</ds:SignatureValue></ds:Signature>`
}
