package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

const (
	testKey    = "AKIATESTTESTTESTTEST"
	testSecret = "test-secret"
	testToken  = "a.b.c" // a bearer's
	account    = "123456789012"
	rootKey    = "upstream-key"
	rootSecret = "upstream-secret"
)

var testCaller = identity.Caller{
	Kind: identity.IAMUser, AccountID: account, Partition: "aws", PrincipalID: "AIDATEST", ARN: "arn:aws:iam::123456789012:user/alice",
}

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

type fixedClock struct{}

func (fixedClock) Now() time.Time { return testTime }

// fakeAccess really checks signatures; it allows what deny does not name.
type fakeAccess struct {
	mu    sync.Mutex
	deny  map[string]bool // "action" or "action resource-suffix"
	asked []string
	keys  []map[string][]string
	// reads is a tag that stored objects must have with the value "yes", unless
	// lenient: then it is read and does not count.
	reads   string
	lenient bool
	ended   atomic.Bool
	// then, when set, runs when something was asked.
	then func(action string)
}

// keysOf are the values of all condition keys but those of stored objects.
func keysOf(res access.Resource) map[string][]string {
	m := map[string][]string{}
	for name := range strings.FieldsSeq(`s3:authType s3:signatureversion s3:signatureAge s3:TlsVersion s3:prefix s3:delimiter s3:max-keys
		s3:VersionId s3:x-amz-acl s3:x-amz-grant-read s3:x-amz-copy-source s3:x-amz-metadata-directive s3:x-amz-server-side-encryption
		s3:x-amz-server-side-encryption-customer-algorithm s3:x-amz-server-side-encryption-aws-kms-key-id s3:x-amz-storage-class
		s3:x-amz-content-sha256 s3:x-amz-object-ownership s3:if-match s3:if-none-match s3:locationconstraint
		s3:object-lock-mode s3:object-lock-retain-until-date s3:object-lock-remaining-retention-days s3:object-lock-legal-hold
		s3:RequestObjectTagKeys s3:RequestObjectTag/a s3:RequestObjectTag/b s3:RequestObjectTag/d aws:TagKeys aws:RequestTag/a
		s3:DataAccessPointAccount s3:DataAccessPointArn aws:ResourceTag/a`) {
		if v := res.Later(lowered(name)); v != nil {
			m[name] = v
		}
	}
	return m
}

func (a *fakeAccess) Authenticate(r *http.Request, svc access.Service, _ string) (access.Authenticated, error) {
	if sigv4.IsBearer(r) {
		token, signed, err := sigv4.ParseBearer(r)
		if err == nil && token != testToken {
			err = identity.NewError(identity.KindAccessDenied, "test", "")
		}
		return access.Authenticated{Signed: signed, Caller: testCaller}, refusal(err)
	}
	signed, err := sigv4.Parse(r, sigv4.Rules{Service: svc.Name, S3: true, Presigned: true, Asymmetric: true}, testTime)
	if err != nil {
		return access.Authenticated{}, refusal(err)
	}
	return accepted(signed)
}

func (a *fakeAccess) AuthenticateForm(r *http.Request, bucket string) (access.Authenticated, *sigv4.PostForm, error) {
	form, err := sigv4.ParsePostForm(r, bucket, sigv4.Rules{Service: "s3", S3: true}, testTime)
	if err != nil {
		return access.Authenticated{}, nil, refusal(err)
	}
	auth, err := accepted(form.Signed)
	return auth, form, err
}

func refusal(err error) error {
	var e *sigv4.Error
	if errors.As(err, &e) {
		return &identity.Error{Kind: identity.Kind(e.Failure), Op: "test", Public: e.S3Message()}
	}
	return err
}

func accepted(signed *sigv4.Signed) (access.Authenticated, error) {
	var err error
	if signed.Asymmetric {
		err = signed.CheckAsymmetric(sigv4.DeriveAsymmetric(testSecret, testKey), "")
	} else {
		err = signed.Check(sigv4.Derive(testSecret, signed.Date, signed.Region, "s3"), "")
	}
	if err != nil {
		return access.Authenticated{}, refusal(err)
	}
	return access.Authenticated{Signed: signed, Caller: testCaller}, nil
}

func (a *fakeAccess) Authorize(_ *identity.Caller, action string, res access.Resource) access.Decision {
	a.mu.Lock()
	defer a.mu.Unlock()
	short := strings.TrimPrefix(res.ARN, "arn:aws:s3:::")
	a.asked = append(a.asked, action+" "+short)
	a.keys = append(a.keys, keysOf(res))
	if a.then != nil {
		a.then(action)
	}
	if tag := a.reads; tag != "" {
		if got := res.Later("s3:existingobjecttag/" + tag); !a.lenient && (len(got) != 1 || got[0] != "yes") {
			return access.Decision{Effect: access.ImplicitDeny, Err: identity.NewError(identity.KindAccessDenied, "test", "tag")}
		}
	}
	if a.deny[action] || a.deny[action+" "+short] {
		return access.Decision{Effect: access.ImplicitDeny, Err: identity.NewError(identity.KindAccessDenied, "test", "not allowed: "+action+" on "+short)}
	}
	return access.Decision{Effect: access.Allow}
}

func (a *fakeAccess) Ended(context.Context, *identity.Caller) bool { return a.ended.Load() }

func (a *fakeAccess) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.asked
	a.asked, a.keys = nil, nil
	return out
}

// received is one request as the upstream saw it.
type received struct {
	Line   string // method and request target
	Header http.Header
	Body   string
	// Err is how reading the body ended, nil when it was complete.
	Err error
}

// fakeUpstream records what it gets, refuses what is not signed by the
// upstream's credential, and answers as reply says.
type fakeUpstream struct {
	t     *testing.T
	mu    sync.Mutex
	got   []received
	reply func(w http.ResponseWriter, r *http.Request)
}

func (f *fakeUpstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	signed, err := sigv4.Parse(r, sigv4.Rules{Service: "s3", S3: true}, testTime)
	if err == nil {
		err = signed.Check(sigv4.Derive(rootSecret, signed.Date, signed.Region, "s3"), "")
	}
	if err != nil || signed.AccessKeyID != rootKey {
		f.t.Errorf("upstream: not signed by us: %v", err)
	}
	body, err := io.ReadAll(r.Body)
	f.mu.Lock()
	f.got = append(f.got, received{r.Method + " " + r.RequestURI, r.Header.Clone(), string(body), err})
	reply := f.reply
	f.mu.Unlock()
	if err != nil {
		return
	}
	if reply != nil {
		reply(w, r)
	}
}

func (f *fakeUpstream) take() []received {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.got
	f.got = nil
	return out
}

type rig struct {
	t      *testing.T
	access *fakeAccess
	reg    *fakeRegistry
	store  *fakeUpstream
	up     *upstream.S3
	gw     *Gateway
	url    string
	client *http.Client
	// servers are the front and the store, in the order to close them in.
	servers []*httptest.Server
}

// newRig serves a gateway before a fake upstream. Buckets "photos" and
// "music" belong to the caller's account, "theirs" to another.
func newRig(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	q := &rig{
		t: t, access: &fakeAccess{deny: map[string]bool{}}, store: &fakeUpstream{t: t},
		reg: &fakeRegistry{m: map[string]identity.Bucket{}},
	}
	for name, owner := range map[string]string{"photos": account, "music": account, "theirs": "999999999999"} {
		q.reg.m[name] = identity.Bucket{Name: name, AccountID: owner, Region: "eu-west-1", Upstream: "main", State: identity.BucketOwned, CreatedAt: testTime}
	}
	store := httptest.NewServer(q.store)
	t.Cleanup(store.Close)
	endpoint, err := url.Parse(store.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := upstream.NewTransport(upstream.TransportConfig{})
	t.Cleanup(transport.CloseIdleConnections)
	q.up = &upstream.S3{
		Name: "main", Endpoint: endpoint, Region: "us-east-1", Transport: transport, Clock: fixedClock{},
		Credentials:  func() (string, identity.Secret, error) { return rootKey, rootSecret, nil },
		KeySemantics: upstream.KeysArePaths, ReservedPrefixes: []string{".sgwtmp/"}, Mode: upstream.Reframe,
	}
	c := Config{
		Access: q.access, Registry: q.reg, Bucket: q.reg.get, Upstreams: only(q.up), Clock: fixedClock{}, Bases: []string{"s3.example.test"},
		ControlSegments: []string{"apis", "oidc"}, ExternalURL: "https://s3.example.test", Region: "us-east-1",
	}
	if change != nil {
		change(&c)
	}
	if q.gw, err = New(c); err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q.gw.ServeHTTP(w, r.WithContext(identity.WithRequest(r.Context(), identity.RequestFacts{ID: "REQ1"})))
	}))
	t.Cleanup(front.Close)
	q.url, q.client, q.servers = front.URL, front.Client(), []*httptest.Server{front, store}
	q.client.Transport.(*http.Transport).DisableCompression = true
	return q
}

// only is a set of one upstream.
func only(up *upstream.S3) *upstream.Set {
	set, err := upstream.NewSet([]upstream.Member{{S3: up}}, nil, up.Name)
	if err != nil {
		panic(err)
	}
	return set
}

// call is one request of a test.
type call struct {
	method, target string
	header         map[string]string
	body           string
	payload        string // x-amz-content-sha256; "" = the body's hash
	host           string
	unsigned       bool
	presigned      bool
	noLength       bool
}

type answer struct {
	Status int
	Header http.Header
	Body   string
}

func (q *rig) do(c call) answer {
	q.t.Helper()
	req, err := q.build(c)
	if err != nil {
		q.t.Fatal(err)
	}
	resp, err := q.client.Do(req)
	if err != nil {
		q.t.Fatalf("%s %s: %v", c.method, c.target, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		q.t.Fatalf("%s %s: reading the answer: %v", c.method, c.target, err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func (q *rig) build(c call) (*http.Request, error) {
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(c.body)
		if c.noLength {
			body = io.MultiReader(body)
		}
	}
	req, err := http.NewRequest(c.method, q.url, body)
	if err != nil {
		return nil, err
	}
	path, query, _ := strings.Cut(c.target, "?")
	req.URL.Opaque, req.URL.RawQuery = path, query
	if strings.HasPrefix(path, "//") {
		req.URL.Opaque = ""
		req.URL.Path, req.URL.RawPath = path, path
	}
	req.Host = c.host
	for k, v := range c.header {
		req.Header.Set(k, v)
	}
	if c.unsigned {
		return req, nil
	}
	cred := sigv4.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}
	if c.presigned {
		return req, sigv4.Presign(req, cred, "us-east-1", "s3", time.Minute, testTime)
	}
	payload := c.payload
	if payload == "" {
		payload = sha256Hex(c.body)
	}
	if strings.HasPrefix(payload, "STREAMING-AWS4-") {
		// Refused by its name, before the signature is looked at.
		defer req.Header.Set("X-Amz-Content-Sha256", payload)
		payload = sigv4.UnsignedPayload
	}
	return req, sigv4.Sign(req, cred, "us-east-1", "s3", payload, testTime)
}

func sha256Hex(s string) string { return hexSum(sigv4.SHA256, s) }

func hexSum(c sigv4.Checksum, s string) string {
	h := c.New()
	h.Write([]byte(s))
	return fmt.Sprintf("%x", h.Sum(nil))
}

// framed is s as STREAMING-UNSIGNED-PAYLOAD-TRAILER.
func framed(s string, c sigv4.Checksum) string {
	var b bytes.Buffer
	if _, err := b.ReadFrom(sigv4.NewFramer(strings.NewReader(s), int64(len(s)), c)); err != nil {
		panic(err)
	}
	return b.String()
}
