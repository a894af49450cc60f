package upstream

import (
	"net/http"
	"sync/atomic"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
)

// signers keeps the last Signer of each upstream value: it holds the derived
// key of the day. A change of the credentials makes a new one.
type signers struct{ last atomic.Pointer[boundSigner] }

type boundSigner struct {
	id, region, service string
	secret              identity.Secret
	signer              *sigv4.Signer
}

func (s *signers) get(id string, secret identity.Secret, region, service string) *sigv4.Signer {
	if b := s.last.Load(); b != nil && b.id == id && b.region == region && b.service == service && b.secret.Equal(secret) {
		return b.signer
	}
	b := &boundSigner{id: id, region: region, service: service, secret: secret, signer: sigv4.NewSigner(
		sigv4.Credentials{AccessKeyID: id, SecretAccessKey: secret.Reveal()}, region, service)}
	s.last.Store(b)
	return b.signer
}

func (u *S3) sign(req *http.Request, payloadHash string) error {
	id, secret, err := u.Credentials()
	if err != nil {
		return err
	}
	if payloadHash == "" {
		payloadHash = sigv4.EmptySHA256
	}
	return u.signers.get(id, secret, u.Region, "s3").Sign(req, payloadHash, u.Clock.Now())
}
