package sigv4

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	mime "mime/multipart"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const formBorder = "----WebKitFormBoundaryX"

// formBody writes a form as browsers do. An empty filename leaves the file out.
func formBody(fields [][2]string, filename, content string) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", formBorder, f[0], f[1])
	}
	if filename != "" {
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\nContent-Type: text/plain\r\n\r\n%s\r\n", formBorder, filename, content)
	}
	b.WriteString("--" + formBorder + "--\r\n")
	return b.String()
}

func postRequest(body string) *http.Request {
	r := request("POST", "/bucket")
	r.Header.Set("Content-Type", "multipart/form-data; boundary="+formBorder)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	return r
}

// signPolicy makes the signature of a policy's base64 text.
func signPolicy(text string) string {
	return Derive(testCredentials.SecretAccessKey, "20260102", "us-east-1", "s3").Sign(text)
}

// signedFields are the fields of a form whose policy has the conditions, as
// JSON, besides those on bucket and signature.
func signedFields(key, conditions string, more ...[2]string) [][2]string {
	credential := testCredentials.AccessKeyID + "/20260102/us-east-1/s3/aws4_request"
	if conditions != "" {
		conditions = ", " + conditions
	}
	policy := base64.StdEncoding.EncodeToString([]byte(`{"expiration": "2026-01-02T04:04:05.000Z", "conditions": [{"bucket": "bucket"}, ` +
		`{"x-amz-algorithm": "AWS4-HMAC-SHA256"}, {"x-amz-credential": "` + credential + `"}, {"x-amz-date": "20260102T030405Z"}` + conditions + `]}`))
	fields := [][2]string{{"key", key}}
	fields = append(fields, more...)
	return append(fields, [2]string{"X-Amz-Algorithm", "AWS4-HMAC-SHA256"}, [2]string{"X-Amz-Credential", credential},
		[2]string{"X-Amz-Date", "20260102T030405Z"}, [2]string{"Policy", policy}, [2]string{"X-Amz-Signature", signPolicy(policy)})
}

func postForm(t testing.TB, body string) (*PostForm, error) {
	t.Helper()
	f, err := ParsePostForm(postRequest(body), "bucket", s3Rules, testTime)
	if err != nil {
		return nil, err
	}
	if err := f.Signed.Check(keyFor(f.Signed), ""); err != nil {
		return nil, err
	}
	return f, nil
}

// TestBotocorePosts takes what testdata/sign_posts_with_botocore.py made.
func TestBotocorePosts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/posts.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Secret string
		Time   time.Time
		Forms  []struct {
			Name, URL, Key, Token string
			Fields                [][2]string
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Forms) < 12 {
		t.Fatalf("only %d forms", len(file.Forms))
	}
	for _, v := range file.Forms {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			w := mime.NewWriter(&b)
			for _, f := range v.Fields {
				w.WriteField(f[0], f[1])
			}
			part, err := w.CreateFormFile("file", `C:\pictures\a "b".png`)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(part, "content")
			w.Close()
			r := request("POST", "/bucket")
			r.Header.Set("Content-Type", w.FormDataContentType())
			r.Body, r.ContentLength = io.NopCloser(&b), int64(b.Len())
			f, err := ParsePostForm(r, "bucket", s3Rules, file.Time)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Signed.Check(Derive(file.Secret, f.Signed.Date, f.Signed.Region, f.Signed.Service), ""); err != nil {
				t.Error(err)
			}
			if want := strings.ReplaceAll(v.Key, "${filename}", `a "b".png`); f.Key != want || f.Signed.SessionToken != v.Token {
				t.Errorf("key %q, want %q; token %q", f.Key, want, f.Signed.SessionToken)
			}
			content, err := io.ReadAll(f.File)
			if err != nil || string(content) != "content" || f.Length != 7 {
				t.Errorf("file %q of %d, %v", content, f.Length, err)
			}
		})
	}
}

func TestPostForm(t *testing.T) {
	t.Parallel()
	conditions := `["starts-with", "$key", "user/"], ["eq", "$ACL", "private"], ["Starts-With", "$Content-Type", "image/"], ` +
		`{"success_action_status": "201", "success_action_redirect": "https://example.com/?a=b"}, ["content-length-range", 7, "7"], ["starts-with", "$x-amz-meta-a", ""]`
	fields := signedFields("user/${filename}", conditions, [2]string{"acl", "private"}, [2]string{"Content-Type", "image/png, image/gif"},
		[2]string{"success_action_status", "201"}, [2]string{"success_action_redirect", "https://example.com/?a=b"},
		[2]string{"x-ignore-this", "anything\x00"[:8]}, [2]string{"x-amz-meta-a", "\u00e4\tb"}, [2]string{"bucket", "bucket"})
	f, err := postForm(t, formBody(fields, "dir/${filename}", "content"))
	if err != nil {
		t.Fatal(err)
	}
	want := []FormField{{"acl", "private"}, {"content-type", "image/png, image/gif"}, {"x-amz-meta-a", "\u00e4\tb"}}
	if f.Key != "user/${filename}" || f.SuccessStatus != 201 || f.SuccessRedirect != "https://example.com/?a=b" || !slices.Equal(f.Fields, want) {
		t.Errorf("got %q, %d, %q, %q", f.Key, f.SuccessStatus, f.SuccessRedirect, f.Fields)
	}
	if f.Field("acl") != "private" || f.Field("x-amz-meta-b") != "" || f.Signed.Mechanism != MechanismPost {
		t.Errorf("fields %q", f.Fields)
	}
	if s, err := url.QueryUnescape(fmt.Sprintf("%v", f.Signed)); err != nil || strings.Contains(s, f.Signed.Signature) {
		t.Errorf("prints as %s", s)
	}
}

func TestPostDefaults(t *testing.T) {
	t.Parallel()
	any := func(names ...string) string {
		var b []string
		for _, n := range append(names, "key") {
			b = append(b, `["starts-with", "$`+n+`", ""]`)
		}
		return strings.Join(b, ", ")
	}
	for _, v := range []struct {
		field    [2]string
		status   int
		redirect string
	}{
		{[2]string{"success_action_status", "200"}, 200, ""},
		{[2]string{"success_action_status", "404"}, 204, ""},
		{[2]string{"success_action_redirect", "javascript:alert(1)"}, 204, ""},
		{[2]string{"success_action_redirect", "//example.com/"}, 204, ""},
		{[2]string{"redirect", "http://example.com/"}, 204, "http://example.com/"},
	} {
		f, err := postForm(t, formBody(signedFields("k", any(v.field[0]), v.field), "f", ""))
		if err != nil || f.SuccessStatus != v.status || f.SuccessRedirect != v.redirect || f.Length != 0 {
			t.Errorf("%q: %+v, %v", v.field, f, err)
		}
	}
	for filename, want := range map[string]string{"a.txt": "x/a.txt/a.txt", `C:\dir\b`: "x/b/b", "/etc/c": "x/c/c", "../..": "x/../..", "d/": "x//", "\u1234": "x/\u1234/\u1234"} {
		f, err := postForm(t, formBody(signedFields("x/${filename}/${filename}", any()), filename, "c"))
		if err != nil || f.Key != want {
			t.Errorf("%q: %+v, %v, want %q", filename, f, err, want)
		}
	}
}

func TestPostRefusals(t *testing.T) {
	t.Parallel()
	anyKey := `["starts-with", "$key", ""]`
	good := signedFields("k", anyKey)
	without := func(name string) [][2]string {
		return slices.DeleteFunc(slices.Clone(good), func(f [2]string) bool { return strings.EqualFold(f[0], name) })
	}
	with := func(name, value string) [][2]string {
		out := slices.Clone(good)
		i := slices.IndexFunc(out, func(f [2]string) bool { return strings.EqualFold(f[0], name) })
		out[i][1] = value
		return out
	}
	policy := func(text string) [][2]string {
		text = base64.StdEncoding.EncodeToString([]byte(text))
		fields := with("policy", text)
		fields[len(fields)-1][1] = signPolicy(text)
		return fields
	}
	missing := func(name string) string {
		return "Bucket POST must contain a field named '" + name + "'.  If it is specified, please check the order of the fields."
	}
	const expiration = `{"expiration": "2026-01-02T04:04:05Z"`
	for _, v := range []struct {
		name   string
		fields [][2]string
		want   Failure
		s3     string
	}{
		{"nothing", [][2]string{{"key", "k"}}, FailureMissingAuthentication, "Access Denied"},
		{"version 2", [][2]string{{"key", "k"}, {"AWSAccessKeyId", "a"}, {"policy", "b"}, {"signature", "c"}}, FailureSignatureV2, ""},
		{"no key", without("key"), FailureFormArgument, missing("key")},
		{"no policy", without("policy"), FailureFormArgument, missing("policy")},
		{"no algorithm", without("x-amz-algorithm"), FailureFormArgument, missing("x-amz-algorithm")},
		{"no credential", without("x-amz-credential"), FailureFormArgument, missing("x-amz-credential")},
		{"no date", without("x-amz-date"), FailureFormArgument, missing("x-amz-date")},
		{"no signature", without("x-amz-signature"), FailureFormArgument, missing("x-amz-signature")},
		{"empty key", with("key", ""), FailureFormArgument, missing("key")},
		{"twice", append(slices.Clone(good), [2]string{"KEY", "other"}), FailureFormMalformed, "the field 'key' twice"},
		{"algorithm", with("x-amz-algorithm", "AWS4-ECDSA-P256-SHA256"), FailureFormArgument, "only supports"},
		{"date", with("x-amz-date", "2026-01-02"), FailureFormArgument, "ISO8601"},
		{"signature form", with("x-amz-signature", "00"), FailureFormArgument, "hexadecimal"},
		{"signature", with("x-amz-signature", EmptySHA256), FailureSignatureMismatch, ""},
		{"credential parts", with("x-amz-credential", "a/b"), FailureFormArgument, "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed"},
		{"credential region", with("x-amz-credential", "a/20260102/eu-west-1/s3/aws4_request"), FailureFormArgument, `the region "eu-west-1" is wrong; expecting "us-east-1"`},
		{"credential service", with("x-amz-credential", "a/20260102/us-east-1/sts/aws4_request"), FailureFormArgument, "incorrect service"},
		{"credential date", with("x-amz-credential", "a/20260101/us-east-1/s3/aws4_request"), FailureFormArgument, "Invalid credential date"},
		{"terminator", with("x-amz-credential", "a/20260102/us-east-1/s3/aws5_request"), FailureFormArgument, "incorrect terminal"},
		{"other key ID", with("x-amz-credential", "a/20260102/us-east-1/s3/aws4_request"), FailureFormPolicyRefused, `Policy Condition failed: ["eq", "$x-amz-credential", "ASIA`},
		{"not base64", with("policy", "%%%"), FailureFormPolicyMalformed, "Invalid Policy: invalid Base64 encoding."},
		{"not JSON", policy("{"), FailureFormPolicyMalformed, "Invalid Policy: Invalid JSON."},
		{"a list", policy("[]"), FailureFormPolicyMalformed, "Invalid JSON."},
		{"two documents", policy("{}{}"), FailureFormPolicyMalformed, "Invalid JSON."},
		{"member twice", policy(expiration + `, "conditions": [], "conditions": []}`), FailureFormPolicyMalformed, "Invalid JSON."},
		{"other member", policy(expiration + `, "conditions": [], "Conditions": []}`), FailureFormPolicyMalformed, "Unexpected: 'Conditions'"},
		{"no expiration", policy(`{"conditions": []}`), FailureFormPolicyMalformed, "Invalid Policy: Policy missing expiration."},
		{"expiration", policy(`{"expiration": "tomorrow", "conditions": []}`), FailureFormPolicyMalformed, "Invalid Policy: Invalid 'expiration' value: 'tomorrow'"},
		{"expiration number", policy(`{"expiration": 1, "conditions": []}`), FailureFormPolicyMalformed, "Invalid 'expiration' value: '1'"},
		{"no conditions", policy(expiration + `}`), FailureFormPolicyMalformed, "Invalid Policy: Policy missing conditions."},
		{"conditions", policy(expiration + `, "conditions": {}}`), FailureFormPolicyMalformed, "Invalid Policy: Invalid 'conditions' value: must be a List."},
		{"null conditions", policy(expiration + `, "conditions": null}`), FailureFormPolicyMalformed, "must be a List."},
		{"operation", policy(expiration + `, "conditions": [["ends-with", "$key", "a"]]}`), FailureFormPolicyMalformed, "Invalid Policy: Invalid Condition: unknown operation 'ends-with'."},
		{"two values", policy(expiration + `, "conditions": [["eq", "$key"]]}`), FailureFormPolicyMalformed, "Invalid Condition"},
		{"no dollar", policy(expiration + `, "conditions": [["eq", "key", "a"]]}`), FailureFormPolicyMalformed, "Invalid Condition"},
		{"number", policy(expiration + `, "conditions": [{"key": 1}]}`), FailureFormPolicyMalformed, "must be a String"},
		{"empty object", policy(expiration + `, "conditions": [{}]}`), FailureFormPolicyMalformed, "Invalid Condition"},
		{"a string", policy(expiration + `, "conditions": ["eq"]}`), FailureFormPolicyMalformed, "Invalid Condition"},
		{"negative range", policy(expiration + `, "conditions": [["content-length-range", -1, 5]]}`), FailureFormPolicyMalformed, "content-length-range"},
		{"fraction", policy(expiration + `, "conditions": [["content-length-range", 1, 5.5]]}`), FailureFormPolicyMalformed, "content-length-range"},
		{"expired", policy(`{"expiration": "2026-01-02T03:04:05Z", "conditions": []}`), FailureFormPolicyRefused, "Invalid according to Policy: Policy expired."},
		{"uncovered bucket", policy(expiration + `, "conditions": []}`), FailureFormPolicyRefused, "Invalid according to Policy: Extra input fields: bucket, key, x-amz-algorithm"},
		{"other bucket", policy(expiration + `, "conditions": [{"bucket": "other"}]}`), FailureFormPolicyRefused, `Policy Condition failed: ["eq", "$bucket", "other"]`},
		{"bucket field", signedFields("k", anyKey, [2]string{"bucket", "other"}), FailureFormArgument, "another bucket"},
		{"extra field", signedFields("k", anyKey, [2]string{"acl", "public-read"}), FailureFormPolicyRefused, "Invalid according to Policy: Extra input fields: acl"},
		{"submit button", signedFields("k", anyKey, [2]string{"submit", "Upload"}), FailureFormPolicyRefused, "Extra input fields: submit"},
		{"uncovered token", signedFields("k", anyKey, [2]string{"x-amz-security-token", "T"}), FailureFormPolicyRefused, "Extra input fields: x-amz-security-token"},
		{"other token", signedFields("k", anyKey+`, {"x-amz-security-token": "SECRETTOKEN"}`, [2]string{"x-amz-security-token", "T"}), FailureFormPolicyRefused, `["eq", "$x-amz-security-token", "REDACTED"]`},
		{"other key", signedFields("k", `{"key": "l"}`), FailureFormPolicyRefused, `Invalid according to Policy: Policy Condition failed: ["eq", "$key", "l"]`},
		{"key written, not resolved", signedFields("${filename}", `{"key": "${filename}"}`), FailureFormPolicyRefused, `["eq", "$key", "${filename}"]`},
		{"prefix of the resolved key", signedFields("${filename}", `["starts-with", "$key", "user/"]`), FailureFormPolicyRefused, `["starts-with", "$key", "user/"]`},
		{"case of the value", signedFields("K", `{"key": "k"}`), FailureFormPolicyRefused, ""},
		{"absent field", signedFields("k", anyKey+`, ["starts-with", "$Content-Type", ""]`), FailureFormPolicyRefused, `Policy Condition failed: ["starts-with", "$Content-Type", ""]`},
		{"one type of two", signedFields("k", anyKey+`, ["starts-with", "$Content-Type", "image/"]`, [2]string{"Content-Type", "image/png,text/html"}), FailureFormPolicyRefused, ""},
		{"second condition", signedFields("k", anyKey+`, ["starts-with", "$acl", ""], {"acl": "private"}`, [2]string{"acl", "public-read"}), FailureFormPolicyRefused, `["eq", "$acl", "private"]`},
		{"too long", signedFields("k", anyKey+`, ["content-length-range", 0, 6]`), FailureTooLarge, "exceeds the maximum allowed size"},
		{"too short", signedFields("k", anyKey+`, ["content-length-range", 8, 100]`), FailureTooSmall, "smaller than the minimum allowed size"},
		{"blank in a name", signedFields("k", anyKey+`, ["eq", "$a b", "c"]`, [2]string{"a b", "c"}), FailureFormArgument, "cannot be that of a header"},
		{"line break in a value", signedFields("k", anyKey+`, ["starts-with", "$acl", ""]`, [2]string{"acl", "a\r\nb"}), FailureFormArgument, "control character"},
		{"large fields", append(slices.Clone(good), [2]string{"x-ignore-a", strings.Repeat("a", maxFormFields)}), FailureFormTooLarge, "too large"},
		{"fields large together", append(slices.Clone(good), [2]string{"x-ignore-a", strings.Repeat("a", 19000)}, [2]string{"x-ignore-b", strings.Repeat("a", 1000)}), FailureFormTooLarge, "too large"},
	} {
		_, err := postForm(t, formBody(v.fields, "name", "content"))
		if FailureOf(err) != v.want {
			t.Errorf("%s: %v, want %q", v.name, err, v.want)
			continue
		}
		e := err.(*Error)
		if !strings.Contains(e.S3Message(), v.s3) || strings.Contains(fmt.Sprint(e.S3Message(), e.Detail), "SECRETTOKEN") {
			t.Errorf("%s: %q %v, want %q", v.name, e.S3Message(), e.Detail, v.s3)
		}
		if v.want == FailureFormArgument && (e.DetailValue("ArgumentName") == "" || e.Detail[1].Name != "ArgumentValue") {
			t.Errorf("%s: details %v", v.name, e.Detail)
		}
	}
	var many [][2]string
	for i := range maxFormCount + 1 {
		many = append(many, [2]string{fmt.Sprintf("x-ignore-%d", i), ""})
	}
	if _, err := postForm(t, formBody(many, "f", "")); FailureOf(err) != FailureFormTooLarge {
		t.Errorf("many fields: %v", err)
	}
}

func TestPostTime(t *testing.T) {
	t.Parallel()
	policy := base64.StdEncoding.EncodeToString([]byte(`{"expiration": "2027-01-02T04:04:05Z", "conditions": [["starts-with", "$key", ""], ["starts-with", "$bucket", ""],
		["starts-with", "$x-amz-algorithm", ""], ["starts-with", "$x-amz-credential", ""], ["starts-with", "$x-amz-date", ""]]}`))
	fields := signedFields("k", "")
	fields[len(fields)-2][1] = policy
	fields[len(fields)-1][1] = signPolicy(policy)
	for after, want := range map[time.Duration]Failure{
		0: "", maxPolicyAge: "", maxPolicyAge + 1: FailureFormPolicyRefused, -DefaultMaxSkew: "", -DefaultMaxSkew - 1: FailurePresignNotYet,
	} {
		_, err := ParsePostForm(postRequest(formBody(fields, "f", "")), "bucket", s3Rules, testTime.Add(after))
		if FailureOf(err) != want {
			t.Errorf("%v: %v, want %q", after, err, want)
		}
	}
}

// TestPostRequests: what a form may not come with.
func TestPostRequests(t *testing.T) {
	t.Parallel()
	body := formBody(signedFields("k", `["starts-with", "$key", ""]`), "f", "content")
	for _, v := range []struct {
		name   string
		mutate func(*http.Request)
		want   Failure
	}{
		{"nothing", func(*http.Request) {}, ""},
		{"authorization", header("Authorization", "AWS4-HMAC-SHA256 x"), FailureAuthTwice},
		{"presigned", func(r *http.Request) { r.RequestURI += "?X-Amz-Signature=1" }, FailureAuthTwice},
		{"x-amz-acl", header("X-Amz-Acl", "public-read"), FailureHeadersNotSigned},
		{"content hash", header("X-Amz-Content-Sha256", UnsignedPayload), ""},
		{"no length", func(r *http.Request) { r.ContentLength = -1 }, FailureMissingContentLength},
		{"no type", header("Content-Type"), FailureFormMalformed},
		{"two types", header("Content-Type", "a/b", "multipart/form-data; boundary=x"), FailureFormMalformed},
		{"other type", header("Content-Type", "multipart/mixed; boundary="+formBorder), FailureFormMalformed},
		{"no boundary", header("Content-Type", "multipart/form-data"), FailureFormMalformed},
		{"long boundary", header("Content-Type", "multipart/form-data; boundary="+strings.Repeat("a", 71)), FailureFormMalformed},
		{"other boundary", header("Content-Type", "multipart/form-data; boundary=x"), FailureFormMalformed},
	} {
		r := postRequest(body)
		v.mutate(r)
		if _, err := ParsePostForm(r, "bucket", s3Rules, testTime); FailureOf(err) != v.want {
			t.Errorf("%s: %v, want %q", v.name, err, v.want)
		}
	}
}

// TestPostTampering changes every byte of what the signature covers and of the
// signature, and cuts the form everywhere.
func TestPostTampering(t *testing.T) {
	t.Parallel()
	fields := signedFields("user/${filename}", `["starts-with", "$key", "user/"]`)
	body := formBody(fields, "f", "content")
	take := func(body string) (string, error) {
		r := postRequest(body)
		r.ContentLength = int64(len(formBody(fields, "f", "content")))
		f, err := ParsePostForm(r, "bucket", s3Rules, testTime)
		if err == nil {
			err = f.Signed.Check(keyFor(f.Signed), "")
		}
		if err != nil {
			return "", err
		}
		content, err := io.ReadAll(f.File)
		return string(content), err
	}
	if content, err := take(body); err != nil || content != "content" {
		t.Fatalf("%q, %v", content, err)
	}
	for _, f := range fields {
		if f[0] == "key" {
			continue
		}
		start := strings.Index(body, "\r\n\r\n"+f[1]) + 4
		for i := start; i < start+len(f[1]); i++ {
			changed := []byte(body)
			changed[i] ^= 1
			if _, err := take(string(changed)); FailureOf(err) == "" {
				t.Errorf("%s changed at %d: %v", f[0], i-start, err)
			}
		}
	}
	for i := range body {
		if content, err := take(body[:i]); err == nil || len(content) >= len("content") {
			t.Errorf("cut at %d: %q, %v", i, content, err)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add(`{"expiration": "2026-01-02T04:04:05Z", "conditions": [{"a": "b"}, ["eq", "$c", "d"], ["starts-with", "$e", ""], ["content-length-range", 1, "2"]]}`)
	f.Add(`{"expiration": "2026-01-02T04:04:05Z", "conditions": [[[[]]], null, "", 1]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePolicy(base64.StdEncoding.EncodeToString([]byte(text)))
		if err != nil {
			if FailureOf(err) != FailureFormPolicyMalformed {
				t.Fatal(err)
			}
			return
		}
		for i := range p.conditions {
			if c := p.conditions[i].String(); !strings.HasPrefix(c, "[") {
				t.Fatal(c)
			}
		}
		form := &PostForm{Signed: &Signed{}, Key: "k"}
		if err := form.judge(p, &formFields{list: []FormField{{"key", "k"}, {"acl", "x"}}}, "bucket"); err != nil && FailureOf(err) == "" {
			t.Fatal(err)
		}
	})
}
