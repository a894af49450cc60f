package server

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"daypass/internal/awswire"
	"daypass/internal/identity"
)

const (
	// maxPeek is how much of a form is read to find its Action: the limit of
	// the control APIs, so nothing that one would accept is missed.
	maxPeek = 1 << 20
	// maxTrusted is how much of a promised length is made room for at once.
	maxTrusted = 64 << 10
	// peekTimeout is how long a client may take to send that.
	peekTimeout = 30 * time.Second
	formType    = "application/x-www-form-urlencoded"
)

// scopeService returns the service in the credential scope of a signed
// request, and whether there is a scope at all. A signature too malformed to
// have one is left to the service that the other selectors name.
func scopeService(r *http.Request) (string, bool) {
	for _, value := range r.Header["Authorization"] {
		if !strings.HasPrefix(value, "AWS4-") {
			continue
		}
		_, after, ok := strings.Cut(value, "Credential=")
		if !ok {
			continue
		}
		credential, _, _ := strings.Cut(after, ",")
		return serviceOfCredential(strings.TrimSpace(credential))
	}
	_, query, _ := strings.Cut(r.RequestURI, "?")
	if credential, ok := queryValue(query, "X-Amz-Credential"); ok {
		return serviceOfCredential(credential)
	}
	return "", false
}

// serviceOfCredential splits from the right: access keys may hold slashes, and
// SigV4A scopes have no region.
func serviceOfCredential(credential string) (string, bool) {
	i := strings.LastIndexByte(credential, '/')
	if i < 0 {
		return "", false
	}
	rest := credential[:i]
	j := strings.LastIndexByte(rest, '/')
	if j < 0 || rest[j+1:] == "" {
		return "", false
	}
	return rest[j+1:], true
}

// queryValue finds the first value of a parameter without parsing the rest.
func queryValue(query, name string) (string, bool) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(key); err != nil || decoded != name {
			continue
		}
		decoded, err := url.QueryUnescape(value)
		return decoded, err == nil
	}
	return "", false
}

// actionSelector reads Action and Version, at the path "/" only, from the query
// and, for forms, from the body. An action known to no model is one of either
// query service, unless the version says which. With an Action both in query
// and body the query's counts here; the service refuses it.
func actionSelector(r *http.Request, path string, bucketHost bool) (services, string, *identity.Error) {
	if path != "/" {
		return setNone, "", nil
	}
	_, query, _ := strings.Cut(r.RequestURI, "?")
	action, found := queryValue(query, "Action")
	version, _ := queryValue(query, "Version")
	if isForm(r) {
		body, whole, err := peek(r)
		if err != nil {
			return setSTS | setIAM, "", err
		}
		if !whole && !found && !bucketHost {
			return setSTS | setIAM, "", identity.NewError(identity.KindTooLarge, "server.Route", "")
		}
		if !found {
			action, found = queryValue(body, "Action")
		}
		if version == "" {
			version, _ = queryValue(body, "Version")
		}
	}
	if !found {
		return setNone, "", nil
	}
	switch {
	case slices.Contains(stsActions, action):
		return setSTS, action, nil
	case version == awswire.VersionIAM:
		return setIAM, action, nil
	case version == awswire.VersionSTS:
		return setSTS, action, nil
	}
	return setSTS | setIAM, action, nil
}

func isForm(r *http.Request) bool {
	if r.Method != http.MethodPost || r.Body == nil || r.Body == http.NoBody {
		return false
	}
	written := r.Header.Get("Content-Type")
	if written == formType || written == formType+"; charset=utf-8" { // as the SDKs write it
		return true
	}
	media, _, err := mime.ParseMediaType(written)
	return err == nil && media == formType
}

// peek reads a form's beginning and puts it back. whole says that it was all.
func peek(r *http.Request) (text string, whole bool, failed *identity.Error) {
	if r.ContentLength > maxPeek {
		return "", false, nil
	}
	var body []byte
	var err error
	if n := r.ContentLength; n >= 0 && n <= maxTrusted {
		body = make([]byte, n)
		_, err = io.ReadFull(r.Body, body)
	} else {
		body, err = io.ReadAll(io.LimitReader(r.Body, maxPeek+1))
	}
	if err != nil {
		return "", false, &identity.Error{Kind: identity.KindIncompleteBody, Op: "server.Route", Err: err}
	}
	r.Body = &rejoined{ReadCloser: r.Body, begin: body}
	return string(body), len(body) <= maxPeek, nil
}

// rejoined is a body whose beginning was read.
type rejoined struct {
	io.ReadCloser
	begin []byte
}

func (b *rejoined) Read(p []byte) (int, error) {
	if len(b.begin) == 0 {
		return b.ReadCloser.Read(p)
	}
	n := copy(p, b.begin)
	b.begin = b.begin[n:]
	return n, nil
}
