package iam_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"daypass/internal/access"
	"daypass/internal/api/iam"
	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/wiretest"
)

const (
	requestID = "5c0e1111-2222-4333-8444-555566667777"
	account   = "0f5e1c2a-1111-4222-8333-444455556666"
	keyID     = "AKIAIOSFODNN7EXAMPLE"
)

var created = time.Date(2026, 1, 2, 3, 4, 5, 652118000, time.UTC)

// authenticator is a fake that accepts any signature in the header as the root
// user's. The header X-Fault chooses an error (see wiretest.Fault).
type authenticator struct{}

func (authenticator) Authenticate(r *http.Request, svc access.Service, bodySHA256 string) (access.Authenticated, error) {
	if err := wiretest.Fault(r.Header.Get("X-Fault")); err != nil {
		return access.Authenticated{}, err
	}
	if svc != access.ServiceIAM || len(bodySHA256) != 64 || r.Header.Get("Authorization") == "" {
		return access.Authenticated{}, identity.NewError(identity.KindMissingAuthentication, "fake", "")
	}
	return access.Authenticated{Caller: identity.Caller{
		Kind: identity.RootUser, AccountID: account, Partition: "demo", PrincipalID: account, Name: "root",
		ARN: "arn:demo:iam::" + account + ":root", UserID: account,
	}}, nil
}

// directoryFake knows root, alice and bob. A user name, key ID, marker or path
// chooses an error.
type directoryFake struct {
	iam.Directory // areas whose transcripts are made with the real core
}

func (directoryFake) user(name string) (identity.User, error) {
	if err := wiretest.Fault(name); err != nil {
		return identity.User{}, err
	}
	switch name {
	case "", "root":
		return identity.User{ID: account, AccountID: account, Root: true, Name: "root", CreatedAt: created}, nil
	case "alice":
		return identity.User{
			ID: "AIDAIOSFODNN7ALICE00", AccountID: account, Name: "alice", Path: "/team/", CreatedAt: created,
			Tags: map[string]string{"Team": "blue & green", "Cost": ""},
		}, nil
	case "bob":
		return identity.User{ID: "AIDAIOSFODNN7BOB0000", AccountID: account, Name: "bob", Path: "/", CreatedAt: created.Add(time.Hour)}, nil
	}
	return identity.User{}, identity.NewError(identity.KindNotFound, "fake", "The user with name "+name+" cannot be found.")
}

func (d directoryFake) CreateUser(_ context.Context, c *identity.Caller, in directory.NewUser) (identity.User, error) {
	if _, err := d.user(in.Name); identity.KindOf(err) != identity.KindNotFound {
		if err == nil {
			err = identity.NewError(identity.KindAlreadyExists, "fake", "User with name "+in.Name+" already exists.")
		}
		return identity.User{}, err
	}
	return identity.User{
		ID: "AIDAIOSFODNN7NEW0000", AccountID: c.AccountID, Name: in.Name, Path: in.Path, Tags: in.Tags, CreatedAt: created,
	}, nil
}

func (d directoryFake) GetUser(_ context.Context, _ *identity.Caller, name string) (directory.UserDetails, error) {
	u, err := d.user(name)
	return directory.UserDetails{User: u}, err
}

func (d directoryFake) ListUsers(_ context.Context, _ *identity.Caller, pathPrefix string, p directory.Page) (directory.Listing[identity.User], error) {
	if err := wiretest.Fault(p.Marker); err != nil {
		return directory.Listing[identity.User]{}, err
	}
	alice, _ := d.user("alice")
	bob, _ := d.user("bob")
	switch {
	case pathPrefix != "/":
		return directory.Listing[identity.User]{Items: []identity.User{alice}}, nil
	case p.MaxItems == 1 && p.Marker == "":
		return directory.Listing[identity.User]{Items: []identity.User{alice}, Next: "opaque+marker=="}, nil
	case p.Marker != "":
		return directory.Listing[identity.User]{Items: []identity.User{bob}}, nil
	}
	return directory.Listing[identity.User]{Items: []identity.User{alice, bob}}, nil
}

func (d directoryFake) UpdateUser(_ context.Context, _ *identity.Caller, name, newName, newPath string) error {
	_, err := d.user(name)
	return errors.Join(err, wiretest.Fault(newName))
}

func (d directoryFake) DeleteUser(_ context.Context, _ *identity.Caller, name string) error {
	if name == "alice" {
		return identity.NewError(identity.KindDeleteConflict, "fake", "Cannot delete entity, must delete access keys first.")
	}
	_, err := d.user(name)
	return err
}

func (d directoryFake) ListAccessKeys(_ context.Context, c *identity.Caller, userName string, _ directory.Page) (directory.Listing[identity.AccessKey], string, error) {
	u, err := d.user(userName)
	if err != nil {
		return directory.Listing[identity.AccessKey]{}, "", err
	}
	if u.Name == "bob" {
		return directory.Listing[identity.AccessKey]{}, u.Name, nil
	}
	return directory.Listing[identity.AccessKey]{Items: []identity.AccessKey{
		{ID: keyID, AccountID: c.AccountID, UserID: u.ID, Active: true, CreatedAt: created},
		{ID: "AKIAI44QH8DHBEXAMPLE", AccountID: c.AccountID, UserID: u.ID, CreatedAt: created},
	}}, u.Name, nil
}

func (d directoryFake) key(userName, id string) error {
	if _, err := d.user(userName); err != nil {
		return err
	}
	if id != keyID {
		return identity.NewError(identity.KindNotFound, "fake", "The Access Key with id "+id+" cannot be found")
	}
	return nil
}

func (d directoryFake) UpdateAccessKey(_ context.Context, _ *identity.Caller, userName, id string, _ bool) error {
	return d.key(userName, id)
}

func (d directoryFake) DeleteAccessKey(_ context.Context, _ *identity.Caller, userName, id string) error {
	return d.key(userName, id)
}

func (d directoryFake) AccessKeyLastUsed(_ context.Context, _ *identity.Caller, id string) (string, identity.KeyUse, error) {
	if id == "AKIAI44QH8DHBEXAMPLE" {
		return "alice", identity.KeyUse{}, nil
	}
	return "root", identity.KeyUse{KeyID: id, At: created, Service: "s3", Region: "us-east-1"}, d.key("", id)
}

type issuer struct{ directoryFake }

func (i issuer) AccessKey(_ context.Context, _ *identity.Caller, userName string) (issue.CreatedAccessKey, error) {
	u, err := i.user(userName)
	if err != nil {
		return issue.CreatedAccessKey{}, err
	}
	return issue.CreatedAccessKey{
		UserName: u.Name,
		Key:      identity.AccessKey{ID: keyID, AccountID: account, UserID: u.ID, Active: true, Version: 1, CreatedAt: created},
		Secret:   "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
	}, nil
}

func newHandler(log *slog.Logger) http.Handler {
	h := iam.New(iam.Config{Access: authenticator{}, Issuer: issuer{}, Directory: directoryFake{}, Log: log})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(identity.WithRequest(r.Context(), identity.RequestFacts{ID: requestID})))
	})
}

func quietHandler() http.Handler { return newHandler(slog.New(slog.DiscardHandler)) }

func failure(err error) awswire.Failure { return awswire.IAM.Failure(err) }

// Simulate allows everything but deletions, in pages of MaxItems.
func (directoryFake) Simulate(_ context.Context, _ *identity.Caller, in directory.Simulation) (directory.Listing[directory.Simulated], error) {
	if err := wiretest.Fault(strings.TrimSuffix(in.Source, "-00000000")); err != nil {
		return directory.Listing[directory.Simulated]{}, err
	}
	var out directory.Listing[directory.Simulated]
	for _, a := range in.Actions {
		s := directory.Simulated{
			Action: a, Resource: in.Resources[0], Decision: "allowed", Bounded: len(in.Boundaries) > 0, Within: true,
			Matched: []directory.MatchedStatement{{PolicyID: "PolicyInputList.1", PolicyType: "IAM Policy", StartLine: 1, StartColumn: 17, EndLine: 1, EndColumn: 80}},
		}
		if a == "s3:DeleteObject" {
			s.Decision, s.Matched, s.Missing = "implicitDeny", nil, []string{"aws:MultiFactorAuthPresent"}
		}
		out.Items = append(out.Items, s)
	}
	if in.Page.MaxItems == 1 {
		out.Next = "opaque+marker=="
	}
	return out, nil
}

func (directoryFake) ContextKeys(_ context.Context, _ *identity.Caller, source string, documents []string) ([]string, error) {
	return []string{"aws:SourceIp", "aws:PrincipalTag/Team"}, wiretest.Fault(source)
}
