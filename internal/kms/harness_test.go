package kms_test

import (
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"sync"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/kms"
	"daypass/internal/stacktest"
)

var (
	here  = kms.At{Instance: stacktest.KMSInstance}
	there = kms.At{Instance: stacktest.OtherKMSInstance}
)

// office is a stack with two instances of key management and its root user.
type office struct {
	*stacktest.Stack
	t    testing.TB
	root *identity.Caller
}

func newOffice(t testing.TB, opts ...stacktest.Option) *office {
	t.Helper()
	s := stacktest.New(t, append([]stacktest.Option{stacktest.WithKMS()}, opts...)...)
	return &office{s, t, root(t, s)}
}

// root is the root user of account A, who may do everything in it.
func root(t testing.TB, s *stacktest.Stack) *identity.Caller {
	t.Helper()
	made := must(s.Issuer.RootAccessKey(t.Context(), s.Operator(), stacktest.AccountA))(t)
	return &identity.Caller{
		Kind: identity.RootUser, AccountID: stacktest.AccountA, Partition: "aws", PrincipalID: stacktest.AccountA, Name: "root",
		ARN: identity.RootARN("aws", stacktest.AccountA), AccessKeyID: made.Key.ID,
	}
}

// settings makes the stack's KMS anew with other options.
func (o *office) settings(change func(*kms.Options)) {
	opt := kms.Options{DB: o.DB, Keyring: o.Keyring, Access: o.Access, Audit: o.Audit, Clock: o.Clock, Log: quiet, NewRSA: testRSA}
	change(&opt)
	o.KMS = kms.New(opt)
}

// testRSA is one key for all: making one takes long.
var testRSA = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// apiKey makes an API key of a service ID, user or profile.
func (o *office) apiKey(owner string) identity.Secret {
	o.t.Helper()
	return must(o.Issuer.NewIBMAPIKey(o.t.Context(), o.root, issue.NewIBMKey{Name: "a key", IAMID: owner}))(o.t).Text
}

// login is the caller that an API key logs in as.
func (o *office) login(key identity.Secret) *identity.Caller {
	o.t.Helper()
	tokens := must(o.Issuer.IBMAPIKey(o.t.Context(), key, "", issue.IBMClient{}))(o.t)
	return must(o.Access.IBMToken(o.t.Context(), tokens.Access))(o.t)
}

// robot makes a service ID with roles of key management, and logs it in.
func (o *office) robot(roles ...string) *identity.Caller {
	o.t.Helper()
	u := must(o.Directory.CreateServiceID(o.t.Context(), o.root, directory.NewServiceID{Name: "robot"}))(o.t)
	o.grant(u.ID, nil, roles...)
	return o.login(o.apiKey(u.ID))
}

// grant gives roles of key management, narrowed by attributes.
func (o *office) grant(iamID string, narrow map[string]string, roles ...string) {
	o.t.Helper()
	if len(roles) == 0 {
		return
	}
	in := directory.NewAccessPolicy{IAMID: iamID, Roles: roles}
	attributes := map[string]string{"accountId": stacktest.AccountA, "serviceName": identity.KeyManagement}
	for name, value := range narrow {
		attributes[name] = value
	}
	for name, value := range attributes {
		in.Attributes = append(in.Attributes, identity.ResourceAttribute{Name: name, Value: value, Operator: identity.StringEquals})
	}
	must(o.Directory.CreateAccessPolicy(o.t.Context(), o.root, in))(o.t)
}

// key makes a root key.
func (o *office) key(change ...func(*kms.NewKey)) *kms.Key {
	o.t.Helper()
	in := kms.NewKey{Name: "k"}
	for _, c := range change {
		c(&in)
	}
	return must(o.KMS.Create(o.t.Context(), o.root, here, in))(o.t)
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantReason demands a refusal with a reason, or "" for none.
func wantReason(t testing.TB, what string, err error, want kms.Reason) {
	t.Helper()
	if (err == nil) != (want == "") || kms.ReasonOf(err) != want {
		t.Errorf("%s: %v (reason %q), want reason %q", what, err, kms.ReasonOf(err), want)
	}
}

func wantDenied(t testing.TB, what string, err error) {
	t.Helper()
	if identity.KindOf(err) != identity.KindAccessDenied {
		t.Errorf("%s: %v, want a denial", what, err)
	}
}

// cutMessage takes the encoded message, which is another each time, off a refusal.
func cutMessage(text string) (before, after string, found bool) {
	return strings.Cut(text, identity.EncodedMessage)
}

func replaced(text, what string) string { return strings.ReplaceAll(text, what, "…") }
