package probe

import "daypass/internal/identity"

// trySTS asks for a role without naming one, so that no keys are made.
func trySTS(r *run) outcome {
	if r.STS == nil {
		return outcome{Untried, "none is configured", ""}
	}
	if err := r.STS.Ready(r.ctx, true); err != nil {
		if e := identity.AsError(err); e.Err != nil {
			err = e.Err
		}
		return fails(err.Error())
	}
	return works(r.STS.Endpoint.Scheme + "://" + r.STS.Endpoint.Host)
}
