// Package probe tries what the gate needs of a store, in a bucket of its own
// that it removes at the end, and says what works, what will not work through
// the gate, and which settings fit. It sends what the gateway would send,
// through the same client and with the same credentials.
//
// It refuses to know whose buckets there are, and to change anything that it
// did not make.
package probe

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

// Result is how a trial went.
type Result string

// Results.
const (
	Works Result = "works"
	// Differs: it works, otherwise than S3's.
	Differs Result = "differs"
	Fails   Result = "fails"
	// Untried: something that it stands on does not work.
	Untried Result = "untried"
)

// Finding is one thing that was tried.
type Finding struct {
	ID     string `json:"id"`
	What   string `json:"what"`
	Result Result `json:"result"`
	// Needed: the gate does not serve the store without it.
	Needed bool `json:"needed,omitempty"`
	// Detail is what the store did, Meaning what comes of it through the gate.
	Detail  string `json:"detail,omitempty"`
	Meaning string `json:"meaning,omitempty"`
}

// Advice is a setting of the upstream that would fit better.
type Advice struct {
	Setting string `json:"setting"`
	Value   string `json:"value"`
	Why     string `json:"why"`
	// Needed: as it is set now, the store is not served, or not safely.
	Needed bool `json:"needed,omitempty"`
}

// Report is what came out.
type Report struct {
	Upstream string    `json:"upstream"`
	Findings []Finding `json:"findings"`
	Advice   []Advice  `json:"advice"`
	// Usable: all that is needed works as the upstream is set.
	Usable bool `json:"usable"`
	// Left is what could not be removed, or could be there still.
	Left []string `json:"left"`
}

// Options are what Run needs.
type Options struct {
	S3 *upstream.S3
	// STS is its token service, nil for none.
	STS   *upstream.STS
	Clock identity.Clock
	// Bucket is the name of the scratch bucket: NewBucket's.
	Bucket string
	// Settle is how long after an upload that was cut off its object is looked
	// for again and again; about a second when nil.
	Settle []time.Duration
	// Found is told every finding as it comes; nil for nobody.
	Found func(Finding)
}

// Prefix begins the names of scratch buckets.
const Prefix = "daypass-check-"

const (
	probeTimeout = time.Minute // of one trial
	cleanTimeout = 30 * time.Second
)

// trial is one row of the table.
type trial struct {
	id, what string
	needs    string // the trials that must not have failed, separated by blanks
	needed   bool
	// means says what comes of its failure through the gate.
	means string
	try   func(*run) outcome
}

// outcome is what a trial found; meaning "" is the row's where it failed.
type outcome struct {
	result          Result
	detail, meaning string
}

func works(detail string) outcome            { return outcome{Works, detail, ""} }
func fails(detail string) outcome            { return outcome{Fails, detail, ""} }
func differs(detail, meaning string) outcome { return outcome{Differs, detail, meaning} }

// run is one check.
type run struct {
	Options
	ctx     context.Context
	u       *upstream.S3 // S3 itself, without its gate and breaker, or with another addressing
	bucket  string
	made    bool // the scratch bucket was asked for
	extra   []string
	first   answer // to the first request
	results map[string]Result
	advice  []Advice
	left    []string
	cut     map[mode]string // what became of uploads that were cut, "" for nothing
}

// Run tries everything. When ctx ends it stops, and still removes what it made.
func Run(ctx context.Context, o Options) Report {
	r := &run{Options: o, ctx: ctx, u: with(o.S3, o.S3.VirtualHost, o.S3.Credentials), bucket: o.Bucket, results: map[string]Result{}}
	if r.Settle == nil {
		r.Settle = []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, 700 * time.Millisecond}
	}
	report := Report{Upstream: o.S3.Name, Usable: true}
	add := func(f Finding) {
		r.results[f.ID] = f.Result
		report.Findings = append(report.Findings, f)
		if f.Needed && f.Result != Works && f.Result != Differs {
			report.Usable = false
		}
		if o.Found != nil {
			o.Found(f)
		}
	}
	for _, table := range [][]trial{reachTrials, objectTrials, bodyTrials, partTrials, keyTrials, subresourceTrials, featureTrials} {
		for i := range table {
			add(r.try(&table[i]))
		}
	}
	add(r.clean())
	report.Advice, report.Left = append([]Advice{}, r.advice...), append([]string{}, r.left...)
	for _, a := range report.Advice {
		report.Usable = report.Usable && !a.Needed
	}
	return report
}

func (r *run) try(t *trial) Finding {
	f := Finding{ID: t.id, What: t.what, Needed: t.needed, Result: Untried}
	for need := range strings.FieldsSeq(t.needs) {
		if res := r.results[need]; res != Works && res != Differs {
			f.Detail = "not tried: it needs " + need
			return f
		}
	}
	outer := r.ctx
	if outer.Err() != nil {
		f.Detail = "not tried: the check was broken off"
		return f
	}
	ctx, cancel := context.WithTimeout(outer, probeTimeout)
	defer cancel()
	r.ctx = ctx
	out := t.try(r)
	r.ctx = outer
	switch {
	case outer.Err() != nil:
		f.Detail = "broken off"
		return f
	case ctx.Err() != nil: // what was not answered looks like something else
		out = fails("it took longer than " + probeTimeout.String())
	}
	f.Result, f.Detail, f.Meaning = out.result, identity.Printable(out.detail), out.meaning
	if f.Result == Fails && f.Meaning == "" {
		f.Meaning = t.means
	}
	return f
}

func (r *run) advise(setting, value, why string, needed bool) {
	r.advice = append(r.advice, Advice{Setting: setting, Value: identity.Printable(value), Why: identity.Printable(why), Needed: needed})
}

// wait sleeps, unless the check ends before.
func (r *run) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ctx.Done():
	}
}

// NewBucket is a name for a scratch bucket that nobody else has.
func NewBucket() string {
	b := make([]byte, 10)
	rand.Read(b)
	return Prefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}
