package e2e

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// tampering is one change under way and what it must be answered with.
type tampering struct {
	name   string
	change func(*wireUpload)
	// length is added to the Content-Length that fits.
	length int
	// pieces of the body are sent, when cut.
	cut    bool
	pieces int
	end    ending
	want   string // "status code"; "" when there is no answer
}

const (
	mismatch   = "403 SignatureDoesNotMatch"
	incomplete = "400 IncompleteBody"
)

// TestTampering changes uploads at every place on their way, with raw TCP
// against the server and its object store: what was changed is never stored,
// never listed, takes nothing away that was there, and has the right error.
func TestTampering(t *testing.T) {
	t.Parallel()
	tamper(t, newTamperSite(t))
}

// TestTamperingOnCeph is TestTampering before a real Ceph, in which is looked
// with its own keys, past Daypass.
func TestTamperingOnCeph(t *testing.T) {
	t.Parallel()
	c := StartCeph(t)
	w := &tamperSite{t: t, store: c.S3(c.Keys())}
	w.start(WithCeph(t, c, "s3: {default_upstream: ceph}\n")...)
	tamper(t, w)
}

func tamper(t *testing.T, w *tamperSite) {
	t.Helper()
	s, keys := w.s, w.keys
	for _, mode := range []string{modeHashed, modeUnsigned, modeTrailer, modeChunks, modeChunksTrailer} {
		t.Run(mode, func(t *testing.T) {
			for target, path := range w.targets {
				w.control(t, mode, usualSum)
				for _, c := range tamperings(newWireUpload(t, s, keys, mode, usualSum, path)) {
					w.try(t, mode, usualSum, target, path, c)
				}
			}
		})
	}
	for sum := range trailerSums {
		t.Run(sum, func(t *testing.T) {
			for _, mode := range []string{modeTrailer, modeChunksTrailer} {
				w.control(t, mode, sum)
				path := w.targets["new object"]
				for _, c := range bodyTamperings(newWireUpload(t, s, keys, mode, sum, path)) {
					w.try(t, mode, sum, mode, path, c)
				}
			}
		})
	}
	w.settled(t)
}

const (
	tamperBucket = "tampered"
	keptText     = "kept"
)

// tamperSite is a bucket with one object, "kept", and one begun upload.
type tamperSite struct {
	t      testing.TB
	s      *Server
	keys   Keys
	client *s3.Client
	// store is the object store itself, nil where it is ours alone.
	store   *s3.Client
	upload  *string
	targets map[string]string // what is put, and where
	tried   int
}

// newTamperSite starts a server with such a bucket. When it is down, nothing
// but that object may be on disk.
func newTamperSite(t *testing.T) *tamperSite {
	t.Helper()
	w := &tamperSite{t: t}
	t.TempDir() // outlives what is registered from here on
	t.Cleanup(func() {
		if w.s == nil {
			return
		}
		if left := storedFiles(t, w.s.Data); len(left) != 1 || filepath.Base(left[0]) != "kept" {
			t.Errorf("on disk: %q", left)
		}
	})
	w.start()
	return w
}

// start starts the server and makes the bucket.
func (w *tamperSite) start(args ...string) {
	w.t.Helper()
	w.s = Start(w.t, args...)
	w.keys = w.s.RootSession(w.t)
	config := aws.Config{Region: w.s.Region, BaseEndpoint: aws.String(w.s.URL), Credentials: w.keys.provider()}
	w.client = s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	w.prepare()
}

func (w *tamperSite) prepare() {
	bucket := aws.String(tamperBucket)
	_, err := w.client.CreateBucket(w.t.Context(), &s3.CreateBucketInput{Bucket: bucket})
	if err == nil {
		_, err = w.client.PutObject(w.t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String("kept"), Body: strings.NewReader(keptText)})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	begun, err := w.client.CreateMultipartUpload(w.t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("parts")})
	if err != nil {
		w.t.Fatal(err)
	}
	w.upload = begun.UploadId
	w.targets = map[string]string{
		"new object":      "/tampered/new",
		"existing object": "/tampered/kept",
		"part":            "/tampered/parts?partNumber=1&uploadId=" + *begun.UploadId,
	}
}

// control shows that the same upload is taken when nobody touches it.
func (w *tamperSite) control(t *testing.T, mode, sum string) {
	t.Helper()
	u := newWireUpload(t, w.s, w.keys, mode, sum, "/tampered/control")
	if status, code := u.send(t, w.s, u.length(), len(u.body), endAwait); status != 200 {
		t.Fatalf("an upload that was left alone: %d %s", status, code)
	}
	out, err := w.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(tamperBucket), Key: aws.String("control")})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	if got, err := io.ReadAll(out.Body); err != nil || string(got) != strings.Join(wireChunks, "") {
		t.Errorf("what was left alone came back with %d bytes, %v", len(got), err)
	}
	if out.ContentEncoding != nil && *out.ContentEncoding != "" {
		t.Errorf("stored with Content-Encoding %s", *out.ContentEncoding)
	}
	w.remove(t, "control")
}

func (w *tamperSite) remove(t *testing.T, key string) {
	t.Helper()
	if _, err := w.client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(tamperBucket), Key: aws.String(key)}); err != nil {
		t.Error(err)
	}
}

// try sends one changed upload, and looks at once for what it left.
func (w *tamperSite) try(t *testing.T, mode, sum, target, path string, c tampering) {
	t.Helper()
	u := newWireUpload(t, w.s, w.keys, mode, sum, path)
	length, pieces := u.length(), len(u.body)
	if c.change != nil {
		c.change(u)
		if !c.cut {
			length, pieces = u.length(), len(u.body)
		}
	}
	if c.cut {
		pieces = c.pieces
	}
	status, code := u.send(t, w.s, length+c.length, pieces, c.end)
	if got := fmt.Sprintf("%d %s", status, code); c.want != "" && got != c.want {
		t.Errorf("%s, %s: got %s, want %s", target, c.name, got, c.want)
	}
	w.nothingLeft(t, target+", "+c.name)
}

// nothingLeft ends the test when what was refused is there all the same.
func (w *tamperSite) nothingLeft(t *testing.T, what string) {
	t.Helper()
	w.tried++
	if left := w.left(t); left != "" {
		t.Fatalf("%s: %s", what, left)
	}
}

// left says what a refused upload changed, "" for nothing.
func (w *tamperSite) left(t *testing.T) string {
	t.Helper()
	if w.store != nil {
		if left := w.leftIn(t, w.store); left != "" {
			return "in the store: " + left
		}
	}
	return w.leftIn(t, w.client)
}

func (w *tamperSite) leftIn(t *testing.T, api *s3.Client) string {
	t.Helper()
	bucket := aws.String(tamperBucket)
	list, err := api.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Contents) != 1 || *list.Contents[0].Key != "kept" || *list.Contents[0].Size != int64(len(keptText)) {
		return "listed: " + keysOf(list.Contents)
	}
	parts, err := api.ListParts(t.Context(), &s3.ListPartsInput{Bucket: bucket, Key: aws.String("parts"), UploadId: w.upload})
	if err != nil {
		t.Fatal(err)
	}
	if len(parts.Parts) != 0 {
		return fmt.Sprintf("%d parts of %d bytes", len(parts.Parts), *parts.Parts[0].Size)
	}
	return ""
}

// settled looks once more when all is over, and ends what was begun.
func (w *tamperSite) settled(t *testing.T) {
	t.Helper()
	if left := w.left(t); left != "" {
		t.Error(left)
	}
	out, err := w.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(tamperBucket), Key: aws.String("kept")})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	if got, err := io.ReadAll(out.Body); err != nil || string(got) != keptText {
		t.Errorf("kept: %q, %v", got, err)
	}
	abort := &s3.AbortMultipartUploadInput{Bucket: aws.String(tamperBucket), Key: aws.String("parts"), UploadId: w.upload}
	if _, err := w.client.AbortMultipartUpload(t.Context(), abort); err != nil {
		t.Error(err)
	}
	t.Logf("%d changed uploads", w.tried)
}

// storedFiles lists the files that a data directory holds of the bucket.
func storedFiles(t *testing.T, data string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(data, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && strings.Contains(path, string(filepath.Separator)+tamperBucket+string(filepath.Separator)) {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return out
}
