package directory_test

import (
	"context"
	"reflect"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/stacktest"
)

// nobody is a caller that was accepted and has no rights: a living user of the
// account, with a living key and no policy.
func nobody(t testing.TB, s *stacktest.Stack) *identity.Caller {
	t.Helper()
	made, err := s.Issuer.AccessKey(t.Context(), root(t, s, stacktest.AccountA, "aws"), "service")
	if err != nil {
		t.Fatal(err)
	}
	return &identity.Caller{
		Kind: identity.IAMUser, AccountID: stacktest.AccountA, Partition: "aws", PrincipalID: made.Key.UserID, Name: "service",
		ARN: "arn:aws:iam::" + stacktest.AccountA + ":user/service", AccessKeyID: made.Key.ID,
	}
}

// noCaller are the exported methods that take no Caller, each with its reason.
var noCaller = map[string]string{
	"Password":            "the caller is who proves it",
	"ConsoleLogin":        "the caller is who proves it",
	"RenewPassword":       "the caller is who proves it",
	"Refresh":             "the caller is who holds the token",
	"ClientCredentials":   "the caller is the client",
	"WebIdentity":         "the caller is who holds the token",
	"TokenService":        "likewise",
	"TokenServiceReady":   "tells whether keys could be given, and nothing of anybody",
	"SAML":                "the caller is who holds the assertion",
	"Introspect":          "the caller is the client",
	"Revoke":              "the caller is the client",
	"Logout":              "the caller is the client",
	"UserInfo":            "the caller is who holds the token",
	"Realm":               "public: discovery",
	"JWKS":                "public: key set",
	"APIConfig":           "public: config document",
	"IdentityID":          "the caller is who holds the log-in tokens",
	"PoolCredentials":     "the caller is who holds the log-in tokens",
	"Outbound":            "public: discovery and key set of an account's issuer",
	"Prune":               "housekeeping of the server: removes what has expired",
	"PoolOpenIDToken":     "the caller is who holds the log-in tokens",
	"UnlinkIdentity":      "the caller is who holds the log-in tokens",
	"IdentityPoolIssuer":  "public: discovery and key set of an identity pool's issuer",
	"EnrolAtLogin":        "the caller is who proves it",
	"ConfirmAtLogin":      "the caller is who proves it",
	"BeginPasskey":        "public: a challenge",
	"ConsolePasskey":      "the caller is who proves it",
	"BeginForeign":        "public: where to go",
	"Foreign":             "the caller is who proves it",
	"ForeignCode":         "the caller is who proves it",
	"ForeignProof":        "the caller is who was given it",
	"ForeignLogins":       "public: what the log-in page offers",
	"OneTimeLink":         "the caller is who holds the link",
	"RedeemPassword":      "the caller is who holds the link",
	"RegisterLinkPasskey": "the caller is who holds the link",
	"RedeemPasskey":       "the caller is who holds the link",
	"BeginLinkForeign":    "the caller is who holds the link",
	"RedeemForeign":       "the caller is who was shown to the link",
	"PoolTokensFor":       "the caller is who holds the token",
	"PoolRevoke":          "the caller is who holds the token",
	"PoolEnrol":           "the caller is who proved the first factor",
	"PoolConfirm":         "the caller is who proved the first factor",
	"PoolLogin":           "the caller is who proves it",
	"PoolAnswer":          "the caller is who proves it",
	"IBM":                 "public: discovery and key set of IBM's dialect",
	"IBMAPIKey":           "the caller is who holds the key",
	"IBMPassword":         "the caller is who proves it",
	"IBMRefresh":          "the caller is who holds the token",
	"IBMPasscode":         "the caller is who holds the code",
	"IBMCode":             "the caller is who holds the code",
	"IBMAssume":           "the caller is who holds the token",
	"IBMCRToken":          "the caller is who holds the token",
	"Pool":                "public: discovery and key set of a user pool",
}

// forEveryone are the methods that no policy can keep a user from, each with
// its reason.
var forEveryone = map[string]string{
	"IBMIntrospect": "as in RFC 7662: whoever shows a token could read as much, and nobody learns of another account's",
	"SessionToken":  "as in AWS: it proves a second factor, and its session has no rights that the user has not",
}

// TestEveryMethodAsks calls each exported method of the core with a caller
// without rights and demands a denial.
func TestEveryMethodAsks(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	caller := nobody(t, s)
	callerType := reflect.TypeFor[*identity.Caller]()
	for _, core := range []any{s.Directory, s.Issuer, s.Operate} {
		v := reflect.ValueOf(core)
		for i := range v.NumMethod() {
			name, m := v.Type().Method(i).Name, v.Method(i)
			if _, ok := noCaller[name]; ok && (m.Type().NumIn() < 2 || m.Type().In(1) != callerType) {
				continue
			}
			args, takesCaller := make([]reflect.Value, m.Type().NumIn()), false
			for j := range args {
				in := m.Type().In(j)
				switch {
				case in == callerType:
					args[j], takesCaller = reflect.ValueOf(caller), true
				case in == reflect.TypeFor[context.Context]():
					args[j] = reflect.ValueOf(t.Context())
				case in.Kind() == reflect.String:
					args[j] = reflect.ValueOf("some-name").Convert(in)
				default:
					args[j] = reflect.Zero(in)
				}
			}
			if !takesCaller {
				t.Errorf("%T.%s takes no Caller and is not in the list of those that need none", core, name)
				continue
			}
			out := m.Call(args)
			err, _ := out[len(out)-1].Interface().(error)
			switch identity.KindOf(err) {
			case identity.KindAccessDenied:
			case "":
				if forEveryone[name] == "" {
					t.Errorf("%T.%s by a caller without rights succeeded", core, name)
				}
			case identity.KindNoSuchBucket: // a bucket without owner
			default:
				t.Errorf("%T.%s by a caller without rights: %v, want a denial", core, name, err)
			}
		}
	}
}
