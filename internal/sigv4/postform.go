package sigv4

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of a form. S3 takes 20 KB of fields before the file.
const (
	maxFormFields = 20 << 10 // bytes of names and values
	maxFormCount  = 100
	maxFieldName  = 256
	maxPolicyAge  = 7 * 24 * time.Hour // a signing key is good for a week, as in presigned requests
)

// PostForm is an S3 upload by multipart/form-data whose policy allows it.
// Nothing in it is proven before Signed.Check returns nil.
type PostForm struct {
	// Signed has MechanismPost; its Check verifies the signature of the
	// policy, its SessionToken is the field x-amz-security-token.
	Signed *Signed
	// Key is the object's, ${filename} replaced. It was judged in this form,
	// and is a stranger's: what is true of keys in paths must be asked of it.
	Key string
	// Fields are what the form says about the object (acl, content-type,
	// x-amz-meta-…), names in lower case and fit for headers, in the order of
	// the form. Values hold no control characters but tabs.
	Fields []FormField
	// SuccessStatus is 200, 201 or 204.
	SuccessStatus int
	// SuccessRedirect is an absolute http or https URL, or "".
	SuccessRedirect string
	// Length is that of the file.
	Length int64
	// File yields the file and nothing else. Its last byte comes only after
	// the end of the form was found as it should be; Length bytes never come
	// out of a form that is cut short or holds more parts. Errors are *Error
	// with FailureIncompleteBody, FailureFormMalformed or FailureFormFiles, or
	// those of the body.
	File io.Reader
}

// FormField is one field of a form.
type FormField struct{ Name, Value string }

// Field returns the value of a field about the object, "" if there is none.
func (f *PostForm) Field(name string) string {
	for _, x := range f.Fields {
		if x.Name == name {
			return x.Value
		}
	}
	return ""
}

// formFields is what was read of a form.
type formFields struct {
	list  []FormField
	bytes int
}

func (f *formFields) get(name string) (string, bool) {
	i := slices.IndexFunc(f.list, func(x FormField) bool { return x.Name == name })
	if i < 0 {
		return "", false
	}
	return f.list[i].Value, true
}

// ParsePostForm reads a form up to the first byte of its file and judges
// everything but the signature: shape, scope, expiration and every condition
// of the policy, with the bucket that the request was routed to. rules are
// those of S3. The error is an *Error, or one of the body; the body is left
// where it was found faulty.
func ParsePostForm(r *http.Request, bucket string, rules Rules, now time.Time) (*PostForm, error) {
	if err := formAlone(r); err != nil {
		return nil, err
	}
	boundary, err := formBoundary(r)
	if err != nil {
		return nil, err
	}
	m := newMultipart(r.Body, boundary)
	fields, filename, err := readFields(m)
	if err != nil {
		return nil, err
	}
	length, err := m.promised(r.ContentLength)
	if err != nil {
		return nil, err
	}
	s := &Signed{Mechanism: MechanismPost}
	if err := s.parseForm(fields, &rules); err != nil {
		return nil, err
	}
	f := &PostForm{Signed: s, Length: length, File: &formFile{m: m, length: length}}
	key, _ := fields.get("key")
	f.Key = strings.ReplaceAll(key, "${filename}", baseName(filename))
	p, err := parsePolicy(s.policy)
	if err != nil {
		return nil, err
	}
	if err := s.checkFormTime(p, now, rules.skew()); err != nil {
		return nil, err
	}
	if err := f.judge(p, fields, bucket); err != nil {
		return nil, err
	}
	return f, f.describe(fields)
}

// formAlone refuses a form that comes with another mechanism, or with x-amz-
// headers, which no signature covers.
func formAlone(r *http.Request) error {
	_, query := requestTarget(r)
	q := queryParameters{}
	if err := q.scan(query); err != nil {
		return err
	}
	if len(r.Header["Authorization"]) > 0 || q.seen[paramAlgorithm] || q.seen[paramCredential] || q.seen[paramSignature] || q.seen[paramV2Signature] {
		return refuse(FailureAuthTwice)
	}
	s := Signed{msg: message{header: r.Header, names: []string{"host"}}, SignedHeaders: []string{"host"}}
	return s.checkHeaders(&Rules{S3: true})
}

func formBoundary(r *http.Request) (string, error) {
	if r.ContentLength < 0 {
		return "", refuse(FailureMissingContentLength)
	}
	values := r.Header["Content-Type"]
	if len(values) == 1 {
		kind, params, err := mime.ParseMediaType(values[0])
		if b := params["boundary"]; err == nil && kind == "multipart/form-data" && b != "" && len(b) <= 70 && printable(b) {
			return b, nil
		}
	}
	return "", refuse(FailureFormMalformed).s3f("Bucket POST must be of the enclosure-type multipart/form-data")
}

// readFields reads up to the header of the file, inclusive.
func readFields(m *multipart) (*formFields, string, error) {
	f := &formFields{}
	for {
		part, err := m.nextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil, "", refuse(FailureFormFiles)
		case err != nil:
			return nil, "", err
		case part.name == "file":
			return f, part.filename, nil
		}
		f.bytes += len(part.name)
		value, err := m.value(maxFormFields - f.bytes)
		if err != nil {
			return nil, "", err
		}
		if f.bytes += len(value); f.bytes > maxFormFields || len(f.list) == maxFormCount {
			return nil, "", refuse(FailureFormTooLarge)
		}
		if _, twice := f.get(part.name); twice {
			return nil, "", refuse(FailureFormMalformed).s3f("The form holds the field '%s' twice.", shown(part.name))
		}
		f.list = append(f.list, FormField{part.name, value})
	}
}

// parseForm reads the fields of the signature.
func (s *Signed) parseForm(f *formFields, rules *Rules) error {
	_, hasKeyV2 := f.get("awsaccesskeyid")
	_, hasAlgorithm := f.get("x-amz-algorithm")
	_, hasPolicy := f.get("policy")
	_, hasSignature := f.get("x-amz-signature")
	switch {
	case hasKeyV2 && !hasAlgorithm:
		return refuse(FailureSignatureV2)
	case !hasAlgorithm && !hasPolicy && !hasSignature:
		return refuse(FailureMissingAuthentication)
	}
	for _, name := range []string{"key", "policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"} {
		if v, _ := f.get(name); v == "" {
			return formArgument(name, "", "Bucket POST must contain a field named '%s'.  If it is specified, please check the order of the fields.", name)
		}
	}
	if v, _ := f.get("x-amz-algorithm"); v != algorithmHMAC {
		return formArgument("x-amz-algorithm", v, `X-Amz-Algorithm only supports "%s"`, algorithmHMAC)
	}
	s.policy, _ = f.get("policy")
	s.SessionToken, _ = f.get("x-amz-security-token")
	if s.Signature, _ = f.get("x-amz-signature"); !lowerHex64(s.Signature) {
		return formArgument("x-amz-signature", s.Signature, "X-Amz-Signature must be 64 lower-case hexadecimal digits")
	}
	var ok bool
	s.timestamp, _ = f.get("x-amz-date")
	if s.Time, ok = parseTimestamp(s.timestamp); !ok {
		return formArgument("x-amz-date", s.timestamp, `X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	}
	credential, _ := f.get("x-amz-credential")
	if err := s.parseScope(credential, rules); err != nil {
		return err
	}
	s.PayloadMode, s.PayloadHash = PayloadUnsigned, UnsignedPayload
	return nil
}

func formArgument(name, value, format string, args ...any) *Error {
	return refuse(FailureFormArgument, Detail{"ArgumentName", name}, Detail{"ArgumentValue", shown(value)}).s3f(format, args...)
}

// checkPolicy is check for forms. What was signed is the policy as it was sent;
// it may quote the session token, so it is not shown.
func (s *Signed) checkPolicy(key verifier) error {
	c := scratches.Get().(*scratch)
	defer c.release()
	if key != nil {
		c.text = append(c.text[:0], s.policy...)
		if key.verify(c, c.text, s.Signature) {
			return nil
		}
	}
	return refuse(FailureSignatureMismatch, Detail{"AWSAccessKeyId", s.AccessKeyID}, Detail{"SignatureProvided", s.Signature})
}

// checkFormTime judges the expiration, and that the signing key is neither too
// old nor of tomorrow.
func (s *Signed) checkFormTime(p *policy, now time.Time, skew time.Duration) error {
	switch {
	case !now.Before(p.expiration), now.After(s.Time.Add(maxPolicyAge)):
		return refuse(FailureFormPolicyRefused).s3f("%sPolicy expired.", accordingToPolicy)
	case now.Before(s.Time.Add(-skew)):
		return refuse(FailurePresignNotYet, Detail{"ServerTime", iso(now)})
	}
	return nil
}

// describe keeps what the form says about the object and about the answer.
func (f *PostForm) describe(fields *formFields) error {
	f.SuccessStatus = http.StatusNoContent
	redirect, legacy := "", ""
	for _, x := range fields.list {
		if x.Name != "key" && strings.ContainsFunc(x.Value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) && x.Name != "policy" {
			return formArgument(x.Name, x.Value, "The value of the field '%s' holds a control character.", shown(x.Name))
		}
		switch x.Name {
		case "key", "policy", "bucket", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "x-amz-security-token":
		case "success_action_status":
			if n, err := strconv.Atoi(x.Value); err == nil && (n == 200 || n == 201) {
				f.SuccessStatus = n
			}
		case "success_action_redirect":
			redirect = x.Value
		case "redirect":
			legacy = x.Value
		default:
			switch {
			case ignored(x.Name):
			case !headerName(x.Name):
				return formArgument(shown(x.Name), "", "The name of the field '%s' cannot be that of a header.", shown(x.Name))
			default:
				f.Fields = append(f.Fields, x)
			}
		}
	}
	if redirect == "" {
		redirect = legacy
	}
	if u, err := url.Parse(redirect); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		f.SuccessRedirect = redirect
	}
	return nil
}

func ignored(name string) bool { return strings.HasPrefix(name, "x-ignore-") }

// baseName is what follows the last slash or backslash: browsers have sent
// whole paths.
func baseName(filename string) string {
	return filename[strings.LastIndexAny(filename, `/\`)+1:]
}

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
