package s3

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"daypass/internal/sigv4"
)

func TestPartChecksums(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	q.store.reply = func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.RequestURI, "uploads="):
			w.Header().Set("X-Amz-Checksum-Algorithm", "SHA1")
			w.Header().Set("X-Amz-Checksum-Type", r.Header.Get("X-Amz-Checksum-Type"))
			fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", r.Header.Get("X-Amz-Meta-Id"))
		case strings.Contains(r.RequestURI, "max-parts"):
			fmt.Fprint(w, "<ListPartsResult><ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType></ListPartsResult>")
		}
	}
	for id, kind := range map[string]string{"whole": "FULL_OBJECT", "parts": "COMPOSITE"} {
		got := q.do(call{method: "POST", target: "/photos/a?uploads", header: map[string]string{"X-Amz-Checksum-Type": kind, "X-Amz-Checksum-Algorithm": "SHA1", "X-Amz-Meta-Id": id}})
		if element(got.Body, "UploadId") != id || got.Header.Get("X-Amz-Checksum-Algorithm") != "SHA1" {
			t.Fatalf("%d %v %s", got.Status, got.Header, got.Body)
		}
	}
	q.store.take()
	for _, tt := range []struct {
		id     string
		header map[string]string
		status int
		asked  bool
		body   string
	}{
		{"whole", nil, 200, false, framed("x", sigv4.SHA1)},
		{"parts", nil, 400, false, ""},
		{"parts", map[string]string{"X-Amz-Checksum-Sha1": base64Sum(sigv4.SHA1, "x")}, 200, false, framed("x", sigv4.SHA1)},
		{"other", nil, 200, true, framed("x", sigv4.CRC32)},
		{"other", nil, 200, false, framed("x", sigv4.CRC32)},
		{"third", map[string]string{"X-Amz-Sdk-Checksum-Algorithm": "CRC64NVME"}, 200, false, framed("x", sigv4.CRC64NVME)},
	} {
		got := q.do(call{method: "PUT", target: "/photos/a?partNumber=1&uploadId=" + tt.id, body: "x", payload: sigv4.UnsignedPayload, header: tt.header})
		up := q.store.take()
		if asked := len(up) > 0 && strings.Contains(up[0].Line, "max-parts=1&uploadId="); asked != tt.asked {
			t.Errorf("%s: the upstream was asked %v", tt.id, asked)
		}
		if got.Status != tt.status || tt.body != "" && up[len(up)-1].Body != tt.body || tt.body == "" && len(up) != 0 {
			t.Errorf("%s: %d %s %+v", tt.id, got.Status, got.Body, up)
		}
	}
}

func TestUploadsAreForgotten(t *testing.T) {
	t.Parallel()
	var u uploadSums
	for i := range 3 * maxUploadsKnown {
		u.put(uploadName{id: fmt.Sprint(i)}, partSum{sum: sigv4.CRC32})
		if n := len(u.recent) + len(u.old); n > maxUploadsKnown {
			t.Fatalf("%d known", n)
		}
		if _, ok := u.get(uploadName{id: fmt.Sprint(max(0, i-maxUploadsKnown/4))}); !ok {
			t.Fatalf("upload %d forgotten too soon", i)
		}
	}
}

// TestDocumentsAreJudged: policies can speak about tags and locks in documents,
// and the upstream gets the document that was judged.
func TestDocumentsAreJudged(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	for _, tt := range []struct {
		call call
		keys map[string]string
		body string
	}{
		{
			call{method: "PUT", target: "/photos/a?tagging", body: "<Tagging><!-- x --><TagSet><Tag><Key>b</Key><Value>1</Value></Tag></TagSet><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>"},
			map[string]string{"s3:RequestObjectTagKeys": "a,b", "s3:RequestObjectTag/b": "1", "s3:RequestObjectTag/a": ""},
			"<Tag><Key>a</Key><Value></Value></Tag><Tag><Key>b</Key><Value>1</Value></Tag></TagSet></Tagging>",
		},
		{
			call{method: "PUT", target: "/photos/a?retention", body: "<Retention><Mode>COMPLIANCE</Mode><Mode>GOVERNANCE</Mode><RetainUntilDate>2026-01-04T03:04:06Z</RetainUntilDate></Retention>"},
			map[string]string{"s3:object-lock-mode": "GOVERNANCE", "s3:object-lock-retain-until-date": "2026-01-04T03:04:06Z", "s3:object-lock-remaining-retention-days": "3"},
			"<Mode>GOVERNANCE</Mode><RetainUntilDate>2026-01-04T03:04:06Z</RetainUntilDate></Retention>",
		},
		{
			call{method: "PUT", target: "/photos/a?legal-hold", body: "<LegalHold><Status>ON</Status></LegalHold>"},
			map[string]string{"s3:object-lock-legal-hold": "ON"},
			"<Status>ON</Status></LegalHold>",
		},
		{
			call{method: "PUT", target: "/photos/a", header: map[string]string{"X-Amz-Object-Lock-Retain-Until-Date": "2026-01-03T03:04:05Z", "If-None-Match": "*"}},
			map[string]string{"s3:object-lock-remaining-retention-days": "1", "s3:if-none-match": "*"},
			"",
		},
	} {
		q.access.take()
		if got := q.do(tt.call); got.Status != 200 {
			t.Errorf("%s: %d %s", tt.call.target, got.Status, got.Body)
		}
		for key, want := range tt.keys {
			if got, ok := q.access.keys[0][key]; !ok || strings.Join(got, ",") != want {
				t.Errorf("%s: %s = %q, want %q", tt.call.target, key, got, want)
			}
		}
		if up := q.store.take(); len(up) != 1 || !strings.HasSuffix(up[0].Body, tt.body) {
			t.Errorf("%s: the upstream got %+v", tt.call.target, up)
		}
	}
}

func TestFixedFacts(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	get := func(what string) answer { return q.do(call{method: "GET", target: "/photos?" + what}) }
	for _, what := range []string{"publicAccessBlock", "ownershipControls"} {
		got := get(what)
		if got.Status != 200 {
			t.Errorf("%s: %d %s", what, got.Status, got.Body)
		}
		// What it is may be put.
		if again := q.do(call{method: "PUT", target: "/photos?" + what, body: got.Body}); again.Status != 200 {
			t.Errorf("%s put: %d %s", what, again.Status, again.Body)
		}
		if gone := q.do(call{method: "DELETE", target: "/photos?" + what}); gone.Status != 501 {
			t.Errorf("%s deleted: %d %s", what, gone.Status, gone.Body)
		}
	}
	if got := get("policyStatus"); got.Status != 404 || !strings.Contains(got.Body, "NoSuchBucketPolicy") {
		t.Errorf("policy status: %d %s", got.Status, got.Body)
	}
	if got := q.do(call{method: "DELETE", target: "/photos?policy"}); got.Status != 204 {
		t.Errorf("policy deleted: %d %s", got.Status, got.Body)
	}
	if up := q.store.take(); len(up) != 0 {
		t.Errorf("the upstream was asked: %s", up[0].Line)
	}
}

func TestSigV4A(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	signer, err := sigv4.NewAsymmetricSigner(sigv4.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, "us-*", "s3")
	if err != nil {
		t.Fatal(err)
	}
	for _, presigned := range []bool{false, true} {
		req, err := q.build(call{method: "PUT", target: "/photos/a?x-id=PutObject", body: "x", unsigned: true})
		if err != nil {
			t.Fatal(err)
		}
		if presigned {
			err = signer.Presign(req, 60e9, testTime)
		} else {
			err = signer.Sign(req, sha256Hex("x"), testTime)
		}
		if err != nil {
			t.Fatal(err)
		}
		resp, err := q.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		keys := q.access.keys
		q.access.take()
		if resp.StatusCode != 200 || keys[0]["s3:signatureversion"][0] != "AWS4-ECDSA-P256-SHA256" {
			t.Errorf("presigned %v: %d %v", presigned, resp.StatusCode, keys)
		}
		if up := q.store.take(); len(up) != 1 || up[0].Line != "PUT /photos/a?x-id=PutObject" || up[0].Header.Get("X-Amz-Region-Set") != "" {
			t.Errorf("presigned %v: the upstream got %+v", presigned, up)
		}
	}
}
