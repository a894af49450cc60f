package operate

import (
	"context"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/probe"
)

// What a check of an upstream finds.
type (
	CheckFinding = probe.Finding
	CheckAdvice  = probe.Advice
	CheckReport  = probe.Report
)

// CheckWatch is told what a check does while it does it; nil functions are told
// nothing.
type CheckWatch struct {
	// Began is told the name of the scratch bucket.
	Began func(bucket string)
	Found func(CheckFinding)
}

// CheckUpstream tries what the gate needs of an upstream, in a scratch bucket
// that is removed at the end, also when ctx ends before. KindNotFound.
func (o *Operations) CheckUpstream(ctx context.Context, c *identity.Caller, name string, w CheckWatch) (CheckReport, error) {
	if err := o.permit(c, "daypass:CheckUpstream"); err != nil {
		return CheckReport{}, err
	}
	u, err := o.upstream(name)
	if err != nil {
		return CheckReport{}, err
	}
	bucket := probe.NewBucket()
	ev := audit.Change(c, source, "CheckUpstream", map[string]string{"upstream": u.Name, "bucketName": bucket})
	if err := o.audit.Record(ctx, ev); err != nil {
		return CheckReport{}, err
	}
	if w.Began != nil {
		w.Began(bucket)
	}
	sts, _ := o.upstreams.STS(u.Name)
	return probe.Run(ctx, probe.Options{S3: u, STS: sts, Clock: o.clock, Bucket: bucket, Found: w.Found}), nil
}
