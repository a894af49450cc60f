package probe

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

// reachTrials are about getting there, and about the scratch bucket.
var reachTrials = []trial{
	{id: "keys", what: "our credentials can be read", needed: true, means: "no request can be signed; look at access_key_file and secret_key_file", try: tryKeys},
	{id: "reach", what: "the endpoint answers as an S3 store", needs: "keys", needed: true, means: "nothing is served from there", try: tryReach},
	{id: "tls", what: "the way there is encrypted", needs: "reach", try: tryTLS},
	{id: "clock", what: "its clock agrees with ours", needs: "reach", needed: true, means: "it refuses what we sign; set both clocks by NTP", try: tryClock},
	{id: "credentials", what: "it accepts our credentials", needs: "reach", needed: true, means: "no request gets through", try: tryCredentials},
	{id: "list-buckets", what: "list buckets", needs: "credentials", means: "daypass upstream buckets shows nothing, and claiming by prefix finds nothing", try: tryListBuckets},
	{id: "make-bucket", what: "make a bucket", needs: "credentials", needed: true, means: "users can make no buckets there, and the rest of this check needs one", try: tryMakeBucket},
	{id: "addressing", what: "address the bucket as set", needs: "make-bucket", needed: true, means: "no request finds its bucket", try: tryAddressing},
	{id: "region", what: "the region is the one that is set", needs: "make-bucket", means: "signatures may be refused", try: tryRegion},
}

func tryKeys(r *run) outcome {
	id, _, err := r.u.Credentials()
	if err != nil {
		return fails(err.Error())
	}
	return works("access key " + clip(id))
}

func tryReach(r *run) outcome {
	r.first = r.do(&upstream.Request{Method: http.MethodGet})
	a := &r.first
	if a.err != nil {
		return fails(r.whyAway(a.err))
	}
	if r.u.Endpoint.Scheme == "http" && a.status == http.StatusBadRequest && bytes.Contains(bytes.ToLower(a.body), []byte("https")) {
		r.advise("endpoint", "https://"+r.u.Endpoint.Host, "it speaks TLS", true)
		return fails("it speaks TLS, and was asked in plain HTTP")
	}
	if text := bytes.TrimSpace(a.body); len(text) > 0 && !bytes.HasPrefix(text, []byte("<?xml")) && !bytes.HasPrefix(text, []byte("<Error")) && !bytes.HasPrefix(text, []byte("<ListAll")) {
		return fails("it answers " + a.said() + " with something else than S3's XML; is that the S3 endpoint?")
	}
	return works(r.u.Endpoint.Scheme + "://" + r.u.Endpoint.Host)
}

// whyAway says why nobody answered, and what to set.
func (r *run) whyAway(err error) string {
	var (
		unknown  x509.UnknownAuthorityError
		host     x509.HostnameError
		invalid  x509.CertificateInvalidError
		resolve  *net.DNSError
		noTLS    tls.RecordHeaderError
		isNoTLS  = errors.As(err, &noTLS) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
		endpoint = r.u.Endpoint.Host
	)
	switch {
	case isNoTLS:
		r.advise("endpoint", "http://"+endpoint, "it speaks plain HTTP; better, give the store a certificate", true)
		return "it speaks plain HTTP, and was asked over TLS"
	case errors.As(err, &unknown):
		r.advise("ca_file", "PATH of the CA's certificate", "the store's certificate is of an authority that this machine does not know", true)
		return "its certificate is of an unknown authority"
	case errors.As(err, &host):
		return "its certificate is for another name than " + endpoint
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate is expired or not yet good"
	case errors.As(err, &resolve):
		return "the name " + resolve.Name + " is not found: " + resolve.Err
	}
	return err.Error()
}

func tryTLS(r *run) outcome {
	switch state := r.first.tls; {
	case r.u.Endpoint.Scheme != "https" && onThisMachine(r.u.Endpoint.Hostname()):
		return works("plain HTTP that does not leave this machine")
	case r.u.Endpoint.Scheme != "https":
		return differs("plain HTTP", "whoever is on the way reads the data")
	case state == nil || len(state.PeerCertificates) == 0:
		return works("")
	default:
		until := state.PeerCertificates[0].NotAfter
		text := tls.VersionName(state.Version) + ", certificate until " + until.UTC().Format(time.DateOnly)
		if until.Sub(r.Clock.Now()) < 14*24*time.Hour {
			return differs(text, "renew it: from then on nothing is served from there")
		}
		return works(text)
	}
}

// onThisMachine knows loopback, and the name by which the embedded store is
// reached over its socket.
func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || host == "objectstore" || ip != nil && ip.IsLoopback()
}

// maxSkew is what S3 lets a signature's time be off.
const maxSkew = 15 * time.Minute

func tryClock(r *run) outcome {
	if r.first.code() == "RequestTimeTooSkewed" {
		return fails("it says RequestTimeTooSkewed")
	}
	at, err := http.ParseTime(r.first.header.Get("Date"))
	if err != nil {
		return works("it tells no time, and does not complain")
	}
	skew := at.Sub(r.Clock.Now()).Round(time.Second)
	text := skew.Abs().String() + " apart"
	switch {
	case skew.Abs() >= maxSkew:
		return fails(text)
	case skew.Abs() >= time.Minute:
		return differs(text, "beyond 15 minutes it refuses everything; set both clocks by NTP")
	}
	return works(text)
}

// tryCredentials tells a wrong secret apart from missing rights: where it can be
// told, the store answers otherwise to a secret that is wrong for sure.
func tryCredentials(r *run) outcome {
	a := &r.first
	if a.ok() {
		return works("")
	}
	switch a.code() {
	case "SignatureDoesNotMatch":
		return fails("403 SignatureDoesNotMatch: the secret key is wrong, or a proxy on the way changes requests")
	case "InvalidAccessKeyId":
		return fails("403 InvalidAccessKeyId: it does not know the access key")
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect":
		e := a.wireError()
		if e.Region != "" {
			r.advise("region", clip(e.Region), "the store says so", true)
		}
		return fails(a.said())
	}
	if a.status != http.StatusForbidden && a.status != http.StatusUnauthorized {
		return fails(a.said())
	}
	wrong := r.doAs(with(r.u, r.u.VirtualHost, func() (string, identity.Secret, error) {
		id, _, err := r.u.Credentials()
		return id, "wrong-for-sure", err
	}), &upstream.Request{Method: http.MethodGet})
	if wrong.status == a.status && wrong.code() == a.code() {
		return outcome{Fails, a.said() + ", as to a secret that is wrong for sure", "the secret key is wrong, or the user may not list buckets: the store does not tell which"}
	}
	return differs(a.said(), "the credentials are right; their user may not list buckets")
}

// with is u with other credentials, or another addressing.
func with(u *upstream.S3, virtual bool, credentials func() (string, identity.Secret, error)) *upstream.S3 {
	return &upstream.S3{
		Name: u.Name, Endpoint: u.Endpoint, Region: u.Region, Credentials: credentials, Transport: u.Transport, Clock: u.Clock,
		VirtualHost: virtual, KeySemantics: u.KeySemantics, Mode: u.Mode, Stall: u.Stall,
	}
}

func tryListBuckets(r *run) outcome {
	if !r.first.ok() {
		return fails(r.first.said())
	}
	var list struct {
		Names []string `xml:"Buckets>Bucket>Name"`
	}
	if err := r.first.decode(&list); err != nil {
		return fails(err.Error())
	}
	var stray []string
	for _, name := range list.Names {
		if strings.HasPrefix(name, Prefix) {
			stray = append(stray, clip(name))
		}
	}
	if len(stray) > 0 {
		return differs("there are "+strings.Join(stray[:min(len(stray), 10)], ", "), "left by checks that were killed, unless one runs now: remove them")
	}
	return works("")
}

func tryMakeBucket(r *run) outcome {
	r.made = true
	a := r.makeBucket(r.u, r.bucket, nil)
	if !a.ok() {
		if other := with(r.u, !r.u.VirtualHost, r.u.Credentials); addressed(a) {
			if b := r.makeBucket(other, r.bucket, nil); b.ok() {
				r.u = other
				return works("with other addressing than is set; as set: " + a.said())
			}
		}
		if e := a.wireError(); e.Region != "" && e.Region != r.u.Region {
			r.advise("region", clip(e.Region), "the store says so", true)
		}
		return fails(a.said())
	}
	return works("")
}

// addressed reports whether a refusal may come of the wrong addressing: those
// that speak of rights do not.
func addressed(a answer) bool {
	return a.err == nil && a.code() != "AccessDenied" && a.code() != "TooManyBuckets" && a.status < 500
}

func (r *run) makeBucket(u *upstream.S3, name string, header http.Header) answer {
	return r.doAs(u, bucketRequest(u, name, header))
}

// bucketRequest is the request that makes a bucket.
func bucketRequest(u *upstream.S3, name string, header http.Header) *upstream.Request {
	req := &upstream.Request{Method: http.MethodPut, Bucket: name, Header: header}
	if u.Region != "us-east-1" {
		withBody(req, []byte(`<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>`+u.Region+`</LocationConstraint></CreateBucketConfiguration>`))
	}
	return req
}

func tryAddressing(r *run) outcome {
	set, other := "path", "virtual"
	if r.S3.VirtualHost {
		set, other = other, set
	}
	head := func(virtual bool) answer {
		return r.doAs(with(r.S3, virtual, r.S3.Credentials), r.on(http.MethodHead, "", "", nil))
	}
	a := head(r.S3.VirtualHost)
	if a.ok() {
		return works(set)
	}
	b := head(!r.S3.VirtualHost)
	if !b.ok() {
		return fails(set + ": " + a.said() + ", " + other + ": " + b.said())
	}
	r.advise("addressing", other, "requests find their bucket so, and not as it is set", true)
	return fails(set + ": " + a.said())
}

func tryRegion(r *run) outcome {
	a := r.do(r.on(http.MethodHead, "", "", nil))
	region := a.header.Get("X-Amz-Bucket-Region")
	if region == "" {
		var location struct {
			Text string `xml:",chardata"`
		}
		b := r.do(r.on(http.MethodGet, "", "location", nil))
		if err := b.decode(&location); err != nil {
			return differs("it tells none: "+err.Error(), "the gate answers with what is set")
		}
		region = strings.TrimSpace(location.Text)
	}
	switch {
	case region == r.u.Region || region == "" && r.u.Region == "us-east-1":
		return works(r.u.Region)
	case region == "":
		return differs("it tells none", "the gate answers with what is set")
	}
	return differs("it says "+clip(region), "it accepts what we sign for "+r.u.Region+" nevertheless")
}
