package operate

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/upstream"
)

const opUpstream = "operate.upstream"

// Upstream is one store behind the gate, without its credentials.
type Upstream struct {
	Name         string                `json:"name"`
	Endpoint     string                `json:"endpoint"`
	Region       string                `json:"region"`
	Addressing   string                `json:"addressing"`
	Mode         upstream.Mode         `json:"mode"`
	KeySemantics upstream.KeySemantics `json:"key_semantics"`
	// Up: requests are sent there; false while it is tried whether it is back.
	Up bool `json:"up"`
	// Buckets is how many buckets of the registry are there.
	Buckets int `json:"buckets"`
	// Gone: buckets are there, and the configuration does not name it.
	Gone bool `json:"gone,omitempty"`
}

// ListUpstreams lists the stores behind the gate, and those that only the
// registry of buckets still names.
func (o *Operations) ListUpstreams(_ context.Context, c *identity.Caller) ([]Upstream, error) {
	if err := o.permit(c, "daypass:ListUpstreams"); err != nil {
		return nil, err
	}
	buckets, err := store.Buckets.List(o.db.Snapshot(), "", "", store.After{}, 0)
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for _, b := range buckets {
		count[b.Upstream]++
	}
	var out []Upstream
	for _, u := range o.upstreams.All() {
		d := describe(u)
		d.Buckets = count[u.Name]
		delete(count, u.Name)
		out = append(out, d)
	}
	for name, n := range count {
		out = append(out, Upstream{Name: name, Buckets: n, Gone: true})
	}
	slices.SortFunc(out, func(a, b Upstream) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func describe(u *upstream.S3) Upstream {
	d := Upstream{Name: u.Name, Region: u.Region, Addressing: "path", Mode: u.Mode, KeySemantics: u.KeySemantics, Up: u.Breaker.Up()}
	if u.Endpoint != nil {
		d.Endpoint = u.Endpoint.Scheme + "://" + u.Endpoint.Host
	}
	if u.VirtualHost {
		d.Addressing = "virtual"
	}
	return d
}

// UpstreamBucket is one bucket that a store has, or should have.
type UpstreamBucket struct {
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	// AccountID is the account that owns it here, "" for none.
	AccountID string `json:"account_id,omitempty"`
	// Missing: the registry has it, and the store's list has not.
	Missing bool `json:"missing,omitempty"`
	// Why says why it can not be claimed, "" when it can or is owned.
	Why string `json:"why,omitempty"`
}

// UpstreamBuckets lists the buckets that an upstream shows to our credentials,
// by name, and what they are here. KindNotFound, KindUnavailable, KindUpstream.
func (o *Operations) UpstreamBuckets(ctx context.Context, c *identity.Caller, name string) ([]UpstreamBucket, error) {
	if err := o.permit(c, "daypass:ListUpstreamBuckets"); err != nil {
		return nil, err
	}
	u, err := o.upstream(name)
	if err != nil {
		return nil, err
	}
	there, err := listBuckets(ctx, u)
	if err != nil {
		return nil, err
	}
	snap := o.db.Snapshot()
	registered, err := store.Buckets.List(snap, "", "", store.After{}, 0)
	if err != nil {
		return nil, err
	}
	ours := map[string]string{}
	for _, b := range registered {
		if b.Upstream == u.Name {
			ours[b.Name] = b.AccountID
		}
	}
	var out []UpstreamBucket
	for _, b := range there {
		line := UpstreamBucket{Name: b.Name, CreatedAt: b.CreatedAt, AccountID: ours[b.Name]}
		if line.AccountID == "" {
			if err := o.claimable(snap, b.Name); err != nil {
				line.Why = identity.AsError(err).Public
			}
		}
		delete(ours, b.Name)
		out = append(out, line)
	}
	for name, account := range ours {
		out = append(out, UpstreamBucket{Name: name, AccountID: account, Missing: true})
	}
	slices.SortFunc(out, func(a, b UpstreamBucket) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// upstream finds one by its name.
func (o *Operations) upstream(name string) (*upstream.S3, error) {
	if u, ok := o.upstreams.ByName(name); ok {
		return u, nil
	}
	var names []string
	for _, u := range o.upstreams.All() {
		names = append(names, u.Name)
	}
	return nil, identity.NewError(identity.KindNotFound, opUpstream, "There is no upstream "+clip(name)+"; there is "+strings.Join(names, ", ")+".")
}

// away says of an upstream that could not be asked why.
func away(u *upstream.S3, err error) error {
	cause := err
	if e := identity.AsError(err); e.Err != nil {
		cause = e.Err
	}
	return &identity.Error{Kind: identity.KindUnavailable, Op: opUpstream, Public: "The upstream " + u.Name + " cannot be reached: " + cause.Error(), Err: err}
}

// storeBucket is one bucket of a store's own list.
type storeBucket struct {
	Name      string
	CreatedAt time.Time // zero when the store tells none
}

const (
	maxList      = 16 << 20 // one page of a list of buckets
	maxListPages = 1000
)

// listBuckets lists the buckets that a store shows to our credentials.
func listBuckets(ctx context.Context, u *upstream.S3) ([]storeBucket, error) {
	var out []storeBucket
	token := ""
	for range maxListPages {
		query := ""
		if token != "" {
			query = "continuation-token=" + url.QueryEscape(token)
		}
		resp, err := u.Do(ctx, &upstream.Request{Method: http.MethodGet, Query: query})
		if err != nil {
			return nil, away(u, err)
		}
		var page struct {
			Buckets []struct {
				Name    string `xml:"Name"`
				Created string `xml:"CreationDate"`
			} `xml:"Buckets>Bucket"`
			Next string `xml:"ContinuationToken"`
		}
		if err := readXML(resp, &page); err != nil {
			return nil, &identity.Error{Kind: identity.KindUpstream, Op: opUpstream, Public: "The upstream " + u.Name + " does not list its buckets: " + err.Error(), Err: err}
		}
		for _, b := range page.Buckets {
			at, _ := time.Parse(time.RFC3339Nano, b.Created)
			out = append(out, storeBucket{b.Name, at})
		}
		if page.Next == "" || page.Next == token {
			return out, nil
		}
		token = page.Next
	}
	return nil, identity.NewError(identity.KindUpstream, opUpstream, "The list of buckets of the upstream "+u.Name+" has no end.")
}

// readXML reads and closes an answer of status 200; any other is an error with
// the code that it carries.
func readXML(resp *http.Response, into any) error {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxList))
	resp.Body.Close()
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New("it answered " + refusal(resp.StatusCode, raw))
	}
	return xml.Unmarshal(raw, into)
}

// refusal names an answer of a store by status and S3 code.
func refusal(status int, raw []byte) string {
	text := http.StatusText(status)
	if code := codeOf(raw); code != "" {
		text = code
	}
	return strings.TrimSpace(strconv.Itoa(status) + " " + text)
}

// codeOf is the S3 code of an error document, "" for none.
func codeOf(raw []byte) string {
	var e struct {
		XMLName xml.Name `xml:"Error"`
		Code    string   `xml:"Code"`
	}
	if xml.Unmarshal(raw, &e) != nil {
		return ""
	}
	return clip(e.Code)
}
