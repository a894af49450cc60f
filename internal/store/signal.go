package store

import (
	"context"
	"sync"

	"daypass/internal/identity"
)

// Signal wakes followers within one process, for Engine.Wait. The zero value
// is ready.
type Signal struct {
	mu     sync.Mutex
	at     identity.Position
	closed bool
	wake   chan struct{}
}

// Set says that the feed stands at pos.
func (s *Signal) Set(pos identity.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = pos
	s.rouse()
}

// Seen is Set for a position that was read and may be out of date: the feed
// stands there at least, or another process has begun a new incarnation.
func (s *Signal) Seen(pos identity.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pos.Incarnation != s.at.Incarnation || pos.N > s.at.N {
		s.at = pos
		s.rouse()
	}
}

// Close makes every Wait return at once, now and later.
func (s *Signal) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.rouse()
}

func (s *Signal) rouse() {
	if s.wake != nil {
		close(s.wake)
		s.wake = nil
	}
}

// Wait returns when the feed stands beyond after, or ctx ends.
func (s *Signal) Wait(ctx context.Context, after identity.Position) {
	for {
		s.mu.Lock()
		if s.closed || s.at.Incarnation != after.Incarnation || s.at.N > after.N {
			s.mu.Unlock()
			return
		}
		if s.wake == nil {
			s.wake = make(chan struct{})
		}
		wake := s.wake
		s.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return
		}
	}
}
