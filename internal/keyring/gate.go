package keyring

import (
	"crypto"
	"errors"
	"io"
	"runtime"
	"sync/atomic"
)

// gate lets as many RSA signings run as there are processors and bounds how
// many wait: RSA must never raise the tail of everything else.
type gate struct {
	slots   chan struct{}
	waiting atomic.Int64
	limit   int64
}

func newGate(queue int) *gate {
	procs := runtime.GOMAXPROCS(0)
	if queue <= 0 {
		queue = 64 * procs
	}
	return &gate{slots: make(chan struct{}, procs), limit: int64(queue)}
}

func (g *gate) enter() error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > g.limit {
		return unavailable("keyring.sign", errors.New("too many RSA signatures are waiting"))
	}
	g.slots <- struct{}{}
	return nil
}

func (g *gate) leave() { <-g.slots }

// queued is a signer behind a gate.
type queued struct {
	crypto.Signer
	gate *gate
}

func (q queued) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if err := q.gate.enter(); err != nil {
		return nil, err
	}
	defer q.gate.leave()
	return q.Signer.Sign(rand, digest, opts)
}
