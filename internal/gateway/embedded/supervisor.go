package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"daypass/internal/identity"
)

const (
	firstDelay = 100 * time.Millisecond
	maxDelay   = 10 * time.Second
	// steadyAfter is how long a child must have lived for its death to count
	// as the first one again.
	steadyAfter  = time.Minute
	startTimeout = 10 * time.Second
	stopTimeout  = 15 * time.Second
)

// Config says what to run. Root is required; everything else has a default.
type Config struct {
	// Root is the directory of the buckets. Meta keeps versions and, on file
	// systems without extended attributes, metadata; it must lie outside Root
	// and its path must not begin with Root's. By default it is beside Root,
	// named "meta-" and Root's name. The child makes both, with mode 0700.
	Root, Meta string
	// Region is what the store calls itself; it accepts any in requests.
	Region string
	// Binary is the path of daypass-objectstore. When empty it is looked for
	// beside this executable, then on PATH.
	Binary string
	// SocketDir is where a private directory for the socket is made. When
	// empty: XDG_RUNTIME_DIR or the temporary directory.
	SocketDir string
	// Logger gets the child's output and the supervisor's own events.
	Logger *slog.Logger
	// Clock and After tell the time for the restart delays.
	Clock identity.Clock
	After func(time.Duration) <-chan time.Time
}

func (c *Config) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = identity.SystemClock{}
	}
	if c.After == nil {
		c.After = time.After
	}
}

// Store is a running supervisor. Its methods may be called from any goroutine.
type Store struct {
	config Config
	binary string
	dir    string // of the sockets, 0700, ours alone

	stop     context.CancelFunc
	stopping context.Context
	finished chan struct{} // closed when the supervising goroutine has ended
	first    chan struct{} // closed at the first child's readiness or failure
	firstErr error         // written before first is closed

	mu      sync.Mutex
	life    *life     // of the child now serving, nil while there is none
	retryAt time.Time // when the next child is started, while there is none
}

// Start begins to run the child and returns without waiting for it; see Wait.
// It fails with KindInternal when the binary cannot be found or no directory
// for the socket can be made.
func Start(config Config) (*Store, error) {
	const op = "embedded.Start"
	config.setDefaults()
	if config.Root == "" {
		return nil, &identity.Error{Kind: identity.KindInternal, Op: op, Err: errors.New("no root directory")}
	}
	binary, err := findBinary(config.Binary)
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindInternal, Op: op, Err: err}
	}
	dir, err := makeSocketDir(config.SocketDir, config.Root)
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindInternal, Op: op, Err: err}
	}
	s := &Store{
		config:   config,
		binary:   binary,
		dir:      dir,
		finished: make(chan struct{}),
		first:    make(chan struct{}),
		retryAt:  config.Clock.Now(),
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	go s.supervise()
	return s, nil
}

// Wait returns nil when the first child serves, and its error
// (KindUnavailable) when it could not be started; the supervisor goes on
// trying in that case, until Close. It also returns when ctx ends.
func (s *Store) Wait(ctx context.Context) error {
	select {
	case <-s.first:
		return s.firstErr
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Credentials returns the key pair that the child now serving accepts. It is
// another one after every restart, so it must be asked for at each request.
// While there is no child it fails with KindUnavailable and says in
// RetryAfterSeconds when to try again.
func (s *Store) Credentials() (accessKeyID string, secret identity.Secret, err error) {
	l, err := s.current("embedded.Credentials")
	if err != nil {
		return "", "", err
	}
	return l.accessKeyID, l.secret, nil
}

// Transport returns the way to the store. The URL's host is not looked at; a
// request signed with a key pair of an earlier child fails with
// KindUnavailable instead of reaching the next one.
func (s *Store) Transport() http.RoundTripper { return roundTripper{s} }

// Healthy reports whether a child is serving.
func (s *Store) Healthy() bool {
	_, err := s.current("")
	return err == nil
}

// Close stops the child, letting requests in flight end for up to ten seconds,
// and removes the socket's directory. New requests fail from its call on.
func (s *Store) Close() error {
	s.stop()
	<-s.finished
	return os.RemoveAll(s.dir)
}

func (s *Store) current(op string) (*life, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life != nil {
		return s.life, nil
	}
	return nil, unavailable(op, s.retryAt.Sub(s.config.Clock.Now()), errors.New("the object store is not running"))
}

// unavailable is the one error for a store that is away. A child needs some
// milliseconds to start, so the whole seconds of after plus one are enough.
func unavailable(op string, after time.Duration, err error) *identity.Error {
	seconds := 1 + int(max(after, 0)/time.Second)
	return &identity.Error{Kind: identity.KindUnavailable, Op: op, Err: err, RetryAfterSeconds: seconds}
}

// supervise starts one child after another until Close.
func (s *Store) supervise() {
	// The child asks to be killed when the thread that started it ends, so
	// this goroutine keeps one thread for all children and as long as they live.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.finished)
	delay := firstDelay
	for n := 1; ; n++ {
		began := s.config.Clock.Now()
		err := s.runChild(filepath.Join(s.dir, fmt.Sprintf("s%d", n)))
		s.settleFirst(err)
		if s.stopping.Err() != nil {
			return
		}
		now := s.config.Clock.Now()
		if now.Sub(began) >= steadyAfter {
			delay = firstDelay
		}
		s.mu.Lock()
		s.retryAt = now.Add(delay)
		s.mu.Unlock()
		s.config.Logger.Error("the object store ended and will be restarted",
			"error", err, "delay", delay)
		select {
		case <-s.config.After(delay):
		case <-s.stopping.Done():
			return
		}
		delay = min(2*delay, maxDelay)
	}
}

// runChild runs one child from start to end. It returns nil only after Close.
func (s *Store) runChild(socket string) error {
	l := newLife(socket)
	c, err := startChild(s, l)
	if err != nil {
		return err
	}
	defer os.Remove(socket)
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case <-c.ready:
		s.setLife(l)
		s.config.Logger.Info("the object store is ready", "pid", l.pid)
		s.settleFirst(nil)
	case <-c.gone:
		return c.err()
	case <-timer.C:
		c.kill()
		<-c.gone
		return errors.New("the object store did not become ready in time")
	case <-s.stopping.Done():
	}
	select {
	case <-c.gone:
	case <-s.stopping.Done():
	}
	s.setLife(nil)
	l.transport.CloseIdleConnections()
	if s.stopping.Err() != nil {
		c.shutdown(stopTimeout)
		l.transport.CloseIdleConnections()
		return nil
	}
	return c.err()
}

func (s *Store) setLife(l *life) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life = l
}

// settleFirst records how the first start went; only its first call counts.
func (s *Store) settleFirst(err error) {
	select {
	case <-s.first:
		return
	default:
	}
	if err == nil && s.stopping.Err() != nil {
		err = errors.New("closed before it was ready")
	}
	if err != nil {
		s.firstErr = unavailable("embedded.Wait", 0, err)
	}
	close(s.first)
}
