package upstream

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"daypass/internal/identity"
)

// STS is the token service of one upstream. Its fields are set once, before its
// first use; it is then safe for concurrent use.
type STS struct {
	// Name is the upstream's.
	Name string
	// Endpoint holds scheme and host, and nothing else.
	Endpoint *url.URL
	Region   string
	// Credentials are asked for each request, so that they can change.
	Credentials func() (id string, secret identity.Secret, err error)
	Transport   http.RoundTripper
	Clock       identity.Clock
	// Gate bounds the calls under way, tries and pauses included; nil does not.
	Gate *Gate
	// Breaker keeps calls from a token service that is away; nil does not. What
	// counts is a call, after all of its tries.
	Breaker *Breaker

	signers signers
	state   stsState
	// pause waits between two tries; nil is the real one.
	pause func(context.Context, time.Duration) error
}

// RoleRequest asks an upstream's STS for keys of one of its roles.
type RoleRequest struct {
	RoleARN         string
	SessionName     string // [\w+=,.@-]{2,64}
	DurationSeconds int
	Policy          string // JSON without white space, "" for none
	Tags            []SessionTag
}

// SessionTag is a tag of the session.
type SessionTag struct{ Key, Value string }

// RoleKeys are session keys that an upstream minted.
type RoleKeys struct {
	AccessKeyID  string
	Secret       identity.Secret
	SessionToken identity.Secret
	ExpiresAt    time.Time
}

const (
	opSTS      = "upstream.STS"
	stsVersion = "2011-06-15"
	// maxTries is the first and three more, the pauses between them growing from
	// firstPause; tryTimeout is one's, allTimeout that of all.
	maxTries   = 4
	firstPause = 100 * time.Millisecond
	tryTimeout = 5 * time.Second
	allTimeout = 15 * time.Second
	// lifeSlack is how much longer than asked for keys may live.
	lifeSlack = 5 * time.Minute
)

// AssumeRole asks with the upstream's own keys (STS AssumeRole). Errors:
// KindUpstream where the upstream refused or answered what is no answer, with
// the details Code and Status; KindUnavailable where it is away.
func (s *STS) AssumeRole(ctx context.Context, r RoleRequest) (RoleKeys, error) {
	form := r.form("AssumeRole")
	for i, t := range r.Tags {
		prefix := "Tags.member." + strconv.Itoa(i+1)
		form.Set(prefix+".Key", t.Key)
		form.Set(prefix+".Value", t.Value)
	}
	return s.assume(ctx, &r, form, true)
}

// AssumeRoleWithWebIdentity asks, unsigned, with a JWT that the upstream trusts;
// the tags are the token's own. Errors as of AssumeRole.
func (s *STS) AssumeRoleWithWebIdentity(ctx context.Context, r RoleRequest, token identity.Secret) (RoleKeys, error) {
	form := r.form("AssumeRoleWithWebIdentity")
	form.Set("WebIdentityToken", token.Reveal())
	return s.assume(ctx, &r, form, false)
}

func (r *RoleRequest) form(action string) url.Values {
	form := url.Values{
		"Action": {action}, "Version": {stsVersion}, "RoleArn": {r.RoleARN}, "RoleSessionName": {r.SessionName},
		"DurationSeconds": {strconv.Itoa(r.DurationSeconds)},
	}
	if r.Policy != "" {
		form.Set("Policy", r.Policy)
	}
	return form
}

func (s *STS) assume(ctx context.Context, r *RoleRequest, form url.Values, signed bool) (RoleKeys, error) {
	all, cancel := context.WithTimeout(ctx, allTimeout)
	defer cancel()
	if s.Gate != nil {
		if err := s.Gate.Enter(all); err != nil {
			return RoleKeys{}, &identity.Error{Kind: identity.KindUnavailable, Op: opSTS, Err: err, RetryAfterSeconds: retryAfterSeconds}
		}
		defer s.Gate.Leave()
	}
	var (
		status int
		body   []byte
		err    error
	)
	away := s.Breaker.run(func() error {
		began := time.Now()
		var judged error
		status, body, judged, err = s.tryAll(all, form, signed)
		// A caller that went away says nothing, unless it waited as long as a try may.
		if judged != nil && ctx.Err() != nil && time.Since(began) < tryTimeout {
			return errBlameless
		}
		return judged
	})
	if away != nil {
		return RoleKeys{}, unready(away)
	}
	// A caller that went away says nothing of the upstream, nor do too many calls.
	if ctx.Err() == nil && status != http.StatusTooManyRequests {
		s.state.note(s.Clock.Now(), status, err, signed)
	}
	if err != nil {
		return RoleKeys{}, err
	}
	if status != http.StatusOK {
		return RoleKeys{}, refusal(status, body)
	}
	keys, err := parseRoleKeys(body)
	if err != nil {
		return RoleKeys{}, notAnAnswer(err)
	}
	life := keys.ExpiresAt.Sub(s.Clock.Now())
	if life <= 0 || life > time.Duration(r.DurationSeconds)*time.Second+lifeSlack {
		return RoleKeys{}, notAnAnswer(fmt.Errorf("keys that live %v where %d s were asked for", life, r.DurationSeconds))
	}
	return keys, nil
}

// tryAll sends the form until there is an answer that is not the upstream's own
// fault. Nothing is lost by asking twice: keys that nobody got end by
// themselves. judged is what the end means for the Breaker.
func (s *STS) tryAll(ctx context.Context, form url.Values, signed bool) (status int, body []byte, judged, err error) {
	wait := firstPause
	for try := 1; ; try++ {
		status, body, err = s.try(ctx, form, signed)
		var e *identity.Error
		switch {
		case errors.As(err, &e) && e.Kind == identity.KindUpstream:
			return 0, nil, nil, err // it was an answer
		case e != nil:
			return 0, nil, errBlameless, err // nothing was sent
		case err == nil && status < http.StatusInternalServerError && status != http.StatusTooManyRequests:
			return status, body, nil, nil
		}
		if judged = err; err == nil {
			err = answeredError(status, body)
		}
		if try == maxTries || status == http.StatusTooManyRequests || s.rest(ctx, wait) != nil {
			return status, nil, judged, &identity.Error{Kind: identity.KindUnavailable, Op: opSTS, Err: err, RetryAfterSeconds: retryAfterSeconds}
		}
		wait *= 2
	}
}

// rest waits for d and up to half of it more, so that callers do not come back
// all at once.
func (s *STS) rest(ctx context.Context, d time.Duration) error {
	if n, err := rand.Int(rand.Reader, big.NewInt(int64(d/2))); err == nil {
		d += time.Duration(n.Int64())
	}
	if s.pause != nil {
		return s.pause(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// try sends the form once and reads the whole answer. Redirects are answers like
// any other.
func (s *STS) try(ctx context.Context, form url.Values, signed bool) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	// A "+" would reach RGW as a "+".
	text := strings.ReplaceAll(form.Encode(), "+", "%20")
	target := url.URL{Scheme: s.Endpoint.Scheme, Host: s.Endpoint.Host, Path: "/"}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(text))
	if err != nil {
		return 0, nil, &identity.Error{Kind: identity.KindInternal, Op: opSTS, Err: err}
	}
	req.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}, "User-Agent": {"daypass"}, "Accept": {"application/xml"}}
	if signed {
		if err := s.sign(req, text); err != nil {
			return 0, nil, err
		}
	}
	resp, err := s.Transport.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, err
	}
	if len(body) > maxAnswer {
		return 0, nil, notAnAnswer(fmt.Errorf("status %d with more than %d bytes", resp.StatusCode, maxAnswer))
	}
	return resp.StatusCode, body, nil
}

func (s *STS) sign(req *http.Request, body string) error {
	id, secret, err := s.Credentials()
	if err != nil {
		return &identity.Error{Kind: identity.KindUnavailable, Op: opSTS, Err: err, RetryAfterSeconds: retryAfterSeconds}
	}
	sum := sha256.Sum256([]byte(body))
	return s.signers.get(id, secret, s.Region, "sts").Sign(req, hex.EncodeToString(sum[:]), s.Clock.Now())
}
