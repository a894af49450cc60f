package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// Client calls a running server over its socket. Its errors are those of the
// server, kind and all, the request ID at the end of Public; KindUnavailable
// when nobody answers, with what to do in Public.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient makes a client for a socket.
func NewClient(socket string) *Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, socket) },
	}
	return &Client{socket, &http.Client{Transport: transport}}
}

// SocketIn is the socket of the server that runs on a data directory.
func SocketIn(data string) string { return filepath.Join(data, SocketName) }

// Apply brings the site into line and returns what changed, or would change.
func (c *Client) Apply(ctx context.Context, spec directory.SiteSpec, dryRun bool) (ApplyResult, error) {
	var out ApplyResult
	err := c.call(ctx, http.MethodPost, "/v1/apply", applyRequest{encodeSpec(spec), dryRun}, &out)
	return out, err
}

// KeyStatus returns the state of the keys as JSON.
func (c *Client) KeyStatus(ctx context.Context) (json.RawMessage, error) {
	var out json.RawMessage
	err := c.call(ctx, http.MethodGet, "/v1/keyring", nil, &out)
	return out, err
}

// RotateKeys rotates what is named, with now for immediate use and with
// compromised to end also what the old keys made, and returns
// what happened as JSON.
func (c *Client) RotateKeys(ctx context.Context, what string, now, compromised bool) (json.RawMessage, error) {
	var out json.RawMessage
	err := c.call(ctx, http.MethodPost, "/v1/keyring/rotate", rotateRequest{what, now, compromised}, &out)
	return out, err
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	body, err := c.open(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer body.Close()
	answer, err := io.ReadAll(io.LimitReader(body, MaxBody))
	if err != nil {
		return brokeOff(err)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return notUnderstood(err)
	}
	return nil
}

// open calls, and returns the body of an answer that is no refusal.
func (c *Client) open(ctx context.Context, method, path string, in any) (io.ReadCloser, error) {
	response, err := c.send(ctx, method, path, in)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// send calls, and returns an answer that is no refusal.
func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://daypass"+path, body)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindUnavailable, Op: "admin.call", Public: hint(c.socket, err), Err: err}
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, MaxBody))
	if err != nil {
		return nil, brokeOff(err)
	}
	return nil, refusal(answer)
}

func brokeOff(err error) error {
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return &identity.Error{Kind: identity.KindUnavailable, Op: "admin.call", Public: "the answer of the server broke off: " + err.Error(), Err: err}
}

func notUnderstood(err error) error {
	return &identity.Error{Kind: identity.KindInternal, Op: "admin.call", Public: "the answer of the server is not understood; are client and server of the same version?", Err: err}
}

func refusal(answer []byte) error {
	var e errorAnswer
	if json.Unmarshal(answer, &e) != nil || e.Error.Kind == "" {
		return identity.NewError(identity.KindInternal, "admin.call", "the server answered with something else than Daypass's errors")
	}
	message := e.Error.Message
	if e.Error.RequestID != "" {
		message += " [request " + e.Error.RequestID + "]"
	}
	return identity.NewError(e.Error.Kind, "admin.call", message)
}
