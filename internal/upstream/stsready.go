package upstream

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"daypass/internal/identity"
)

// outcomeLife is how long the last outcome stands before Ready asks anew.
const outcomeLife = 5 * time.Second

// stsState is what became of the last requests.
type stsState struct {
	mu      sync.Mutex
	asking  singleflight.Group
	at      time.Time
	away    error // why there was no answer
	signed  time.Time
	refused error // why the answer to a signed request was that the keys are not good
}

// note remembers the outcome of a request for keys. That a role is refused says
// nothing of the keys; that they are given says all.
func (s *stsState) note(now time.Time, status int, err error, signed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.away = now, err
	if err == nil && status == http.StatusOK && signed {
		s.signed, s.refused = now, nil
	}
}

// known is the last outcome, where it is young enough.
func (s *stsState) known(now time.Time, signed bool) (error, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, err := s.at, s.away
	if signed && err == nil {
		at, err = s.signed, s.refused
	}
	if at.IsZero() || now.Sub(at) >= outcomeLife {
		return nil, false
	}
	if err != nil && identity.KindOf(err) != identity.KindUnavailable {
		err = unready(err)
	}
	return err, true
}

// Ready says whether the STS answers, and, with signed, whether it takes the
// upstream's keys. An outcome stands for five seconds; after that it is asked,
// once for all who want to know, for a role without naming any, so that no keys
// are made. KindUnavailable.
func (s *STS) Ready(ctx context.Context, signed bool) error {
	if err, ok := s.state.known(s.Clock.Now(), signed); ok {
		return err
	}
	// Whoever asks and goes away ends nobody's question.
	asked := s.state.asking.DoChan(strconv.FormatBool(signed), func() (any, error) {
		return nil, s.ask(context.WithoutCancel(ctx), signed)
	})
	select {
	case r := <-asked:
		return r.Err
	case <-ctx.Done():
		return unready(ctx.Err())
	}
}

// ask asks, and remembers the outcome.
func (s *STS) ask(ctx context.Context, signed bool) error {
	action := "AssumeRoleWithWebIdentity"
	if signed {
		action = "AssumeRole"
	}
	status, body, err := s.try(ctx, url.Values{"Action": {action}, "Version": {stsVersion}}, signed)
	now := s.Clock.Now()
	s.state.asked(now, status, body, err, signed)
	err, _ = s.state.known(now, signed)
	return err
}

func unready(err error) error {
	return &identity.Error{Kind: identity.KindUnavailable, Op: opSTS, Err: err, RetryAfterSeconds: retryAfterSeconds}
}

// asked remembers the answer to Ready's question: a 403 is about the keys, since
// there is no role that could be refused.
func (s *stsState) asked(now time.Time, status int, body []byte, err error, signed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && status >= http.StatusInternalServerError {
		err = answeredError(status, body)
	}
	if s.at, s.away = now, err; err != nil || !signed {
		return
	}
	s.signed, s.refused = now, nil
	if status == http.StatusForbidden || status == http.StatusUnauthorized {
		s.refused = fmt.Errorf("the keys of the upstream are refused: %w", answeredError(status, body))
	}
}
