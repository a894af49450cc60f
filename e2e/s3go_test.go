package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime/multipart"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// provider gives the keys to aws-sdk-go-v2.
func (k Keys) provider() aws.CredentialsProviderFunc {
	return func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken}, nil
	}
}

// trailingChecksums are all that S3 knows; aws-sdk-go-v2 has them all.
var trailingChecksums = []types.ChecksumAlgorithm{
	types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme, types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256,
}

// goColumn is aws-sdk-go-v2 at work on one bucket.
type goColumn struct {
	*s3Fixture
	ctx    context.Context
	client *s3.Client
	bucket *string
}

func goClient(f *s3Fixture, t *testing.T, bucket string) s3Client {
	config := aws.Config{Region: f.s.Region, BaseEndpoint: aws.String(f.s.TLSURL), HTTPClient: f.http, Credentials: f.keys.provider()}
	g := &goColumn{f, t.Context(), s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }), aws.String(bucket)}
	return s3Client{version: moduleVersion(t, "github.com/aws/aws-sdk-go-v2/service/s3"), ops: map[string]func(*trial){
		opMake: func(tr *trial) {
			_, err := g.client.CreateBucket(g.ctx, &s3.CreateBucketInput{Bucket: g.bucket})
			tr.check(err)
		},
		opPut: func(tr *trial) {
			g.put(tr, g.bucket, "dir/small", "")
			tr.same("small", g.get(tr, &s3.GetObjectInput{Bucket: g.bucket, Key: aws.String("dir/small")}), smallText)
		},
		opLarge:     g.large,
		opChecksums: g.checksums,
		opListV1: func(tr *trial) {
			out, err := g.client.ListObjects(g.ctx, &s3.ListObjectsInput{Bucket: g.bucket, Prefix: aws.String("dir/")})
			tr.check(err)
			tr.same("V1", keysOf(out.Contents), "dir/small")
		},
		opListV2: func(tr *trial) {
			var all []types.Object
			pages := s3.NewListObjectsV2Paginator(g.client, &s3.ListObjectsV2Input{Bucket: g.bucket, MaxKeys: aws.Int32(1)})
			for pages.HasMorePages() {
				page, err := pages.NextPage(g.ctx)
				tr.check(err)
				all = append(all, page.Contents...)
			}
			tr.same("V2", keysOf(all), "dir/small large sum")
		},
		opRange: func(tr *trial) {
			tr.same("range", g.get(tr, &s3.GetObjectInput{Bucket: g.bucket, Key: aws.String("dir/small"), Range: aws.String("bytes=5-7")}), smallText[5:8])
		},
		opCopy: func(tr *trial) {
			_, err := g.client.CopyObject(g.ctx, &s3.CopyObjectInput{Bucket: g.bucket, Key: aws.String("copied"), CopySource: aws.String(bucket + "/dir/small")})
			tr.check(err)
			tr.same("copy", g.get(tr, &s3.GetObjectInput{Bucket: g.bucket, Key: aws.String("copied")}), smallText)
		},
		opGetURL: func(tr *trial) {
			url, err := s3.NewPresignClient(g.client).PresignGetObject(g.ctx, &s3.GetObjectInput{Bucket: g.bucket, Key: aws.String("dir/small")})
			tr.check(err)
			tr.same("presigned", f.fetch(tr, url.Method, url.URL, ""), smallText)
		},
		opPutURL: func(tr *trial) {
			url, err := s3.NewPresignClient(g.client).PresignPutObject(g.ctx, &s3.PutObjectInput{Bucket: g.bucket, Key: aws.String("by URL")})
			tr.check(err)
			f.fetch(tr, url.Method, url.URL, "by URL")
			tr.same("by URL", g.get(tr, &s3.GetObjectInput{Bucket: g.bucket, Key: aws.String("by URL")}), "by URL")
		},
		opForm: func(tr *trial) {
			form, err := s3.NewPresignClient(g.client).PresignPostObject(g.ctx, &s3.PutObjectInput{Bucket: g.bucket, Key: aws.String("by form")})
			tr.check(err)
			f.post(tr, form.URL, form.Values)
			tr.same("by form", g.get(tr, &s3.GetObjectInput{Bucket: g.bucket, Key: aws.String("by form")}), smallText)
		},
		opAbsent: func(tr *trial) {
			first := func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }
			_, err := g.putOnce(first)
			tr.check(err)
			if _, err := g.putOnce(first); apiCode(err) != "PreconditionFailed" {
				tr.fail("again: %v", err)
			}
		},
		opUnchanged: func(tr *trial) {
			made, err := g.putOnce(func(*s3.PutObjectInput) {})
			tr.check(err)
			if _, err := g.putOnce(func(in *s3.PutObjectInput) { in.IfMatch = aws.String(`"00000000000000000000000000000000"`) }); apiCode(err) != "PreconditionFailed" {
				tr.fail("in place of another: %v", err)
			}
			_, err = g.putOnce(func(in *s3.PutObjectInput) { in.IfMatch = made.ETag })
			tr.check(err)
		},
		opTag:     g.tags,
		opVersion: g.versions,
		opLock:    g.lock,
		opDelete: func(tr *trial) {
			_, err := g.client.DeleteObject(g.ctx, &s3.DeleteObjectInput{Bucket: g.bucket, Key: aws.String("copied")})
			tr.check(err)
		},
		opMany: g.many,
		opRemove: func(tr *trial) {
			_, err := g.client.DeleteBucket(g.ctx, &s3.DeleteBucketInput{Bucket: g.bucket})
			tr.check(err)
		},
	}}
}

// post sends a form with a small file, as a browser does.
func (f *s3Fixture) post(tr *trial, url string, fields map[string]string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range fields {
		tr.check(w.WriteField(name, value))
	}
	file, err := w.CreateFormFile("file", "a file.txt")
	tr.check(err)
	_, err = io.WriteString(file, smallText)
	tr.check(err)
	tr.check(w.Close())
	r, err := f.http.Post(url, w.FormDataContentType(), &b)
	tr.check(err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	tr.check(err)
	if r.StatusCode/100 != 2 {
		tr.fail("POST form: %s: %s", r.Status, body)
	}
}

func keysOf(objects []types.Object) string {
	var out []string
	for _, o := range objects {
		out = append(out, *o.Key)
	}
	return strings.Join(out, " ")
}

// put puts the small text and returns its version, "" in a bucket without.
func (g *goColumn) put(tr *trial, bucket *string, key string, sum types.ChecksumAlgorithm) string {
	out, err := g.client.PutObject(g.ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String(key), Body: strings.NewReader(smallText), ChecksumAlgorithm: sum})
	tr.check(err)
	return aws.ToString(out.VersionId)
}

// get reads an object, with the SDK's own check of what is stored with it.
func (g *goColumn) get(tr *trial, in *s3.GetObjectInput) string {
	out, err := g.client.GetObject(g.ctx, in)
	tr.check(err)
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	tr.check(err)
	return string(body)
}

func (g *goColumn) large(tr *trial) {
	const part = 16 << 20
	file, err := os.Open(tr.file(largeFile))
	tr.check(err)
	defer file.Close()
	key := aws.String("large")
	begun, err := g.client.CreateMultipartUpload(g.ctx, &s3.CreateMultipartUploadInput{Bucket: g.bucket, Key: key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c})
	tr.check(err)
	var parts []types.CompletedPart
	for at, n := int64(0), int32(1); at < largeSize; at, n = at+part, n+1 {
		out, err := g.client.UploadPart(g.ctx, &s3.UploadPartInput{
			Bucket: g.bucket, Key: key, UploadId: begun.UploadId, PartNumber: aws.Int32(n),
			Body: io.NewSectionReader(file, at, min(part, largeSize-at)), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
		})
		tr.check(err)
		parts = append(parts, types.CompletedPart{ETag: out.ETag, PartNumber: aws.Int32(n), ChecksumCRC32C: out.ChecksumCRC32C})
	}
	_, err = g.client.CompleteMultipartUpload(g.ctx, &s3.CompleteMultipartUploadInput{
		Bucket: g.bucket, Key: key, UploadId: begun.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	tr.check(err)
	out, err := g.client.GetObject(g.ctx, &s3.GetObjectInput{Bucket: g.bucket, Key: key})
	tr.check(err)
	defer out.Body.Close()
	h := sha256.New()
	_, err = io.Copy(h, out.Body)
	tr.check(err)
	want, err := digestOf(tr.file(largeFile))
	tr.check(err)
	tr.same("large", hex.EncodeToString(h.Sum(nil)), want)
}

func (g *goColumn) checksums(tr *trial) {
	for _, sum := range trailingChecksums {
		g.put(tr, g.bucket, "sum", sum)
		out, err := g.client.GetObject(g.ctx, &s3.GetObjectInput{Bucket: g.bucket, Key: aws.String("sum"), ChecksumMode: types.ChecksumModeEnabled})
		tr.check(err)
		_, err = io.Copy(io.Discard, out.Body)
		tr.check(err)
		out.Body.Close()
		stored := []*string{out.ChecksumCRC32, out.ChecksumCRC32C, out.ChecksumCRC64NVME, out.ChecksumSHA1, out.ChecksumSHA256}
		if at := slices.IndexFunc(stored, func(s *string) bool { return s != nil }); at < 0 || trailingChecksums[at] != sum {
			tr.fail("%s: stored with %v", sum, stored)
		}
	}
}

// putOnce puts the small text under a condition.
func (g *goColumn) putOnce(condition func(*s3.PutObjectInput)) (*s3.PutObjectOutput, error) {
	in := &s3.PutObjectInput{Bucket: g.bucket, Key: aws.String("once"), Body: strings.NewReader(smallText)}
	condition(in)
	return g.client.PutObject(g.ctx, in)
}

func (g *goColumn) tags(tr *trial) {
	want := types.Tag{Key: aws.String("colour"), Value: aws.String("blue")}
	key := aws.String("dir/small")
	_, err := g.client.PutObjectTagging(g.ctx, &s3.PutObjectTaggingInput{Bucket: g.bucket, Key: key, Tagging: &types.Tagging{TagSet: []types.Tag{want}}})
	tr.check(err)
	got, err := g.client.GetObjectTagging(g.ctx, &s3.GetObjectTaggingInput{Bucket: g.bucket, Key: key})
	tr.check(err)
	if len(got.TagSet) != 1 || *got.TagSet[0].Key != "colour" || *got.TagSet[0].Value != "blue" {
		tr.fail("tags: %+v", got.TagSet)
	}
}

func (g *goColumn) versions(tr *trial) {
	v := aws.String(*g.bucket + "-v")
	_, err := g.client.CreateBucket(g.ctx, &s3.CreateBucketInput{Bucket: v})
	tr.check(err)
	_, err = g.client.PutBucketVersioning(g.ctx, &s3.PutBucketVersioningInput{
		Bucket: v, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	tr.check(err)
	first, second := g.put(tr, v, "k", ""), g.put(tr, v, "k", "")
	if first == "" || first == second {
		tr.fail("versions %q and %q", first, second)
	}
	tr.same("version", g.get(tr, &s3.GetObjectInput{Bucket: v, Key: aws.String("k"), VersionId: &first}), smallText)
	_, err = g.client.DeleteObject(g.ctx, &s3.DeleteObjectInput{Bucket: v, Key: aws.String("k")})
	tr.check(err)
	all, err := g.client.ListObjectVersions(g.ctx, &s3.ListObjectVersionsInput{Bucket: v})
	tr.check(err)
	if len(all.Versions) != 2 || len(all.DeleteMarkers) != 1 {
		tr.fail("%d versions, %d delete markers", len(all.Versions), len(all.DeleteMarkers))
	}
}

func (g *goColumn) lock(tr *trial) {
	l, key := aws.String(*g.bucket+"-l"), aws.String("k")
	_, err := g.client.CreateBucket(g.ctx, &s3.CreateBucketInput{Bucket: l, ObjectLockEnabledForBucket: aws.Bool(true)})
	tr.check(err)
	version := aws.String(g.put(tr, l, "k", ""))
	_, err = g.client.PutObjectRetention(g.ctx, &s3.PutObjectRetentionInput{
		Bucket: l, Key: key, VersionId: version,
		Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionModeGovernance, RetainUntilDate: aws.Time(time.Now().AddDate(10, 0, 0))},
	})
	tr.check(err)
	if _, err := g.client.DeleteObject(g.ctx, &s3.DeleteObjectInput{Bucket: l, Key: key, VersionId: version}); apiCode(err) != "AccessDenied" {
		tr.fail("deleting what is locked: %v", err)
	}
	for _, status := range []types.ObjectLockLegalHoldStatus{types.ObjectLockLegalHoldStatusOn, types.ObjectLockLegalHoldStatusOff} {
		_, err := g.client.PutObjectLegalHold(g.ctx, &s3.PutObjectLegalHoldInput{Bucket: l, Key: key, VersionId: version, LegalHold: &types.ObjectLockLegalHold{Status: status}})
		tr.check(err)
		held, err := g.client.GetObjectLegalHold(g.ctx, &s3.GetObjectLegalHoldInput{Bucket: l, Key: key, VersionId: version})
		tr.check(err)
		tr.same("hold", string(held.LegalHold.Status), string(status))
	}
	_, err = g.client.DeleteObject(g.ctx, &s3.DeleteObjectInput{Bucket: l, Key: key, VersionId: version, BypassGovernanceRetention: aws.Bool(true)})
	tr.check(err)
}

func (g *goColumn) many(tr *trial) {
	list, err := g.client.ListObjectsV2(g.ctx, &s3.ListObjectsV2Input{Bucket: g.bucket})
	tr.check(err)
	var all []types.ObjectIdentifier
	for _, o := range list.Contents {
		all = append(all, types.ObjectIdentifier{Key: o.Key})
	}
	gone, err := g.client.DeleteObjects(g.ctx, &s3.DeleteObjectsInput{Bucket: g.bucket, Delete: &types.Delete{Objects: all}})
	tr.check(err)
	if len(gone.Deleted) != len(all) || len(gone.Errors) != 0 {
		tr.fail("%d of %d deleted, %+v", len(gone.Deleted), len(all), gone.Errors)
	}
}
