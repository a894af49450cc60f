package access

import (
	"context"
	"errors"
	"net/http"
	"time"

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

func (a *Access) authenticateForm(r *http.Request, bucket string) (Authenticated, *sigv4.PostForm, error) {
	out, form, err := a.checkForm(r, bucket)
	if err != nil {
		a.refuse(r.Context(), nil, "Authenticate", ServiceS3.Name+".amazonaws.com", err)
	}
	return out, form, err
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
	if svc.S3 && sigv4.IsBearer(r) {
		return a.checkBearer(r)
	}
	now := a.clock.Now()
	s, err := sigv4.Parse(r, sigv4.Rules{
		Service: svc.Name, Regions: a.regions, S3: svc.S3, Presigned: svc.Presigned, Asymmetric: true,
		UnsignedToken: true, // the token is bound to its access key ID by the seal
		Fallbacks:     svc == ServiceExecuteAPI,
	}, now)
	if err != nil {
		return Authenticated{}, signatureError(err)
	}
	return a.accept(r.Context(), s, bodySHA256, now)
}

func (a *Access) checkForm(r *http.Request, bucket string) (Authenticated, *sigv4.PostForm, error) {
	now := a.clock.Now()
	form, err := sigv4.ParsePostForm(r, bucket, sigv4.Rules{Service: ServiceS3.Name, Regions: a.regions, S3: true}, now)
	if sigv4.FailureOf(err) == "" && err != nil {
		return Authenticated{}, nil, &identity.Error{Kind: identity.KindIncompleteBody, Op: "access.form", Err: err}
	}
	if err != nil {
		return Authenticated{}, nil, signatureError(err)
	}
	out, err := a.accept(r.Context(), form.Signed, "", now)
	if err != nil {
		return Authenticated{}, nil, err
	}
	return out, form, nil
}

// accept finds the credential of a parsed request and judges signature, token,
// expiry and revocation.
func (a *Access) accept(ctx context.Context, s *sigv4.Signed, bodySHA256 string, now time.Time) (Authenticated, error) {
	if err := a.db.Fresh(); err != nil {
		return Authenticated{}, err
	}
	cred, remember, err := a.find(ctx, s)
	if err != nil {
		return Authenticated{}, withKeyID(err, s.AccessKeyID)
	}
	if err := cred.verify(s, bodySHA256); err != nil {
		return Authenticated{}, signatureError(err)
	}
	remember()
	c, err := a.caller(ctx, cred, now)
	if err != nil {
		return Authenticated{}, withKeyID(err, s.AccessKeyID)
	}
	if c.Temporary {
		a.usedSession(cred, now, s.Region)
	} else {
		a.used(c.AccessKeyID, now, s)
	}
	out := Authenticated{Caller: *c, Signed: s}
	out.Caller.Request = identity.RequestOf(ctx)
	out.Caller.Request.Region = s.Region
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
