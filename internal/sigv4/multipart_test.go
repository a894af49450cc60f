package sigv4

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func TestFormShapes(t *testing.T) {
	t.Parallel()
	fields := signedFields("k", `["starts-with", "$key", ""]`)
	body := formBody(fields, "f", "content")
	border := "\r\n--" + formBorder
	for _, v := range []struct {
		name, body string
		want       Failure
	}{
		{"as it is", body, ""},
		{"leading CRLF", "\r\n" + body, ""},
		{"no last CRLF", strings.TrimSuffix(body, "\r\n"), ""},
		{"other case and headers", strings.ReplaceAll(body, "Content-Disposition: form-data", "X-Other: 1\r\ncontent-disposition:Form-Data"), ""},
		{"empty", "", FailureIncompleteBody},
		{"preamble", "hello" + body, FailureFormMalformed},
		{"no file", formBody(fields, "", ""), FailureFormFiles},
		{"bare line feeds", strings.ReplaceAll(body, "\r\n", "\n"), FailureFormMalformed},
		{"blank after the boundary", strings.ReplaceAll(body, formBorder+"\r\n", formBorder+" \r\n"), FailureFormMalformed},
		{"no disposition", strings.ReplaceAll(body, "Content-Disposition", "X-Disposition"), FailureFormMalformed},
		{"two dispositions", strings.ReplaceAll(body, "Content-Disposition: form-data; name=\"key\"", "Content-Disposition: form-data; name=\"key\"\r\nContent-Disposition: form-data; name=\"acl\""), FailureFormMalformed},
		{"attachment", strings.ReplaceAll(body, "form-data;", "attachment;"), FailureFormMalformed},
		{"no name", strings.ReplaceAll(body, "name=\"key\"", "nam=\"key\""), FailureFormMalformed},
		{"name twice", strings.ReplaceAll(body, "name=\"key\"", "name=\"key\"; name=\"acl\""), FailureFormMalformed},
		{"base64", strings.ReplaceAll(body, "Content-Type: text/plain", "Content-Transfer-Encoding: base64"), FailureFormMalformed},
		{"long part header", strings.ReplaceAll(body, "Content-Type: text/plain", "X-A: "+strings.Repeat("a", 9000)), FailureFormMalformed},
		{"many part headers", strings.ReplaceAll(body, "Content-Type: text/plain", strings.Repeat("X-A: aaaaaaaaaaaaa\r\n", 900)+"X-B: c"), FailureFormMalformed},
		{"field after the file", strings.Replace(body, border+"--", border+"\r\nContent-Disposition: form-data; name=\"acl\"\r\n\r\nx"+border+"--", 1), FailureFormFiles},
		{"second file", strings.Replace(body, border+"--", border+"\r\nContent-Disposition: form-data; name=\"file\"; filename=\"g\"\r\n\r\nx"+border+"--", 1), FailureFormFiles},
		{"epilogue", body + "x", FailureFormMalformed},
		{"epilogue line", body + "epilogue\r\n", FailureFormMalformed},
		{"boundary in the content", strings.Replace(body, "content\r\n", "con"+border+"tent\r\n", 1), FailureFormMalformed},
	} {
		f, err := postForm(t, v.body)
		var content []byte
		if err == nil {
			content, err = io.ReadAll(f.File)
			if v.want != "" && int64(len(content)) >= f.Length && f.Length > 0 {
				t.Errorf("%s: handed out %q of %d", v.name, content, f.Length)
			}
		}
		if FailureOf(err) != v.want || v.want == "" && string(content) != "content" {
			t.Errorf("%s: %q, %v, want %q", v.name, content, err, v.want)
		}
	}
}

// TestFormFile hands out large files whole, and neither large nor small ones
// that are cut or changed at their end.
func TestFormFile(t *testing.T) {
	t.Parallel()
	fields := signedFields("k", `["starts-with", "$key", ""]`)
	border := "\r\n--" + formBorder
	for _, n := range []int{0, 1, 100, formWindow - 1, formWindow, 3*formWindow + 17} {
		content := strings.Repeat("\r\n--"+formBorder[:10]+"\r", n/15+1)[:n]
		body := formBody(fields, "f", content)
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"plain": func(r io.Reader) io.Reader { return r }, "half": iotest.HalfReader, "data and EOF": iotest.DataErrReader, "one byte": iotest.OneByteReader,
		} {
			r := postRequest(body)
			r.Body = io.NopCloser(wrap(r.Body))
			f, err := ParsePostForm(r, "bucket", s3Rules, testTime)
			if err != nil {
				t.Fatal(err)
			}
			if err := iotest.TestReader(f.File, []byte(content)); err != nil || f.Length != int64(n) {
				t.Errorf("%d bytes, %s: %d, %v", n, name, f.Length, err)
			}
		}
		end := len(body) - len(border+"--\r\n")
		for i := len(body) - len(content) - len(border) - 20; i < len(body); i++ {
			if i > end-n+40 && i < end-40 {
				continue
			}
			for what, raw := range map[string]io.Reader{
				"cut":   strings.NewReader(body[:i]),
				"reset": io.MultiReader(strings.NewReader(body[:i]), iotest.ErrReader(errors.New("reset"))),
			} {
				r := postRequest(body)
				r.Body = io.NopCloser(raw)
				f, err := ParsePostForm(r, "bucket", s3Rules, testTime)
				got := 0
				if err == nil {
					for p := make([]byte, 5000); err == nil; {
						var k int
						k, err = f.File.Read(p)
						got += k
					}
				}
				// A body cut by its last CRLF alone is a form without it.
				if err == nil || got >= max(n, 1) || err == io.EOF {
					t.Fatalf("%d bytes, %s at %d of %d: %d bytes out, %v", n, what, i, len(body), got, err)
				}
			}
		}
		for i := end; i < len(body); i++ {
			changed := []byte(body)
			changed[i] ^= 1
			f, err := postForm(t, string(changed))
			if err == nil {
				var got []byte
				if got, err = io.ReadAll(f.File); int64(len(got)) >= f.Length && f.Length > 0 {
					t.Fatalf("%d bytes, changed at %d: %d bytes out of %d, %v", n, i, len(got), f.Length, err)
				}
			}
			if err == nil {
				t.Fatalf("%d bytes, changed at %d: no error", n, i)
			}
		}
	}
}

func TestFormRoundTrip(t *testing.T) {
	t.Parallel()
	fields := signedFields("k", `["starts-with", "$key", ""]`)
	rapid.Check(t, func(t *rapid.T) {
		content := strings.Repeat(rapid.StringN(1, 40, 60).Draw(t, "content"), rapid.IntRange(0, 4000).Draw(t, "times"))
		f, err := ParsePostForm(postRequest(formBody(fields, "f", content)), "bucket", s3Rules, testTime)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for p := make([]byte, rapid.IntRange(1, 100000).Draw(t, "read")); err == nil; {
			var n int
			n, err = f.File.Read(p)
			got = append(got, p[:n]...)
		}
		if err != io.EOF || string(got) != content || f.Length != int64(len(content)) {
			t.Fatalf("%d of %d bytes: %v", len(got), len(content), err)
		}
	})
}

func FuzzPostForm(f *testing.F) {
	fields := signedFields("user/${filename}", `["starts-with", "$key", "user/"], ["content-length-range", 0, 10]`)
	f.Add(formBody(fields, "f", "content"))
	f.Add(formBody(fields, "f", ""))
	f.Add(formBody(fields, "", ""))
	f.Add("--" + formBorder + "--")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := ParsePostForm(postRequest(body), "bucket", s3Rules, testTime)
		if err != nil {
			if FailureOf(err) == "" {
				t.Fatal(err)
			}
			return
		}
		got, err := io.ReadAll(form.File)
		if err == nil && (int64(len(got)) != form.Length || !strings.Contains(body, string(got))) || err != nil && (FailureOf(err) == "" || form.Length > 0 && int64(len(got)) >= form.Length) {
			t.Fatalf("%q of %d, %v", got, form.Length, err)
		}
	})
}
