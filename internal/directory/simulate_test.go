package directory_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// simulated is the role, user and group that the simulations are about.
func simulated(t testing.TB, s *stacktest.Stack) {
	t.Helper()
	document := func(statements string) map[string]string {
		return map[string]string{"p": `{"Version":"2012-10-17","Statement":[` + statements + `]}`}
	}
	_, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		g := identity.Group{ID: "AGPA1", AccountID: stacktest.AccountA, Name: "writers", Path: "/", Policies: identity.Policies{
			Inline: document(`{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}`),
		}}
		if err := store.Groups.Put(tx, &g); err != nil {
			return err
		}
		u, err := store.Users.By(tx, "name", store.Join(stacktest.AccountA, "service"))
		if err != nil {
			return err
		}
		v := *u
		v.Groups, v.Inline = []string{g.ID}, document(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}/*"},
			{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`)
		return store.Users.Put(tx, &v)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSimulate(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	simulated(t, s)
	a := root(t, s, stacktest.AccountA, "aws")
	user := "arn:aws:iam::" + stacktest.AccountA + ":user/service"
	const all = `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	for _, c := range []struct {
		name string
		in   directory.Simulation
		want []string
	}{
		{"own and the group's", directory.Simulation{Source: user, Actions: []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}, Resources: []string{"arn:aws:s3:::b/service/x"}}, []string{"allowed", "allowed", "implicitDeny"}},
		{"a variable", directory.Simulation{Source: user, Actions: []string{"s3:GetObject"}, Resources: []string{"arn:aws:s3:::b/service/x", "arn:aws:s3:::b/other/x"}}, []string{"allowed", "implicitDeny"}},
		{"a context key", directory.Simulation{Source: user, Actions: []string{"s3:PutObject"}, Context: map[string][]string{"AWS:securetransport": {"false"}}}, []string{"explicitDeny"}},
		{"the group alone", directory.Simulation{Source: "arn:aws:iam::" + stacktest.AccountA + ":group/writers", Actions: []string{"s3:GetObject", "s3:PutObject"}}, []string{"implicitDeny", "allowed"}},
		{"more documents", directory.Simulation{Source: user, Policies: []string{all}, Actions: []string{"s3:DeleteObject"}}, []string{"allowed"}},
		{"a boundary", directory.Simulation{Source: user, Boundaries: []string{`{"Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*"}}`}, Actions: []string{"s3:PutObject"}}, []string{"implicitDeny"}},
		{"documents alone", directory.Simulation{Policies: []string{all}, Actions: []string{"s3:DeleteObject"}}, []string{"allowed"}},
		{"a resource policy", directory.Simulation{
			Source: user, Actions: []string{"s3:DeleteObject"}, Resources: []string{"arn:aws:s3:::b/x"},
			ResourcePolicy: `{"Statement":{"Effect":"Allow","Principal":{"AWS":"` + user + `"},"Action":"s3:DeleteObject","Resource":"arn:aws:s3:::b/*"}}`,
		}, []string{"allowed"}},
		{"another account's resource", directory.Simulation{Source: user, Actions: []string{"s3:PutObject"}, ResourceOwner: "arn:demo:iam::" + stacktest.AccountB + ":root"}, []string{"implicitDeny"}},
	} {
		got, err := s.Directory.Simulate(t.Context(), a, c.in)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var effects []string
		for _, r := range got.Items {
			effects = append(effects, r.Decision)
		}
		if !slices.Equal(effects, c.want) {
			t.Errorf("%s: %v, want %v", c.name, effects, c.want)
		}
	}
	for name, c := range map[string]struct {
		in   directory.Simulation
		want identity.Kind
	}{
		"absent user":       {directory.Simulation{Source: user + "x", Actions: []string{"s3:GetObject"}}, identity.KindNotFound},
		"other account":     {directory.Simulation{Source: "arn:demo:iam::" + stacktest.AccountB + ":user/x", Actions: []string{"s3:GetObject"}}, identity.KindNotFound},
		"bad document":      {directory.Simulation{Policies: []string{"{"}, Actions: []string{"s3:GetObject"}}, identity.KindInvalidInput},
		"two boundaries":    {directory.Simulation{Policies: []string{all}, Boundaries: []string{all, all}, Actions: []string{"s3:GetObject"}}, identity.KindValidation},
		"too many pairs":    {directory.Simulation{Policies: []string{all}, Actions: make([]string, 101), Resources: make([]string, 50)}, identity.KindValidation},
		"made-up marker":    {directory.Simulation{Policies: []string{all}, Actions: []string{"s3:GetObject"}, Page: directory.Page{Marker: "AAAA"}}, identity.KindValidation},
		"root's simulation": {directory.Simulation{Source: "arn:aws:iam::" + stacktest.AccountA + ":root", Actions: []string{"s3:GetObject"}}, identity.KindNotFound},
	} {
		if _, err := s.Directory.Simulate(t.Context(), a, c.in); identity.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestSimulatePages(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a := root(t, s, stacktest.AccountA, "aws")
	in := directory.Simulation{
		Policies: []string{`{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}}`},
		Actions:  []string{"s3:A", "s3:B", "s3:C"}, Resources: []string{"arn:aws:s3:::1", "arn:aws:s3:::2"}, Page: directory.Page{MaxItems: 4},
	}
	var seen []string
	for {
		l, err := s.Directory.Simulate(t.Context(), a, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range l.Items {
			seen = append(seen, r.Action+" "+r.Resource)
			if !slices.Equal(r.Missing, []string{"aws:SourceIp"}) || r.Decision != "implicitDeny" {
				t.Errorf("%+v", r)
			}
		}
		if in.Page.Marker = l.Next; l.Next == "" {
			break
		}
	}
	want := []string{"s3:A arn:aws:s3:::1", "s3:A arn:aws:s3:::2", "s3:B arn:aws:s3:::1", "s3:B arn:aws:s3:::2", "s3:C arn:aws:s3:::1", "s3:C arn:aws:s3:::2"}
	if !slices.Equal(seen, want) {
		t.Errorf("got %v, want %v", seen, want)
	}
	keys, err := s.Directory.ContextKeys(t.Context(), a, "", in.Policies)
	if err != nil || !slices.Equal(keys, []string{"aws:SourceIp"}) {
		t.Errorf("%v, %v", err, keys)
	}
}

// TestSimulateBounds: however much is asked, a page judges a bounded number of
// statements, and the pages together are whole.
func TestSimulateBounds(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a := root(t, s, stacktest.AccountA, "aws")
	const statement = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	document := `{"Statement":[` + strings.Repeat(statement+",", 120) + statement + `]}`
	in := directory.Simulation{Policies: slices.Repeat([]string{document}, 50), Page: directory.Page{MaxItems: 1000}}
	for i := range 30 {
		in.Actions = append(in.Actions, "x:"+strconv.Itoa(i))
	}
	got, pages := 0, 0
	for {
		out, err := s.Directory.Simulate(t.Context(), a, in)
		if err != nil {
			t.Fatal(err)
		}
		matched := 0
		for _, item := range out.Items {
			matched += len(item.Matched)
		}
		if matched > 50000 {
			t.Errorf("%d statements in one page", matched)
		}
		got, pages = got+len(out.Items), pages+1
		if in.Page.Marker = out.Next; out.Next == "" {
			break
		}
	}
	if got != 30 || pages < 4 {
		t.Errorf("%d results in %d pages", got, pages)
	}
	for name, in := range map[string]directory.Simulation{
		"action":   {Policies: []string{document}, Actions: []string{strings.Repeat("a", 129)}},
		"resource": {Policies: []string{document}, Actions: []string{"a:b"}, Resources: []string{strings.Repeat("a", 2049)}},
		"context":  {Policies: []string{document}, Actions: []string{"a:b"}, Context: map[string][]string{"k": make([]string, 1001)}},
	} {
		if _, err := s.Directory.Simulate(t.Context(), a, in); identity.KindOf(err) != identity.KindValidation {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSimulateTellsNothing: who may only simulate made-up policies learns
// nothing of users by naming one as the caller.
func TestSimulateTellsNothing(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ctx, a := t.Context(), root(t, s, stacktest.AccountA, "aws")
	if _, err := s.Directory.CreateUser(ctx, a, directory.NewUser{Name: "ann", Tags: map[string]string{"team": "blue"}}); err != nil {
		t.Fatal(err)
	}
	ann, service := "arn:aws:iam::"+stacktest.AccountA+":user/ann", "arn:aws:iam::"+stacktest.AccountA+":user/service"
	in := directory.Simulation{CallerARN: ann, Actions: []string{"a:b"}, Policies: []string{
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue"}}}}`,
	}}
	custom := limited(t, s, a, "custom", `{"Effect":"Allow","Action":"iam:SimulateCustomPolicy","Resource":"*"}`)
	out, err := s.Directory.Simulate(ctx, custom, in)
	if err != nil || out.Items[0].Decision != "implicitDeny" {
		t.Errorf("a tag of another user: %v, %+v", err, out.Items)
	}
	principal := limited(t, s, a, "principal", `{"Effect":"Allow","Action":"iam:SimulatePrincipalPolicy","Resource":"`+service+`"}`)
	in.Source = service
	if _, err := s.Directory.Simulate(ctx, principal, in); identity.KindOf(err) != identity.KindAccessDenied {
		t.Errorf("the tags of a user beside the one that it may simulate: %v", err)
	}
}
