package directory_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

func keyNames(l directory.Listing[identity.APIKey]) string {
	var out []string
	for _, k := range l.Items {
		out = append(out, k.Name)
	}
	return strings.Join(out, " ")
}

func TestAPIKeyLists(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	u, err := s.Directory.CreateServiceID(ctx, a, directory.NewServiceID{Name: "robot"})
	must(t, err)
	for i, name := range []string{"delta", "Bravo", "alpha", "charlie", "echo"} {
		s.Clock.Advance(time.Second)
		owner := ""
		if i%2 == 1 {
			owner = u.ID
		}
		newAPIKey(t, s, a, issue.NewIBMKey{Name: name, IAMID: owner})
	}
	walk := func(f directory.IBMKeyFilter, size int) string {
		t.Helper()
		var all []string
		for p := (directory.Page{MaxItems: size}); ; {
			page, err := s.Directory.IBMAPIKeys(ctx, a, f, p)
			must(t, err)
			if len(page.Items) > size {
				t.Fatalf("a page of %d", len(page.Items))
			}
			if len(page.Items) > 0 {
				all = append(all, keyNames(page))
			}
			if p.Marker = page.Next; p.Marker == "" {
				return strings.Join(all, " ")
			}
		}
	}
	for size := 1; size < 7; size++ {
		for want, f := range map[string]directory.IBMKeyFilter{
			"delta alpha echo":               {Sort: directory.IBMSort{By: "created_at"}},
			"Bravo charlie":                  {IAMID: u.ID, Sort: directory.IBMSort{By: "name"}},
			"echo charlie alpha Bravo delta": {Account: true, Sort: directory.IBMSort{By: "created_at", Descending: true}},
			"alpha Bravo charlie delta echo": {Account: true, Sort: directory.IBMSort{By: "name"}},
			"echo delta charlie Bravo alpha": {Account: true, Sort: directory.IBMSort{By: "name", Descending: true}},
			"charlie Bravo":                  {Account: true, Type: "serviceid", Sort: directory.IBMSort{By: "name", Descending: true}},
			"alpha delta echo":               {Account: true, Type: "user", Sort: directory.IBMSort{By: "name"}},
		} {
			if got := walk(f, size); got != want {
				t.Errorf("%+v by %d: %q, want %q", f, size, got, want)
			}
		}
		if got := strings.Fields(walk(directory.IBMKeyFilter{Account: true}, size)); len(got) != 5 {
			t.Errorf("unsorted, by %d: %v", size, got)
		}
	}
	page, err := s.Directory.IBMAPIKeys(ctx, a, directory.IBMKeyFilter{Account: true}, directory.Page{MaxItems: 1})
	must(t, err)
	for name, f := range map[string]directory.IBMKeyFilter{"type": {Account: true, Type: "x"}, "sort": {Sort: directory.IBMSort{By: "apikey"}}, "another listing's marker": {}} {
		_, err := s.Directory.IBMAPIKeys(ctx, a, f, directory.Page{Marker: page.Next})
		expect(t, name, err, identity.KindValidation, "")
	}
}

func TestAPIKeyBounds(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	for name, in := range map[string]issue.NewIBMKey{
		"no name": {}, "blank": {Name: " "}, "long": {Name: strings.Repeat("x", 256)}, "control": {Name: "a\nb"},
		"description": {Name: "a", Description: strings.Repeat("x", 1025)}, "leak": {Name: "a", WhenLeaked: "tell"},
		"past": {Name: "a", ExpiresAt: s.Clock.Now()},
	} {
		_, err := s.Issuer.NewIBMAPIKey(ctx, a, in)
		expect(t, name, err, identity.KindValidation, "")
	}
	_, err := s.DB.Update(ctx, func(tx store.Tx) error {
		acc, err := store.Accounts.Get(tx, stacktest.AccountA)
		if err != nil {
			return err
		}
		v := *acc
		v.AccessKeyMaxAgeDays = 2
		return store.Accounts.Put(tx, &v)
	})
	must(t, err)
	latest := s.Clock.Now().Add(48 * time.Hour)
	_, err = s.Issuer.NewIBMAPIKey(ctx, a, issue.NewIBMKey{Name: "a", ExpiresAt: latest.Add(time.Second)})
	expect(t, "longer than the account allows", err, identity.KindValidation, "")
	made := newAPIKey(t, s, a, issue.NewIBMKey{})
	if !made.ExpiresAt.Equal(latest) {
		t.Errorf("the account's end is %s, not %s", latest, made.ExpiresAt)
	}
	never := time.Time{}
	_, err = s.Directory.UpdateIBMAPIKey(ctx, a, made.ID, "*", directory.IBMKeyChange{ExpiresAt: &never})
	expect(t, "taking the end away", err, identity.KindValidation, "")
	_, err = s.DB.Update(ctx, func(tx store.Tx) error {
		for i := 1; i < identity.APIKeysPerUser; i++ {
			if err := store.APIKeys.Put(tx, &identity.APIKey{ID: fmt.Sprintf("ApiKey-%d", i), AccountID: stacktest.AccountA, UserID: stacktest.AccountA}); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, err)
	_, err = s.Issuer.NewIBMAPIKey(ctx, a, issue.NewIBMKey{Name: "a"})
	expect(t, "one too many", err, identity.KindLimitExceeded, "A user or a service ID can have at most 100 API keys.")
}
