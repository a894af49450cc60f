package access

import (
	"net/http"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/store"
)

// headerInstance names the instance that a request of IBM's S3 clients is for.
const headerInstance = "Ibm-Service-Instance-Id"

// checkBearer accepts an S3 request with a bearer token: an access token of
// IBM's dialect, with the UUID or the CRN of an object storage instance of the
// token's own account. All else is the same KindAccessDenied: neither tokens nor
// instances can be told apart by it.
func (a *Access) checkBearer(r *http.Request) (Authenticated, error) {
	token, s, err := sigv4.ParseBearer(r)
	if err != nil {
		return Authenticated{}, signatureError(err)
	}
	c, err := a.ibmToken(r.Context(), identity.Secret(token))
	if identity.KindOf(err) == identity.KindInvalidBearer {
		err = &identity.Error{Kind: identity.KindAccessDenied, Op: "access.bearer", Err: err}
	}
	if err != nil {
		return Authenticated{}, err
	}
	if err := a.ownInstance(c, r.Header[headerInstance]); err != nil {
		return Authenticated{}, err
	}
	return Authenticated{Caller: *c, Signed: s}, nil
}

// ownInstance judges the instances that a request names, of which there must be
// one, and notes it on the caller.
func (a *Access) ownInstance(c *identity.Caller, named []string) error {
	site, err := store.IBMSites.Get(a.db.Snapshot(), identity.IBMSiteName)
	if err != nil && identity.KindOf(err) != identity.KindNotFound {
		return err
	}
	if err == nil && len(named) == 1 && site.AccountID == c.AccountID {
		for i := range site.Instances {
			in := &site.Instances[i]
			if in.Service == identity.ObjectStorage && (named[0] == in.ID || named[0] == in.CRN(site.AccountID)) {
				c.Instance = in
				return nil
			}
		}
	}
	return identity.NewError(identity.KindAccessDenied, "access.bearer", "")
}
