package awswire

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
)

func checkAnswer(t *testing.T, w *httptest.ResponseRecorder, status int, contentType, body string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status = %d, want %d", w.Code, status)
	}
	if got := w.Header().Get("Content-Type"); got != contentType {
		t.Errorf("Content-Type = %q, want %q", got, contentType)
	}
	if got := w.Body.String(); got != body {
		t.Errorf("body\n got %s\nwant %s", got, body)
	}
}

func TestWriteResponse(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	at := time.Date(2026, 1, 2, 5, 4, 5, 987e6, time.FixedZone("", 3600))
	WriteResponse(w, STS, "Do", "req-1", func(x *XML) {
		x.Open("Credentials")
		x.Elem("AccessKeyId", "ASIA<&>\"'\r\n\x00é\xff")
		x.Time("Expiration", at)
		x.Close("Credentials")
		x.Int("PackedPolicySize", 7)
		x.Bool("IsTruncated", true)
		x.OptElem("Marker", "")
		x.List("ClientIDList", []string{"a", "b"})
	})
	const want = `<DoResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><DoResult><Credentials>` +
		"<AccessKeyId>ASIA&lt;&amp;&gt;&quot;'&#xD;\n\uFFFDé\uFFFD</AccessKeyId><Expiration>2026-01-02T04:04:05Z</Expiration></Credentials>" +
		`<PackedPolicySize>7</PackedPolicySize><IsTruncated>true</IsTruncated><ClientIDList><member>a</member><member>b</member></ClientIDList>` +
		`</DoResult><ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata></DoResponse>`
	checkAnswer(t, w, 200, "text/xml", want)
	for name, value := range map[string]string{
		"Content-Length": strconv.Itoa(len(want)), "x-amzn-RequestId": "req-1", "Cache-Control": "no-store",
	} {
		if got := w.Header().Get(name); got != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}

	w = httptest.NewRecorder()
	WriteResponse(w, IAM, "DeleteUser", "r", nil)
	checkAnswer(t, w, 200, "text/xml", `<DeleteUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DeleteUserResponse>`)
}

func TestWriteQueryError(t *testing.T) {
	t.Parallel()
	long := STS
	long.LongExpiredCode = true
	tests := []struct {
		name   string
		svc    QueryService
		err    error
		status int
		want   string
	}{
		{
			"expired web identity", STS, &identity.Error{Kind: identity.KindExpiredIdentity}, 400,
			`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>Token is expired</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
		},
		{
			"expired web identity, long", long, &identity.Error{Kind: identity.KindExpiredIdentity}, 400,
			`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>ExpiredTokenException</Code><Message>Token is expired</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
		},
		{
			"unknown action", IAM, UnknownAction("Foo<", "1"), 400,
			`<ErrorResponse xmlns="http://webservices.amazon.com/AWSFault/2005-15-09"><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>Could not find operation Foo&lt; for version 1</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
		},
		{
			"missing parameter", IAM, MissingParameter("UserName"), 400,
			`<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>MissingParameter</Code><Message>The request must contain the parameter UserName.</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
		},
		{
			"constraint", STS, Constraint("DurationSeconds", "60", "Member must have value greater than or equal to 900"), 400,
			`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>ValidationError</Code><Message>1 validation error detected: Value '60' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
		},
		{
			"query sentence wins", STS,
			&identity.Error{Kind: identity.KindScopeService, Public: "S3's", Detail: []identity.Detail{{Name: "QueryMessage", Value: "Credential should be scoped to correct service: 'sts'."}}}, 400,
			`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>Credential should be scoped to correct service: 'sts'.</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
		},
		{
			"internal says nothing", STS, errors.New("password is hunter2"), 500,
			`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Receiver</Type><Code>InternalFailure</Code><Message>The request processing has failed because of an unknown error, exception or failure.</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
		},
		{
			"narrower code", IAM,
			&identity.Error{Kind: identity.KindConflict, Public: "Wait.", Detail: []identity.Detail{{Name: "QueryCode", Value: "ReportInProgress"}}}, 404,
			`<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>ReportInProgress</Code><Message>Wait.</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
		},
		{
			"code outside the list", IAM,
			&identity.Error{Kind: identity.KindNotFound, Public: "No.", Detail: []identity.Detail{{Name: "QueryCode", Value: "Whatever"}}}, 404,
			`<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>No.</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
		},
		{
			"provider unreachable for IAM", IAM, &identity.Error{Kind: identity.KindProviderUnreachable, Public: "x"}, 400,
			`<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>OpenIdIdpCommunicationError</Code><Message>x</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			f := WriteQueryError(w, tt.svc, "r", tt.err)
			checkAnswer(t, w, tt.status, "text/xml", tt.want)
			if f.Status != tt.status || !strings.Contains(tt.want, "<Code>"+f.Code+"</Code>") {
				t.Errorf("returned %+v", f)
			}
		})
	}
}

func TestWriteS3Error(t *testing.T) {
	t.Parallel()
	req := S3Request{Method: "GET", ID: "4442587FB7D0A2F9", HostID: "daypass"}
	detail := func(nv ...string) (d []identity.Detail) {
		for i := 0; i < len(nv); i += 2 {
			d = append(d, identity.Detail{Name: nv[i], Value: nv[i+1]})
		}
		return d
	}
	const head, tail = `<?xml version="1.0" encoding="UTF-8"?>` + "\n<Error>", `<RequestId>4442587FB7D0A2F9</RequestId><HostId>daypass</HostId></Error>`
	tests := []struct {
		name   string
		err    error
		status int
		want   string
	}{
		{
			"skew", &identity.Error{Kind: identity.KindTimeSkewed, Detail: detail("RequestTime", "20260102T030405Z", "ServerTime", "2026-01-02T04:00:00Z", "QueryMessage", "no")}, 403,
			`<Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the current time is too large.</Message><RequestTime>20260102T030405Z</RequestTime><ServerTime>2026-01-02T04:00:00Z</ServerTime><MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>`,
		},
		{
			"bad element names", &identity.Error{Kind: identity.KindValidation, Public: "m", Detail: detail("a b", "1", "X-Amz-Expires", "2", "1a", "3", "", "4", "Code", "5")}, 400,
			`<Code>InvalidArgument</Code><Message>m</Message><X-Amz-Expires>2</X-Amz-Expires>`,
		},
		{"internal", &identity.Error{Kind: identity.KindInternal, Public: "secret", Detail: detail("A", "secret")}, 500, `<Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message>`},
		{"upstream", &identity.Error{Kind: identity.KindUpstream, Detail: detail("Code", "NoSuchKey", "Status", "404", "Message", "gone\nnow", "Key", "k")}, 404, `<Code>NoSuchKey</Code><Message>gone now</Message><Key>k</Key>`},
		{"upstream, our credential", &identity.Error{Kind: identity.KindUpstream, Detail: detail("Code", "InvalidAccessKeyId", "Status", "403", "Message", "AKIAOURS")}, 500, `<Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message>`},
		{"upstream, bad code", &identity.Error{Kind: identity.KindUpstream, Detail: detail("Code", "<x>", "Status", "404")}, 502, `<Code>InternalError</Code><Message>The storage behind this service failed to answer properly. Please try again.</Message>`},
		{"upstream, bad status", &identity.Error{Kind: identity.KindUpstream, Detail: detail("Code", "X", "Status", "200")}, 502, `<Code>InternalError</Code><Message>The storage behind this service failed to answer properly. Please try again.</Message>`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			WriteS3Error(w, req, tt.err)
			checkAnswer(t, w, tt.status, "application/xml", head+tt.want+tail)
			if w.Header().Get("x-amz-request-id") != req.ID || w.Header().Get("x-amz-id-2") != req.HostID {
				t.Errorf("headers %v", w.Header())
			}
		})
	}
	w := httptest.NewRecorder()
	WriteS3Error(w, S3Request{Method: "HEAD", ID: "1", HostID: "h", Resource: "/b"}, identity.NewError(identity.KindNoSuchBucket, "", ""))
	if w.Code != 404 || w.Body.Len() != 0 || w.Header().Get("x-amz-request-id") != "1" {
		t.Errorf("HEAD: %d %q %v", w.Code, w.Body, w.Header())
	}
	w = httptest.NewRecorder()
	WriteS3Error(w, S3Request{Method: "GET", ID: "1", HostID: "h", Resource: "/b/a&b"}, identity.NewError(identity.KindAccessDenied, "", ""))
	checkAnswer(t, w, 403, "application/xml", head+`<Code>AccessDenied</Code><Message>Access Denied</Message><Resource>/b/a&amp;b</Resource><RequestId>1</RequestId><HostId>h</HostId></Error>`)
}

func TestWriteJSON(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	if err := WriteJSON(w, "r", map[string]string{"a": "<é>"}); err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, w, 200, "application/x-amz-json-1.1", `{"a":"<é>"}`)
	w = httptest.NewRecorder()
	if err := WriteJSON(w, "r", func() {}); identity.KindOf(err) != identity.KindInternal || w.Body.Len() != 0 {
		t.Errorf("unencodable: %v, %q", err, w.Body)
	}
	w = httptest.NewRecorder()
	WriteJSONError(w, "r", &identity.Error{Kind: identity.KindInvalidCredentials})
	checkAnswer(t, w, 400, "application/x-amz-json-1.1", `{"__type":"NotAuthorizedException","message":"Incorrect username or password."}`)
	if got := w.Header().Get("x-amzn-ErrorType"); got != "NotAuthorizedException:" {
		t.Errorf("x-amzn-ErrorType = %q", got)
	}
	w = httptest.NewRecorder()
	WriteJSONError(w, "r", &identity.Error{Kind: identity.KindValidation, Public: "a\r\nb\"\\"})
	checkAnswer(t, w, 400, "application/x-amz-json-1.1", `{"__type":"InvalidParameterException","message":"a\r\nb\"\\"}`)
	if got := w.Header().Get("x-amzn-ErrorMessage"); got != `a  b"\` {
		t.Errorf("x-amzn-ErrorMessage = %q", got)
	}
}

// Every kind has a row in every table, and no table has another.
func TestTablesAreExhaustive(t *testing.T) {
	t.Parallel()
	for name, table := range map[string]map[identity.Kind]Failure{"query": queryFailures, "s3": s3Failures, "json": jsonFailures} {
		for _, k := range identity.Kinds() {
			f, ok := table[k]
			if !ok || !elementName(f.Code) || f.Status < 400 || f.Status > 599 || f.Message == "" {
				t.Errorf("%s: kind %q: %+v", name, k, f)
			}
		}
		if len(table) != len(identity.Kinds()) {
			t.Errorf("%s: %d rows for %d kinds", name, len(table), len(identity.Kinds()))
		}
	}
	for _, k := range identity.Kinds() {
		e := &identity.Error{Kind: k, RetryAfterSeconds: 3}
		for _, svc := range []QueryService{STS, IAM} {
			w := httptest.NewRecorder()
			WriteQueryError(w, svc, "r", e)
			wellFormed(t, k, w.Body.String())
			retry := k == identity.KindUnavailable || k == identity.KindThrottled
			if got := w.Header().Get("Retry-After"); (got == "3") != retry {
				t.Errorf("%s: Retry-After = %q", k, got)
			}
		}
		w := httptest.NewRecorder()
		WriteS3Error(w, S3Request{Method: "PUT", ID: "r"}, e)
		wellFormed(t, k, w.Body.String())
		w = httptest.NewRecorder()
		WriteJSONError(w, "r", e)
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: %s", k, w.Body)
		}
	}
	unknown := &identity.Error{Kind: "no-such-kind", Public: "secret"}
	for _, f := range []Failure{STS.Failure(unknown), S3Failure(unknown), JSONFailure(unknown)} {
		if f.Status != 500 || strings.Contains(f.Message, "secret") {
			t.Errorf("unknown kind: %+v", f)
		}
	}
}

func wellFormed(t *testing.T, k identity.Kind, doc string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(doc))
	for {
		_, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Errorf("%s: %v in %s", k, err, doc)
			return
		}
	}
}

// The statuses and codes of the contract, row by row.
func TestContractRows(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind     identity.Kind
		s3       string
		s3Status int
		query    string
		status   int
	}{
		{identity.KindMissingAuthentication, "AccessDenied", 403, "MissingAuthenticationToken", 403},
		{identity.KindAuthAlgorithm, "InvalidArgument", 400, "IncompleteSignature", 400},
		{identity.KindSignatureV2, "InvalidRequest", 400, "IncompleteSignature", 400},
		{identity.KindAuthMalformed, "AuthorizationHeaderMalformed", 400, "IncompleteSignature", 400},
		{identity.KindAuthCredential, "AuthorizationHeaderMalformed", 400, "IncompleteSignature", 400},
		{identity.KindScopeTerminator, "AuthorizationHeaderMalformed", 400, "SignatureDoesNotMatch", 403},
		{identity.KindScopeRegion, "AuthorizationHeaderMalformed", 400, "SignatureDoesNotMatch", 403},
		{identity.KindScopeService, "AuthorizationHeaderMalformed", 400, "SignatureDoesNotMatch", 400},
		{identity.KindDateMissing, "AccessDenied", 403, "IncompleteSignature", 400},
		{identity.KindScopeDate, "AuthorizationHeaderMalformed", 400, "SignatureDoesNotMatch", 400},
		{identity.KindTimeSkewed, "RequestTimeTooSkewed", 403, "SignatureDoesNotMatch", 403},
		{identity.KindUnknownAccessKey, "InvalidAccessKeyId", 403, "InvalidClientTokenId", 403},
		{identity.KindSignatureMismatch, "SignatureDoesNotMatch", 403, "SignatureDoesNotMatch", 403},
		{identity.KindInvalidToken, "InvalidToken", 400, "InvalidClientTokenId", 403},
		{identity.KindExpiredToken, "ExpiredToken", 400, "ExpiredToken", 403},
		{identity.KindPresignMalformed, "AuthorizationQueryParametersError", 400, "IncompleteSignature", 400},
		{identity.KindPresignExpired, "AccessDenied", 403, "SignatureDoesNotMatch", 403},
		{identity.KindHostNotSigned, "AccessDenied", 403, "SignatureDoesNotMatch", 403},
		{identity.KindHeadersNotSigned, "AccessDenied", 403, "IncompleteSignature", 400},
		{identity.KindPayloadHashMissing, "InvalidRequest", 400, "SignatureDoesNotMatch", 403},
		{identity.KindPayloadHashInvalid, "InvalidArgument", 400, "SignatureDoesNotMatch", 403},
		{identity.KindPayloadMismatch, "XAmzContentSHA256Mismatch", 400, "SignatureDoesNotMatch", 403},
		{identity.KindMissingContentLength, "MissingContentLength", 411, "ValidationError", 400},
		{identity.KindNotFound, "NoSuchKey", 404, "NoSuchEntity", 404},
		{identity.KindInvalidIdentity, "InvalidToken", 400, "InvalidIdentityToken", 400},
		{identity.KindProviderUnreachable, "ServiceUnavailable", 503, "IDPCommunicationError", 400},
		{identity.KindUnavailable, "SlowDown", 503, "ServiceUnavailable", 503},
		{identity.KindThrottled, "SlowDown", 503, "Throttling", 400},
		{identity.KindInvalidMessage, "InvalidRequest", 400, "InvalidAuthorizationMessageException", 400},
		{identity.KindPolicyTooLarge, "InvalidRequest", 400, "PackedPolicyTooLarge", 400},
	}
	for _, tt := range tests {
		e := &identity.Error{Kind: tt.kind}
		if f := S3Failure(e); f.Code != tt.s3 || f.Status != tt.s3Status {
			t.Errorf("%s: S3 %s %d, want %s %d", tt.kind, f.Code, f.Status, tt.s3, tt.s3Status)
		}
		if f := STS.Failure(e); f.Code != tt.query || f.Status != tt.status {
			t.Errorf("%s: query %s %d, want %s %d", tt.kind, f.Code, f.Status, tt.query, tt.status)
		}
	}
}

func TestPercentEncode(t *testing.T) {
	t.Parallel()
	if got, want := PercentEncode("{\"A\": \"a-b_c.d~e*é/+\"}\n"), "%7B%22A%22%3A%20%22a-b_c.d~e%2A%C3%A9%2F%2B%22%7D%0A"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a<b>&\"'\r\n\x00\ufffe\xff")
	f.Fuzz(func(t *testing.T, s string) {
		var x XML
		x.Elem("E", s)
		var got string
		if err := xml.Unmarshal(x.Bytes(), &got); err != nil {
			t.Fatalf("%q: %v", x.Bytes(), err)
		}
		var want strings.Builder
		_ = xml.EscapeText(&want, []byte(s))
		var std string
		if err := xml.Unmarshal([]byte("<E>"+want.String()+"</E>"), &std); err != nil {
			t.Fatal(err)
		}
		if got != std {
			t.Fatalf("%q reads back as %q, encoding/xml as %q", s, got, std)
		}
	})
}

type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

func BenchmarkWriteResponse(b *testing.B) {
	w := &discard{h: http.Header{}}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	token := strings.Repeat("a", 900)
	b.ReportAllocs()
	for b.Loop() {
		WriteResponse(w, STS, "AssumeRole", "5c0e", func(x *XML) {
			x.Open("Credentials")
			x.Elem("AccessKeyId", "ASIAIOSFODNN7EXAMPLE")
			x.Elem("SecretAccessKey", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
			x.Elem("SessionToken", token)
			x.Time("Expiration", at)
			x.Close("Credentials")
			x.Int("PackedPolicySize", 0)
		})
	}
}
