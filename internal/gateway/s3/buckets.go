package s3

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"daypass/internal/awswire"
	"daypass/internal/identity"
	"daypass/internal/upstream"
)

const (
	namespace     = "http://s3.amazonaws.com/doc/2006-03-01/"
	opBuckets     = "s3.buckets"
	defaultRegion = "us-east-1" // S3 writes it as an empty LocationConstraint
	maxListed     = 10000
	settleTimeout = time.Minute
)

// listBuckets answers from the registry: the caller's account only. What the
// upstream lists is never shown.
func (x *exchange) listBuckets() error {
	most := maxListed
	if v, ok := x.target.param("max-buckets"); ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxListed {
			return argumentError("max-buckets must be between 1 and 10000")
		}
		most = n
	}
	var after string
	if v, ok := x.target.param("continuation-token"); ok {
		raw, err := base64.RawURLEncoding.DecodeString(v)
		if err != nil || len(raw) == 0 {
			return argumentError("The continuation token provided is incorrect")
		}
		after = string(raw)
	}
	prefix, _ := x.target.param("prefix")
	region, byRegion := x.target.param("bucket-region")
	x.caller.Keys = x.subject("", "").lookup
	all, err := x.g.registry.ListBuckets(x.r.Context(), &x.caller)
	if err != nil {
		return err
	}
	var shown []identity.Bucket
	next := ""
	for _, b := range all {
		if b.Name <= after || !strings.HasPrefix(b.Name, prefix) || byRegion && b.Region != region {
			continue
		}
		if len(shown) == most {
			next = base64.RawURLEncoding.EncodeToString([]byte(shown[most-1].Name))
			break
		}
		shown = append(shown, b)
	}
	x.identify()
	awswire.WriteXML(x.w, http.StatusOK, func(d *awswire.XML) {
		d.OpenNS("ListAllMyBucketsResult", namespace)
		writeOwner(d, x.caller.AccountID)
		d.Open("Buckets")
		for _, b := range shown {
			d.Open("Bucket")
			d.Elem("Name", b.Name)
			d.Elem("CreationDate", awswire.FormatTimeMilli(b.CreatedAt))
			if next != "" || byRegion {
				d.Elem("BucketRegion", b.Region)
			}
			d.Close("Bucket")
		}
		d.Close("Buckets")
		d.OptElem("Prefix", prefix)
		d.OptElem("ContinuationToken", next)
		d.Close("ListAllMyBucketsResult")
	})
	return nil
}

func writeOwner(d *awswire.XML, account string) {
	d.Open("Owner")
	d.Elem("ID", account)
	d.Elem("DisplayName", account)
	d.Close("Owner")
}

// createBucket reserves the name, has the upstream create the bucket and
// confirms it. What exists upstream without an owner here is never taken over:
// it is looked for first, since some stores answer success to creating a
// bucket that exists.
func (x *exchange) createBucket() error {
	name := x.target.Bucket
	raw, err := x.readDocument()
	if err != nil {
		return err
	}
	region, err := locationOf(raw)
	if err != nil {
		return err
	}
	x.location = region
	if err := x.mayCreate(); err != nil {
		return err
	}
	if region == "" {
		region = x.g.region
	}
	if b, ok := x.g.bucket(name); ok && b.AccountID != x.caller.AccountID {
		return identity.NewError(identity.KindBucketExists, opBuckets, "")
	}
	if !x.g.changing.enter(name) {
		return errBucketChanging
	}
	defer x.g.changing.leave(name)
	x.resolve() // again: who created it meanwhile has decided where it is
	// From here on the client's going away changes nothing.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), settleTimeout)
	defer cancel()
	made, err := x.reserve(ctx, name, region)
	if err != nil {
		return err
	}
	if !made {
		if err := x.createUpstream(ctx, name); err != nil {
			return err
		}
	}
	if err := x.g.registry.ConfirmBucket(ctx, &x.caller, name); err != nil {
		return err
	}
	x.g.cors.forget(name)
	x.w.Header().Set("Location", "/"+name)
	return x.done(http.StatusOK)
}

// reserve takes the name in the registry. A reservation of the same account's
// whose request failed half-way is gone on with; made says that the upstream
// has the bucket already.
func (x *exchange) reserve(ctx context.Context, name, region string) (made bool, err error) {
	b, known := x.g.bucket(name)
	if known {
		switch {
		case b.AccountID != x.caller.AccountID:
			return false, identity.NewError(identity.KindBucketExists, opBuckets, "")
		case b.State == identity.BucketOwned:
			return false, identity.NewError(identity.KindBucketOwnedByYou, opBuckets, "")
		case b.State != identity.BucketReserved:
			return false, errBucketChanging
		case x.up == nil:
			return false, upstreamGone(b)
		case x.up.Name != b.Upstream:
			return false, errBucketChanging
		}
		return x.g.existsUpstream(ctx, x.up, name, false)
	}
	if x.up == nil {
		return false, errBucketChanging
	}
	exists, err := x.g.existsUpstream(ctx, x.up, name, true)
	if err != nil {
		return false, err
	}
	if exists {
		return false, identity.NewError(identity.KindBucketExists, opBuckets, "")
	}
	return false, x.g.registry.ReserveBucket(ctx, &x.caller, name, region, x.up.Name)
}

// errBucketChanging answers whoever creates or deletes a bucket that another
// request is creating or deleting, or was when the upstream failed.
var errBucketChanging = identity.NewError(identity.KindConflict, opBuckets, "")

// nameSet holds the buckets that requests of this process are creating or
// deleting, which nobody else may settle meanwhile.
type nameSet struct {
	mu    sync.Mutex
	names map[string]bool
}

func (s *nameSet) enter(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names[name] {
		return false
	}
	s.names[name] = true
	return true
}

func (s *nameSet) leave(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.names, name)
}

func (x *exchange) mayCreate() error {
	s := x.subject("", "")
	s.resource.Bucket, s.resource.AccountID = "", x.caller.AccountID
	x.caller.Keys = s.resource.Later // for the registry, which asks too
	actions := []string{actionCreateBucket}
	if strings.EqualFold(x.r.Header.Get(headerLockEnabled), "true") {
		actions = append(actions, actionPutLockConfig, actionPutVersioning)
	}
	if x.acl != "" || x.grants {
		actions = append(actions, actionPutBucketAcl)
	}
	for _, a := range actions {
		if err := x.ask(a, s); err != nil {
			return err
		}
	}
	for _, want := range x.given[headerExpectedOwner] {
		if want != x.caller.AccountID {
			return identity.NewError(identity.KindAccessDenied, opBuckets, "")
		}
	}
	return nil
}

// createUpstream creates the bucket. A definite refusal frees the name; after
// anything else the bucket is looked for, and what stays unknown stays
// reserved until Reconcile.
func (x *exchange) createUpstream(ctx context.Context, name string) error {
	req := &upstream.Request{Method: http.MethodPut, Bucket: name, Header: http.Header{}}
	if v, ok := x.header[headerLockEnabled]; ok {
		req.Header[headerLockEnabled] = v
	}
	if r := x.up.Region; r != defaultRegion {
		var d awswire.XML
		d.OpenNS("CreateBucketConfiguration", namespace)
		d.Elem("LocationConstraint", r)
		d.Close("CreateBucketConfiguration")
		setDocument(req, bytes.Clone(d.Bytes()))
	}
	resp, err := x.up.Do(ctx, req)
	if err == nil && resp.StatusCode < 300 {
		resp.Body.Close()
		return nil
	}
	definite := false
	if err == nil {
		definite = resp.StatusCode >= 400 && resp.StatusCode < 500
		err = x.g.upstreamError(x.up, resp)
	}
	if !definite {
		exists, headErr := x.g.existsUpstream(ctx, x.up, name, false)
		if headErr != nil {
			return err
		}
		if exists {
			return nil
		}
	}
	if abandonErr := x.g.registry.AbandonBucket(ctx, &x.caller, name); abandonErr != nil {
		return abandonErr
	}
	if codeIs(err, "BucketAlreadyOwnedByYou", "BucketAlreadyExists") {
		return identity.NewError(identity.KindBucketExists, opBuckets, "")
	}
	return err
}

// locationOf reads the LocationConstraint of a CreateBucketConfiguration; any
// region is accepted. Errors: KindMalformedXML, InvalidLocationConstraint.
func locationOf(raw []byte) (string, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return "", nil
	}
	var c struct {
		XMLName  xml.Name `xml:"CreateBucketConfiguration"`
		Location string   `xml:"LocationConstraint"`
		Others   []struct {
			XMLName xml.Name
		} `xml:",any"`
	}
	if err := unmarshal(raw, &c); err != nil {
		return "", err
	}
	if len(c.Others) > 0 {
		return "", notImplementedError()
	}
	if len(c.Location) > 64 || strings.IndexFunc(c.Location, func(r rune) bool {
		return r > 0x7f || !isUnreserved(byte(r))
	}) >= 0 {
		return "", coded("InvalidLocationConstraint", http.StatusBadRequest, "The specified location-constraint is not valid")
	}
	return c.Location, nil
}

// deleteBucket takes the bucket out of service, has the upstream delete it and
// forgets it, or brings it back when the upstream refuses.
func (x *exchange) deleteBucket() error {
	name := x.target.Bucket
	if err := x.authorise(); err != nil {
		return err
	}
	if !x.g.changing.enter(name) {
		return errBucketChanging
	}
	defer x.g.changing.leave(name)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), settleTimeout)
	defer cancel()
	if err := x.g.registry.BeginDeleteBucket(ctx, &x.caller, name); err != nil {
		return err
	}
	// From here on the entry stays where it is; before, it could be released and
	// claimed at another store.
	if b, _ := x.g.bucket(name); b.Upstream != x.up.Name {
		if err := x.g.registry.EndDeleteBucket(ctx, &x.caller, name, false); err != nil {
			return err
		}
		return errBucketChanging
	}
	resp, err := x.up.Do(ctx, &upstream.Request{Method: http.MethodDelete, Bucket: name})
	gone := err == nil && (resp.StatusCode < 300 || resp.StatusCode == http.StatusNotFound)
	if gone {
		resp.Body.Close()
	} else {
		known := err == nil && resp.StatusCode >= 400 && resp.StatusCode < 500
		if err == nil {
			err = x.g.upstreamError(x.up, resp)
		}
		if !known {
			exists, headErr := x.g.existsUpstream(ctx, x.up, name, false)
			if headErr != nil {
				return err
			}
			gone = !exists
		}
	}
	if endErr := x.g.registry.EndDeleteBucket(ctx, &x.caller, name, gone); endErr != nil {
		return endErr
	}
	if !gone {
		return err
	}
	x.g.cors.forget(name)
	return x.done(http.StatusNoContent)
}

// headBucket asks the upstream, so that the answer means what it says, and
// adds the region of the registry.
func (x *exchange) headBucket() error {
	resp, err := x.do(x.r.Context(), x.request())
	if err != nil {
		return err
	}
	resp.Body.Close()
	x.identify()
	x.w.Header().Set("X-Amz-Bucket-Region", x.bucket.Region)
	x.w.WriteHeader(http.StatusOK)
	return nil
}

// bucketLocation answers from the registry.
func (x *exchange) bucketLocation() error {
	region := x.bucket.Region
	if region == defaultRegion {
		region = ""
	}
	x.document(http.StatusOK, []byte(xml.Header+`<LocationConstraint xmlns="`+namespace+`">`+region+`</LocationConstraint>`))
	return nil
}

// document answers with a whole XML document in one write.
func (x *exchange) document(status int, body []byte) { x.answerText(status, "application/xml", body) }

func (x *exchange) answerText(status int, contentType string, body []byte) {
	x.identify()
	h := x.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body)
}
