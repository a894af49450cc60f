package upstream

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
)

// Set is every upstream of a server, and where new buckets go. It is replaced
// as a whole while requests run; whoever holds an *S3 goes on with it. It is
// safe for concurrent use.
type Set struct{ now atomic.Pointer[layout] }

type layout struct {
	all      []*S3
	byName   map[string]Member
	routes   []Route
	fallback string
}

// Member is one upstream: its S3, and its token service, nil where it has none.
type Member struct {
	S3  *S3
	STS *STS
}

// Route says where new buckets go that it fits: those of a name, of a prefix of
// names, or of an account. Exactly one of the three is given.
type Route struct {
	Bucket, Prefix, Account string
	Upstream                string
}

func (r *Route) fits(account, bucket string) bool {
	switch {
	case r.Bucket != "":
		return r.Bucket == bucket
	case r.Prefix != "":
		return strings.HasPrefix(bucket, r.Prefix)
	}
	return r.Account != "" && r.Account == account
}

// NewSet makes a Set; see Replace.
func NewSet(members []Member, routes []Route, fallback string) (*Set, error) {
	s := &Set{}
	return s, s.Replace(members, routes, fallback)
}

// Replace puts other upstreams in place of all. Routes are tried in order; a
// bucket that none fits goes to fallback. An error (a name twice, or one that
// no upstream has) changes nothing.
func (s *Set) Replace(members []Member, routes []Route, fallback string) error {
	next := &layout{byName: make(map[string]Member, len(members)), routes: routes, fallback: fallback}
	for _, m := range members {
		if m.S3 == nil || m.S3.Name == "" {
			return errors.New("upstream: a member without a name")
		}
		if _, twice := next.byName[m.S3.Name]; twice {
			return fmt.Errorf("upstream: two are called %q", m.S3.Name)
		}
		next.byName[m.S3.Name] = m
		next.all = append(next.all, m.S3)
	}
	for _, r := range routes {
		if _, ok := next.byName[r.Upstream]; !ok {
			return fmt.Errorf("upstream: a route leads to %q, which does not exist", r.Upstream)
		}
	}
	if _, ok := next.byName[fallback]; !ok {
		return fmt.Errorf("upstream: the default is %q, which does not exist", fallback)
	}
	s.now.Store(next)
	return nil
}

// ByName returns the upstream that keeps the buckets of that name in the
// registry.
func (s *Set) ByName(name string) (*S3, bool) {
	m, ok := s.now.Load().byName[name]
	return m.S3, ok
}

// ForNew returns where a bucket that account creates goes.
func (s *Set) ForNew(account, bucket string) (*S3, bool) {
	now := s.now.Load()
	name := now.fallback
	for i := range now.routes {
		if now.routes[i].fits(account, bucket) {
			name = now.routes[i].Upstream
			break
		}
	}
	m, ok := now.byName[name]
	return m.S3, ok
}

// All returns every upstream, in the order of the configuration. The slice is
// not to be changed.
func (s *Set) All() []*S3 { return s.now.Load().all }

// STS returns the token service of the upstream of that name.
func (s *Set) STS(name string) (*STS, bool) {
	m := s.now.Load().byName[name]
	return m.STS, m.STS != nil
}
