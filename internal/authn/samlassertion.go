package authn

import (
	"strings"
	"time"

	"github.com/crewjam/saml"

	"daypass/internal/identity"
)

const (
	samlBearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	// samlAge is how long after its making an assertion is taken, and samlSkew
	// how far the provider's clock may be off.
	samlAge  = 5 * time.Minute
	samlSkew = time.Minute
	// samlAttributes begin the names of AWS's attributes.
	samlAttributes = "https://aws.amazon.com/SAML/Attributes/"
	// Bounds of an assertion.
	maxSAMLName       = 256
	maxSAMLAttributes = 200
	maxSAMLValues     = 200
)

// SAMLIdentity is what a verified assertion says.
type SAMLIdentity struct {
	// ID is the assertion's own: it is good once.
	ID              string
	Issuer, Subject string
	SubjectType     string // the last part of the name ID's format: persistent, transient, …
	Recipient       string // whom it is for
	IssuedAt        time.Time
	ExpiresAt       time.Time   // when nobody takes it any more
	SessionEnds     time.Time   // SessionNotOnOrAfter; zero: not given
	Roles           [][2]string // pairs of a role's and a provider's ARN, in either order
	SessionName     string
	SourceIdentity  string
	Tags            map[string]string
	TransitiveKeys  []string
}

// samlWants is what an assertion must say.
type samlWants struct {
	entityID, audience, recipient string
	now                           time.Time
}

func expiredSAML(err error) error {
	return &identity.Error{Kind: identity.KindExpiredIdentity, Op: "authn.saml", Public: "The SAML assertion is expired.", Err: err}
}

// judge checks who made the assertion, for whom, when and until when (SAML 2.0
// Profiles §4.1.4.3).
func (w *samlWants) judge(a *saml.Assertion) (*SAMLIdentity, error) {
	switch {
	case a.Version != "2.0" || a.ID == "" || len(a.ID) > maxSAMLName:
		return nil, badSAML("The SAML assertion has no ID, or is not of version 2.0.", nil)
	case a.Issuer.Value != w.entityID:
		return nil, badSAML("Issuer not present in specified provider", nil)
	case a.IssueInstant.After(w.now.Add(samlSkew)):
		return nil, badSAML("The SAML assertion was issued in the future.", nil)
	case !a.IssueInstant.Add(samlAge + samlSkew).After(w.now):
		return nil, expiredSAML(nil)
	case a.Conditions == nil || a.Conditions.NotOnOrAfter.IsZero():
		return nil, badSAML("The SAML assertion has no Conditions with an end.", nil)
	case a.Conditions.NotBefore.After(w.now.Add(samlSkew)):
		return nil, badSAML("The SAML assertion is not valid yet.", nil)
	case !a.Conditions.NotOnOrAfter.Add(samlSkew).After(w.now):
		return nil, expiredSAML(nil)
	case !w.isAudience(a.Conditions.AudienceRestrictions):
		return nil, badSAML("SAML Assertion doesn't contain the required Audience.", nil)
	case a.Subject == nil || a.Subject.NameID == nil || a.Subject.NameID.Value == "" || len(a.Subject.NameID.Value) > maxSAMLName:
		return nil, badSAML("SAML Assertion doesn't contain the required Subject.", nil)
	case len(a.AuthnStatements) == 0:
		return nil, badSAML("SAML Assertion doesn't contain an AuthnStatement.", nil)
	}
	if err := w.confirmed(a.Subject.SubjectConfirmations); err != nil {
		return nil, err
	}
	out := &SAMLIdentity{
		ID: a.ID, Issuer: a.Issuer.Value, Subject: strings.TrimSpace(a.Subject.NameID.Value), SubjectType: a.Subject.NameID.Format,
		Recipient: w.recipient, IssuedAt: a.IssueInstant, ExpiresAt: a.IssueInstant.Add(samlAge + 2*samlSkew),
	}
	if i := strings.LastIndexByte(out.SubjectType, ':'); i >= 0 {
		out.SubjectType = out.SubjectType[i+1:]
	}
	for _, s := range a.AuthnStatements {
		if end := s.SessionNotOnOrAfter; end != nil && (out.SessionEnds.IsZero() || end.Before(out.SessionEnds)) {
			out.SessionEnds = *end
		}
	}
	return out, out.read(a.AttributeStatements)
}

// isAudience: every restriction must be met, and there must be one.
func (w *samlWants) isAudience(restrictions []saml.AudienceRestriction) bool {
	for _, r := range restrictions {
		if strings.TrimSpace(r.Audience.Value) != w.audience {
			return false
		}
	}
	return len(restrictions) > 0
}

// confirmed wants one bearer confirmation that is for us and still good.
func (w *samlWants) confirmed(list []saml.SubjectConfirmation) error {
	err := badSAML("SAML Assertion doesn't contain a bearer SubjectConfirmation for this recipient.", nil)
	for _, c := range list {
		d := c.SubjectConfirmationData
		if c.Method != samlBearer || d == nil || d.Recipient != w.recipient || d.NotBefore.After(w.now.Add(samlSkew)) || d.NotOnOrAfter.IsZero() {
			continue
		}
		if d.NotOnOrAfter.Add(samlSkew).After(w.now) {
			return nil
		}
		err = expiredSAML(nil)
	}
	return err
}

// read takes AWS's attributes.
func (s *SAMLIdentity) read(statements []saml.AttributeStatement) error {
	seen := map[string]bool{}
	for _, statement := range statements {
		for _, attribute := range statement.Attributes {
			name, known := strings.CutPrefix(attribute.Name, samlAttributes)
			if !known {
				continue
			}
			if seen[name] || len(seen) == maxSAMLAttributes || len(attribute.Values) > maxSAMLValues {
				return badSAML("The attribute "+printable(name)+" of the SAML assertion is given twice, or has too many values.", nil)
			}
			seen[name] = true
			values := make([]string, len(attribute.Values))
			for i, v := range attribute.Values {
				values[i] = strings.TrimSpace(v.Value)
			}
			if err := s.attribute(name, values); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *SAMLIdentity) attribute(name string, values []string) error {
	single := map[string]*string{"RoleSessionName": &s.SessionName, "SourceIdentity": &s.SourceIdentity}
	tag, isTag := strings.CutPrefix(name, "PrincipalTag:")
	into, isSingle := single[name]
	if (isTag || isSingle) && len(values) != 1 {
		return badSAML("The attribute "+printable(name)+" of the SAML assertion must have one value.", nil)
	}
	switch {
	case isTag:
		if s.Tags == nil {
			s.Tags = map[string]string{}
		}
		s.Tags[tag] = values[0]
	case isSingle:
		*into = values[0]
	case name == "TransitiveTagKeys":
		s.TransitiveKeys = values
	case name == "Role":
		for _, v := range values {
			one, other, ok := strings.Cut(v, ",")
			if !ok {
				return badSAML("A Role attribute of the SAML assertion is not a pair of a role's and a provider's ARN.", nil)
			}
			s.Roles = append(s.Roles, [2]string{strings.TrimSpace(one), strings.TrimSpace(other)})
		}
	}
	return nil
}

// MayTake reports whether the assertion names the role with the provider.
func (s *SAMLIdentity) MayTake(role, provider string) bool {
	for _, p := range s.Roles {
		if p == [2]string{role, provider} || p == [2]string{provider, role} {
			return true
		}
	}
	return false
}
