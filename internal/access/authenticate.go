package access

import (
	"context"
	"errors"
	"net/http"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/sigv4"
)

func (a *Access) authenticate(r *http.Request, svc Service, bodySHA256 string) (Authenticated, error) {
	out, err := a.check(r, svc, bodySHA256)
	if err != nil {
		a.refuse(r.Context(), nil, "Authenticate", svc.Name+".amazonaws.com", err)
	}
	return out, err
}

// refuse records a refused call; it never waits. A caller that proved nothing
// is only counted.
func (a *Access) refuse(ctx context.Context, c *identity.Caller, name, source string, err error) {
	ev := audit.Event{Source: source, Name: name}
	if c != nil {
		ev = audit.Change(c, source, name, nil)
	}
	e := identity.AsError(err)
	ev.ErrorCode, ev.ErrorMessage = string(e.Kind), e.Public
	a.audit.Refuse(ctx, ev)
}

func (a *Access) check(r *http.Request, svc Service, bodySHA256 string) (Authenticated, error) {
	now := a.clock.Now()
	s, err := sigv4.Parse(r, sigv4.Rules{
		Service: svc.Name, Regions: a.regions, S3: svc.S3, Presigned: svc.Presigned,
		UnsignedToken: true, // the token is bound to its access key ID by the seal
	}, now)
	if err != nil {
		return Authenticated{}, signatureError(err)
	}
	if err := a.db.Fresh(); err != nil {
		return Authenticated{}, err
	}
	ctx := r.Context()
	cred, remember, err := a.find(ctx, s)
	if err != nil {
		return Authenticated{}, withKeyID(err, s.AccessKeyID)
	}
	if err := s.Check(cred.signingKey(s), bodySHA256); err != nil {
		return Authenticated{}, signatureError(err)
	}
	remember()
	c, err := a.caller(ctx, cred, now)
	if err != nil {
		return Authenticated{}, withKeyID(err, s.AccessKeyID)
	}
	if !c.Temporary {
		a.used(c.AccessKeyID, now, s)
	}
	out := Authenticated{Caller: *c, Signed: s}
	out.Caller.Request = identity.RequestOf(ctx)
	return out, nil
}

// signatureError carries a refusal of package sigv4 over; its failures and our
// kinds have the same texts.
func signatureError(err error) error {
	var s *sigv4.Error
	if !errors.As(err, &s) {
		return err
	}
	e := &identity.Error{Kind: identity.Kind(s.Failure), Op: "access.signature", Public: s.S3Message()}
	if q := s.QueryMessage(); q != "" {
		e.Detail = append(e.Detail, identity.Detail{Name: "QueryMessage", Value: q})
	}
	for _, d := range s.Detail {
		e.Detail = append(e.Detail, identity.Detail(d))
	}
	return e
}

// withKeyID names the access key in the refusal of an unknown one, as S3 does.
func withKeyID(err error, id string) error {
	e := identity.AsError(err)
	if e.Kind != identity.KindUnknownAccessKey {
		return err
	}
	v := *e
	v.Detail = []identity.Detail{{Name: "AWSAccessKeyId", Value: id}}
	return &v
}
