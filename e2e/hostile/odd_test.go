package hostile

import (
	"encoding/xml"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass/internal/sigv4"
)

// TestNewOwner: whoever takes the name of a deleted bucket finds nothing of the
// one who had it.
func TestNewOwner(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	other := r.otherRoot()
	root := r.rootSession()
	put := func(k keys, target, body string) { r.must(call{method: "PUT", target: target, keys: k, body: body}) }
	put(root, "/passed", "")
	put(root, "/passed?versioning", `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>`)
	put(root, "/passed?tagging", `<Tagging><TagSet><Tag><Key>owner</Key><Value>first</Value></Tag></TagSet></Tagging>`)
	put(root, "/passed?cors", `<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>`)
	put(root, "/passed/secret", "version one")
	put(root, "/passed/secret", "version two")
	upload := r.must(call{method: "POST", target: "/passed/pending?uploads", keys: root}).between("UploadId")
	put(root, "/passed/pending?partNumber=1&uploadId="+upload, "pending part")
	if a := r.do(call{method: "DELETE", target: "/passed", keys: root}); a.code() != "BucketNotEmpty" {
		t.Fatalf("deleting a bucket with objects: %s", a)
	}
	versions := r.must(call{target: "/passed?versions", keys: root})
	var list struct {
		Version []struct{ Key, VersionId string }
	}
	if err := xml.Unmarshal(versions.body, &list); err != nil || len(list.Version) != 2 {
		t.Fatalf("%v: %s", err, versions)
	}
	for _, v := range list.Version {
		r.must(call{method: "DELETE", target: "/passed/" + v.Key + "?versionId=" + v.VersionId, keys: root})
	}
	if a := r.do(call{method: "DELETE", target: "/passed", keys: root}); a.status != 204 {
		// A store may want uploads aborted first.
		r.must(call{method: "DELETE", target: "/passed/pending?uploadId=" + upload, keys: root})
		r.must(call{method: "DELETE", target: "/passed", keys: root})
	}
	put(other, "/passed", "")
	for target, want := range map[string]string{
		"/passed?tagging": "NoSuchTagSet", "/passed?cors": "NoSuchCORSConfiguration", "/passed/secret": "NoSuchKey",
	} {
		if a := r.do(call{target: target, keys: other}); a.code() != want {
			t.Errorf("GET %s: %s, want %s", target, a, want)
		}
	}
	for _, target := range []string{"/passed?versions", "/passed?uploads", "/passed?versioning", "/passed"} {
		if a := r.must(call{target: target, keys: other}); strings.Contains(string(a.body), "secret") || strings.Contains(string(a.body), "pending") || strings.Contains(string(a.body), "Enabled") {
			t.Errorf("GET %s shows what was before: %s", target, a)
		}
	}
	if a := r.do(call{method: "PUT", target: "/passed/pending?partNumber=2&uploadId=" + upload, keys: other, body: "x"}); a.code() != "NoSuchUpload" {
		t.Errorf("the upload of before goes on: %s", a)
	}
	for _, v := range list.Version {
		if a := r.do(call{target: "/passed/" + v.Key + "?versionId=" + v.VersionId, keys: other}); a.status < 400 {
			t.Errorf("a version of before: %s", a)
		}
	}
	if a := r.do(call{target: "/passed/secret", keys: root}); a.status != 403 {
		t.Errorf("the owner of before: %s", a)
	}
}

// TestSplitAnswers: text of a caller's that comes back in a header stays in that
// header, and the connection to the store stays in step.
func TestSplitAnswers(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	k := r.rootSession()
	r.must(call{method: "PUT", target: "/split", keys: k})
	for i := range 8 {
		r.must(call{method: "PUT", target: fmt.Sprintf("/split/%d", i), keys: k, body: fmt.Sprint("body ", i)})
	}
	evil := "text%2Fplain%0D%0AContent-Length%3A%200%0D%0AX-Evil%3A%201%0D%0A%0D%0AHTTP%2F1.1%20200%20OK%0D%0AContent-Length%3A%204%0D%0A%0D%0Aevil"
	for _, parameter := range []string{"response-content-type", "response-content-disposition", "response-cache-control", "response-expires", "response-content-language"} {
		a := r.do(call{target: "/split/0?" + parameter + "=" + evil, keys: k})
		if a.header.Get("X-Evil") != "" || a.status == 200 && string(a.body) != "body 0" {
			t.Errorf("%s: %v %s", parameter, a.header, a)
		}
	}
	at(8, func(i int) {
		for range 20 {
			if a, err := r.try(call{target: fmt.Sprintf("/split/%d", i), keys: k}); err != nil || string(a.body) != fmt.Sprint("body ", i) {
				t.Errorf("object %d: %v %s", i, err, a)
			}
		}
	})
}

// TestOddRequests: what is strange but not evil gets an answer that tells the
// client what is wrong, never a failure of ours.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	k := r.rootSession()
	r.must(call{method: "PUT", target: "/odd", keys: k})
	r.must(call{method: "PUT", target: "/odd/file", keys: k, body: "x"})
	upload := r.must(call{method: "POST", target: "/odd/parts?uploads", keys: k}).between("UploadId")
	part := "/odd/parts?uploadId=" + upload
	complete := func(parts string) call {
		return call{method: "POST", target: part, keys: k, body: "<CompleteMultipartUpload>" + parts + "</CompleteMultipartUpload>"}
	}
	long := strings.Repeat("k", 300)
	deep := strings.Repeat("d/", 500) + "x"
	for name, c := range map[string]call{
		"segment of 300 bytes":          {method: "PUT", target: "/odd/" + long, keys: k, body: "x"},
		"GET of a segment of 300 bytes": {target: "/odd/" + long, keys: k},
		"500 segments":                  {method: "PUT", target: "/odd/" + deep, keys: k, body: "x"},
		"below a file":                  {method: "PUT", target: "/odd/file/below", keys: k, body: "x"},
		"GET below a file":              {target: "/odd/file/below", keys: k},
		"folder with a body":            {method: "PUT", target: "/odd/folder/", keys: k, body: "x"},
		"control character":             {method: "PUT", target: "/odd/a%01b", keys: k, body: "x"},
		"line feed":                     {method: "PUT", target: "/odd/a%0Ab", keys: k, body: "x"},
		"part 0":                        {method: "PUT", target: part + "&partNumber=0", keys: k, body: "x"},
		"part 10001":                    {method: "PUT", target: part + "&partNumber=10001", keys: k, body: "x"},
		"part x":                        {method: "PUT", target: part + "&partNumber=x", keys: k, body: "x"},
		"completion without parts":      complete(""),
		"completion with a stranger":    complete("<Part><PartNumber>1</PartNumber><ETag>none</ETag></Part>"),
		"completion that is not XML":    {method: "POST", target: part, keys: k, body: "no"},
		"negative max-keys":             {target: "/odd?max-keys=-1", keys: k},
		"max-keys of letters":           {target: "/odd?max-keys=x", keys: k},
		"unknown encoding-type":         {target: "/odd?encoding-type=x", keys: k},
		"odd continuation":              {target: "/odd?list-type=2&continuation-token=..%2F..%2F", keys: k},
		"range backwards":               {target: "/odd/file", keys: k, header: header("Range", "bytes=5-1")},
		"range of nonsense":             {target: "/odd/file", keys: k, header: header("Range", "lines=1-2")},
		"copy onto itself":              {method: "PUT", target: "/odd/file", keys: k, header: header("X-Amz-Copy-Source", "/odd/file")},
		"copy of nothing":               {method: "PUT", target: "/odd/copy", keys: k, header: header("X-Amz-Copy-Source", "/odd/none")},
		"copy of a range of nothing":    {method: "PUT", target: part + "&partNumber=1", keys: k, header: [][2]string{{"X-Amz-Copy-Source", "/odd/file"}, {"X-Amz-Copy-Source-Range", "bytes=5-9"}}},
		"versioning with nonsense":      {method: "PUT", target: "/odd?versioning", keys: k, body: "<VersioningConfiguration><Status>Perhaps</Status></VersioningConfiguration>"},
		"tags that are not XML":         {method: "PUT", target: "/odd/file?tagging", keys: k, body: "no"},
		"eleven tags": {method: "PUT", target: "/odd/tagged", keys: k, body: "x", header: header("X-Amz-Tagging", strings.TrimPrefix(func() (s string) {
			for i := range 11 {
				s += fmt.Sprintf("&k%d=v", i)
			}
			return s
		}(), "&"))},
		"metadata of 8 KiB":        {method: "PUT", target: "/odd/meta", keys: k, body: "x", header: header("X-Amz-Meta-Long", strings.Repeat("m", 8<<10))},
		"unknown storage class":    {method: "PUT", target: "/odd/class", keys: k, body: "x", header: header("X-Amz-Storage-Class", "PAPER")},
		"object lock without lock": {method: "PUT", target: "/odd/locked", keys: k, body: "x", header: [][2]string{{"X-Amz-Object-Lock-Mode", "COMPLIANCE"}, {"X-Amz-Object-Lock-Retain-Until-Date", "2099-01-01T00:00:00Z"}}},
		"retention without lock":   {target: "/odd/file?retention", keys: k},
		"attributes":               {target: "/odd/file?attributes", keys: k, header: header("X-Amz-Object-Attributes", "Nonsense")},
		"restore":                  {method: "POST", target: "/odd/file?restore", keys: k, body: "<RestoreRequest><Days>1</Days></RestoreRequest>"},
		"HEAD with a wrong range":  {method: "HEAD", target: "/odd/file", keys: k, header: header("Range", "bytes=9-10")},
		"condition of nonsense":    {target: "/odd/file", keys: k, header: header("If-Modified-Since", "yesterday")},
		"checksum mode":            {target: "/odd/file", keys: k, header: header("X-Amz-Checksum-Mode", "PERHAPS")},
		"deletion of a thousand and one": {
			method: "POST", target: "/odd?delete", keys: k,
			body: "<Delete>" + strings.Repeat("<Object><Key>x</Key></Object>", 1001) + "</Delete>",
		},
	} {
		a := r.do(c)
		if a.status >= 500 && a.status != 501 {
			t.Errorf("%s: %s", name, a)
		}
		if a.status >= 400 && c.method != "HEAD" && a.envelope() != "s3" {
			t.Errorf("%s: no error document: %s", name, a)
		}
	}
	// Whatever names were taken, the listing can be read.
	for _, query := range []string{"", "?list-type=2", "?versions", "?list-type=2&encoding-type=url"} {
		a := r.must(call{target: "/odd" + query, keys: k})
		if err := xml.Unmarshal(a.body, new(struct{})); err != nil {
			t.Errorf("the listing %q cannot be read: %v", query, err)
		}
	}
}

// TestLargeBodies: a large object goes through memory in pieces.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	k := r.rootSession()
	r.must(call{method: "PUT", target: "/large", keys: k})
	body := strings.Repeat("0123456789abcdef", 64<<20/16)
	before := r.footprint()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			c := call{method: "PUT", target: fmt.Sprintf("/large/%d", i), keys: k, body: body, payload: sigv4.UnsignedPayload}
			if a, err := r.try(c); err != nil || a.status != 200 {
				t.Errorf("%v %s", err, a)
			}
		})
	}
	most := before.memory
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(10 * time.Millisecond):
			most = max(most, r.footprint().memory)
		}
	}
	if most > before.memory+64<<20 {
		t.Errorf("four bodies of 64 MiB took %d MiB", (most-before.memory)>>20)
	}
	t.Logf("%d MiB more while 256 MiB came in", (most-before.memory)>>20)
}
