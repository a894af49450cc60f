package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"
)

const maxLogLine = 1 << 10

// child is one process of daypass-objectstore.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ready chan struct{} // closed by the ready line
	gone  chan struct{} // closed after the process has been waited for
	// waitErr and lastLine are written before gone is closed.
	waitErr  error
	lastLine string
}

// startChild starts the child with the key pair of l, which travels by pipe.
func startChild(s *Store, l *life) (*child, error) {
	args := []string{"--socket", l.socket, "--root", s.config.Root}
	if s.config.Meta != "" {
		args = append(args, "--meta", s.config.Meta)
	}
	if s.config.Region != "" {
		args = append(args, "--region", s.config.Region)
	}
	c := &child{
		cmd:   exec.Command(s.binary, args...),
		ready: make(chan struct{}),
		gone:  make(chan struct{}),
	}
	c.cmd.Env = childEnvironment()
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.stdin = stdin
	stdout := &lineWriter{line: c.readyLine(s.config.Logger)}
	c.cmd.Stdout = stdout
	stderr := &lineWriter{line: func(line string) {
		c.lastLine = line
		s.config.Logger.Warn("object store", "line", line)
	}}
	c.cmd.Stderr = stderr
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	l.pid = c.cmd.Process.Pid
	go func() {
		c.waitErr = c.cmd.Wait()
		stdout.flush()
		stderr.flush()
		close(c.gone)
	}()
	// A child that dies early closes the pipe; its end says why.
	if err := l.writeKeys(stdin); err != nil {
		c.kill()
		<-c.gone
		return nil, c.err()
	}
	return c, nil
}

// childEnvironment passes on what names no secret: the server's own
// environment may hold some.
func childEnvironment() []string {
	env := []string{}
	for _, name := range []string{"TMPDIR", "TZ", "SystemRoot"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// readyLine returns the reader of the child's standard output, where the
// ready line comes first and only once.
func (c *child) readyLine(logger *slog.Logger) func(string) {
	done := false
	return func(line string) {
		var r struct{ Ready bool }
		if done || json.Unmarshal([]byte(line), &r) != nil || !r.Ready {
			logger.Info("object store", "line", line)
			return
		}
		done = true
		close(c.ready)
	}
}

func (c *child) kill() { c.cmd.Process.Kill() }

// shutdown closes the child's standard input, which tells it to end, and kills
// it when it has not ended after limit.
func (c *child) shutdown(limit time.Duration) {
	c.stdin.Close()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.gone:
	case <-timer.C:
		c.kill()
		<-c.gone
	}
}

// err says how the child ended, with its last words. Call it after gone.
func (c *child) err() error {
	err := c.waitErr
	if err == nil {
		err = errors.New("ended by itself")
	}
	if c.lastLine != "" {
		return fmt.Errorf("%w: %s", err, c.lastLine)
	}
	return err
}

// lineWriter cuts what it is given into lines of printable text, at most
// maxLogLine bytes each, the rest of a longer line being dropped.
type lineWriter struct {
	line func(string)
	buf  []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	for _, b := range p {
		switch {
		case b == '\n':
			w.flush()
		case len(w.buf) < maxLogLine:
			w.buf = append(w.buf, b)
		}
	}
	return len(p), nil
}

func (w *lineWriter) flush() {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(w.buf), "\uFFFD"))
	w.buf = w.buf[:0]
	if text = strings.TrimSpace(text); text != "" {
		w.line(text)
	}
}
