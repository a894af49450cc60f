package s3

import (
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"daypass/internal/awswire"
	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

// postObject is the upload by a form. It is not in the table: AWS's model of S3
// does not have it.
var postObject = Operation{Name: "PostObject", method: "POST", level: levelBucket, actions: []string{"s3:PutObject"}, body: bodyObject}

const opForm = "s3.form"

// isForm reports whether the request is an upload by a form: POST on a bucket
// with multipart/form-data.
func (x *exchange) isForm() bool {
	if x.r.Method != http.MethodPost || x.target.Bucket == "" || x.target.Key != "" || !postObject.matches(x.target.Query) {
		return false
	}
	kind, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	return err == nil && kind == "multipart/form-data"
}

// formHeaders are the fields that stand for headers of a PUT. Other fields
// that begin with x-amz- are refused; what does not, is not about the object.
var formHeaders = func() map[string]string {
	m := map[string]string{"acl": headerACL}
	for name := range strings.FieldsSeq(`Content-Type Content-Encoding Content-Language Content-Disposition Cache-Control Expires
		X-Amz-Storage-Class X-Amz-Tagging X-Amz-Server-Side-Encryption X-Amz-Server-Side-Encryption-Bucket-Key-Enabled
		X-Amz-Server-Side-Encryption-Customer-Algorithm X-Amz-Server-Side-Encryption-Customer-Key
		X-Amz-Server-Side-Encryption-Customer-Key-Md5
		X-Amz-Object-Lock-Mode X-Amz-Object-Lock-Retain-Until-Date X-Amz-Object-Lock-Legal-Hold
		X-Amz-Checksum-Algorithm X-Amz-Sdk-Checksum-Algorithm
		X-Amz-Checksum-Crc32 X-Amz-Checksum-Crc32c X-Amz-Checksum-Crc64nvme X-Amz-Checksum-Sha1 X-Amz-Checksum-Sha256`) {
		m[strings.ToLower(name)] = name
	}
	return m
}()

// serveForm is serve for a form: its fields carry the credential and stand for
// headers, its file is the object.
func (x *exchange) serveForm() error {
	if err := x.g.checkBucketName(x.target.Bucket); err != nil {
		return err
	}
	cuts := x.g.running.cuts.Load()
	auth, form, err := x.g.access.AuthenticateForm(x.r, x.target.Bucket)
	if err != nil {
		return err
	}
	x.caller, x.signed, x.op = auth.Caller, auth.Signed, &postObject
	done, err := x.track(cuts)
	if err != nil {
		return err
	}
	defer done()
	leave, err := x.g.limit.enter(x.r.Context(), x.caller.PrincipalID)
	if err != nil {
		return err
	}
	defer leave()
	if form.Key == "" || !utf8.ValidString(form.Key) || strings.IndexByte(form.Key, 0) >= 0 {
		return argumentError("The key of the form is not valid.")
	}
	x.target.Key, x.target.RawKey = form.Key, encode(form.Key, true)
	x.resolve()
	if err := checkKey(form.Key, x.up); err != nil {
		return err
	}
	if x.given, err = headersOfForm(form); err != nil {
		return err
	}
	if err := x.readHeaders(); err != nil {
		return err
	}
	if err := x.authorise(); err != nil {
		return err
	}
	return x.putForm(form)
}

// headersOfForm are the headers of the PUT that the form stands for.
func headersOfForm(form *sigv4.PostForm) (http.Header, error) {
	h := http.Header{}
	for _, f := range form.Fields {
		name, ok := formHeaders[f.Name]
		switch {
		case ok:
			h[name] = []string{f.Value}
		case f.Name == "tagging":
			tags, err := ParseTagging([]byte(f.Value))
			if err != nil {
				return nil, err
			}
			h[headerTagging] = []string{tags.Encode()}
		case strings.HasPrefix(f.Name, strings.ToLower(metaPrefix)):
			h[http.CanonicalHeaderKey(f.Name)] = []string{f.Value}
		case strings.HasPrefix(f.Name, "x-amz-"):
			return nil, identity.NewError(identity.KindNotImplemented, opForm, "A field of the form implies functionality that is not implemented.")
		}
	}
	return h, nil
}

// putForm sends the file, and nothing else of the form, as a PUT.
func (x *exchange) putForm(form *sigv4.PostForm) error {
	req := &upstream.Request{Method: http.MethodPut, Bucket: x.target.Bucket, Key: x.target.RawKey, Header: x.header}
	up, err := x.frame(req, content{mode: sigv4.PayloadUnsigned, body: form.File, length: form.Length})
	if err != nil {
		return err
	}
	resp, err := x.sendUpload(req, up)
	if err != nil {
		return err
	}
	resp.Body.Close()
	x.copyHeaders(resp)
	h := x.w.Header()
	h.Del("Content-Type")
	h.Del("Content-Length")
	etag := resp.Header.Get("Etag")
	if form.SuccessRedirect != "" {
		h.Set("Location", redirectOf(form.SuccessRedirect, x.target.Bucket, form.Key, etag))
		return x.done(http.StatusSeeOther)
	}
	location := x.objectURL()
	h.Set("Location", location)
	if form.SuccessStatus != http.StatusCreated {
		return x.done(form.SuccessStatus)
	}
	x.answer(http.StatusCreated, func(d *awswire.XML) {
		d.Open("PostResponse")
		d.Elem("Location", location)
		d.Elem("Bucket", x.target.Bucket)
		d.Elem("Key", form.Key)
		d.Elem("ETag", etag)
		d.Close("PostResponse")
	})
	return nil
}

// redirectOf is the form's own URL, which the parser found to be http or https,
// with what was stored added to its query.
func redirectOf(target, bucket, key, etag string) string {
	u, err := url.Parse(target)
	if err != nil {
		return target
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "bucket=" + encode(bucket, false) + "&key=" + encode(key, false) + "&etag=" + encode(etag, false)
	return u.String()
}
