package kms

import (
	"context"
	"slices"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// KeyQuery chooses keys of an instance (GET and HEAD keys).
type KeyQuery struct {
	Limit, Offset int
	// States are those that keys are in; without any, all but KeyDestroyed.
	States      []identity.KeyState
	Extractable *bool
	// Search, Sort and Filter are in the words of the wire; "" for none. Without
	// Sort the oldest comes first, and destroyed ones behind the others.
	Search, Sort, Filter string
	// CountOnly leaves the keys out.
	CountOnly bool
}

// KeyList is a page of keys, and how many there are beyond it.
type KeyList struct {
	Keys  []*Key
	Total int
}

// Keys lists the keys of an instance that are in rings of which the caller may list
// the keys (kms:secrets.list, or with CountOnly kms:secrets.head). As in IBM's
// service, rights on single keys show none here. ReasonBadField.
//
// What is neither searched, sorted nor filtered costs the same for every page,
// however many keys there are; the rest goes once through the instance.
func (k *KMS) Keys(_ context.Context, c *identity.Caller, at At, q KeyQuery) (KeyList, error) {
	action := "secrets.list"
	if q.CountOnly {
		action = "secrets.head"
	}
	snap := k.db.Snapshot()
	p, err := k.instance(snap, c, at, action)
	if err != nil {
		return KeyList{}, err
	}
	spans, err := k.visible(snap, c, &p, at, action)
	if err != nil {
		return KeyList{}, err
	}
	s, err := k.selection(&q)
	if err != nil {
		return KeyList{}, err
	}
	var found []*identity.KMSKey
	var out KeyList
	if s.plain && len(spans) == 1 {
		found, out.Total, err = spans[0].page(snap, s.states, &q)
	} else {
		found, out.Total, err = s.page(snap, spans, &q)
	}
	if err != nil {
		return KeyList{}, err
	}
	for _, key := range found {
		out.Keys = append(out.Keys, k.shown(&p, key))
	}
	return out, nil
}

// span is where keys are in an index: all of an instance, or those of a ring.
type span struct{ index, prefix string }

// visible are the spans of the keys that the caller may list. Who may list none is
// denied.
func (k *KMS) visible(snap *store.Snapshot, c *identity.Caller, p *place, at At, action string) ([]span, error) {
	rings, err := k.visibleRings(snap, c, p, at, action)
	if err != nil {
		return nil, err
	}
	if rings.all {
		return []span{{store.IndexKMSCreated, p.ID + "/"}}, nil
	}
	var out []span
	for _, ring := range rings.named {
		out = append(out, span{store.IndexKMSRing, p.ID + "/" + ring + "/"})
	}
	return out, nil
}

// rings are those that a call sees: all that the instance has, or the named ones.
// The zero value is none.
type rings struct {
	all   bool
	named []string
}

func (r *rings) has(ring string) bool { return r.all || slices.Contains(r.named, ring) }

// visibleRings are the rings whose keys the caller may do something to. Who may in
// none is denied. What is no name of a ring is one without keys: it must not reach
// into the prefixes of indexes.
func (k *KMS) visibleRings(snap *store.Snapshot, c *identity.Caller, p *place, at At, action string) (rings, error) {
	asked := []string{at.Ring}
	if at.Ring == "" {
		var err error
		if asked, err = ringsOf(snap, p); err != nil {
			return rings{}, err
		}
	}
	var out rings
	for _, ring := range asked {
		if k.allows(c, p, action, "key", "*", ring) {
			out.named = append(out.named, ring)
		}
	}
	if out.named == nil {
		return rings{}, k.permit(c, p, action, "key", "*", "*", asked[0])
	}
	if at.Ring != "" && !ringRE.MatchString(at.Ring) {
		return rings{}, nil
	}
	out.all = at.Ring == "" && len(out.named) == len(asked)
	return out, nil
}

// ringsOf are the IDs of an instance's rings.
func ringsOf(r store.Reader, p *place) ([]string, error) {
	list, err := store.KMSRings.List(r, "", p.ID+"/", store.After{}, 0)
	if err != nil {
		return nil, err
	}
	out := []string{identity.DefaultKeyRing}
	for _, ring := range list {
		out = append(out, ring.ID)
	}
	return out, nil
}

// selection is what a query selects, and in which order.
type selection struct {
	now     time.Time
	states  []identity.KeyState
	meets   []condition
	search  *search
	compare comparison // nil for that of the index
	// plain says that the states alone select, and that they are all but
	// KeyDestroyed, that one, or all.
	plain bool
}

// The states that indexes tell apart.
var (
	livingStates = []identity.KeyState{identity.KeyActive, identity.KeySuspended, identity.KeyDeactivated}
	allStates    = append(livingStates[:3:3], identity.KeyDestroyed)
)

func (k *KMS) selection(q *KeyQuery) (s *selection, err error) {
	s = &selection{now: k.now()}
	for _, state := range allStates {
		if len(q.States) == 0 && state != identity.KeyDestroyed || slices.Contains(q.States, state) {
			s.states = append(s.states, state)
		}
	}
	if q.Search != "" {
		if s.search, err = parseSearch(q.Search); err != nil {
			return nil, err
		}
	}
	if s.meets, err = parseFilter(q.Filter); err != nil {
		return nil, err
	}
	if q.Extractable != nil {
		want := *q.Extractable
		s.meets = append(s.meets, func(k *identity.KMSKey, _ time.Time) bool { return k.Extractable == want })
	}
	if q.Sort != "" {
		if s.compare, err = parseOrder(q.Sort); err != nil {
			return nil, err
		}
	}
	s.plain = s.search == nil && s.meets == nil && s.compare == nil && (slices.Equal(s.states, livingStates) ||
		slices.Equal(s.states, allStates) || slices.Equal(s.states, allStates[3:]))
	return s, nil
}

// page cuts a page out of a span by the counts of its index.
func (s span) page(snap *store.Snapshot, states []identity.KeyState, q *KeyQuery) ([]*identity.KMSKey, int, error) {
	prefix := s.prefix
	switch len(states) {
	case len(livingStates):
		prefix += store.KMSLiving + "/"
	case 1:
		prefix += store.KMSDestroyed + "/"
	}
	total, err := store.KMSKeys.Count(snap, s.index, prefix)
	if err != nil || q.CountOnly {
		return nil, total, err
	}
	found, err := store.KMSKeys.Page(snap, s.index, prefix, q.Offset, q.Limit)
	return found, total, err
}

// page goes through spans and cuts a page out of what is selected.
func (s *selection) page(snap *store.Snapshot, spans []span, q *KeyQuery) ([]*identity.KMSKey, int, error) {
	var found []*identity.KMSKey
	for _, sp := range spans {
		if err := store.KMSKeys.Each(snap, sp.index, sp.prefix, func(key *identity.KMSKey) bool {
			if s.selects(key) {
				found = append(found, key)
			}
			return true
		}); err != nil {
			return nil, 0, err
		}
	}
	total := len(found)
	if q.CountOnly {
		return nil, total, nil
	}
	switch {
	case s.compare != nil:
		slices.SortFunc(found, func(a, b *identity.KMSKey) int { return s.compare(a, b, s.now) })
	case len(spans) > 1:
		slices.SortFunc(found, func(a, b *identity.KMSKey) int { return byPlace(a, b, s.now) })
	}
	from := min(q.Offset, total)
	return found[from:min(total, from+q.Limit)], total, nil
}

func (s *selection) selects(k *identity.KMSKey) bool {
	if !slices.Contains(s.states, k.StateAt(s.now)) || !s.search.finds(k) {
		return false
	}
	for _, meets := range s.meets {
		if !meets(k, s.now) {
			return false
		}
	}
	return true
}

// byPlace is the order of the indexes.
var byPlace comparison = func(a, b *identity.KMSKey, now time.Time) int {
	if c := byBool(func(k *identity.KMSKey) bool { return k.State == identity.KeyDestroyed })(a, b, now); c != 0 {
		return c
	}
	if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
		return c
	}
	return orders["id"](a, b, now)
}
