package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
)

const (
	requestTimeout = 30 * time.Second
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 1 << 20
)

// wire is one installation, as one profile reaches it.
type wire struct {
	profile *Profile
	agent   string
	clock   identity.Clock
	http    *http.Client
	trace   io.Writer // nil for none
}

// answer is what came back, and where to look for it in the server's log.
type answer struct {
	status    int
	header    http.Header
	body      []byte
	requestID string
}

func newWire(p *Profile, o Options) (*wire, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if p.CAFile != "" {
		pem, err := os.ReadFile(p.CAFile)
		if err != nil {
			return nil, unreadable(err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, identity.NewError(identity.KindValidation, "client.ca", p.CAFile+" holds no certificate: name a PEM file as ca_file")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return &wire{
		profile: p, agent: o.UserAgent, clock: o.Clock, trace: o.Trace,
		http: &http.Client{
			Transport: transport, Timeout: requestTimeout,
			// A redirect would carry the form, and what is secret in it, elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Media types of bodies.
const (
	formMedia = "application/x-www-form-urlencoded"
	jsonMedia = "application/json"
)

// post sends a form; sign, when given, signs the request for STS.
func (w *wire) post(ctx context.Context, doing, path string, form url.Values, sign *Keys) (*answer, error) {
	body := form.Encode()
	r, err := w.request(ctx, http.MethodPost, path, []byte(body), formMedia)
	if err != nil {
		return nil, err
	}
	if sign != nil {
		cred := sigv4.Credentials{AccessKeyID: sign.AccessKeyID, SecretAccessKey: sign.SecretAccessKey.Reveal(), SessionToken: sign.SessionToken.Reveal()}
		if err := sigv4.Sign(r, cred, w.profile.Region, "sts", hashHex(body), w.clock.Now()); err != nil {
			return nil, err
		}
	}
	return w.do(doing, r, form)
}

// request makes a request for the profile's endpoint; media is the type of the
// body, "" for none.
func (w *wire) request(ctx context.Context, method, path string, body []byte, media string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, w.profile.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	r.Header.Set("User-Agent", w.agent)
	return r, nil
}

// do sends a request; form is its body where that is a form, for the trace.
func (w *wire) do(doing string, r *http.Request, form url.Values) (*answer, error) {
	w.traceRequest(r, form)
	response, err := w.http.Do(r)
	if err != nil {
		return nil, w.unreachable(doing, err)
	}
	defer response.Body.Close()
	a := &answer{status: response.StatusCode, header: response.Header}
	for _, name := range []string{"X-Amzn-Requestid", "X-Request-Id", "Transaction-Id"} {
		if a.requestID == "" {
			a.requestID = response.Header.Get(name)
		}
	}
	if a.body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer)); err != nil {
		return nil, w.unreachable(doing, err)
	}
	w.traceAnswer(a)
	if a.status >= 300 && a.status < 400 {
		return nil, w.failed(identity.KindUnavailable, doing, "the endpoint redirects to "+response.Header.Get("Location"),
			"correct the endpoint of the profile", a.requestID, nil)
	}
	return a, nil
}

// unreachable is a call that got no answer.
func (w *wire) unreachable(doing string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	next := "check the endpoint and the network"
	var unknown x509.UnknownAuthorityError
	switch text := err.Error(); {
	case errors.As(err, &unknown):
		next = "give the authority's certificate with --ca-file FILE"
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		next = "the port speaks plain HTTP: the endpoint begins with http://"
	}
	return w.failed(identity.KindUnavailable, doing, err.Error(), next, "", err)
}

// failed makes an error in the form that all have: what failed, where, why,
// what to do, and the server's request ID at the end.
func (w *wire) failed(kind identity.Kind, doing, why, next, requestID string, cause error) *identity.Error {
	text := fmt.Sprintf("%s failed at %s (profile %s): %s", doing, w.profile.Endpoint, w.profile.Name, strings.TrimSuffix(why, "."))
	if next != "" {
		text += "; " + next
	}
	if requestID != "" {
		text += " [request " + requestID + "]"
	}
	return &identity.Error{Kind: kind, Op: "client." + strings.ReplaceAll(doing, " ", "-"), Public: text, Err: cause}
}
