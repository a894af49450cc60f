package e2e

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/tags"
)

func minioTLS(f *s3Fixture, t *testing.T, bucket string) s3Client {
	return minioClient(f, t, f.s.TLSURL, bucket)
}

// minioPlain signs every chunk, and the trailer.
func minioPlain(f *s3Fixture, t *testing.T, bucket string) s3Client {
	return minioClient(f, t, f.s.URL, bucket)
}

// minioColumn is minio-go at work on one bucket. plain has no trailing
// headers, and so sends signed chunks without a trailer over plain HTTP.
type minioColumn struct {
	*s3Fixture
	ctx           context.Context
	client, plain *minio.Client
	bucket        string
}

func minioClient(f *s3Fixture, t *testing.T, endpoint, bucket string) s3Client {
	m := &minioColumn{s3Fixture: f, ctx: t.Context(), bucket: bucket}
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	for i, to := range []**minio.Client{&m.client, &m.plain} {
		*to, err = minio.New(u.Host, &minio.Options{
			Creds:  credentials.NewStaticV4(f.keys.AccessKeyID, f.keys.SecretAccessKey, f.keys.SessionToken),
			Secure: u.Scheme == "https", Region: f.s.Region, Transport: f.http.Transport, TrailingHeaders: i == 0, MaxRetries: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s3Client{version: moduleVersion(t, "github.com/minio/minio-go/v7"), ops: map[string]func(*trial){
		opMake: func(tr *trial) { tr.check(m.client.MakeBucket(m.ctx, bucket, minio.MakeBucketOptions{})) },
		opPut: func(tr *trial) {
			for key, c := range map[string]*minio.Client{"dir/small": m.client, "dir/plain": m.plain} {
				m.put(tr, c, bucket, key, minio.PutObjectOptions{})
				tr.same("small", m.get(tr, bucket, key, minio.GetObjectOptions{}), smallText)
			}
		},
		opLarge:     m.large,
		opChecksums: m.checksums,
		opListV1:    m.list(true),
		opListV2:    m.list(false),
		opRange: func(tr *trial) {
			var o minio.GetObjectOptions
			tr.check(o.SetRange(5, 7))
			tr.same("range", m.get(tr, bucket, "dir/small", o), smallText[5:8])
		},
		opCopy: func(tr *trial) {
			_, err := m.client.CopyObject(m.ctx, minio.CopyDestOptions{Bucket: bucket, Object: "copied"}, minio.CopySrcOptions{Bucket: bucket, Object: "dir/small"})
			tr.check(err)
			tr.same("copy", m.get(tr, bucket, "copied", minio.GetObjectOptions{}), smallText)
		},
		opGetURL: func(tr *trial) {
			u, err := m.client.PresignedGetObject(m.ctx, bucket, "dir/small", time.Minute, nil)
			tr.check(err)
			tr.same("presigned", f.fetch(tr, http.MethodGet, u.String(), ""), smallText)
		},
		opPutURL: func(tr *trial) {
			u, err := m.client.PresignedPutObject(m.ctx, bucket, "by URL", time.Minute)
			tr.check(err)
			f.fetch(tr, http.MethodPut, u.String(), "by URL")
			tr.same("by URL", m.get(tr, bucket, "by URL", minio.GetObjectOptions{}), "by URL")
		},
		opForm:    m.form,
		opTag:     m.tags,
		opVersion: m.versions,
		opLock:    m.lock,
		opDelete:  func(tr *trial) { tr.check(m.client.RemoveObject(m.ctx, bucket, "copied", minio.RemoveObjectOptions{})) },
		opMany: func(tr *trial) {
			for e := range m.client.RemoveObjects(m.ctx, bucket, m.client.ListObjects(m.ctx, bucket, minio.ListObjectsOptions{Recursive: true}), minio.RemoveObjectsOptions{}) {
				tr.check(e.Err)
			}
		},
		opRemove: func(tr *trial) { tr.check(m.client.RemoveBucket(m.ctx, bucket)) },
	}}
}

func (m *minioColumn) put(tr *trial, c *minio.Client, bucket, key string, o minio.PutObjectOptions) string {
	info, err := c.PutObject(m.ctx, bucket, key, strings.NewReader(smallText), int64(len(smallText)), o)
	tr.check(err)
	return info.VersionID
}

func (m *minioColumn) get(tr *trial, bucket, key string, o minio.GetObjectOptions) string {
	object, err := m.client.GetObject(m.ctx, bucket, key, o)
	tr.check(err)
	defer object.Close()
	body, err := io.ReadAll(object)
	tr.check(err)
	return string(body)
}

func (m *minioColumn) large(tr *trial) {
	path := tr.file(lessFile)
	for key, c := range map[string]*minio.Client{"large with a trailer": m.client, "large without": m.plain} {
		back := path + m.bucket
		if _, err := c.FPutObject(m.ctx, m.bucket, key, path, minio.PutObjectOptions{PartSize: 5 << 20}); err != nil {
			tr.fail("%s: %w", key, err)
		}
		tr.check(c.FGetObject(m.ctx, m.bucket, key, back, minio.GetObjectOptions{}))
		tr.sameFile("large", back, path)
		tr.check(os.Remove(back))
	}
}

func (m *minioColumn) checksums(tr *trial) {
	for _, sum := range []minio.ChecksumType{minio.ChecksumCRC32, minio.ChecksumCRC32C, minio.ChecksumCRC64NVME, minio.ChecksumSHA1, minio.ChecksumSHA256} {
		m.put(tr, m.client, m.bucket, "sum", minio.PutObjectOptions{Checksum: sum})
		info, err := m.client.StatObject(m.ctx, m.bucket, "sum", minio.StatObjectOptions{Checksum: true})
		tr.check(err)
		stored := map[minio.ChecksumType]string{
			minio.ChecksumCRC32: info.ChecksumCRC32, minio.ChecksumCRC32C: info.ChecksumCRC32C, minio.ChecksumCRC64NVME: info.ChecksumCRC64NVME,
			minio.ChecksumSHA1: info.ChecksumSHA1, minio.ChecksumSHA256: info.ChecksumSHA256,
		}
		if stored[sum] == "" {
			tr.fail("%s: stored with %v", sum, stored)
		}
	}
}

func (m *minioColumn) list(v1 bool) func(*trial) {
	return func(tr *trial) {
		var keys []string
		for o := range m.client.ListObjects(m.ctx, m.bucket, minio.ListObjectsOptions{Prefix: "dir/", Recursive: true, UseV1: v1, MaxKeys: 1}) {
			tr.check(o.Err)
			keys = append(keys, o.Key)
		}
		tr.same("list", strings.Join(keys, " "), "dir/plain dir/small")
	}
}

func (m *minioColumn) form(tr *trial) {
	p := minio.NewPostPolicy()
	for _, err := range []error{
		p.SetBucket(m.bucket), p.SetKey("by form"), p.SetExpires(time.Now().Add(time.Minute)), p.SetContentLengthRange(1, 1000), p.SetUserMetadata("colour", "blue"),
	} {
		tr.check(err)
	}
	u, fields, err := m.client.PresignedPostPolicy(m.ctx, p)
	tr.check(err)
	m.post(tr, u.String(), fields)
	tr.same("by form", m.get(tr, m.bucket, "by form", minio.GetObjectOptions{}), smallText)
}

func (m *minioColumn) tags(tr *trial) {
	want, err := tags.NewTags(map[string]string{"colour": "blue"}, true)
	tr.check(err)
	tr.check(m.client.PutObjectTagging(m.ctx, m.bucket, "dir/small", want, minio.PutObjectTaggingOptions{}))
	got, err := m.client.GetObjectTagging(m.ctx, m.bucket, "dir/small", minio.GetObjectTaggingOptions{})
	tr.check(err)
	tr.same("tags", got.String(), want.String())
}

func (m *minioColumn) versions(tr *trial) {
	v := m.bucket + "-v"
	tr.check(m.client.MakeBucket(m.ctx, v, minio.MakeBucketOptions{}))
	tr.check(m.client.EnableVersioning(m.ctx, v))
	first, second := m.put(tr, m.client, v, "k", minio.PutObjectOptions{}), m.put(tr, m.plain, v, "k", minio.PutObjectOptions{})
	if first == "" || first == second {
		tr.fail("versions %q and %q", first, second)
	}
	tr.same("version", m.get(tr, v, "k", minio.GetObjectOptions{VersionID: first}), smallText)
	n := 0
	for o := range m.client.ListObjects(m.ctx, v, minio.ListObjectsOptions{WithVersions: true}) {
		tr.check(o.Err)
		n++
	}
	if n != 2 {
		tr.fail("%d versions", n)
	}
}

func (m *minioColumn) lock(tr *trial) {
	l := m.bucket + "-l"
	tr.check(m.client.MakeBucket(m.ctx, l, minio.MakeBucketOptions{ObjectLocking: true}))
	version, mode, until := m.put(tr, m.client, l, "k", minio.PutObjectOptions{}), minio.Governance, time.Now().AddDate(10, 0, 0)
	tr.check(m.client.PutObjectRetention(m.ctx, l, "k", minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &until, VersionID: version}))
	err := m.client.RemoveObject(m.ctx, l, "k", minio.RemoveObjectOptions{VersionID: version})
	if minio.ToErrorResponse(err).Code != "AccessDenied" {
		tr.fail("deleting what is locked: %v", err)
	}
	for _, status := range []minio.LegalHoldStatus{minio.LegalHoldEnabled, minio.LegalHoldDisabled} {
		tr.check(m.client.PutObjectLegalHold(m.ctx, l, "k", minio.PutObjectLegalHoldOptions{VersionID: version, Status: &status}))
		held, err := m.client.GetObjectLegalHold(m.ctx, l, "k", minio.GetObjectLegalHoldOptions{VersionID: version})
		tr.check(err)
		tr.same("hold", held.String(), status.String())
	}
	tr.check(m.client.RemoveObject(m.ctx, l, "k", minio.RemoveObjectOptions{VersionID: version, GovernanceBypass: true}))
}
