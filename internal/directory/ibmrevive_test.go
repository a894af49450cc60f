package directory_test

import (
	"strings"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

// TestRevivingAKey needs the right to make one, and a leaked one stays off.
func TestRevivingAKey(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	program, err := s.Directory.CreateServiceID(ctx, a, directory.NewServiceID{AccountID: stacktest.AccountA, Name: "builds"})
	must(t, err)
	newKey := func(name string) issue.CreatedIBMKey {
		return newAPIKey(t, s, a, issue.NewIBMKey{IAMID: program.ID, Name: name, ExpiresAt: s.Clock.Now().Add(time.Hour)})
	}
	off, ends, leaked := newKey("off"), newKey("ends"), newKey("leaked")
	must(t, s.Directory.DisableIBMAPIKey(ctx, a, off.ID, true))
	_, err = s.Directory.ReportLeaked(ctx, a, leaked.Text)
	must(t, err)
	operator, _ := robot(t, s, a, `{"Effect":"Allow","Action":["iam-identity:apikey.disable","iam-identity:apikey.update"],"Resource":"*"}`)
	expect(t, "enabled by who may not make one", s.Directory.DisableIBMAPIKey(ctx, operator, off.ID, false), identity.KindAccessDenied, "")
	later, sooner := s.Clock.Now().Add(2*time.Hour), s.Clock.Now().Add(30*time.Minute)
	for name, at := range map[string]*time.Time{"no end": {}, "a later end": &later} {
		_, err := s.Directory.UpdateIBMAPIKey(ctx, operator, ends.ID, "*", directory.IBMKeyChange{ExpiresAt: at})
		expect(t, name+" by who may not make one", err, identity.KindAccessDenied, "")
	}
	_, err = s.Directory.UpdateIBMAPIKey(ctx, operator, ends.ID, "*", directory.IBMKeyChange{ExpiresAt: &sooner})
	must(t, err)
	_, err = s.Directory.UpdateIBMAPIKey(ctx, a, ends.ID, "*", directory.IBMKeyChange{ExpiresAt: &later})
	must(t, err)
	must(t, s.Directory.DisableIBMAPIKey(ctx, a, off.ID, false))
	expect(t, "a leaked one", s.Directory.DisableIBMAPIKey(ctx, a, leaked.ID, false), identity.KindConflict, "")
}

// TestApplyRevivesNoLeakedKey, whether it was disabled or deleted; another text
// makes it good.
func TestApplyRevivesNoLeakedKey(t *testing.T) {
	t.Parallel()
	s, ctx := stacktest.New(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	apply := func(secret identity.Secret) error {
		spec := ibmSpec()
		for i := range spec.APIKeys {
			if spec.APIKeys[i].ServiceID != "" {
				spec.APIKeys[i].Secret = &secret
			}
		}
		_, err := s.Directory.Apply(ctx, s.Operator(), directory.SiteSpec{IBM: spec}, false)
		return err
	}
	text := func(c string) identity.Secret { return identity.Secret(strings.Repeat(c, 44)) }
	one, two, three := text("1"), text("2"), text("3")
	logsIn := func(text identity.Secret) bool {
		_, err := s.Issuer.IBMAPIKey(ctx, text, "", issue.IBMClient{})
		return err == nil
	}
	must(t, apply(one))
	k, err := s.Directory.ReportLeaked(ctx, a, one)
	must(t, err)
	must(t, apply(one))
	if logsIn(one) {
		t.Error("the leaked text logs in after another apply")
	}
	must(t, apply(two))
	if !logsIn(two) || logsIn(one) {
		t.Error("another text does not make the key good, or the leaked one does")
	}
	what := identity.LeakedDelete
	_, err = s.Directory.UpdateIBMAPIKey(ctx, a, k.ID, "*", directory.IBMKeyChange{WhenLeaked: &what})
	must(t, err)
	_, err = s.Directory.ReportLeaked(ctx, a, two)
	must(t, err)
	expect(t, "made anew with the leaked text", apply(two), identity.KindValidation, "")
	must(t, apply(three))
	if !logsIn(three) || logsIn(two) {
		t.Error("after a key was deleted")
	}
}
