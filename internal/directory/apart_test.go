package directory_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// workEngine counts what is asked of an engine: transactions, reads by table and
// writes.
type workEngine struct {
	store.Engine
	mu   sync.Mutex
	done map[string]int
}

func (e *workEngine) count(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.done[what]++
}

// take is what was done since the last time.
func (e *workEngine) take() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	done := e.done
	e.done = map[string]int{}
	return done
}

func (e *workEngine) View(ctx context.Context, fn func(store.Reader) error) (identity.Position, error) {
	e.count("view")
	return e.Engine.View(ctx, func(r store.Reader) error { return fn(&workReader{r, e}) })
}

func (e *workEngine) Update(ctx context.Context, fn func(store.Tx) error) (identity.Position, error) {
	e.count("update")
	return e.Engine.Update(ctx, func(tx store.Tx) error { return fn(&workTx{workReader{tx, e}, tx}) })
}

type workReader struct {
	r store.Reader
	e *workEngine
}

func (r *workReader) Row(table, key string) (store.Row, error) {
	r.e.count("row of " + table)
	return r.r.Row(table, key)
}

func (r *workReader) Rows(table, index, prefix string, after store.After, limit int) ([]store.Row, error) {
	r.e.count("rows of " + table + " by " + index)
	return r.r.Rows(table, index, prefix, after, limit)
}

type workTx struct {
	workReader
	tx store.Tx
}

func (t *workTx) Put(row store.Row) error {
	t.e.count("put into " + row.Table)
	return t.tx.Put(row)
}

func (t *workTx) Delete(table, key string) error {
	t.e.count("delete from " + table)
	return t.tx.Delete(table, key)
}

// apart is a site where account A has one of everything, and a stranger asks.
type apart struct {
	*stacktest.Stack
	t    testing.TB
	work *workEngine
	// theirs are the names of what A has, absent names of nothing of the same
	// form; key and its like are texts.
	theirs, absent map[string]string
}

func newApart(t *testing.T) *apart {
	e := &workEngine{Engine: store.NewMemory(), done: map[string]int{}}
	s := stacktest.New(t, stacktest.WithIBM(), stacktest.WithEngine(e))
	ctx, a := t.Context(), root(t, s, stacktest.AccountA, "aws")
	service, err := s.Directory.CreateServiceID(ctx, a, directory.NewServiceID{Name: "robot"})
	must(t, err)
	key := newAPIKey(t, s, a, issue.NewIBMKey{IAMID: service.ID})
	profile := newProfile(t, s, a, "deployer")
	policy := giveAccess(t, s, a, accessTo(service.ID, "Viewer", "iam-identity"))
	instance, err := s.Directory.CreateInstance(ctx, a, directory.NewInstance{Name: "keys", Service: "kms", Region: "us-south"})
	must(t, err)
	tokens, err := s.Issuer.IBMAPIKey(ctx, key.Text, "", issue.IBMClient{})
	must(t, err)
	access, err := s.Issuer.AccessKey(ctx, a, "service")
	must(t, err)
	device, err := s.Directory.CreateMFADevice(ctx, a, "phone", "", nil)
	must(t, err)
	managed, err := s.Directory.CreatePolicy(ctx, a, directory.NewPolicy{Name: "theirs", Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`})
	must(t, err)
	parts := strings.Split(tokens.Access.Reveal(), ".")
	return &apart{Stack: s, t: t, work: e, theirs: map[string]string{
		"key": key.Text.Reveal(), "key ID": key.ID, "service ID": service.Name, "IAM ID": service.ID, "profile": profile.Name, "policy": policy.ID,
		"instance": instance.ID, "token": tokens.Access.Reveal(), "access key": access.Key.ID, "device": device.Serial, "managed": managed.ARN("aws"),
		"role": "arn:aws:iam::" + stacktest.AccountA + ":role/" + stacktest.RoleName, "account": stacktest.AccountA, "user": "service",
	}, absent: map[string]string{
		"key": strings.Repeat("A", len(key.Text)), "key ID": "ApiKey-" + someID, "service ID": "ServiceId-" + someID, "IAM ID": "iam-ServiceId-" + someID,
		"profile": "Profile-" + someID, "policy": someID, "instance": someID, "token": parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"access key": "AKIA" + strings.Repeat("A", 16), "device": strings.Replace(device.Serial, "phone", "other", 1), "managed": strings.Replace(managed.ARN("aws"), "theirs", "nobody", 1),
		"role": "arn:aws:iam::" + stacktest.AccountA + ":role/nobody-admin", "account": strings.Repeat("9", 12), "user": "nobodys",
	}}
}

// apartQuestions are calls that name one thing, by the kind of its name.
var apartQuestions = []struct {
	name, kind string
	ask        func(*apart, context.Context, *identity.Caller, string) error
}{
	{"GET apikeys/ID", "key ID", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		_, err := s.Directory.IBMAPIKey(ctx, c, id)
		return err
	}},
	{"activity of an API key", "key ID", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		_, err := s.Directory.IBMAPIKeyActivity(ctx, c, id)
		return err
	}},
	{"GET apikeys/details", "key", func(s *apart, ctx context.Context, c *identity.Caller, text string) error {
		_, err := s.Directory.IBMAPIKeyDetails(ctx, c, identity.Secret(text))
		return err
	}},
	{"POST apikeys/leaked", "key", func(s *apart, ctx context.Context, c *identity.Caller, text string) error {
		_, err := s.Directory.ReportLeaked(ctx, c, identity.Secret(text))
		return err
	}},
	{"PUT apikeys/ID", "key ID", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		_, err := s.Directory.UpdateIBMAPIKey(ctx, c, id, "*", directory.IBMKeyChange{Name: ptr("x")})
		return err
	}},
	{"DELETE apikeys/ID", "key ID", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		return s.Directory.DeleteIBMAPIKey(ctx, c, id)
	}},
	{"disable an API key", "key ID", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		return s.Directory.DisableIBMAPIKey(ctx, c, id, true)
	}},
	{"POST apikeys for it", "IAM ID", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		_, err := s.Issuer.NewIBMAPIKey(ctx, c, issue.NewIBMKey{Name: "x", IAMID: id})
		return err
	}},
	{"GET apikeys of it", "IAM ID", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		_, err := s.Directory.IBMAPIKeys(ctx, c, directory.IBMKeyFilter{IAMID: id}, directory.Page{})
		return err
	}},
	{"GET serviceids/ID", "service ID", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		_, err := s.Directory.ServiceID(ctx, c, id)
		return err
	}},
	{"DELETE serviceids/ID", "service ID", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		return s.Directory.DeleteServiceID(ctx, c, id)
	}},
	{"GET profiles/ID", "profile", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		_, err := s.Directory.TrustedProfile(ctx, c, id)
		return err
	}},
	{"DELETE profiles/ID", "profile", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		return s.Directory.DeleteTrustedProfile(ctx, c, id)
	}},
	{"GET policies/ID", "policy", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		_, err := s.Directory.AccessPolicy(ctx, c, id)
		return err
	}},
	{"GET policies of it", "IAM ID", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		_, err := s.Directory.AccessPolicies(ctx, c, directory.AccessPolicyFilter{IAMID: id}, directory.Page{})
		return err
	}},
	{"POST policies for it", "IAM ID", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		in := accessTo(id, "Viewer", "iam-identity")
		in.Attributes[0].Value = c.AccountID
		_, err := s.Directory.CreateAccessPolicy(ctx, c, in)
		return err
	}},
	{"DELETE policies/ID", "policy", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		return s.Directory.DeleteAccessPolicy(ctx, c, id)
	}},
	{"account settings", "account", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		_, err := s.Directory.IBMAccountSettings(ctx, c, id)
		return err
	}},
	{"introspection", "token", func(s *apart, ctx context.Context, c *identity.Caller, text string) error {
		claims, err := s.Issuer.IBMIntrospect(ctx, c, identity.Secret(text))
		if claims != nil {
			s.t.Errorf("another account's token is told: %v", claims)
		}
		return err
	}},
	{"DELETE resource_instances/ID", "instance", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		return s.Directory.DeleteInstance(ctx, c, id)
	}},
	{"GetAccessKeyLastUsed", "access key", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		_, _, err := s.Directory.AccessKeyLastUsed(ctx, c, id)
		return err
	}},
	{"UpdateAccessKey", "access key", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		return s.Directory.UpdateAccessKey(ctx, c, "", id, false)
	}},
	{"DeleteAccessKey", "access key", func(s *apart, ctx context.Context, c *identity.Caller, id string) error {
		return s.Directory.DeleteAccessKey(ctx, c, "", id)
	}},
	{"DeleteVirtualMFADevice", "device", func(s *apart, ctx context.Context, c *identity.Caller, serial string) error {
		return s.Directory.DeleteMFADevice(ctx, c, serial)
	}},
	{"EnableMFADevice", "device", func(s *apart, ctx context.Context, c *identity.Caller, serial string) error {
		return s.Directory.EnableMFADevice(ctx, c, "root", serial, "123456", "654321")
	}},
	{"GetSessionToken with it", "device", func(s *apart, ctx context.Context, c *identity.Caller, serial string) error {
		_, err := s.Issuer.SessionToken(ctx, c, issue.SessionTokenRequest{MFA: issue.MFAProof{SerialNumber: serial, TokenCode: "123456"}})
		return err
	}},
	{"GetPolicy", "managed", func(s *apart, ctx context.Context, c *identity.Caller, arn string) error {
		_, err := s.Directory.GetPolicy(ctx, c, arn)
		return err
	}},
	{"DeletePolicy", "managed", func(s *apart, ctx context.Context, c *identity.Caller, arn string) error {
		return s.Directory.DeletePolicy(ctx, c, arn)
	}},
	{"AssumeRole", "role", func(s *apart, ctx context.Context, c *identity.Caller, arn string) error {
		_, err := s.Issuer.AssumeRole(ctx, c, issue.AssumeRoleRequest{RoleARN: arn, RoleSessionName: "session"})
		return err
	}},
	{"GetUser", "user", func(s *apart, ctx context.Context, c *identity.Caller, name string) error {
		_, err := s.Directory.GetUser(ctx, c, name)
		return err
	}},
}

// TestOtherAccountsAreApart asks for things of another account and for things
// that are nowhere: the answers have the same words, and the same work was done
// for them, so that neither says whether there is such a thing.
func TestOtherAccountsAreApart(t *testing.T) {
	t.Parallel()
	s := newApart(t)
	b := root(t, s.Stack, stacktest.AccountB, "demo")
	user := &identity.Caller{Kind: identity.IAMUser, AccountID: stacktest.AccountB, Partition: "demo"}
	made, err := s.Directory.CreateUser(t.Context(), b, directory.NewUser{Name: "stranger"})
	must(t, err)
	key, err := s.Issuer.AccessKey(t.Context(), b, "stranger")
	must(t, err)
	user.PrincipalID, user.Name, user.ARN, user.AccessKeyID = made.ID, made.Name, made.ARN("demo"), key.Key.ID
	for who, c := range map[string]*identity.Caller{"root of B": b, "a user of B": user} {
		for _, q := range apartQuestions {
			for range 2 { // the second time nothing is new to any cache
				absent, did := s.ask(q.ask, c, s.absent[q.kind])
				theirs, does := s.ask(q.ask, c, s.theirs[q.kind])
				if absent != theirs {
					t.Errorf("%s by %s: what is absent %s, another account's %s", q.name, who, absent, theirs)
				}
				if !maps.Equal(did, does) {
					t.Errorf("%s by %s: work for what is absent %v, for another account's %v", q.name, who, did, does)
				}
			}
		}
	}
}

// ask returns the words of an answer, without the name that was asked for, and
// the work.
func (s *apart) ask(fn func(*apart, context.Context, *identity.Caller, string) error, c *identity.Caller, name string) (string, map[string]int) {
	s.work.take()
	hashes, powers := s.Authn.Worked()
	err := fn(s, s.t.Context(), c, name)
	done := s.work.take()
	h, p := s.Authn.Worked()
	done["hashes"], done["steps of SRP"] = int(h-hashes), int(p-powers)
	words := ""
	if err != nil {
		e := identity.AsError(err)
		said, sealed, _ := strings.Cut(e.Public, "Encoded authorization failure message: ")
		words = fmt.Sprintf("%s %q, %d sealed, %v", e.Kind, said, len(sealed), e.Detail)
	}
	return strings.ReplaceAll(words, strings.TrimPrefix(name, "iam-"), "NAME"), done
}

// TestWrongPasswordsCostAlike shows a wrong password for users of all sorts, and
// for users of other places: each costs one hash and has the same words.
func TestWrongPasswordsCostAlike(t *testing.T) {
	t.Parallel()
	s := &apart{Stack: withIBM(t), t: t, work: &workEngine{done: map[string]int{}}}
	for door, logIn := range map[string]func(*apart, context.Context, *identity.Caller, string) error{
		"realm": func(s *apart, ctx context.Context, _ *identity.Caller, name string) error {
			_, err := s.Issuer.Password(ctx, issue.PasswordGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, Username: name, Password: "wrong"})
			return err
		},
		"ibm": func(s *apart, ctx context.Context, _ *identity.Caller, name string) error {
			_, err := s.Issuer.IBMPassword(ctx, issue.IBMPasswordGrant{Username: name, Password: "wrong"})
			return err
		},
		"console": func(s *apart, ctx context.Context, _ *identity.Caller, name string) error {
			_, err := s.Issuer.ConsoleLogin(ctx, issue.ConsoleLogin{Place: "shasta", Username: name, Password: "wrong"})
			return err
		},
		"renewal": func(s *apart, ctx context.Context, _ *identity.Caller, name string) error {
			return s.Directory.RenewPassword(ctx, directory.RenewedPassword{Place: "shasta", Username: name, Old: "wrong", New: "another one"})
		},
	} {
		want, work := s.ask(logIn, nil, "nobody")
		if work["hashes"] != 1 {
			t.Errorf("%s: %v for an unknown user", door, work)
		}
		for _, name := range []string{stacktest.TestUser, "t@example.com", "service", "mfa", "stale", "disabled", stacktest.RootEmailA, "root", strings.Repeat("n", 256)} {
			if got, does := s.ask(logIn, nil, name); got != want || !maps.Equal(does, work) {
				t.Errorf("%s of %.20s: %s after %v, want %s after %v", door, name, got, does, want, work)
			}
		}
	}
}
