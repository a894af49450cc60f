package egress

import (
	"io"
	"net/http"
)

// HTTPClient makes a client for a protocol that a library speaks, such as the
// token endpoint of OAuth 2.0. Each of its requests is bound as Get's is: the
// URL, the address, time, headers and size of the answer. Redirects are not
// followed: what is sent may hold a secret that is for one URL. caBundle as of
// Get.
func (c *Client) HTTPClient(caBundle string) (*http.Client, error) {
	roots, err := rootsWith(caBundle)
	if err != nil {
		return nil, err
	}
	client := c.httpClient(roots, 0)
	client.Timeout = MaxTime
	client.Transport = bounded{c, client.Transport}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return errRedirects }
	return client, nil
}

// bounded judges the URL of each request and bounds its answer.
type bounded struct {
	client *Client
	next   http.RoundTripper
}

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := b.client.checkURL(r.URL); err != nil {
		return nil, err
	}
	res, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, cause(err)
	}
	res.Body = &boundedBody{res.Body, MaxBody}
	return res, nil
}

// boundedBody fails beyond its bound, where a limited reader would feign an end.
type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
