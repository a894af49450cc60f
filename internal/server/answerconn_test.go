package server

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestAnswersInOnePiece serves bodies around every limit and looks at what the
// client reads, answer after answer on one connection.
func TestAnswersInOnePiece(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front := newFront(io.Discard, map[string]http.Handler{"s3": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		body := bytes.Repeat([]byte{'a'}, n)
		switch r.Header.Get("How") {
		case "whole":
			w.Header().Set("Content-Length", strconv.Itoa(n))
			w.Write(body)
		case "parts":
			w.Header().Set("Content-Length", strconv.Itoa(n))
			w.Write(body[:n/2])
			http.NewResponseController(w).Flush()
			w.Write(body[n/2:])
		case "copied":
			w.Header().Set("Content-Length", strconv.Itoa(n))
			io.Copy(w, struct{ io.Reader }{bytes.NewReader(body)})
		case "chunked":
			w.Write(body)
			w.Write(nil)
		case "too little":
			w.Header().Set("Content-Length", strconv.Itoa(n+1))
			w.Write(body)
		}
	})})
	doors := newListeners(front.Log)
	server := doors.serve(l, front, nil)
	t.Cleanup(func() { server.Close() })
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	sizes := []int{0, 1, 2047, 2048, 2049, 3500, 4095, 4096, 4097, 8191, 8192, 20_000, 65_535, 65_536, 65_537, 300_000}
	// A head of about 200 bytes: somewhere here head and body fill 4 KiB exactly.
	for n := 3700; n < 4000; n++ {
		sizes = append(sizes, n)
	}
	for _, how := range []string{"whole", "parts", "copied", "chunked"} {
		for _, n := range sizes {
			fmt.Fprintf(conn, "GET /%d HTTP/1.1\r\nHost: h\r\nHow: %s\r\n\r\n", n, how)
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("%s %d: %v", how, n, err)
			}
			body, err := io.ReadAll(resp.Body)
			if len(body) != n || strings.Trim(string(body), "a") != "" || err != nil {
				t.Fatalf("%s %d: got %d bytes, %v", how, n, len(body), err)
			}
		}
	}
	fmt.Fprintf(conn, "GET /5000 HTTP/1.1\r\nHost: h\r\nHow: too little\r\n\r\n")
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); len(body) != 5000 || err != io.ErrUnexpectedEOF {
		t.Errorf("too little: got %d bytes, %v", len(body), err)
	}
}

// TestAnswerConn counts what is sent: the client reads after each write.
func TestAnswerConn(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted, err := answerListener{l}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	c := accepted.(*answerConn)
	sent := func(what string, want int) {
		t.Helper()
		got := make([]byte, want)
		if _, err := io.ReadFull(client, got); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	write := func(n, held int) {
		t.Helper()
		if m, err := c.Write(make([]byte, n)); m != n || err != nil || len(c.held) != held {
			t.Errorf("a write of %d: %d, %v; %d held, want %d", n, m, err, len(c.held), held)
		}
	}
	write(10, 0)
	sent("not holding", 10)
	c.holding = true
	write(pieceSize, pieceSize)
	c.holding = false
	write(10, 0)
	sent("a piece and its rest", pieceSize+10)
	c.holding = true
	write(pieceSize, pieceSize)
	write(5*pieceSize, 0)
	sent("a piece and more than there is room for", 6*pieceSize)
	write(pieceSize+1, 0)
	sent("more than a piece", pieceSize+1)
	write(pieceSize, pieceSize)
	c.holding = false
	if err := c.SetReadDeadline(time.Time{}); err != nil || c.held != nil {
		t.Errorf("after the answer: %v, %d held", err, len(c.held))
	}
	sent("without a rest", pieceSize)
	c.holding = true
	write(1, 1)
	if n, err := c.ReadFrom(strings.NewReader("xyz")); n != 3 || err != nil {
		t.Errorf("copied: %d %v", n, err)
	}
	sent("before a copy", 4)
	client.Close()
	c.holding = false
	for range 100 { // until the reset arrives
		if _, err = c.Write(make([]byte, pieceSize)); err != nil {
			break
		}
	}
	c.holding = true
	write(pieceSize, pieceSize)
	c.holding = false
	if n, err := c.Write([]byte("x")); n != 0 || err == nil {
		t.Errorf("to a client that is gone: %d, %v", n, err)
	}
}
