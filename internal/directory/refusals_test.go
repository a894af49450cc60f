package directory_test

import (
	"encoding/json"
	"strings"
	"testing"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
)

// TestRefusalsTellNoTags: the message of a refusal says nothing of what the
// entity is like, so that absent and forbidden ones stay alike in it.
func TestRefusalsTellNoTags(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ctx, a := t.Context(), root(t, s, stacktest.AccountA, "aws")
	asker := limited(t, s, a, "asker", `{"Effect":"Allow","Action":["iam:GetUser","iam:GetRole","iam:ListUserPolicies"],"Resource":"*","Condition":{"StringEquals":
		{"aws:ResourceTag/Team":"blue"}}},{"Effect":"Allow","Action":"sts:DecodeAuthorizationMessage","Resource":"*"}`)
	green := map[string]string{"Team": "green"}
	if _, err := s.Directory.CreateUser(ctx, a, directory.NewUser{Name: "them", Tags: green}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Directory.CreateRole(ctx, a, directory.NewRole{Name: "them", Trust: trustAll, Tags: green}); err != nil {
		t.Fatal(err)
	}
	message := func(err error) string {
		t.Helper()
		_, encoded, ok := strings.Cut(publicOf(err), identity.EncodedMessage)
		if !ok {
			t.Fatalf("no message in %v", err)
		}
		text, err := s.Directory.DecodeMessage(ctx, asker, encoded)
		if err != nil {
			t.Fatal(err)
		}
		var m access.Message
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		m.RequestID = ""
		out, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for name, ask := range map[string]func(string) error{
		"user": func(n string) error { _, err := s.Directory.GetUser(ctx, asker, n); return err },
		"role": func(n string) error { _, err := s.Directory.GetRole(ctx, asker, n); return err },
		"owner": func(n string) error {
			_, err := s.Directory.ListInlinePolicies(ctx, asker, directory.Owner{Kind: directory.UserOwner, Name: n}, directory.Page{})
			return err
		},
	} {
		there, none := message(ask("them")), message(ask("none"))
		if strings.ReplaceAll(there, "them", "none") != none {
			t.Errorf("%s: there %s\nnot there %s", name, there, none)
		}
	}
}

// TestGuessesAreRecorded: who tries codes and passwords leaves a trace.
func TestGuessesAreRecorded(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ctx, a := t.Context(), root(t, s, stacktest.AccountA, "aws")
	guesser := limited(t, s, a, "guesser", `{"Effect":"Allow","Action":"iam:*","Resource":"*"}`)
	m, err := s.Directory.CreateMFADevice(ctx, a, "phone", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.EnableMFADevice(ctx, guesser, "", m.Serial, "000000", "000001"); identity.KindOf(err) != denied {
		t.Fatalf("wrong codes: %v", err)
	}
	if err := s.Directory.ChangePassword(ctx, guesser, "old-Password-1", "new-Password-1"); identity.KindOf(err) != identity.KindInvalidInput {
		t.Fatalf("wrong password: %v", err)
	}
	lines := s.AuditLines(t)
	for _, call := range []string{"EnableMFADevice", "ChangePassword"} {
		found := false
		for _, line := range strings.Split(lines, "\n") {
			found = found || strings.Contains(line, `"eventName":"`+call+`"`) && strings.Contains(line, `"errorCode"`) && strings.Contains(line, guesser.UserID)
		}
		if !found {
			t.Errorf("no event of the refused %s", call)
		}
	}
	if strings.Contains(lines, "assword-1") || strings.Contains(lines, `"000000"`) {
		t.Error("a secret in the events")
	}
}
