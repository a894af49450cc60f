package s3

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

const (
	maxCORSRules  = 100
	maxCORSBytes  = 64 << 10 // as S3
	maxCORSCached = 1024
	// corsFor is how long another node may go on with an older configuration.
	corsFor     = 30 * time.Second
	corsTimeout = 10 * time.Second
	opCORS      = "s3.cors"
)

// corsRule is one rule of a bucket's CORS configuration.
type corsRule struct {
	Origins []string `xml:"AllowedOrigin"`
	Methods []string `xml:"AllowedMethod"`
	Headers []string `xml:"AllowedHeader"`
	Expose  []string `xml:"ExposeHeader"`
	MaxAge  string   `xml:"MaxAgeSeconds"`
}

// ParseCORS reads a CORS configuration. Errors are of KindMalformedXML.
func ParseCORS(raw []byte) ([]corsRule, error) {
	var doc struct {
		XMLName xml.Name   `xml:"CORSConfiguration"`
		Rules   []corsRule `xml:"CORSRule"`
	}
	err := xml.Unmarshal(raw, &doc)
	if err == nil && len(doc.Rules) > maxCORSRules {
		err = errors.New("too many rules")
	}
	for _, r := range doc.Rules {
		if err != nil {
			break
		}
		err = r.check()
	}
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindMalformedXML, Op: opCORS, Err: err}
	}
	return doc.Rules, nil
}

// check refuses a rule that could not stand in a header: values are answered.
func (r *corsRule) check() error {
	for _, v := range slices.Concat(r.Origins, r.Methods, r.Headers, r.Expose) {
		if v == "" || strings.Count(v, "*") > 1 || strings.ContainsFunc(v, func(c rune) bool { return c <= ' ' || c > '~' || c == ',' }) {
			return errors.New("a value of a rule is not valid")
		}
	}
	if _, err := strconv.Atoi(r.MaxAge); r.MaxAge != "" && err != nil {
		return err
	}
	return nil
}

// wildcard matches a pattern with at most one *.
func wildcard(pattern, s string) bool {
	before, after, any := strings.Cut(pattern, "*")
	if !any {
		return pattern == s
	}
	return len(s) >= len(before)+len(after) && strings.HasPrefix(s, before) && strings.HasSuffix(s, after)
}

func (r *corsRule) allows(origin, method string) bool {
	return slices.Contains(r.Methods, method) &&
		slices.ContainsFunc(r.Origins, func(p string) bool { return wildcard(p, origin) })
}

func (r *corsRule) allowsHeaders(headers []string) bool {
	for _, h := range headers {
		if !slices.ContainsFunc(r.Headers, func(p string) bool { return wildcard(strings.ToLower(p), h) }) {
			return false
		}
	}
	return true
}

// answer sets what S3 says of a request from origin that the rule allows.
func (r *corsRule) answer(h http.Header, origin string) {
	if slices.Contains(r.Origins, "*") {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(r.Methods, ", "))
	if len(r.Expose) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(r.Expose, ", "))
	}
	if r.MaxAge != "" {
		h.Set("Access-Control-Max-Age", r.MaxAge)
	}
}

// corsVary stands on every answer that depends on who asks from where.
const corsVary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"

// preflight answers the question that a browser asks before a request from
// another origin. It carries no credential: only the bucket's configuration
// decides, and a bucket that nobody owns answers like one without any.
func (x *exchange) preflight() error {
	origin, method := x.r.Header.Get("Origin"), x.r.Header.Get("Access-Control-Request-Method")
	switch {
	case origin == "":
		return coded("BadRequest", http.StatusBadRequest, "Insufficient information. Origin request header needed.")
	case !slices.Contains([]string{"GET", "PUT", "POST", "DELETE", "HEAD"}, method):
		return coded("BadRequest", http.StatusBadRequest, "Invalid Access-Control-Request-Method.")
	}
	rules, err := x.corsRules()
	if err != nil {
		return err
	}
	x.w.Header().Set("Vary", corsVary)
	if len(rules) == 0 {
		return coded("AccessForbidden", http.StatusForbidden, "CORSResponse: CORS is not enabled for this bucket.")
	}
	var headers []string
	for v := range strings.SplitSeq(strings.Join(x.r.Header["Access-Control-Request-Headers"], ","), ",") {
		if v = strings.ToLower(strings.TrimSpace(v)); v != "" {
			headers = append(headers, v)
		}
	}
	for i := range rules {
		if !rules[i].allows(origin, method) || !rules[i].allowsHeaders(headers) {
			continue
		}
		h := x.w.Header()
		rules[i].answer(h, origin)
		if len(headers) > 0 {
			h.Set("Access-Control-Allow-Headers", strings.Join(headers, ", "))
		}
		x.identify()
		h.Set("Content-Length", "0")
		x.w.WriteHeader(http.StatusOK)
		return nil
	}
	return coded("AccessForbidden", http.StatusForbidden, "CORSResponse: This CORS request is not allowed. "+
		"This is usually because the evaluation of Origin, request method / Access-Control-Request-Method or "+
		"Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.")
}

// crossOrigin lets the page that a request came from read the answer, errors
// included, where the bucket's configuration says so.
func (x *exchange) crossOrigin() {
	origin := x.r.Header.Get("Origin")
	if origin == "" || x.target.Bucket == "" {
		return
	}
	rules, err := x.corsRules()
	if err != nil || len(rules) == 0 {
		return
	}
	x.w.Header().Set("Vary", corsVary)
	for i := range rules {
		if rules[i].allows(origin, x.r.Method) {
			rules[i].answer(x.w.Header(), origin)
			return
		}
	}
}

// corsRules are those of the request's bucket, none when it has no owner here.
func (x *exchange) corsRules() ([]corsRule, error) {
	name := x.target.Bucket
	if _, err := x.g.owned(name); err != nil {
		return nil, nil
	}
	return x.g.cors.get(x.r.Context(), x.g, name)
}

// corsCache holds configurations for a while, so that strangers who send
// preflights cannot make the upstream work for each.
type corsCache struct {
	mu      sync.Mutex
	entries map[string]*corsEntry
}

type corsEntry struct {
	loaded chan struct{} // closed when rules and err stand
	// of are the owner and the store: a bucket that was released can be claimed
	// by somebody else, or somewhere else.
	of    [2]string
	rules []corsRule
	err   error
	until time.Time
}

// get loads a configuration once for all who ask meanwhile. Errors are of
// KindUnavailable, or the context's.
func (c *corsCache) get(ctx context.Context, g *Gateway, name string) ([]corsRule, error) {
	now := g.clock.Now()
	b, _ := g.bucket(name)
	of := [2]string{b.AccountID, b.Upstream}
	c.mu.Lock()
	e := c.entries[name]
	if e == nil || now.After(e.until) || e.of != of {
		e = &corsEntry{loaded: make(chan struct{}), until: now.Add(corsFor), of: of}
		c.makeRoom()
		c.entries[name] = e
		go c.load(context.WithoutCancel(ctx), g, name, e)
	}
	c.mu.Unlock()
	select {
	case <-e.loaded:
		return e.rules, e.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *corsCache) load(ctx context.Context, g *Gateway, name string, e *corsEntry) {
	ctx, cancel := context.WithTimeout(ctx, corsTimeout)
	defer cancel()
	e.rules, e.err = g.fetchCORS(ctx, name)
	if e.err != nil {
		c.mu.Lock()
		if c.entries[name] == e {
			delete(c.entries, name)
		}
		c.mu.Unlock()
	}
	close(e.loaded)
}

// makeRoom drops any entry; they come back at the next request.
func (c *corsCache) makeRoom() {
	for name := range c.entries {
		if len(c.entries) < maxCORSCached {
			return
		}
		delete(c.entries, name)
	}
}

// forget is called once a configuration may have changed.
func (c *corsCache) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, name)
}

func (g *Gateway) fetchCORS(ctx context.Context, name string) ([]corsRule, error) {
	up, err := g.ownedAt(name)
	if err != nil {
		return nil, err
	}
	resp, err := up.Do(ctx, &upstream.Request{Method: http.MethodGet, Bucket: name, Query: "cors="})
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		err := g.upstreamError(up, resp)
		if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusNotImplemented {
			return nil, nil
		}
		return nil, &identity.Error{Kind: identity.KindUnavailable, Op: opCORS, Err: err, RetryAfterSeconds: 1}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 4*maxCORSBytes))
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindUnavailable, Op: opCORS, Err: err, RetryAfterSeconds: 1}
	}
	rules, err := ParseCORS(raw)
	if err != nil {
		return nil, nil // what we cannot read allows nobody
	}
	return rules, nil
}

// changeCORS forwards a change, checked here too: what this gate could not
// read again would silently allow nothing.
func (x *exchange) changeCORS() error {
	if x.op.body == bodyDocument {
		raw, err := x.readDocument()
		if err != nil {
			return err
		}
		if _, err := ParseCORS(raw); err != nil {
			return err
		}
		x.judged = raw
	}
	defer x.g.cors.forget(x.target.Bucket)
	return x.forward()
}
