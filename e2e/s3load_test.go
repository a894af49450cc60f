package e2e

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// pattern is the content of what these tests send, over and over.
var pattern = sync.OnceValue(func() []byte {
	block := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{2}).Read(block)
	return block
})

// patternReader reads size bytes of the pattern.
type patternReader struct{ size, at int64 }

func (p *patternReader) Read(b []byte) (int, error) {
	if p.at >= p.size {
		return 0, io.EOF
	}
	block := pattern()
	from := p.at % int64(len(block))
	n := copy(b[:min(int64(len(b)), p.size-p.at)], block[from:])
	p.at += int64(n)
	return n, nil
}

func (p *patternReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += p.at
	case io.SeekEnd:
		offset += p.size
	}
	p.at = offset
	return offset, nil
}

// patternCheck compares what is written to it with the pattern.
type patternCheck struct{ at int64 }

func (p *patternCheck) Write(b []byte) (int, error) {
	block := pattern()
	for rest := b; len(rest) > 0; {
		want := block[p.at%int64(len(block)):]
		n := min(len(want), len(rest))
		if !bytes.Equal(rest[:n], want[:n]) {
			return 0, fmt.Errorf("different after %d bytes", p.at)
		}
		p.at, rest = p.at+int64(n), rest[n:]
	}
	return len(b), nil
}

// memory of a process in bytes: now, at most, and now without files.
type memory struct{ now, most, own int64 }

func memoryOf(t testing.TB, pid int) memory {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("no /proc on this system: %v", err)
	}
	field := func(name string) int64 {
		_, rest, _ := strings.Cut(string(raw), name+":")
		kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		return kib << 10
	}
	return memory{field("VmRSS"), field("VmHWM"), field("RssAnon")}
}

// watch samples the memory of the server and of its object store until stop is
// called, which returns the samples of each.
func watch(t testing.TB, s *Server) (stop func() (server, child []int64)) {
	t.Helper()
	children := childrenOf(s.cmd.Process.Pid)
	if len(children) != 1 {
		t.Fatalf("children of the server: %v", children)
	}
	done, finished := make(chan struct{}), make(chan struct{})
	var server, child []int64
	sample := func() {
		server = append(server, memoryOf(t, s.cmd.Process.Pid).now)
		child = append(child, memoryOf(t, children[0]).now)
	}
	sample()
	go func() {
		defer close(finished)
		for {
			select {
			case <-done:
				sample()
				return
			case <-time.After(100 * time.Millisecond):
				sample()
			}
		}
	}()
	return func() ([]int64, []int64) {
		close(done)
		<-finished
		return server, child
	}
}

// flat says that memory did not grow with what went through: neither beyond a
// bound above the first sample, nor from the second third to the last.
func flat(t testing.TB, what string, samples []int64, bound int64) {
	t.Helper()
	third := len(samples) / 3
	first, most := samples[0], slices.Max(samples)
	middle, last := slices.Max(samples[third:2*third+1]), slices.Max(samples[2*third:])
	t.Logf("%s: %d MiB at first, %d MiB at most, %d MiB in the second third, %d MiB in the last", what, first>>20, most>>20, middle>>20, last>>20)
	if most > first+bound {
		t.Errorf("%s: %d MiB more than at first, want at most %d MiB", what, (most-first)>>20, bound>>20)
	}
	if last > middle+middle/4+32<<20 {
		t.Errorf("%s: grows, %d MiB in the second third and %d MiB in the last", what, middle>>20, last>>20)
	}
}

// needRoom skips a test when the disk has no room for what it writes.
func needRoom(t testing.TB, bytes int64) {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(os.TempDir(), &fs); err != nil {
		t.Fatal(err)
	}
	if free := int64(fs.Bavail) * fs.Bsize; free < 2*bytes {
		t.Skipf("NO ROOM: %d MiB free in %s, and this writes %d MiB: not tested", free>>20, os.TempDir(), bytes>>20)
	}
}

func soak() bool { return os.Getenv("DAYPASS_SOAK") != "" }

const (
	manyUploads = 1000
	manySize    = 8 << 20
	// perUpload is what one upload under way may hold, in server or store.
	perUpload = 256 << 10
	slack     = 64 << 20
	// patience is how long one upload may be told to slow down.
	patience = 5 * time.Minute
)

// TestManyUploads sends 1,000 objects of 8 MiB at the same time: memory does
// not grow with them, and nobody is told anything but to slow down.
func TestManyUploads(t *testing.T) {
	needRoom(t, manyUploads*manySize)
	s := Start(t)
	keys := s.RootSession(t)
	client := s3.NewFromConfig(aws.Config{Region: s.Region, BaseEndpoint: aws.String(s.URL), Credentials: keys.provider()}, func(o *s3.Options) { o.UsePathStyle = true })
	bucket := aws.String("many")
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConns: manyUploads, MaxIdleConnsPerHost: manyUploads, WriteBufferSize: 32 << 10, ExpectContinueTimeout: time.Minute}
	t.Cleanup(transport.CloseIdleConnections)
	up := &uploader{t: t, s: s, keys: keys, client: &http.Client{Transport: transport}, codes: map[string]int{}}
	began, stop := time.Now(), watch(t, s)
	var all sync.WaitGroup
	for i := range manyUploads {
		all.Go(func() { up.put(fmt.Sprintf("/many/%04d", i), manySize, i%2 == 0) })
	}
	all.Wait()
	server, child := stop()
	took := time.Since(began)
	t.Logf("%d uploads of %d MiB in %s, %.0f MiB/s; answers: %v", manyUploads, manySize>>20, took.Round(time.Millisecond), manyUploads*manySize/took.Seconds()/(1<<20), up.codes)
	for code, n := range up.codes {
		if code != "200 " && code != "503 SlowDown" {
			t.Errorf("%d answers %s", n, code)
		}
	}
	flat(t, "server", server, manyUploads*perUpload+slack)
	flat(t, "object store", child, manyUploads*perUpload+slack)
	list, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	whole := 0
	for _, o := range list.Contents {
		if *o.Size == manySize {
			whole++
		}
	}
	if whole != manyUploads {
		t.Errorf("%d whole objects of %d", whole, manyUploads)
	}
}

// uploader puts objects with UNSIGNED-PAYLOAD, and counts what it is told.
type uploader struct {
	t      testing.TB
	s      *Server
	keys   Keys
	client *http.Client
	mu     sync.Mutex
	codes  map[string]int
}

// put tries until it is not told to slow down any more. With expect the body
// waits for leave, as with the AWS SDKs; others send it at once.
func (u *uploader) put(target string, size int64, expect bool) {
	for until := time.Now().Add(patience); ; {
		status, code, wait := u.once(target, size, expect)
		u.mu.Lock()
		u.codes[fmt.Sprintf("%d %s", status, code)]++
		u.mu.Unlock()
		if status != http.StatusServiceUnavailable || time.Now().After(until) {
			return
		}
		time.Sleep(wait)
	}
}

func (u *uploader) once(target string, size int64, expect bool) (status int, code string, wait time.Duration) {
	req, err := http.NewRequest(http.MethodPut, u.s.URL+target, nil)
	if err != nil {
		return 0, err.Error(), 0
	}
	req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	credentials := aws.Credentials{AccessKeyID: u.keys.AccessKeyID, SecretAccessKey: u.keys.SecretAccessKey, SessionToken: u.keys.SessionToken}
	if err := v4.NewSigner().SignHTTP(u.t.Context(), credentials, req, "UNSIGNED-PAYLOAD", "s3", u.s.Region, time.Now()); err != nil {
		return 0, err.Error(), 0
	}
	req.ContentLength, req.Body = size, io.NopCloser(&patternReader{size: size})
	if expect {
		req.Header.Set("Expect", "100-continue")
	}
	r, err := u.client.Do(req)
	if err != nil {
		return 0, err.Error(), 0
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, err.Error(), 0
	}
	if r.StatusCode == http.StatusOK {
		return r.StatusCode, "", 0
	}
	seconds, _ := strconv.Atoi(r.Header.Get("Retry-After"))
	// Spread, or all come back at once.
	return r.StatusCode, between(string(body), "Code"), time.Duration(max(seconds, 1))*time.Second + rand.N(time.Second)
}

// TestAnswerBeforeTheBody refuses large uploads of clients that do not wait for
// leave: they get the answer, and not just a broken connection.
func TestAnswerBeforeTheBody(t *testing.T) {
	t.Parallel()
	s := Start(t)
	keys := s.RootSession(t)
	keys.SecretAccessKey = altered(keys.SecretAccessKey, 5)
	up := &uploader{t: t, s: s, keys: keys, client: new(http.Client), codes: map[string]int{}}
	const tries = 20
	for range tries {
		up.put("/bucket/key", manySize, false)
	}
	if got := up.codes[mismatch]; got != tries {
		t.Errorf("%d of %d answers %s: %v", got, tries, mismatch, up.codes)
	}
}

// TestLongConnection sends 1 GiB in parts over one TLS connection, 10 GiB with
// DAYPASS_SOAK, and reads it back over the same: memory does not grow with it.
func TestLongConnection(t *testing.T) {
	parts, size := 4, int64(256<<20)
	if soak() {
		parts, size = 10, 1<<30
	}
	needRoom(t, 2*int64(parts)*size)
	s := Start(t, "--tls")
	one := trusting(t, s.CAFile)
	one.Transport.(*http.Transport).MaxConnsPerHost = 1
	config := aws.Config{Region: s.Region, BaseEndpoint: aws.String(s.TLSURL), HTTPClient: one, Credentials: s.RootSession(t).provider()}
	client := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	bucket, key := aws.String("long"), aws.String("connection")
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	upload, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	began, stop := time.Now(), watch(t, s)
	var done []types.CompletedPart
	for n := range int32(parts) {
		out, err := client.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: bucket, Key: key, UploadId: upload.UploadId, PartNumber: aws.Int32(n + 1), Body: &patternReader{size: size},
		})
		if err != nil {
			t.Fatal(err)
		}
		done = append(done, types.CompletedPart{PartNumber: aws.Int32(n + 1), ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32})
	}
	server, child := stop()
	report := func(what string, began time.Time) {
		t.Logf("%s %d MiB, %.0f MiB/s", what, int64(parts)*size>>20, float64(int64(parts)*size>>20)/time.Since(began).Seconds())
	}
	report("put", began)
	flat(t, "server while putting", server, slack)
	flat(t, "object store while putting", child, slack)
	complete := &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: upload.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: done}}
	if _, err := client.CompleteMultipartUpload(t.Context(), complete); err != nil {
		t.Fatal(err)
	}
	began, stop = time.Now(), watch(t, s)
	out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	check := new(patternCheck)
	if _, err := io.Copy(check, out.Body); cmp.Or(err, lengthError(check.at, int64(parts)*size)) != nil {
		t.Errorf("what came back: %v", cmp.Or(err, lengthError(check.at, int64(parts)*size)))
	}
	server, child = stop()
	report("got", began)
	flat(t, "server while getting", server, slack)
	flat(t, "object store while getting", child, slack)
}

func lengthError(got, want int64) error {
	if got != want {
		return fmt.Errorf("%d bytes of %d", got, want)
	}
	return nil
}
