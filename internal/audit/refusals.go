package audit

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// maxAddresses bounds what strangers can make the counter hold in a minute;
	// further addresses share one summary.
	maxAddresses = 4096
	// maxReasons and maxNames bound one summary.
	maxReasons = 16
	maxNames   = 8

	summaryName     = "RefusedCalls"
	otherAddresses  = "other"
	otherReasons    = "other"
	reasonSeparator = " "
)

// refusals counts refusals of callers that proved nothing, per address and
// minute.
type refusals struct {
	mu     sync.Mutex
	minute time.Time
	byAddr map[string]*tally
	ended  []Event // summaries of minutes that are over
}

type tally struct {
	n       int
	reasons map[string]int // "eventSource eventName errorCode" → count
	names   map[string]struct{}
	agent   string // of the first
}

func newRefusals() *refusals { return &refusals{byAddr: make(map[string]*tally)} }

// count adds a completed event; it reports whether a minute ended, so that
// summaries wait to be taken.
func (r *refusals) count(now time.Time, e *Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	ended := r.roll(now)
	key := addressKey(e.SourceIP)
	t := r.byAddr[key]
	if t == nil && len(r.byAddr) >= maxAddresses {
		key = otherAddresses
		t = r.byAddr[key]
	}
	if t == nil {
		t = &tally{reasons: make(map[string]int), agent: e.UserAgent}
		r.byAddr[key] = t
	}
	t.n++
	reason := clipReason(e.Source) + reasonSeparator + clipReason(e.Name) + reasonSeparator + clipReason(e.ErrorCode)
	if _, known := t.reasons[reason]; !known && len(t.reasons) >= maxReasons {
		reason = otherReasons
	}
	t.reasons[reason]++
	if h := e.UserIdentity.UserNameHash; h != "" && len(t.names) < maxNames {
		if t.names == nil {
			t.names = make(map[string]struct{})
		}
		t.names[clipReason(h)] = struct{}{}
	}
	return ended
}

// roll turns the tallies of a minute that is over into events.
func (r *refusals) roll(now time.Time) bool {
	minute := now.UTC().Truncate(time.Minute)
	if minute.Equal(r.minute) {
		return false
	}
	had := len(r.byAddr) > 0
	for addr, t := range r.byAddr {
		r.ended = append(r.ended, t.summary(addr, r.minute))
	}
	if had {
		r.byAddr = make(map[string]*tally)
	}
	if over := len(r.ended) - 2*maxAddresses; over > 0 {
		r.ended = r.ended[over:] // the writer is stuck; keep the newest
	}
	r.minute = minute
	return had
}

// take returns the summaries of minutes that are over; with all, of the
// current one too.
func (r *refusals) take(now time.Time, all bool) []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	if all {
		now = now.Add(time.Minute)
	}
	r.roll(now)
	out := r.ended
	r.ended = nil
	return out
}

func (t *tally) summary(addr string, minute time.Time) Event {
	e := Event{Source: "daypass", Name: summaryName, SourceIP: addr, UserAgent: t.agent, ErrorCode: "Refused"}
	e.Add("count", t.n)
	e.Add("minute", minute.Format(time.RFC3339))
	e.Add("reasons", t.reasons)
	if len(t.names) > 0 {
		e.Add("userNameHashes", slices.Sorted(maps.Keys(t.names)))
	}
	return e
}

// addressKey is an IPv4 address as it is and an IPv6 one by its /64, which
// is what one stranger holds.
func addressKey(s string) string {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return "unknown"
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, _ := a.Prefix(64)
	return p.String()
}

func clipReason(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most]
	}
	return s
}
