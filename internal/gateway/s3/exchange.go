package s3

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"daypass/internal/access"
	"daypass/internal/awswire"
	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

// exchange is one request and its answer.
type exchange struct {
	g  *Gateway
	w  http.ResponseWriter
	r  *http.Request
	id string

	caller identity.Caller
	up     *upstream.S3 // of the target's bucket; see resolve
	signed *sigv4.Signed
	target Target
	op     *Operation
	// given are the headers that the client gave: those of the request, or
	// the fields of a form.
	given http.Header
	// version is the versionId given, "" for none.
	version string
	source  *CopySource
	header  http.Header // what will be forwarded
	acl     string      // x-amz-acl, which is not forwarded
	tags    url.Values  // of x-amz-tagging, or of a document
	lock    *lockDocument
	judged  []byte // the document to forward, when it was read beforehand
	grants  bool   // x-amz-grant-* was given
	// location is the LocationConstraint of a bucket to be created.
	location string
	bucket   identity.Bucket
	drained  bool // the body was read to its end, or there is none
}

// serve is the path of every request: authenticate, recognise, refuse aliases,
// authorise, act.
func (x *exchange) serve() error {
	expects := len(x.r.Header["Expect"]) > 0
	x.drained = x.r.ContentLength == 0 && !expects
	x.given = x.r.Header
	misread := x.readTarget()
	if misread == nil {
		if x.r.Method == http.MethodOptions {
			return x.preflight()
		}
		x.crossOrigin()
		if x.isForm() {
			return x.serveForm()
		}
	}
	cuts := x.g.running.cuts.Load()
	auth, err := x.g.access.Authenticate(x.r, access.ServiceS3, "")
	if err != nil {
		return err
	}
	if misread != nil {
		return misread
	}
	if auth.Signed == nil {
		return identity.NewError(identity.KindMissingAuthentication, "s3.serve", "")
	}
	x.caller, x.signed = auth.Caller, auth.Signed
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
	for _, step := range []func() error{x.recognise, x.checkNames, x.readHeaders, x.readSubject} {
		if err := step(); err != nil {
			return err
		}
	}
	if !ownAuthorisation[x.op.Name] {
		if err := x.authorise(); err != nil {
			return err
		}
	}
	if expects && x.r.ContentLength == 0 && x.r.ProtoMajor == 1 {
		// net/http sends 100 when a body is read, and here is none; botocore
		// misreads the next answer of a connection that skipped it.
		x.w.WriteHeader(http.StatusContinue)
		x.drained = true
	}
	if x.op.handle != nil {
		return x.op.handle(x)
	}
	return x.forward()
}

// ownAuthorisation are the operations whose handler or registry authorises.
var ownAuthorisation = map[string]bool{
	"ListBuckets": true, "CreateBucket": true, "DeleteBucket": true, "DeleteObjects": true,
}

// readTarget finds bucket, key and parameters.
func (x *exchange) readTarget() (err error) {
	bases := x.g.bases
	if x.g.basesFor != nil {
		bases = x.g.basesFor(x.r.Host)
	}
	x.target, err = ParseTarget(x.r.RequestURI, x.r.Host, bases)
	return err
}

func (x *exchange) recognise() (err error) {
	if x.signed.Mechanism == sigv4.MechanismPresigned {
		if err := hoistHeaders(&x.target, x.r.Header); err != nil {
			return err
		}
	}
	if x.op, err = Recognise(x.r.Method, &x.target, x.r.Header); err != nil {
		return err
	}
	x.version, _ = x.target.param(parameterVersionID)
	return nil
}

// checkNames applies the rules for buckets and keys wherever they occur in
// path, query and copy source.
func (x *exchange) checkNames() error {
	if x.target.Bucket == "" {
		return nil
	}
	x.resolve()
	if x.op.serve == serveOptIn && (x.up == nil || !contains(x.up.Enable, x.op.Name)) {
		return notImplementedError()
	}
	if err := x.g.checkBucketName(x.target.Bucket); err != nil {
		return err
	}
	if x.target.Key != "" {
		if err := checkKey(x.target.Key, x.up); err != nil {
			return err
		}
	}
	for _, p := range x.target.Query {
		var err error
		switch p.Name {
		case parameterVersionID, "uploadId", "version-id-marker", "upload-id-marker":
			err = checkID(p.Value, x.up)
		case "prefix":
			err = checkPrefix(p.Value, x.up)
		}
		if err != nil {
			return err
		}
	}
	return x.checkSource()
}

func (x *exchange) checkSource() error {
	if !x.op.copies {
		return nil
	}
	values := x.r.Header[headerCopySource]
	if len(values) != 1 {
		return repeatedHeader(headerCopySource)
	}
	source, err := ParseCopySource(values[0])
	if err != nil {
		return err
	}
	if err := x.g.checkBucketName(source.Bucket); err != nil {
		return err
	}
	up := x.g.upstreamFor(x.caller.AccountID, source.Bucket)
	if err := checkKey(source.Key, up); err != nil {
		return err
	}
	if err := checkID(source.VersionID, up); err != nil {
		return err
	}
	x.source = &source
	return nil
}

// fail answers an error in S3's envelope. A body that was not read is left
// unread, so that a client waiting for 100-continue never sends it.
func (x *exchange) fail(err error) {
	e := identity.AsError(err)
	if !x.drained && x.r.ProtoMajor == 1 {
		x.w.Header().Set("Connection", "close")
	}
	resource, _, _ := strings.Cut(x.r.RequestURI, "?")
	f := awswire.WriteS3Error(x.w, awswire.S3Request{Method: x.r.Method, ID: x.id, HostID: HostID, Resource: resource}, err)
	if f.Status >= 500 && f.Status != http.StatusNotImplemented && x.r.Context().Err() == nil {
		level := slog.LevelWarn
		if errors.Is(err, upstream.ErrAway) {
			level = slog.LevelDebug // it was said when it went
		}
		x.g.log.LogAttrs(x.r.Context(), level, "s3 request failed",
			slog.String("request_id", x.id), slog.String("kind", string(e.Kind)), slog.String("error", e.Error()))
	}
}
