package authn

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	"github.com/mattermost/xml-roundtrip-validator"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"

	"daypass/internal/identity"
)

// MaxSAML is the most characters of an assertion (STS SAMLAssertion).
const MaxSAML = 100000

const (
	samlProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	samlNamespace = "urn:oasis:names:tc:SAML:2.0:assertion"
	samlSuccess   = "urn:oasis:names:tc:SAML:2.0:status:Success"
	xmlSignature  = "http://www.w3.org/2000/09/xmldsig#"
	// samlPath is behind the external URL where a provider names no recipient.
	samlPath = "/saml"
)

// SAMLMetadata checks a provider's metadata and returns its entity ID. Errors
// are KindValidation.
func SAMLMetadata(text string) (entityID string, err error) {
	m, err := readMetadata(text)
	if err != nil {
		return "", err
	}
	return m.entityID, nil
}

type samlMetadata struct {
	entityID string
	certs    []*x509.Certificate
}

func readMetadata(text string) (*samlMetadata, error) {
	bad := func(format string, args ...any) error {
		return &identity.Error{Kind: identity.KindValidation, Op: "authn.saml", Public: "The SAML metadata is not fit: " + fmt.Sprintf(format, args...)}
	}
	var d saml.EntityDescriptor
	if err := validator.Validate(strings.NewReader(text)); err != nil {
		return nil, bad("it is no well-formed XML.")
	}
	if err := xml.Unmarshal([]byte(text), &d); err != nil || d.EntityID == "" {
		return nil, bad("it is no EntityDescriptor with an entityID.")
	}
	m := &samlMetadata{entityID: d.EntityID}
	for _, idp := range d.IDPSSODescriptors {
		for _, k := range idp.KeyDescriptors {
			if k.Use != "" && k.Use != "signing" {
				continue
			}
			for _, c := range k.KeyInfo.X509Data.X509Certificates {
				der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(c.Data), ""))
				if err != nil {
					return nil, bad("a certificate is not base64.")
				}
				cert, err := x509.ParseCertificate(der)
				if err != nil {
					return nil, bad("a certificate cannot be read.")
				}
				if !strongKey(cert.PublicKey) {
					return nil, bad("a certificate's key is not RSA of at least 2048 bits, nor ECDSA.")
				}
				m.certs = append(m.certs, cert)
			}
		}
	}
	if len(m.certs) == 0 {
		return nil, bad("it has no signing certificate.")
	}
	return m, nil
}

func strongKey(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= 2048
	case *ecdsa.PublicKey:
		return true
	}
	return false
}

// SAML checks a base64 SAML 2.0 response of a provider (STS
// AssumeRoleWithSAML): one assertion, signed by itself or with the response
// around it, fresh, for us. Only what the signature covers is read.
// KindInvalidIdentity, or KindExpiredIdentity for one that is too old.
func (a *Authn) SAML(p *identity.SAMLProvider, raw identity.Secret) (*SAMLIdentity, error) {
	m, err := readMetadata(p.Metadata)
	if err != nil {
		return nil, badSAML("Invalid base64 SAMLResponse", err)
	}
	text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(raw.Reveal()), ""))
	if err != nil || len(raw) > MaxSAML {
		return nil, badSAML("Invalid base64 SAMLResponse", err)
	}
	signed, err := a.signedAssertion(m, text)
	if err != nil {
		return nil, badSAML("Response signature invalid", err)
	}
	var assertion saml.Assertion
	if err := readElement(signed, &assertion); err != nil {
		return nil, badSAML("The SAML assertion cannot be read.", err)
	}
	w := samlWants{entityID: m.entityID, audience: p.Audience, recipient: p.Recipient, now: a.clock.Now()}
	if w.audience == "" {
		w.audience = a.external
	}
	if w.recipient == "" {
		w.recipient = a.external + samlPath
	}
	return w.judge(&assertion)
}

func badSAML(public string, err error) error {
	return &identity.Error{Kind: identity.KindInvalidIdentity, Op: "authn.saml", Public: public, Err: err}
}

// signedAssertion returns the assertion as its signature covers it. What else
// stands in the document is never looked at, so that nothing can be wrapped
// around it.
func (a *Authn) signedAssertion(m *samlMetadata, text []byte) (*etree.Element, error) {
	if err := validator.Validate(bytes.NewReader(text)); err != nil {
		return nil, err
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(text); err != nil {
		return nil, err
	}
	root := doc.Root()
	if !isElement(root, samlProtocol, "Response") {
		return nil, errors.New("no Response")
	}
	if len(root.FindElements("//EncryptedAssertion")) > 0 {
		return nil, errors.New("encrypted assertions are not served")
	}
	whole, err := a.verified(m, root)
	if err == nil {
		root = whole
	} else if !errors.Is(err, dsig.ErrMissingSignature) {
		return nil, err
	}
	if err := succeeded(root); err != nil {
		return nil, err
	}
	var found []*etree.Element
	for _, child := range root.ChildElements() {
		if isElement(child, samlNamespace, "Assertion") {
			found = append(found, child)
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%d assertions, want one", len(found))
	}
	if whole != nil && !hasSignature(found[0]) {
		return found[0], nil
	}
	return a.verified(m, found[0])
}

func succeeded(response *etree.Element) error {
	for _, child := range response.ChildElements() {
		if isElement(child, samlProtocol, "Status") {
			if code := child.FindElement("StatusCode"); code != nil && code.SelectAttrValue("Value", "") == samlSuccess {
				return nil
			}
		}
	}
	return errors.New("the response's status is not success")
}

func isElement(e *etree.Element, namespace, tag string) bool {
	return e != nil && e.Tag == tag && e.NamespaceURI() == namespace
}

func hasSignature(e *etree.Element) bool {
	return slices.ContainsFunc(e.ChildElements(), func(c *etree.Element) bool { return isElement(c, xmlSignature, "Signature") })
}

// verified checks the signature that stands directly in an element and returns
// what it covers. dsig.ErrMissingSignature when there is none.
func (a *Authn) verified(m *samlMetadata, e *etree.Element) (*etree.Element, error) {
	if !hasSignature(e) {
		return nil, dsig.ErrMissingSignature
	}
	for _, method := range append(e.FindElements("./Signature/SignedInfo/SignatureMethod"), e.FindElements("./Signature/SignedInfo/Reference/DigestMethod")...) {
		if algorithm := method.SelectAttrValue("Algorithm", ""); !slices.Contains(samlAlgorithms, algorithm) {
			return nil, fmt.Errorf("the algorithm %.100q is not accepted", algorithm)
		}
	}
	detached, err := detach(e)
	if err != nil {
		return nil, err
	}
	for _, cert := range m.certs { // one after another: responses may leave out by which they are signed
		check := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{cert}})
		check.IdAttribute = "ID"
		check.Clock = dsig.NewFakeClockAt(a.clock.Now())
		var covered *etree.Element
		if covered, err = check.Validate(detached); err == nil {
			return covered, nil
		}
	}
	return nil, err
}

// detach makes an element stand alone, with the namespaces of its parents.
func detach(e *etree.Element) (*etree.Element, error) {
	names, err := etreeutils.NSBuildParentContext(e)
	if err == nil {
		names, err = names.SubContext(e)
	}
	if err != nil {
		return nil, err
	}
	return etreeutils.NSDetatch(names, e)
}

func readElement(e *etree.Element, into any) error {
	detached, err := detach(e)
	if err != nil {
		return err
	}
	doc := etree.NewDocument()
	doc.SetRoot(detached)
	text, err := doc.WriteToBytes()
	if err != nil {
		return err
	}
	return xml.Unmarshal(text, into)
}

// samlAlgorithms leave SHA-1 out (RFC 9231).
var samlAlgorithms = []string{
	dsig.RSASHA256SignatureMethod, dsig.RSASHA384SignatureMethod, dsig.RSASHA512SignatureMethod,
	dsig.ECDSASHA256SignatureMethod, dsig.ECDSASHA384SignatureMethod, dsig.ECDSASHA512SignatureMethod,
	"http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#sha384", "http://www.w3.org/2001/04/xmlenc#sha512",
}
