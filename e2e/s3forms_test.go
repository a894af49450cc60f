package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const formBoundary = "a-boundary-that-is-nowhere-else"

// formUpload is a form that was signed by the Go SDK, in pieces: a field each,
// the head of the file, its data and the end.
func formUpload(t testing.TB, client *s3.Client, key string) (action string, fields []segment, file []segment) {
	t.Helper()
	signed, err := s3.NewPresignClient(client).PresignPostObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(tamperBucket), Key: aws.String(key)})
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range signed.Values {
		fields = append(fields, segment{name, formField(name, value)})
	}
	slices.SortFunc(fields, func(a, b segment) int { return strings.Compare(a.name, b.name) })
	return signed.URL, fields, []segment{
		{"head of the file", "--" + formBoundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n"},
		{"first half of the file", strings.Join(wireChunks[:2], "")},
		{"second half of the file", wireChunks[2]},
		{"line before the end", "\r\n"},
		{"end", "--" + formBoundary + "--\r\n"},
	}
}

func formField(name, value string) string {
	return "--" + formBoundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
}

// sendForm sends a form of a length, or only the first bytes of it.
func sendForm(t testing.TB, s *Server, action string, body []segment, length, sent int, end ending) string {
	t.Helper()
	u, err := url.Parse(action)
	if err != nil {
		t.Fatal(err)
	}
	text := joined(body)
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: multipart/form-data; boundary=%s\r\nContent-Length: %d\r\n\r\n%s",
		u.RequestURI(), u.Host, formBoundary, length, text[:sent])
	status, code := rawExchange(t, s, b.Bytes(), end)
	return fmt.Sprintf("%d %s", status, code)
}

func joined(segments []segment) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString(s.text)
	}
	return b.String()
}

// TestTamperingWithForms changes and cuts signed forms on their way.
func TestTamperingWithForms(t *testing.T) {
	t.Parallel()
	w := newTamperSite(t)
	for target, key := range map[string]string{"new object": "new", "existing object": "kept"} {
		action, fields, file := formUpload(t, w.client, key)
		send := func(name, want string, body []segment) {
			t.Helper()
			text := joined(body)
			if got := sendForm(t, w.s, action, body, len(text), len(text), endAwait); got != want {
				t.Errorf("%s, %s: got %s, want %s", target, name, got, want)
			}
			w.nothingLeft(t, target+", "+name)
		}
		field := func(name, value string) segment { return segment{name, formField(name, value)} }
		whole := slices.Concat(fields, file)
		for i, f := range fields {
			missing, changed := formCodes(f.name)
			send("without "+f.name, missing, slices.Delete(slices.Clone(whole), i, i+1))
			other := lastOther(strings.TrimSuffix(f.text, "\r\n"), f.name) + "\r\n"
			if f.name == "policy" {
				other = formField(f.name, laterPolicy(t, f.text))
			}
			send("changed "+f.name, changed, slices.Replace(slices.Clone(whole), i, i+1, segment{f.name, other}))
		}
		first := fields[0]
		send("a field twice", "400 MalformedPOSTRequest", slices.Insert(slices.Clone(whole), 0, first))
		send("a field that the policy does not know", "403 AccessDenied", slices.Insert(slices.Clone(whole), 0, field("x-amz-meta-more", "1")))
		send("an ACL that the policy does not know", "403 AccessDenied", slices.Insert(slices.Clone(whole), 0, field("acl", "public-read")))
		send("a field after the file", "400 IncorrectNumberOfFilesInPostRequest", slices.Insert(slices.Clone(whole), len(whole)-1, field("x-amz-meta-more", "1")))
		send("no file", "400 IncorrectNumberOfFilesInPostRequest", slices.Concat(fields, file[4:]))
		at := 0
		for _, piece := range whole {
			for _, cut := range []int{at, at + 1, at + len(piece.text) - 1} {
				name := fmt.Sprintf("cut %d bytes into the %s", cut-at, piece.name)
				if got := sendForm(t, w.s, action, whole, len(joined(whole)), cut, endHalfClose); got != incomplete && got != "400 MalformedPOSTRequest" {
					t.Errorf("%s, %s: got %s", target, name, got)
				}
				w.nothingLeft(t, target+", "+name)
				sendForm(t, w.s, action, whole, len(joined(whole)), cut, endReset)
				w.nothingLeft(t, target+", "+name+", reset")
			}
			at += len(piece.text)
		}
	}
	action, fields, file := formUpload(t, w.client, "control")
	whole := slices.Concat(fields, file)
	if got := sendForm(t, w.s, action, whole, len(joined(whole)), len(joined(whole)), endAwait); got != "204 " {
		t.Errorf("a form that was left alone: %s", got)
	}
	w.remove(t, "control")
	w.settled(t)
}

// laterPolicy is the policy of a form with another expiration.
func laterPolicy(t testing.TB, field string) string {
	t.Helper()
	_, value, _ := strings.Cut(strings.TrimSpace(field), "\r\n\r\n")
	policy, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(policy), `"expiration":"2`, `"expiration":"3`, 1)))
}

// lastOther changes a field's last character, or of base64 and dates one that
// counts.
func lastOther(text, name string) string {
	at := len(text) - 1
	switch name {
	case "X-Amz-Date":
		at = len(text) - 2
	case "X-Amz-Credential":
		at = strings.Index(text, "ASIA") + 6
	case "X-Amz-Security-Token":
		at = len(text) - 10
	}
	now := byte('1')
	if text[at] == now {
		now = '2'
	}
	return text[:at] + string(now) + text[at+1:]
}

// formCodes are the answers to a form without a field, and with it changed.
func formCodes(name string) (missing, changed string) {
	switch name {
	case "key":
		return "400 InvalidArgument", "403 AccessDenied"
	case "policy":
		return "400 InvalidArgument", "403 SignatureDoesNotMatch"
	case "X-Amz-Signature":
		return "400 InvalidArgument", "403 SignatureDoesNotMatch"
	case "X-Amz-Algorithm":
		return "400 InvalidArgument", "400 InvalidArgument"
	case "X-Amz-Security-Token":
		// The policy names it.
		return "403 AccessDenied", "403 AccessDenied"
	}
	return "400 InvalidArgument", "403 AccessDenied"
}

// TestTamperingWithURLs changes presigned uploads on their way.
func TestTamperingWithURLs(t *testing.T) {
	t.Parallel()
	w := newTamperSite(t)
	for target, key := range map[string]string{"new object": "new", "existing object": "kept"} {
		signed, err := s3.NewPresignClient(w.client).PresignPutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(tamperBucket), Key: aws.String(key), ContentType: aws.String("text/x-wire"), Metadata: map[string]string{"colour": "blue"},
		})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(signed.URL)
		if err != nil {
			t.Fatal(err)
		}
		var headers strings.Builder
		for name := range signed.SignedHeader {
			if !strings.EqualFold(name, "Content-Length") {
				fmt.Fprintf(&headers, "%s: %s\r\n", name, signed.SignedHeader.Get(name))
			}
		}
		body := strings.Join(wireChunks, "")
		send := func(name, want, query, more string) {
			t.Helper()
			request := fmt.Sprintf("PUT %s?%s HTTP/1.1\r\n%s%sContent-Length: %d\r\n\r\n%s", u.EscapedPath(), query, headers.String(), more, len(body), body)
			status, code := rawExchange(t, w.s, []byte(request), endAwait)
			if got := fmt.Sprintf("%d %s", status, code); got != want {
				t.Errorf("%s, %s: got %s, want %s", target, name, got, want)
			}
			w.nothingLeft(t, target+", "+name)
		}
		pairs := strings.Split(u.RawQuery, "&")
		for i, pair := range pairs {
			name, _, _ := strings.Cut(pair, "=")
			missing, changed := urlCodes(name)
			send("without "+name, missing, strings.Join(slices.Delete(slices.Clone(pairs), i, i+1), "&"), "")
			send("changed "+name, changed, strings.Join(slices.Replace(slices.Clone(pairs), i, i+1, lastOther(pair, name)), "&"), "")
			if strings.HasPrefix(name, "X-Amz-") {
				send("twice "+name, "400 AuthorizationQueryParametersError", u.RawQuery+"&"+pair, "")
			}
		}
		send("a parameter more", mismatch, u.RawQuery+"&tagging=", "")
		send("tags in a header", "403 AccessDenied", u.RawQuery, "X-Amz-Tagging: a=b\r\n")
		send("a copy source in a header", "403 AccessDenied", u.RawQuery, "X-Amz-Copy-Source: /tampered/kept\r\n")
		send("a second signature", "400 InvalidRequest", u.RawQuery, "Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature="+hexSum("")+"\r\n")
	}
	w.settled(t)
}

// urlCodes are the answers to a presigned URL without a parameter, and with it
// changed.
func urlCodes(name string) (missing, changed string) {
	const malformed = "400 AuthorizationQueryParametersError"
	switch name {
	case "X-Amz-Algorithm":
		return malformed, malformed
	case "X-Amz-Security-Token":
		return "403 InvalidAccessKeyId", "400 InvalidToken"
	case "X-Amz-Credential":
		return malformed, "400 InvalidToken"
	case "X-Amz-SignedHeaders":
		return malformed, "403 AccessDenied" // the host is not signed then
	}
	if strings.HasPrefix(name, "X-Amz-") && !strings.HasPrefix(name, "X-Amz-Meta") {
		return malformed, mismatch
	}
	return mismatch, mismatch
}
