package access

import (
	"context"
	"time"

	"daypass/internal/authn"
	"daypass/internal/identity"
)

// IBMToken accepts an access token of IBM's dialect, as the identity API, key
// management and IBM's S3 clients carry it, and of no other kind. The caller is
// the user, the service ID or the trusted profile that logged in.
//
// KindInvalidBearer for all that is not accepted, expired and revoked ones
// included; KindUnavailable while this node cannot know.
func (a *Access) IBMToken(ctx context.Context, raw identity.Secret) (*identity.Caller, error) {
	c, err := a.ibmToken(ctx, raw)
	if err != nil {
		a.refuse(ctx, nil, "IBMToken", "ibm", err)
	}
	return c, err
}

func (a *Access) ibmToken(ctx context.Context, raw identity.Secret) (*identity.Caller, error) {
	if len(raw) > authn.MaxJWT {
		return nil, badIBMToken(nil)
	}
	claims, err := a.authn.IBMToken(ctx, raw)
	switch identity.KindOf(err) {
	case "":
	case identity.KindExpiredIdentity, identity.KindInvalidIdentity:
		return nil, badIBMToken(err)
	default:
		return nil, err
	}
	l := login{
		account: claims.AccountID, user: claims.UserID, issued: time.UnixMilli(claims.IssuedMS), expires: claims.Expiry.Time(),
		lineage:  claims.Lineage,
		position: identity.Position{Incarnation: claims.Incarnation, N: claims.Position},
		// A key is no person, nor is a profile: what concerns a person alone needs a
		// policy then.
		byKey: claims.Lineage.Get(identity.LineageProof) != "" || identity.IsProfile(claims.UserID),
	}
	if claims.MFAMS != 0 {
		l.mfa = time.UnixMilli(claims.MFAMS)
	}
	c, err := a.person(ctx, l)
	if identity.KindOf(err) == identity.KindExpiredToken {
		err = badIBMToken(err)
	}
	return c, err
}

func badIBMToken(err error) error {
	return &identity.Error{Kind: identity.KindInvalidBearer, Op: "access.ibmtoken", Err: err}
}
