package probe

import (
	"slices"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

// roleUnknown are the answers of a token service about a role that is not
// there: RGW's, and AWS's, which tells no more.
var roleUnknown = []string{"NoSuchEntity", "AccessDenied"}

// trySTS asks first for no role at all, which tells whether the keys are taken,
// and then for one that is not there: a store without a token service answers
// that otherwise. No keys are made.
func trySTS(r *run) outcome {
	if r.STS == nil {
		return outcome{Untried, "none is configured", ""}
	}
	err := r.STS.Ready(r.ctx, true)
	if err == nil {
		_, err = r.STS.AssumeRole(r.ctx, upstream.RoleRequest{RoleARN: "arn:aws:iam:::role/" + r.bucket, SessionName: "daypass-check", DurationSeconds: 3600})
		if e := identity.AsError(err); e == nil || e.Kind == identity.KindUpstream && slices.Contains(roleUnknown, e.DetailValue("Code")) {
			return works(r.STS.Endpoint.Scheme + "://" + r.STS.Endpoint.Host)
		} else if code := e.DetailValue("Code"); code != "" {
			return fails("it does not speak STS: " + e.DetailValue("Status") + " " + clip(code))
		}
	}
	if e := identity.AsError(err); e.Err != nil {
		err = e.Err
	}
	return fails(err.Error())
}
