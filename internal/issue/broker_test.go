package issue_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
	"daypass/internal/upstream"
)

const (
	brokerPolicy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"daypass:BrokerCredentials","Resource":"arn:aws:daypass::` + stacktest.AccountA + `:upstream/ceph"}}`
	denyBroker   = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"daypass:*","Resource":"*"}}`
	allowAll     = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
)

// brokers is a stack whose token service gives the keys of an upstream, which
// mints them numbered.
type brokers struct {
	*stacktest.Stack
	t      testing.TB
	sts    *upstream.STS
	mu     sync.Mutex
	forms  []url.Values
	answer http.HandlerFunc // in place of keys
}

func newBrokers(t testing.TB, change ...func(*directory.SiteSpec)) *brokers {
	t.Helper()
	b := &brokers{t: t}
	srv := httptest.NewServer(b)
	t.Cleanup(srv.Close)
	at, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	tr := upstream.NewTransport(upstream.TransportConfig{})
	t.Cleanup(tr.CloseIdleConnections)
	opts := []stacktest.Option{
		stacktest.WithSite(func(spec *directory.SiteSpec) {
			spec.Roles[0].InlinePolicies = map[string]string{"broker": brokerPolicy}
		}),
		stacktest.WithBrokers(func(name string) (*upstream.STS, bool) { return b.sts, name == "ceph" && b.sts != nil }),
	}
	for _, fn := range change {
		opts = append(opts, stacktest.WithSite(fn))
	}
	b.Stack = stacktest.New(t, opts...)
	b.sts = &upstream.STS{
		Name: "ceph", Endpoint: at, Region: "us-east-1", Transport: tr, Clock: b.Clock,
		Credentials: func() (string, identity.Secret, error) { return "AKUP", "secret", nil },
	}
	putService(t, b.Stack, cephService())
	return b
}

func cephService() *identity.TokenService {
	s := crayService()
	s.Keys, s.Upstream, s.EndpointURL = identity.UpstreamKeys, "ceph", "https://rgw.example.com"
	s.Rules[0].UpstreamRole = "arn:aws:iam:::role/STSRole"
	return s
}

func (b *brokers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, err := url.ParseQuery(string(body))
	if err != nil {
		b.t.Error(err)
	}
	form.Set("signed", fmt.Sprint(r.Header.Get("Authorization") != ""))
	b.mu.Lock()
	b.forms = append(b.forms, form)
	n, answer := len(b.forms), b.answer
	b.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	var life int
	_, _ = fmt.Sscan(form.Get("DurationSeconds"), &life)
	expires := b.Clock.Now().Add(time.Duration(life) * time.Second).Format("2006-01-02T15:04:05.000000000Z")
	fmt.Fprintf(w, `<R><Credentials><AccessKeyId>UP%d</AccessKeyId><SecretAccessKey>upstream-secret</SecretAccessKey><SessionToken>upstream-token</SessionToken><Expiration>%s</Expiration></Credentials></R>`, n, expires)
}

// asked are the forms that the upstream got so far.
func (b *brokers) asked() []url.Values {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.forms
}

// wantKey calls the service and wants the upstream's n-th keys.
func (b *brokers) wantKey(what string, tok identity.Secret, n int) {
	b.t.Helper()
	got, err := serve(b.t, b.Stack, tok)
	if want := fmt.Sprintf("UP%d", n); err != nil || got.AccessKeyID != want {
		b.t.Errorf("%s: got %q, %v, want %s", what, got.AccessKeyID, err, want)
	}
}

func (b *brokers) revoke(r identity.Revocation) {
	b.t.Helper()
	if _, err := b.DB.Update(b.t.Context(), func(tx store.Tx) error { return b.Access.Revoke(tx, r) }); err != nil {
		b.t.Fatal(err)
	}
}

// setRole gives the role other policies.
func (b *brokers) setRole(change func(*identity.Role)) {
	b.t.Helper()
	if _, err := b.DB.Update(b.t.Context(), func(tx store.Tx) error {
		have, err := store.Roles.By(tx, "name", store.Join(stacktest.AccountA, stacktest.RoleName))
		if err != nil {
			return err
		}
		role := *have
		role.Inline = maps.Clone(role.Inline)
		change(&role)
		return store.Roles.Put(tx, &role)
	}); err != nil {
		b.t.Fatal(err)
	}
}

func TestBrokeredKeys(t *testing.T) {
	t.Parallel()
	b := newBrokers(t)
	set := shastaLogin(t, b.Stack)
	got, err := serve(t, b.Stack, set.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	want := issue.TokenServiceKeys{
		AccessKeyID: "UP1", Secret: "upstream-secret", SessionToken: "upstream-token", ExpiresAt: b.Clock.Now().Add(time.Hour), EndpointURL: "https://rgw.example.com",
	}
	if !got.ExpiresAt.Equal(want.ExpiresAt) {
		t.Errorf("until %v, want %v", got.ExpiresAt, want.ExpiresAt)
	}
	if got.ExpiresAt = want.ExpiresAt; got != want {
		t.Errorf("got %+v", got)
	}
	form := b.asked()[0]
	for name, want := range map[string]string{
		"Action": "AssumeRole", "RoleArn": "arn:aws:iam:::role/STSRole", "RoleSessionName": stacktest.TestUser, "DurationSeconds": "3600", "signed": "true",
	} {
		if form.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, form.Get(name), want)
		}
	}
	b.wantKey("a second call", set.AccessToken, 1)
	b.wantKey("another log-in of the same user", shastaLogin(t, b.Stack).AccessToken, 2)
	log := b.AuditLines(t)
	if strings.Contains(log, "upstream-secret") || strings.Contains(log, "upstream-token") {
		t.Error("the audit log holds what was issued")
	}
	for _, want := range []string{`"fromCache":false`, `"fromCache":true`, `"endedBy":"lifetime only"`, `"sessionTokenSha256"`, `"upstreamRole":"arn:aws:iam:::role/STSRole"`, `"accessKeyId":"UP1"`, `"subject"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the audit log lacks %s", want)
		}
	}
}

// TestBrokeredMeanwhile: what is revoked while the upstream mints holds for what
// it minted.
func TestBrokeredMeanwhile(t *testing.T) {
	t.Parallel()
	b := newBrokers(t)
	tok := shastaLogin(t, b.Stack).AccessToken
	var roleID string
	b.setRole(func(r *identity.Role) { roleID = r.ID })
	minting := make(chan bool)
	b.mu.Lock()
	b.answer = func(w http.ResponseWriter, _ *http.Request) {
		minting <- true
		<-minting
		fmt.Fprintf(w, `<R><Credentials><AccessKeyId>LATE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></R>`,
			b.Clock.Now().Add(time.Hour).Format(time.RFC3339))
	}
	b.mu.Unlock()
	refused := make(chan error)
	go func() {
		_, err := serve(t, b.Stack, tok)
		refused <- err
	}()
	<-minting
	b.revoke(identity.Revocation{Kind: identity.LineageRole, ID: roleID})
	minting <- true
	wantKind(t, "keys that were minted during the revocation", <-refused, identity.KindExpiredIdentity)
	b.mu.Lock()
	b.answer = nil
	b.mu.Unlock()
	b.wantKey("a new call", tok, 2)
}

// TestBrokeredCache: keys are given again only while everything that they were
// given for still holds.
func TestBrokeredCache(t *testing.T) {
	t.Parallel()
	b := newBrokers(t)
	tok := shastaLogin(t, b.Stack).AccessToken
	b.wantKey("first", tok, 1)
	b.Clock.Advance(48*time.Minute - time.Second)
	b.wantKey("within four fifths of their life", tok, 1)
	b.Clock.Advance(time.Second)
	b.wantKey("after four fifths of it", tok, 2)
	b.Clock.Advance(5 * time.Minute)
	tok = shastaLogin(t, b.Stack).AccessToken
	b.wantKey("a new log-in", tok, 3)

	old := b.sts
	b.sts = &upstream.STS{Name: old.Name, Endpoint: old.Endpoint, Region: old.Region, Transport: old.Transport, Clock: old.Clock, Credentials: old.Credentials}
	b.wantKey("the upstream was configured anew", tok, 4)

	b.sts.Credentials = func() (string, identity.Secret, error) { return "AKUP2", "secret2", nil }
	b.wantKey("the upstream's keys were replaced", tok, 5)

	changed := cephService()
	changed.Rules[0].DurationSeconds = 1800
	putService(t, b.Stack, changed)
	b.wantKey("another rule", tok, 6)
	b.wantKey("again", tok, 6)

	var roleID string
	b.setRole(func(r *identity.Role) { roleID = r.ID })
	b.revoke(identity.Revocation{Kind: identity.LineageRole, ID: roleID})
	b.wantKey("the role's sessions were ended", tok, 7)

	issued := b.Clock.Now().Add(time.Second).UTC().Format(time.RFC3339)
	b.Clock.Advance(2 * time.Second)
	b.setRole(func(r *identity.Role) {
		r.Inline["older"] = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"` + issued + `"}}}}`
	})
	b.wantKey("a policy ends older sessions", tok, 8)
	b.wantKey("again", tok, 8)

	b.setRole(func(r *identity.Role) { delete(r.Inline, "broker") })
	_, err := serve(t, b.Stack, tok)
	wantKind(t, "the role may not any more", err, identity.KindAccessDenied)
	b.setRole(func(r *identity.Role) { r.Inline["broker"] = brokerPolicy })
	b.wantKey("the role may again", tok, 8)
	sid := claimsOf(t, tok)["sid"].(string)
	b.revoke(identity.Revocation{Kind: identity.LineageLogin, ID: sid})
	_, err = serve(t, b.Stack, tok)
	wantKind(t, "the log-in was ended", err, identity.KindExpiredIdentity)
	if n := len(b.asked()); n != 8 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

// TestBrokerPermit: the role's own policies stand before the upstream.
func TestBrokerPermit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		inline   map[string]string
		boundary string
		change   func(*identity.TokenService)
		want     identity.Kind
	}{
		"allowed":                {inline: map[string]string{"a": brokerPolicy}},
		"by a wildcard":          {inline: map[string]string{"a": allowAll}},
		"no policy":              {want: identity.KindAccessDenied},
		"only S3":                {inline: map[string]string{"a": strings.ReplaceAll(allowAll, `"Action":"*"`, `"Action":"s3:*"`)}, want: identity.KindAccessDenied},
		"another upstream":       {inline: map[string]string{"a": strings.ReplaceAll(brokerPolicy, "upstream/ceph", "upstream/other")}, want: identity.KindAccessDenied},
		"another account's":      {inline: map[string]string{"a": strings.ReplaceAll(brokerPolicy, stacktest.AccountA, stacktest.AccountB)}, want: identity.KindAccessDenied},
		"denied in words":        {inline: map[string]string{"a": allowAll, "b": denyBroker}, want: identity.KindAccessDenied},
		"beyond the boundary":    {inline: map[string]string{"a": allowAll}, boundary: readOnlyPolicy, want: identity.KindAccessDenied},
		"within the boundary":    {inline: map[string]string{"a": brokerPolicy}, boundary: adminPolicy},
		"a role tag is asked":    {inline: map[string]string{"a": strings.ReplaceAll(brokerPolicy, `"Effect":"Allow"`, `"Effect":"Allow","Condition":{"StringEquals":{"aws:PrincipalTag/tier":"gold"}}`)}},
		"another role tag":       {inline: map[string]string{"a": strings.ReplaceAll(brokerPolicy, `"Effect":"Allow"`, `"Effect":"Allow","Condition":{"StringEquals":{"aws:PrincipalTag/tier":"tin"}}`)}, want: identity.KindAccessDenied},
		"upstream not there":     {inline: map[string]string{"a": allowAll}, change: func(s *identity.TokenService) { s.Upstream = "gone" }, want: identity.KindUnavailable},
		"no word on whose keys":  {inline: map[string]string{"a": allowAll}, change: func(s *identity.TokenService) { s.Keys = "" }, want: identity.KindUnavailable},
		"variable without value": {inline: map[string]string{"a": allowAll}, change: sessionPolicy("${aws:PrincipalTag/none}"), want: identity.KindAccessDenied},
		"a value with a star":    {inline: map[string]string{"a": allowAll}, change: sessionPolicy("${aws:PrincipalTag/star}"), want: identity.KindAccessDenied},
		"a value that is good":   {inline: map[string]string{"a": allowAll}, change: sessionPolicy("${aws:PrincipalTag/tier}")},
		"too long":               {inline: map[string]string{"a": allowAll}, change: sessionPolicy(strings.Repeat("x", 2049)), want: identity.KindAccessDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBrokers(t)
			b.setRole(func(r *identity.Role) {
				r.Inline, r.Managed, r.Boundary, r.Tags = tt.inline, nil, tt.boundary, map[string]string{"tier": "gold", "star": "a*"}
			})
			if tt.change != nil {
				s := cephService()
				tt.change(s)
				putService(t, b.Stack, s)
			}
			got, err := serve(t, b.Stack, shastaLogin(t, b.Stack).AccessToken)
			if identity.KindOf(err) != tt.want || (got.AccessKeyID == "UP1") != (tt.want == "") {
				t.Errorf("got %q, %v, want %q", got.AccessKeyID, err, tt.want)
			}
			if n := len(b.asked()); (n == 1) != (tt.want == "") {
				t.Errorf("the upstream was asked %d times", n)
			}
		})
	}
}

func sessionPolicy(resource string) func(*identity.TokenService) {
	return func(s *identity.TokenService) {
		s.Rules[0].SessionPolicy = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::` + resource + `/*"}}`
	}
}

// TestBrokeredTags: what the token says goes down to the upstream, in the tags
// and in the session policy.
func TestBrokeredTags(t *testing.T) {
	t.Parallel()
	b := newBrokers(t, func(spec *directory.SiteSpec) {
		spec.Roles[0].Trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::` + stacktest.AccountA + `:oidc-provider/idp.example.org"},` +
			`"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"],"Condition":{"StringEquals":{"idp.example.org:sub":"alice"}}}}`
	})
	s := cephService()
	s.Providers, s.Audience = []string{stacktest.ForeignIssuer}, []string{"cray"}
	s.Rules[0].Claim, s.Rules[0].Value = "groups", "ops-*"
	sessionPolicy("home/${aws:PrincipalTag/team}/${aws:SourceIdentity}")(s)
	putService(t, b.Stack, s)
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	b.Foreign.Set(stacktest.ForeignIssuer, "k1", key.Public())
	claims := foreignAccess(b.Stack)
	claims["groups"] = []string{"all", "ops-west"}
	claims["https://aws.amazon.com/tags"] = map[string]any{"principal_tags": map[string]any{"team": []string{"red"}, "desk": []string{"7 b"}}}
	if _, err := serve(t, b.Stack, sign(t, key, "k1", claims)); err != nil {
		t.Fatal(err)
	}
	form := b.asked()[0]
	for name, want := range map[string]string{
		"Tags.member.1.Key": "desk", "Tags.member.1.Value": "7 b", "Tags.member.2.Key": "team", "Tags.member.2.Value": "red", "RoleSessionName": "Alice-A.-" + identity.WebIdentityID(stacktest.ForeignIssuer, "alice")[:10],
		"Policy": `{"Statement":{"Action":"s3:*","Effect":"Allow","Resource":"arn:aws:s3:::home/red/alice/*"},"Version":"2012-10-17"}`,
	} {
		if form.Get(name) != want {
			t.Errorf("%s: got %s, want %s", name, form.Get(name), want)
		}
	}
	claims["https://aws.amazon.com/tags"] = map[string]any{"principal_tags": map[string]any{"team": []string{"red/../blue"}}}
	_, err := serve(t, b.Stack, sign(t, key, "k1", claims))
	wantKind(t, "a tag that leads elsewhere", err, identity.KindAccessDenied)
}

// foreignAccess are the claims of an access token as Keycloak makes them.
func foreignAccess(s *stacktest.Stack) map[string]any {
	now := s.Clock.Now().Unix()
	return map[string]any{
		"iss": stacktest.ForeignIssuer, "sub": "alice", "aud": []string{"account", "cray"}, "azp": "cli", "typ": "Bearer",
		"iat": now, "exp": now + 300, "preferred_username": "Alice A.",
	}
}

func TestBrokeredByWebIdentity(t *testing.T) {
	t.Parallel()
	b := newBrokers(t)
	s := cephService()
	s.UpstreamMethod = identity.UpstreamWebIdentity
	putService(t, b.Stack, s)
	set := shastaLogin(t, b.Stack)
	b.wantKey("first", set.AccessToken, 1)
	b.wantKey("again", set.AccessToken, 1)
	form := b.asked()[0]
	if form.Get("Action") != "AssumeRoleWithWebIdentity" || form.Get("WebIdentityToken") != set.AccessToken.Reveal() || form.Get("signed") != "false" {
		t.Errorf("got %s, signed %s", form.Get("Action"), form.Get("signed"))
	}
	b.Clock.Advance(time.Second)
	next, err := b.Issuer.Refresh(t.Context(), issue.RefreshGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, RefreshToken: set.RefreshToken})
	if err != nil {
		t.Fatal(err)
	}
	b.wantKey("the upstream has not seen the next token", next.AccessToken, 2)
}

func TestBrokerFailures(t *testing.T) {
	t.Parallel()
	b := newBrokers(t)
	tok := shastaLogin(t, b.Stack).AccessToken
	set := func(status int, body string) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	set(404, `<Error><Code>NoSuchEntity</Code><Message>its own words</Message></Error>`)
	_, err := serve(t, b.Stack, tok)
	wantKind(t, "role absent", err, identity.KindUpstream)
	e := identity.AsError(err)
	if e.Detail != nil || strings.Contains(e.Public, "NoSuchEntity") || !strings.Contains(err.Error(), "NoSuchEntity") || strings.Contains(err.Error(), "its own words") {
		t.Errorf("public %q, detail %v, all %v", e.Public, e.Detail, err)
	}
	if err := b.Issuer.TokenServiceReady(t.Context(), "x"); err != nil {
		t.Errorf("one role that is refused makes all unready: %v", err)
	}
	b.Clock.Advance(10 * time.Second)
	set(403, `<Error><Code>AccessDenied</Code><Message></Message></Error>`)
	wantKind(t, "keys refused", b.Issuer.TokenServiceReady(t.Context(), "x"), identity.KindUnavailable)
	b.Clock.Advance(10 * time.Second)
	set(400, `<Error><Code>InvalidArgument</Code><Message></Message></Error>`)
	wantKind(t, "well again", b.Issuer.TokenServiceReady(t.Context(), "x"), "")
	set(503, "")
	_, err = serve(t, b.Stack, tok)
	wantKind(t, "away", err, identity.KindUnavailable)
	wantKind(t, "ready while away", b.Issuer.TokenServiceReady(t.Context(), "x"), identity.KindUnavailable)
	b.sts = nil
	wantKind(t, "not configured", b.Issuer.TokenServiceReady(t.Context(), "x"), identity.KindUnavailable)
	if log := b.AuditLines(t); !strings.Contains(log, `"upstreamCode":"NoSuchEntity"`) || !strings.Contains(log, `"upstreamStatus":"404"`) {
		t.Error("the audit log does not say why the upstream refused")
	}
}
