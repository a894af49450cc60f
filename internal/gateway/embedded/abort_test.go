package embedded

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// An upload that was cut short must never become an object or a part: neither
// in the framing that the gateway uses for every upload, where the store's own
// chunk reader notices, nor as a plain body, where the backend's guard does.
func TestAbortedPutIsNeverVisible(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc to know when the store is done with a connection")
	}
	for _, payload := range []string{unsignedPayload, trailerPayload} {
		for _, how := range []string{"half-close", "close", "reset"} {
			for _, size := range []struct{ sent, whole int }{{500, 1000}, {200_000, 300_000}} {
				for _, what := range []string{"/bucket/key", "part"} {
					t.Run(fmt.Sprintf("%s %s %d of %d %s", payload, how, size.sent, size.whole, what), func(t *testing.T) {
						t.Parallel()
						abortedPut(t, payload, how, what, size.sent, size.whole)
					})
				}
			}
		}
	}
}

func abortedPut(t *testing.T, payload, how, target string, sent, whole int) {
	s := startStore(t, nil)
	do(t, s, 200, "PUT", "/bucket", "")
	_, text := do(t, s, 200, "POST", "/bucket/parts?uploads=", "")
	upload := between(text, "<UploadId>", "</UploadId>")
	if target == "part" {
		target = "/bucket/parts?partNumber=1&uploadId=" + upload
	}
	lifeOf(s).transport.CloseIdleConnections()
	eventually(t, "no connection", func() bool { return connections(t, lifeOf(s).pid) == 0 })

	body, headers := bytes.Repeat([]byte("y"), whole), []string(nil)
	if payload == trailerPayload {
		body, headers = frame(body)
	}
	conn, err := net.Dial("unix", lifeOf(s).socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	r := newRequest(t, s, "PUT", target, payload, nil, headers...)
	var head strings.Builder
	fmt.Fprintf(&head, "PUT %s HTTP/1.1\r\nHost: store.test\r\nContent-Length: %d\r\n", target, len(body))
	if how == "reset" {
		head.WriteString("Expect: 100-continue\r\n")
	}
	r.Header.Write(&head)
	head.WriteString("\r\n")
	write := func(p []byte) {
		if _, err := conn.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	write([]byte(head.String()))
	switch how {
	case "half-close":
		write(body[:sent])
		conn.(*net.UnixConn).CloseWrite()
		answer, _ := io.ReadAll(conn)
		if bytes.HasPrefix(answer, []byte("HTTP/1.1 2")) {
			t.Errorf("got the answer %q to half an upload", answer)
		}
	case "close":
		write(body[:sent])
	case "reset":
		// Closing a unix socket with unread bytes resets the connection: leave
		// all but the first of the interim answer.
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		write(body[:sent])
	}
	conn.Close()
	eventually(t, "the end of the connection", func() bool { return connections(t, lifeOf(s).pid) == 0 })

	do(t, s, 404, "GET", "/bucket/key", "")
	if _, list := do(t, s, 200, "GET", "/bucket?list-type=2", ""); strings.Contains(list, "<Key>") {
		t.Errorf("got a listing with an object: %s", list)
	}
	if _, list := do(t, s, 200, "GET", "/bucket/parts?uploadId="+upload, ""); strings.Contains(list, "<Part>") {
		t.Errorf("got a listing with a part: %s", list)
	}
}

// connections counts the sockets of a process, less the one that listens.
func connections(t *testing.T, pid int) int {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := -1
	for _, e := range entries {
		if link, err := os.Readlink(dir + "/" + e.Name()); err == nil && strings.HasPrefix(link, "socket:") {
			n++
		}
	}
	return n
}
