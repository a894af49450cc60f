package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"daypass/internal/sigv4"
)

// TestBotocoreSigner holds the verifier against the signers of botocore, which
// one Python process applies to a line of JSON at a time.
func TestBotocoreSigner(t *testing.T) {
	t.Parallel()
	botocore := startPython(t, "sign.py")
	rapid.Check(t, func(t *rapid.T) {
		s := drawSigning(t)
		in := drawRequest(t, s, pyQuirks)
		raw, err := botocore.sign(in, s)
		if err != nil {
			t.Fatal(err)
		}
		holds(t, raw, s, in.Body)
	})
}

// pythonSigner is a running testdata/sign.py.
type pythonSigner struct {
	mu  sync.Mutex
	in  io.WriteCloser
	out *bufio.Reader
}

func startPython(t *testing.T, script string) *pythonSigner {
	t.Helper()
	python := needPython(t, "botocore")
	c := exec.Command(python, "testdata/"+script)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := c.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, &stderr)
		}
	})
	return &pythonSigner{in: in, out: bufio.NewReaderSize(out, 1<<20)}
}

func (p *pythonSigner) sign(in *wireRequest, s *signing) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line, err := json.Marshal(map[string]any{
		"method": in.Method, "host": in.Host, "path": in.Path, "query": in.Query, "headers": in.Headers, "body": in.Body,
		"unsigned": in.Payload == sigv4.UnsignedPayload, "key": s.Key, "secret": s.Secret, "token": s.Token,
		"region": s.Region, "service": s.Service, "time": s.Time.Unix(), "presign": s.Presign, "expires": s.Expires,
	})
	if err != nil {
		return nil, err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	answer, err := p.out.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	var got struct {
		Target, Host string
		Headers      [][2]string
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", in.Method, got.Target, got.Host)
	for _, h := range got.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	fmt.Fprintf(&b, "\r\n%s", in.Body)
	return b.Bytes(), nil
}
