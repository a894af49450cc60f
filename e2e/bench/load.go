package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// target is where a load goes: network tcp, unix or networkTLS.
type target struct{ network, address string }

const networkTLS = "tls"

// dial connects. The bench made the server's certificate by starting it, so
// there is nobody to check it against.
func (t target) dial() (net.Conn, error) {
	if t.network == networkTLS {
		return tls.Dial("tcp", t.address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	return net.Dial(t.network, t.address)
}

// load is requests over keep-alive connections, one at a time on each.
type load struct {
	at    target
	conns int
	// requests are whole HTTP/1.1 requests, sent in turn.
	requests [][]byte
	// once sends each request once, part of them in each run; otherwise they
	// go round until duration.
	once     bool
	part     int
	begin    int // the first request of the next run
	duration time.Duration
	status   int // that every answer must have; 200 when 0
	pids     []int
}

// outcome is what one load gave.
type outcome struct {
	n    int
	took time.Duration
	cpu  []time.Duration // per operation, of each process
	// half and tail are the median and the 99th percentile of the latency.
	half, tail time.Duration
}

// run sends the load and measures the processes' CPU time around it.
func (l *load) run() (*outcome, error) {
	if l.status == 0 {
		l.status = 200
	}
	requests := l.requests
	if l.part > 0 {
		requests = requests[l.begin : l.begin+l.part]
		l.begin += l.part
	}
	workers := make([]*worker, l.conns)
	var next atomic.Int64
	for i := range workers {
		conn, err := l.at.dial()
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		workers[i] = &worker{load: l, requests: requests, next: &next, conn: conn, in: bufio.NewReaderSize(conn, readBuffer)}
	}
	before, err := cpuOfAll(l.pids)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	var wg sync.WaitGroup
	for _, w := range workers {
		wg.Go(func() { w.err = w.run(began) })
	}
	wg.Wait()
	out := &outcome{took: time.Since(began)}
	after, err := cpuOfAll(l.pids)
	if err != nil {
		return nil, err
	}
	var latencies []time.Duration
	for _, w := range workers {
		if w.err != nil {
			return nil, w.err
		}
		out.n += len(w.latencies)
		latencies = append(latencies, w.latencies...)
	}
	if out.n == 0 {
		return nil, errors.New("no request was answered in time")
	}
	for i := range l.pids {
		out.cpu = append(out.cpu, (after[i]-before[i])/time.Duration(out.n))
	}
	slices.Sort(latencies)
	out.half, out.tail = latencies[out.n/2], latencies[out.n*99/100]
	return out, nil
}

func cpuOfAll(pids []int) ([]time.Duration, error) {
	out := make([]time.Duration, len(pids))
	for i, pid := range pids {
		var err error
		if out[i], err = cpuOf(pid); err != nil {
			return nil, err
		}
	}
	return out, nil
}

const readBuffer = 256 << 10

// worker is one connection. It reads answers with as little work as it can:
// the load shares its processors with what it measures.
type worker struct {
	*load
	requests  [][]byte
	next      *atomic.Int64
	conn      net.Conn
	in        *bufio.Reader
	latencies []time.Duration
	err       error
}

func (w *worker) run(began time.Time) error {
	for at := began; ; {
		i := int(w.next.Add(1)) - 1
		if w.once && i >= len(w.requests) || !w.once && at.Sub(began) >= w.duration {
			return nil
		}
		if err := w.conn.SetDeadline(at.Add(patience)); err != nil {
			return err
		}
		sent := time.Now()
		if _, err := w.conn.Write(w.requests[i%len(w.requests)]); err != nil {
			return err
		}
		if err := w.answer(); err != nil {
			return err
		}
		at = time.Now()
		w.latencies = append(w.latencies, at.Sub(sent))
	}
}

// answer reads one answer to its end.
func (w *worker) answer() error {
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if len(line) < 12 {
		return fmt.Errorf("unexpected status line %q", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return err
	}
	length := -1
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		name, value, ok := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(": "))
		if !ok {
			break
		}
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
	}
	if length < 0 && status != 204 {
		return fmt.Errorf("status %d without Content-Length", status)
	}
	if status != w.status {
		text := make([]byte, min(max(length, 0), 400))
		n, _ := w.in.Read(text)
		return fmt.Errorf("got status %d, want %d: %s", status, w.status, text[:n])
	}
	_, err = w.in.Discard(max(length, 0))
	return err
}
