package directory_test

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

func TestAccountAlias(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ctx, a, b := t.Context(), root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo")
	want := func(what string, err error, kind identity.Kind) {
		t.Helper()
		if identity.KindOf(err) != kind {
			t.Errorf("%s: %v, want %q", what, err, kind)
		}
	}
	want("another account's", s.Directory.SetAccountAlias(ctx, b, "alias-a"), identity.KindAlreadyExists)
	want("own again", s.Directory.SetAccountAlias(ctx, a, "alias-a"), "")
	want("malformed", s.Directory.SetAccountAlias(ctx, a, "Alias--A"), identity.KindValidation)
	want("another in its place", s.Directory.SetAccountAlias(ctx, a, "newer"), "")
	want("freed", s.Directory.SetAccountAlias(ctx, b, "alias-a"), "")
	want("not the one it has", s.Directory.DeleteAccountAlias(ctx, a, "alias-a"), identity.KindNotFound)
	want("deleted", s.Directory.DeleteAccountAlias(ctx, a, "newer"), "")
	if alias, err := s.Directory.AccountAlias(ctx, a); err != nil || alias != "" {
		t.Errorf("%v, %q", err, alias)
	}
}

func logInAs(t testing.TB, s *stacktest.Stack, realm, user, password string) error {
	t.Helper()
	_, err := s.Issuer.Password(t.Context(), issue.PasswordGrant{
		Realm: realm, Client: issue.ClientProof{ID: "shasta"}, Username: user, Password: identity.Secret(password),
	})
	return err
}

// TestLoginProfile: a user made over the IAM API gets a password, joins the
// account's one realm and logs in there; each change ends the old password and
// what it yielded.
func TestLoginProfile(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ctx, a := t.Context(), root(t, s, stacktest.AccountA, "aws")
	if _, err := s.Directory.CreateUser(ctx, a, directory.NewUser{Name: "ann"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Directory.LoginProfile(ctx, a, "ann"); identity.KindOf(err) != identity.KindNotFound {
		t.Fatalf("before: %v", err)
	}
	if _, err := s.Directory.CreateLoginProfile(ctx, a, "ann", "short", false); identity.KindOf(err) != identity.KindValidation {
		t.Fatalf("a short password: %v", err)
	}
	p, err := s.Directory.CreateLoginProfile(ctx, a, "ann", "first password", false)
	if err != nil || p.UserName != "ann" || p.PasswordResetRequired {
		t.Fatalf("%v, %+v", err, p)
	}
	if _, err := s.Directory.CreateLoginProfile(ctx, a, "ann", "another one", false); identity.KindOf(err) != identity.KindAlreadyExists {
		t.Fatalf("twice: %v", err)
	}
	if err := logInAs(t, s, "shasta", "ann", "first password"); err != nil {
		t.Fatal(err)
	}
	set, err := s.Issuer.Password(ctx, issue.PasswordGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, Username: "ann", Password: "first password"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.UpdateLoginProfile(ctx, a, "ann", "second password", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Issuer.UserInfo(ctx, "shasta", set.AccessToken); identity.KindOf(err) != identity.KindInvalidBearer {
		t.Errorf("a token from before: %v", err)
	}
	for password, kind := range map[string]identity.Kind{"first password": identity.KindInvalidCredentials, "second password": ""} {
		if err := logInAs(t, s, "shasta", "ann", password); identity.KindOf(err) != kind {
			t.Errorf("%s: %v, want %q", password, err, kind)
		}
	}
	must := true
	if err := s.Directory.UpdateLoginProfile(ctx, a, "ann", "", &must); err != nil {
		t.Fatal(err)
	}
	if err := logInAs(t, s, "shasta", "ann", "second password"); identity.KindOf(err) != identity.KindPasswordExpired {
		t.Errorf("must change: %v", err)
	}
	if err := s.Directory.DeleteUser(ctx, a, "ann"); identity.KindOf(err) != identity.KindDeleteConflict {
		t.Errorf("deleted with a password: %v", err)
	}
	if err := s.Directory.DeleteLoginProfile(ctx, a, "ann"); err != nil {
		t.Fatal(err)
	}
	if err := logInAs(t, s, "shasta", "ann", "second password"); identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("deleted: %v", err)
	}
	if _, err := s.Directory.CreateLoginProfile(ctx, a, "root", "new root password", false); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("root: %v", err)
	}
}

func TestPasswordPolicy(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ctx, a := t.Context(), root(t, s, stacktest.AccountA, "aws")
	if _, err := s.Directory.PasswordPolicy(ctx, a); identity.KindOf(err) != identity.KindNotFound {
		t.Fatalf("before: %v", err)
	}
	if err := s.Directory.SetPasswordPolicy(ctx, a, identity.PasswordPolicy{MinimumLength: 5}); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("too short: %v", err)
	}
	rule := identity.PasswordPolicy{MinimumLength: 10, RequireSymbols: true, RequireNumbers: true, RequireUppercase: true, RequireLowercase: true, AllowChange: true, ReusePrevention: 2, MaxAgeDays: 30}
	if err := s.Directory.SetPasswordPolicy(ctx, a, rule); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Directory.PasswordPolicy(ctx, a); err != nil || got != rule {
		t.Fatalf("%v, %+v", err, got)
	}
	if _, err := s.Directory.CreateUser(ctx, a, directory.NewUser{Name: "ann"}); err != nil {
		t.Fatal(err)
	}
	for password, sentence := range map[string]string{
		"Sh0rt!": "minimum length of 10", "NoSymbols12": "one symbol", "NoNumbers!!": "one number", "no upper 1!": "uppercase", "NO LOWER 1!": "lowercase",
	} {
		_, err := s.Directory.CreateLoginProfile(ctx, a, "ann", identity.Secret(password), false)
		if e := identity.AsError(err); e == nil || !strings.Contains(e.Public, sentence) || e.DetailValue("QueryCode") != "PasswordPolicyViolation" {
			t.Errorf("%s: %v, want %q", password, err, sentence)
		}
	}
	if _, err := s.Directory.CreateLoginProfile(ctx, a, "ann", "First-Pass1", false); err != nil {
		t.Fatal(err)
	}
	key, err := s.Issuer.AccessKey(ctx, a, "ann")
	if err != nil {
		t.Fatal(err)
	}
	ann := &identity.Caller{
		Kind: identity.IAMUser, AccountID: stacktest.AccountA, Partition: "aws", PrincipalID: key.Key.UserID, Name: "ann",
		ARN: "arn:aws:iam::" + stacktest.AccountA + ":user/ann", AccessKeyID: key.Key.ID,
	}
	for _, step := range []struct {
		old, next string
		kind      identity.Kind
	}{
		{"wrong", "Second-Pass2", identity.KindInvalidInput},
		{"First-Pass1", "First-Pass1", identity.KindValidation}, // in use
		{"First-Pass1", "Second-Pass2", ""},
		{"Second-Pass2", "First-Pass1", identity.KindValidation}, // one of the last two
		{"Second-Pass2", "Third-Pass33", ""},
		{"Third-Pass33", "First-Pass1", ""},
	} {
		if err := s.Directory.ChangePassword(ctx, ann, identity.Secret(step.old), identity.Secret(step.next)); identity.KindOf(err) != step.kind {
			t.Errorf("%s -> %s: %v, want %q", step.old, step.next, err, step.kind)
		}
	}
	s.Clock.Advance(31 * 24 * time.Hour)
	if err := logInAs(t, s, "shasta", "ann", "First-Pass1"); identity.KindOf(err) != identity.KindPasswordExpired {
		t.Errorf("a month later: %v", err)
	}
	if err := s.Directory.DeletePasswordPolicy(ctx, a); err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.DeletePasswordPolicy(ctx, a); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("deleted twice: %v", err)
	}
	if err := s.Directory.ChangePassword(ctx, ann, "First-Pass1", "Fourth-Pass4"); identity.KindOf(err) != identity.KindAccessDenied {
		t.Errorf("without the rule and without the right: %v", err)
	}
}

func TestCredentialReport(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ctx, a := t.Context(), root(t, s, stacktest.AccountA, "aws")
	if _, _, err := s.Directory.CredentialReport(ctx, a); identity.AsError(err).DetailValue("QueryCode") != "ReportNotPresent" {
		t.Fatalf("before: %v", err)
	}
	for i, want := range []bool{true, false} {
		if fresh, err := s.Directory.GenerateCredentialReport(ctx, a); err != nil || fresh != want {
			t.Fatalf("%d: %v, %v", i, err, fresh)
		}
	}
	content, _, err := s.Directory.CredentialReport(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(content))).ReadAll()
	if err != nil || len(rows) < 3 || len(rows[0]) != 22 || rows[0][0] != "user" || rows[1][1] != "arn:aws:iam::"+stacktest.AccountA+":root" && rows[1][0] == "" {
		t.Fatalf("%v, %v", err, rows)
	}
	if strings.Contains(string(content), stacktest.AccountB) {
		t.Error("the report tells of another account")
	}
	s.Clock.Advance(4 * time.Hour)
	if _, _, err := s.Directory.CredentialReport(ctx, a); identity.AsError(err).DetailValue("QueryCode") != "ReportExpired" {
		t.Errorf("later: %v", err)
	}
	summary, err := s.Directory.AccountSummary(ctx, a)
	if err != nil || summary["Users"] < 2 || summary["Roles"] < 2 || summary["AccountPasswordPresent"] != 1 || len(summary) < 34 {
		t.Errorf("%v, %v", err, summary)
	}
}
