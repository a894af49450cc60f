package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func awsCLI1(f *s3Fixture, t *testing.T, bucket string) s3Client {
	return awsCLI(f, t, needAWS1(t), bucket)
}

func awsCLI2(f *s3Fixture, t *testing.T, bucket string) s3Client {
	return awsCLI(f, t, needAWS2(t), bucket)
}

// awsCLI does with an aws CLI whatever its words `s3` and `s3api` have.
func awsCLI(f *s3Fixture, t *testing.T, path, bucket string) s3Client {
	c := f.client(t)
	c.Write(".aws/config", "[default]\ns3 =\n  signature_version = s3v4\n")
	aws := func(tr *trial, args ...string) string {
		return tr.sh(c, path, append([]string{"--endpoint-url", f.s.TLSURL}, args...)...)
	}
	api := func(tr *trial, call, bucket string, args ...string) string {
		return aws(tr, append([]string{"s3api", call, "--bucket", bucket}, args...)...)
	}
	list := func(tr *trial, call string, args ...string) string {
		// With pages the query is asked of each of them.
		out := api(tr, call, bucket, append(args, "--query", "Contents[].Key", "--output", "text")...)
		return strings.ReplaceAll(strings.TrimSpace(out), "\t", "\n")
	}
	url := "s3://" + bucket + "/"
	file := c.Write("small", smallText)
	const key = "a dir/with blank & plus+ü.txt"
	ops := map[string]func(*trial){
		opMake: func(tr *trial) { aws(tr, "s3", "mb", url) },
		opPut: func(tr *trial) {
			aws(tr, "s3", "cp", file, url+key)
			tr.same("small", aws(tr, "s3", "cp", url+key, "-"), smallText)
		},
		opLarge: func(tr *trial) {
			aws(tr, "s3", "cp", "--quiet", tr.file(largeFile), url+"large")
			aws(tr, "s3", "cp", "--quiet", url+"large", "large.back")
			tr.sameFile("large", filepath.Join(c.Home, "large.back"), tr.file(largeFile))
		},
		opChecksums: func(tr *trial) {
			api(tr, "put-object", bucket, "--key", "sum", "--body", file, "--checksum-algorithm", "SHA256")
			head := api(tr, "head-object", bucket, "--key", "sum", "--checksum-mode", "ENABLED", "--query", "ChecksumSHA256", "--output", "text")
			tr.same("checksum", strings.TrimSpace(head), "DtDiMlChxbEY+V6PlliugNG7nfeGkoX5omaKi2aL8EM=")
		},
		opListV1: func(tr *trial) { tr.same("V1", list(tr, "list-objects", "--prefix", "a dir/"), key) },
		opListV2: func(tr *trial) {
			tr.same("V2", list(tr, "list-objects-v2", "--page-size", "1"), strings.Join([]string{key, "large", "sum"}, "\n"))
		},
		opSync: func(tr *trial) {
			aws(tr, "s3", "sync", "--quiet", tree(c), url+"tree/")
			aws(tr, "s3", "sync", "--quiet", url+"tree/", "back/")
			tr.sameTree(c, "back")
		},
		opRange: func(tr *trial) {
			api(tr, "get-object", bucket, "--key", key, "--range", "bytes=5-7", "part")
			tr.same("range", c.Read("part"), smallText[5:8])
		},
		opCopy: func(tr *trial) {
			aws(tr, "s3", "cp", url+key, url+"copied")
			tr.same("copy", aws(tr, "s3", "cp", url+"copied", "-"), smallText)
		},
		opGetURL: func(tr *trial) {
			tr.same("presigned", f.fetch(tr, "GET", strings.TrimSpace(aws(tr, "s3", "presign", url+key)), ""), smallText)
		},
		opTag: func(tr *trial) {
			api(tr, "put-object-tagging", bucket, "--key", key, "--tagging", "TagSet=[{Key=colour,Value=blue}]")
			tr.same("tags", strings.TrimSpace(api(tr, "get-object-tagging", bucket, "--key", key, "--query", "TagSet[].[Key,Value]", "--output", "text")), "colour\tblue")
		},
		opVersion: func(tr *trial) {
			v := bucket + "-v"
			aws(tr, "s3", "mb", "s3://"+v)
			api(tr, "put-bucket-versioning", v, "--versioning-configuration", "Status=Enabled")
			first := versionPut(tr, api(tr, "put-object", v, "--key", "k", "--body", file))
			versionPut(tr, api(tr, "put-object", v, "--key", "k", "--body", c.Write("other", "other")))
			api(tr, "get-object", v, "--key", "k", "--version-id="+first, "old")
			tr.same("version", c.Read("old"), smallText)
			tr.same("versions", strings.TrimSpace(api(tr, "list-object-versions", v, "--query", "length(Versions)", "--output", "text")), "2")
		},
		opLock: func(tr *trial) {
			l := bucket + "-l"
			api(tr, "create-bucket", l, "--object-lock-enabled-for-bucket")
			first := versionPut(tr, api(tr, "put-object", l, "--key", "k", "--body", file))
			held := []string{"--key", "k", "--version-id=" + first} // Ceph's may begin with "-"
			api(tr, "put-object-retention", l, append(held, "--retention", "Mode=GOVERNANCE,RetainUntilDate=2099-01-01T00:00:00Z")...)
			tr.refused(c, "AccessDenied", path, append([]string{"--endpoint-url", f.s.TLSURL, "s3api", "delete-object", "--bucket", l}, held...)...)
			api(tr, "put-object-legal-hold", l, append(held, "--legal-hold", "Status=ON")...)
			tr.same("hold", strings.TrimSpace(api(tr, "get-object-legal-hold", l, append(held, "--query", "LegalHold.Status", "--output", "text")...)), "ON")
			api(tr, "put-object-legal-hold", l, append(held, "--legal-hold", "Status=OFF")...)
			api(tr, "delete-object", l, append(held, "--bypass-governance-retention")...)
		},
		opDelete: func(tr *trial) { aws(tr, "s3", "rm", url+"copied") },
		opMany: func(tr *trial) {
			gone := api(tr, "delete-objects", bucket, "--delete", "Objects=[{Key=large},{Key=sum}]", "--query", "length(Deleted)", "--output", "text")
			tr.same("deleted", strings.TrimSpace(gone), "2")
		},
		opRemove: func(tr *trial) { aws(tr, "s3", "rb", "--force", url) },
	}
	return s3Client{version: versionOf(c, path, "--version"), ops: ops}
}

// versionPut is the version that `s3api put-object` made.
func versionPut(tr *trial, out string) string {
	var answer struct{ VersionId string }
	tr.check(json.Unmarshal([]byte(out), &answer))
	if answer.VersionId == "" {
		tr.fail("no version in %s", out)
	}
	return answer.VersionId
}

// boto3Client has one Python process do everything it can.
func boto3Client(f *s3Fixture, t *testing.T, bucket string) s3Client {
	c := f.client(t)
	python := needPython(t, "boto3")
	script, err := filepath.Abs("testdata/s3ops.py")
	if err != nil {
		t.Fatal(err)
	}
	less, err := lessFile()
	if err != nil {
		t.Fatal(err)
	}
	answer := decode[struct {
		Version string            `json:"version"`
		Ops     map[string]string `json:"ops"` // "" is success
	}](t, c.OK(python, script, bucket, less))
	out := s3Client{version: answer.Version, ops: map[string]func(*trial){}}
	for op, failure := range answer.Ops {
		out.ops[op] = func(tr *trial) {
			if failure != "" {
				tr.fail("%s", failure)
			}
		}
	}
	return out
}

// rcloneClient does with rclone what it has words for.
func rcloneClient(f *s3Fixture, t *testing.T, bucket string) s3Client {
	path := needTool(t, "rclone")
	c := f.client(t)
	c.Set("AWS_CA_BUNDLE", "") // this rclone dies of it
	for name, value := range map[string]string{
		"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": f.s.TLSURL, "REGION": f.s.Region,
		"ACCESS_KEY_ID": f.keys.AccessKeyID, "SECRET_ACCESS_KEY": f.keys.SecretAccessKey, "SESSION_TOKEN": f.keys.SessionToken,
	} {
		c.Set("RCLONE_CONFIG_D_"+name, value)
	}
	rclone := func(tr *trial, args ...string) string {
		return tr.sh(c, path, append([]string{"--ca-cert", f.s.CAFile}, args...)...)
	}
	at := "d:" + bucket
	file := c.Write("small", smallText)
	list := func(version string) func(*trial) {
		return func(tr *trial) {
			got := strings.Fields(rclone(tr, "lsf", "-R", "--files-only", "--s3-list-version", version, at+"/dir"))
			tr.same("list", strings.Join(got, " "), "large small")
		}
	}
	return s3Client{version: versionOf(c, path, "version"), ops: map[string]func(*trial){
		opMake: func(tr *trial) { rclone(tr, "mkdir", at) },
		opPut: func(tr *trial) {
			rclone(tr, "copyto", file, at+"/dir/small")
			tr.same("small", rclone(tr, "cat", at+"/dir/small"), smallText)
		},
		opLarge: func(tr *trial) {
			rclone(tr, "copyto", "--s3-upload-cutoff", "5Mi", tr.file(lessFile), at+"/dir/large")
			rclone(tr, "copyto", at+"/dir/large", "large.back")
			tr.sameFile("large", filepath.Join(c.Home, "large.back"), tr.file(lessFile))
		},
		opListV1: list("1"),
		opListV2: list("2"),
		opSync: func(tr *trial) {
			rclone(tr, "sync", tree(c), at+"/tree")
			rclone(tr, "check", "--download", filepath.Join(c.Home, "tree"), at+"/tree")
		},
		opRange: func(tr *trial) {
			tr.same("range", rclone(tr, "cat", "--offset", "5", "--count", "3", at+"/dir/small"), smallText[5:8])
		},
		opCopy: func(tr *trial) {
			rclone(tr, "copyto", at+"/dir/small", at+"/copied")
			tr.same("copy", rclone(tr, "cat", at+"/copied"), smallText)
		},
		opGetURL: func(tr *trial) {
			tr.same("presigned", f.fetch(tr, "GET", strings.TrimSpace(rclone(tr, "link", at+"/dir/small")), ""), smallText)
		},
		opDelete: func(tr *trial) { rclone(tr, "deletefile", at+"/copied") },
		opRemove: func(tr *trial) { rclone(tr, "purge", at) },
	}}
}

// s3cmdClient does with s3cmd what it has words for.
func s3cmdClient(f *s3Fixture, t *testing.T, bucket string) s3Client {
	path := needTool(t, "s3cmd")
	c := f.client(t)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		c.Set(name, "")
	}
	host := strings.TrimPrefix(f.s.TLSURL, "https://")
	c.Write(".s3cfg", fmt.Sprintf("[default]\naccess_key = %s\nsecret_key = %s\naccess_token = %s\nhost_base = %s\nhost_bucket = %[4]s\nuse_https = True\nsignurl_use_https = True\nca_certs_file = %[5]s\nmultipart_chunk_size_mb = 5\nprogress_meter = False\n",
		f.keys.AccessKeyID, f.keys.SecretAccessKey, f.keys.SessionToken, host, f.s.CAFile))
	s3cmd := func(tr *trial, args ...string) string { return tr.sh(c, path, args...) }
	url := "s3://" + bucket + "/"
	file := c.Write("small", smallText)
	return s3Client{version: versionOf(c, path, "--version"), ops: map[string]func(*trial){
		opMake: func(tr *trial) { s3cmd(tr, "mb", url) },
		opPut: func(tr *trial) {
			s3cmd(tr, "put", file, url+"dir/small")
			tr.same("small", s3cmd(tr, "get", url+"dir/small", "-"), smallText)
		},
		opLarge: func(tr *trial) {
			s3cmd(tr, "put", tr.file(lessFile), url+"large")
			s3cmd(tr, "get", url+"large", "large.back")
			tr.sameFile("large", filepath.Join(c.Home, "large.back"), tr.file(lessFile))
		},
		opListV1: func(tr *trial) {
			if got := s3cmd(tr, "ls", "-r", url); !strings.Contains(got, url+"dir/small\n") || !strings.Contains(got, url+"large\n") {
				tr.fail("ls: %s", got)
			}
		},
		opSync: func(tr *trial) {
			s3cmd(tr, "sync", tree(c)+"/", url+"tree/")
			s3cmd(tr, "sync", url+"tree/", "back/")
			tr.sameTree(c, "back")
		},
		opRange: func(tr *trial) {
			c.Write("part", smallText[:5])
			s3cmd(tr, "get", "--continue", url+"dir/small", "part")
			tr.same("range", c.Read("part"), smallText)
		},
		opCopy: func(tr *trial) {
			s3cmd(tr, "cp", url+"dir/small", url+"copied")
			tr.same("copy", s3cmd(tr, "get", url+"copied", "-"), smallText)
		},
		opGetURL: func(tr *trial) {
			signed := strings.TrimSpace(s3cmd(tr, "signurl", url+"dir/small", "+300"))
			if strings.Contains(signed, "AWSAccessKeyId=") {
				tr.fail("it signs URLs with SigV2 only, which is refused")
			}
			tr.same("presigned", f.fetch(tr, "GET", signed, ""), smallText)
		},
		opDelete: func(tr *trial) { s3cmd(tr, "rm", url+"copied") },
		opMany:   func(tr *trial) { s3cmd(tr, "rm", "-r", "-f", url+"tree/") },
		opRemove: func(tr *trial) { s3cmd(tr, "rb", "-r", "-f", url) },
	}}
}

// resticClient keeps a backup in the bucket.
func resticClient(f *s3Fixture, t *testing.T, bucket string) s3Client {
	path := needTool(t, "restic")
	c := f.client(t)
	c.Set("RESTIC_PASSWORD", "of the backup")
	c.Set("RESTIC_REPOSITORY", "s3:"+f.s.TLSURL+"/"+bucket)
	c.Set("RESTIC_CACERT", f.s.CAFile)
	c.Set("RESTIC_CACHE_DIR", filepath.Join(c.Home, "cache"))
	restic := func(tr *trial, args ...string) string {
		return tr.sh(c, path, append([]string{"--cacert", f.s.CAFile}, args...)...)
	}
	file := c.Write("small", smallText)
	list := func(v1 string) func(*trial) {
		return func(tr *trial) {
			if got := restic(tr, "-o", "s3.list-objects-v1="+v1, "snapshots", "--compact"); !strings.Contains(got, "1 snapshots") {
				tr.fail("snapshots: %s", got)
			}
		}
	}
	return s3Client{version: versionOf(c, path, "version"), ops: map[string]func(*trial){
		opMake: func(tr *trial) { restic(tr, "init") },
		opPut: func(tr *trial) {
			restic(tr, "backup", file)
			tr.same("small", restic(tr, "dump", "latest", file), smallText)
		},
		opListV1: list("true"),
		opListV2: list("false"),
		opSync: func(tr *trial) {
			dir := tree(c)
			restic(tr, "backup", dir)
			restic(tr, "restore", "latest", "--target", "back")
			tr.sameTree(c, filepath.Join("back", dir))
		},
		opRange:  func(tr *trial) { restic(tr, "check", "--read-data") },
		opDelete: func(tr *trial) { restic(tr, "forget", "--keep-last", "1", "--group-by", "", "--prune") },
	}}
}
