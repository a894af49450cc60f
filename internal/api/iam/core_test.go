package iam_test

import (
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"daypass/internal/access"
	"daypass/internal/api/iam"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// faked are the transcripts that are played against directoryFake, besides
// those of errors. All others are played against the core.
var faked = []string{
	"CreateAccessKey", "CreateUser", "DeleteAccessKey", "DeleteUser", "GetAccessKeyLastUsed", "GetUser",
	"ListAccessKeys", "ListUsers", "UpdateAccessKey", "UpdateUser", "get-in-the-query",
	"GetContextKeysForCustomPolicy", "GetContextKeysForPrincipalPolicy", "SimulateCustomPolicy", "SimulatePrincipalPolicy",
}

func newWireHandler(t *testing.T) http.Handler {
	name := path.Base(t.Name())
	if slices.Contains(faked, name) || strings.HasPrefix(name, "error-") {
		return quietHandler()
	}
	return newCoreHandler(t)
}

// callers is an authenticator of callers that live in a core. The header
// X-Caller names one; without it the root user calls.
type callers map[string]*identity.Caller

func (all callers) Authenticate(r *http.Request, svc access.Service, bodySHA256 string) (access.Authenticated, error) {
	who := all[r.Header.Get("X-Caller")]
	if who == nil || svc != access.ServiceIAM || len(bodySHA256) != 64 || r.Header.Get("Authorization") == "" {
		return access.Authenticated{}, identity.NewError(identity.KindMissingAuthentication, "callers", "")
	}
	return access.Authenticated{Caller: *who}, nil
}

// newCoreHandler is a handler in front of a core of its own, whose IDs and
// times are always the same. Its account has the users alice, without rights
// and with the tag Team=blue, and bob, who may do everything of IAM; the role
// reader with a policy; the realm staff and its provider.
func newCoreHandler(t testing.TB) http.Handler {
	t.Helper()
	var seed [32]byte
	s := stacktest.New(t, stacktest.WithRandom(rand.NewChaCha8(seed)), stacktest.WithSite(coreSite))
	root, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), account)
	if err != nil {
		t.Fatal(err)
	}
	all := callers{"": {
		Kind: identity.RootUser, AccountID: account, Partition: "demo", PrincipalID: account, Name: "root",
		ARN: identity.RootARN("demo", account), UserID: account, AccessKeyID: root.Key.ID,
	}}
	for _, name := range []string{"alice", "bob"} {
		made, err := s.Issuer.AccessKey(t.Context(), all[""], name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = &identity.Caller{
			Kind: identity.IAMUser, AccountID: account, Partition: "demo", PrincipalID: made.Key.UserID, UserID: made.Key.UserID,
			Name: name, ARN: identity.UserARN("demo", account, "/", name), AccessKeyID: made.Key.ID,
		}
	}
	noteUses(t, s, all["alice"].PrincipalID)
	h := iam.New(iam.Config{Access: all, Issuer: s.Issuer, Directory: s.Directory, Log: slog.New(slog.DiscardHandler)})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := httptest.NewRecorder()
		h.ServeHTTP(got, r.WithContext(identity.WithRequest(r.Context(), identity.RequestFacts{ID: requestID})))
		body := sealedMessage.ReplaceAll(got.Body.Bytes(), []byte("${1}SEALED"))
		maps.Copy(w.Header(), got.Header())
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(got.Code)
		_, _ = w.Write(body)
	})
}

// noteUses writes that the role reader was used, and the user's password.
func noteUses(t testing.TB, s *stacktest.Stack, userID string) {
	t.Helper()
	_, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		role, err := store.Roles.By(tx, "name", store.Join(account, "reader"))
		if err != nil {
			return err
		}
		at := s.Clock.Now().Add(-time.Hour)
		if err := store.Uses.Put(tx, &identity.Use{ID: role.ID, At: at, Region: "us-east-1"}); err != nil {
			return err
		}
		return store.Uses.Put(tx, &identity.Use{ID: userID, At: at})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sealedMessage is the part of a denial that is never the same twice.
var sealedMessage = regexp.MustCompile(`(Encoded authorization failure message: )[\w-]+`)

func coreSite(s *directory.SiteSpec) {
	const staff = stacktest.ExternalURL + "/auth/realms/staff"
	*s = directory.SiteSpec{
		Accounts: []directory.AccountSpec{{ID: account, Partition: "demo", Name: "demo", RootEmail: "root@example.com"}},
		Realms: []directory.RealmSpec{
			{Realm: identity.Realm{Name: identity.RootRealm, Algorithm: "ES256", AccessTokenSeconds: 300}},
			{Realm: identity.Realm{Name: "staff", AccountID: account, Algorithm: "ES256", AccessTokenSeconds: 300}},
		},
		Users: []directory.UserSpec{
			{AccountID: account, Name: "alice", Tags: map[string]string{"Team": "blue"}},
			{AccountID: account, Name: "bob", ManagedPolicies: []string{"arn:demo:iam::aws:policy/IAMFullAccess"}},
		},
		Roles: []directory.RoleSpec{{
			AccountID: account, Name: "reader", MaxSessionDuration: 3600, ManagedPolicies: []string{"arn:demo:iam::aws:policy/ReadOnlyAccess"},
			Trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"` +
				identity.ProviderARN("demo", account, staff) + `"},"Action":"sts:AssumeRoleWithWebIdentity"}}`,
		}},
		Providers: []directory.ProviderSpec{{AccountID: account, OwnRealm: "staff", ClientIDs: []string{"staff-cli"}}},
	}
}
