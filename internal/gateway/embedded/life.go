package embedded

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"daypass/internal/identity"
)

const (
	// MaxRequests is how many requests the child takes at a time; it refuses
	// more, and needs a few for its own answers. Whoever sends keeps to it.
	MaxRequests = 480

	// Heads pass through buffers of headBytes, bodies go by steps of copyBytes
	// to and from the connection: large buffers would only be copied twice.
	headBytes         = 16 << 10
	copyBytes         = 128 << 10
	maxIdle           = 256
	idleTimeout       = 90 * time.Second
	dialTimeout       = 5 * time.Second
	continueTimeout   = time.Second
	maxResponseHeader = 256 << 10
)

// life is what belongs to one child: its socket, the key pair it accepts and
// the connections to it.
type life struct {
	socket      string
	accessKeyID string
	secret      identity.Secret
	transport   *inline
	pid         int // of the child, once it has been started
}

func newLife(socket string) *life {
	dialer := &net.Dialer{Timeout: dialTimeout}
	dial := func(ctx context.Context) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, "unix", socket)
		if err != nil {
			return nil, err
		}
		return storeConn{conn}, nil
	}
	return &life{
		socket:      socket,
		accessKeyID: rand.Text(),
		secret:      identity.Secret(rand.Text() + rand.Text()),
		transport: &inline{dial: dial, rest: addressed{&http.Transport{
			DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
			DisableCompression:     true,
			ReadBufferSize:         headBytes,
			WriteBufferSize:        headBytes,
			MaxIdleConns:           maxIdle,
			MaxIdleConnsPerHost:    maxIdle,
			IdleConnTimeout:        idleTimeout,
			ExpectContinueTimeout:  continueTimeout,
			MaxResponseHeaderBytes: maxResponseHeader,
		}}},
	}
}

// writeKeys hands the key pair over in the one line that the child reads.
func (l *life) writeKeys(w io.Writer) error {
	line, err := json.Marshal(map[string]string{
		"access_key_id":     l.accessKeyID,
		"secret_access_key": l.secret.Reveal(),
	})
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// signedElsewhere reports whether r is signed, and not with the key pair of l.
func (l *life) signedElsewhere(r *http.Request) bool {
	authorization := r.Header.Get("Authorization")
	return authorization != "" && !strings.Contains(authorization, "Credential="+l.accessKeyID+"/")
}

// addressed gives every request the same URL's host, so that all share one pool
// of connections; the Host header, which is signed, stays what it was.
type addressed struct{ *http.Transport }

func (t addressed) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.WithContext(r.Context())
	u := *r.URL
	if out.Host == "" {
		out.Host = u.Host
	}
	u.Scheme, u.Host = "http", "objectstore"
	out.URL = &u
	return t.Transport.RoundTrip(out)
}

type roundTripper struct{ store *Store }

// RoundTrip sends r to the child now serving. It leaves errors of r's own body
// and context as they are; every other failure is KindUnavailable.
func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	const op = "embedded.RoundTrip"
	l, err := t.store.current(op)
	if err == nil && l.signedElsewhere(r) {
		err = unavailable(op, 0, errors.New("the object store was restarted after the request was signed"))
	}
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	resp, err := l.transport.RoundTrip(r)
	if err == nil {
		return resp, nil
	}
	var own *identity.Error
	if r.Context().Err() != nil || errors.As(err, &own) {
		return nil, err
	}
	return nil, unavailable(op, 0, err)
}
