package e2e

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// curlClient makes the requests of S3 by hand. curl signs them, with the hash
// of the body left open, and sorts no query: its parameters stand in order, and
// each has its "=".
func curlClient(f *s3Fixture, t *testing.T, bucket string) s3Client {
	path := needTool(t, "curl")
	c := f.client(t)
	// The secret goes in by a file: arguments are for everyone to see.
	config := c.Write("curlrc", fmt.Sprintf("silent\nshow-error\nfail-with-body\nuser = %q\nheader = %q\nheader = %q\naws-sigv4 = %q\ncacert = %q\n",
		f.keys.AccessKeyID+":"+f.keys.SecretAccessKey, "X-Amz-Security-Token: "+f.keys.SessionToken,
		"x-amz-content-sha256: UNSIGNED-PAYLOAD", "aws:amz:"+f.s.Region+":s3", f.s.CAFile))
	curl := func(tr *trial, target string, args ...string) string {
		return tr.sh(c, path, append([]string{"-K", config, f.s.TLSURL + "/" + target}, args...)...)
	}
	document := func(tr *trial, method, target, xml string) string {
		return curl(tr, target, "-X", method, "-H", "Content-Type: application/xml", "-d", xml)
	}
	contains := func(tr *trial, got string, want ...string) {
		for _, w := range want {
			if !strings.Contains(got, w) {
				tr.fail("no %s in %s", w, got)
			}
		}
	}
	file := c.Write("small", smallText)
	object := bucket + "/dir/small"
	header := func(tr *trial, target string, args ...string) string {
		return curl(tr, target, append(args, "-D", "-")...)
	}
	return s3Client{version: versionOf(c, path, "--version"), ops: map[string]func(*trial){
		opMake: func(tr *trial) { curl(tr, bucket, "-X", "PUT") },
		opPut: func(tr *trial) {
			curl(tr, object, "-T", file)
			tr.same("small", curl(tr, object), smallText)
		},
		opLarge: func(tr *trial) {
			whole := tr.file(lessFile)
			id := between(curl(tr, bucket+"/large?uploads=", "-X", "POST"), "UploadId")
			etag := regexp.MustCompile(`(?im)^etag: (\S+)`).FindStringSubmatch(header(tr, bucket+"/large?partNumber=1&uploadId="+id, "-T", whole))
			if etag == nil {
				tr.fail("a part has no ETag")
			}
			document(tr, "POST", bucket+"/large?uploadId="+id, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+etag[1]+"</ETag></Part></CompleteMultipartUpload>")
			curl(tr, bucket+"/large", "-o", "large.back")
			tr.sameFile("large", filepath.Join(c.Home, "large.back"), whole)
		},
		opListV1: func(tr *trial) {
			contains(tr, curl(tr, bucket), "<Key>dir/small</Key>", "<Key>large</Key>", "<MaxKeys>")
		},
		opListV2: func(tr *trial) {
			contains(tr, curl(tr, bucket+"?list-type=2&prefix=d"), "<Key>dir/small</Key>", "<KeyCount>1</KeyCount>")
		},
		opRange: func(tr *trial) { tr.same("range", curl(tr, object, "-r", "5-7"), smallText[5:8]) },
		opCopy: func(tr *trial) {
			curl(tr, bucket+"/copied", "-X", "PUT", "-H", "x-amz-copy-source: /"+object)
			tr.same("copy", curl(tr, bucket+"/copied"), smallText)
		},
		opTag: func(tr *trial) {
			document(tr, "PUT", object+"?tagging=", "<Tagging><TagSet><Tag><Key>colour</Key><Value>blue</Value></Tag></TagSet></Tagging>")
			contains(tr, curl(tr, object+"?tagging="), "<Key>colour</Key>", "<Value>blue</Value>")
		},
		opVersion: func(tr *trial) {
			v := bucket + "-v"
			curl(tr, v, "-X", "PUT")
			document(tr, "PUT", v+"?versioning=", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
			first := versionHeader(tr, header(tr, v+"/k", "-T", file))
			versionHeader(tr, header(tr, v+"/k", "-T", c.Write("other", "other")))
			tr.same("version", curl(tr, v+"/k?versionId="+first), smallText)
			if got := curl(tr, v+"?versions="); strings.Count(got, "<Version>") != 2 {
				tr.fail("versions: %s", got)
			}
		},
		opLock: func(tr *trial) {
			l := bucket + "-l"
			curl(tr, l, "-X", "PUT", "-H", "x-amz-bucket-object-lock-enabled: true")
			held := "versionId=" + versionHeader(tr, header(tr, l+"/k", "-T", file))
			document(tr, "PUT", l+"/k?retention=&"+held, "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate></Retention>")
			tr.refused(c, "<Code>AccessDenied</Code>", path, "-K", config, "-X", "DELETE", f.s.TLSURL+"/"+l+"/k?"+held)
			for _, status := range []string{"ON", "OFF"} {
				document(tr, "PUT", l+"/k?legal-hold=&"+held, "<LegalHold><Status>"+status+"</Status></LegalHold>")
				contains(tr, curl(tr, l+"/k?legal-hold=&"+held), "<Status>"+status+"</Status>")
			}
			curl(tr, l+"/k?"+held, "-X", "DELETE", "-H", "x-amz-bypass-governance-retention: true")
		},
		opDelete: func(tr *trial) { curl(tr, bucket+"/copied", "-X", "DELETE") },
		opMany: func(tr *trial) {
			got := document(tr, "POST", bucket+"?delete=", "<Delete><Object><Key>large</Key></Object><Object><Key>dir/small</Key></Object></Delete>")
			contains(tr, got, "<Deleted><Key>large</Key></Deleted>", "<Deleted><Key>dir/small</Key></Deleted>")
		},
		opRemove: func(tr *trial) { curl(tr, bucket, "-X", "DELETE") },
	}}
}

// between is the text of the first XML element of a name.
func between(xml, name string) string {
	_, rest, _ := strings.Cut(xml, "<"+name+">")
	text, _, _ := strings.Cut(rest, "</"+name+">")
	return text
}

var versionLine = regexp.MustCompile(`(?im)^x-amz-version-id: (\S+)`)

func versionHeader(tr *trial, header string) string {
	m := versionLine.FindStringSubmatch(header)
	if m == nil {
		tr.fail("no version in %s", header)
	}
	return m[1]
}
