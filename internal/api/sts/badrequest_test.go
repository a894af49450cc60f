package sts_test

import (
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"daypass/internal/api/sts"
	"daypass/internal/awswire"
	"daypass/internal/wiretest"
)

func constraint(value, field, rest string) string {
	if value != "" {
		value = "'" + value + "' "
	}
	return "1 validation error detected: Value " + value + "at '" + field + "' failed to satisfy constraint: " + rest
}

const pattern = `Member must satisfy regular expression pattern: [\w+=,.@-]*`

// with changes a good AssumeRoleWithWebIdentity: pairs of name and value, the
// value "-" takes the parameter away.
func with(pairs ...string) string {
	v := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {roleARN},
		"RoleSessionName": {"session"}, "WebIdentityToken": {"eyJ.web.identity"},
	}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "-" {
			v.Del(pairs[i])
		}
	}
	return v.Encode()
}

// ask is with for another action.
func ask(action string, pairs ...string) string {
	return with(append([]string{"Action", action, "WebIdentityToken", "-"}, pairs...)...)
}

func policyARNs(n int, arn string) []string {
	var pairs []string
	for i := range n {
		pairs = append(pairs, "PolicyArns.member."+strconv.Itoa(i+1)+".arn", arn)
	}
	return pairs
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	const (
		shortest = "Member must have length greater than or equal to "
		longest  = "Member must have length less than or equal to "
		integer  = "Member must be a 32-bit integer"
		missing  = "The request must contain the parameter "
		policy   = "arn:aws:iam::aws:policy/ReadOnlyAccess"
	)
	head := func(line string) string { return line + " HTTP/1.1\nHost: sts.example.com\n" }
	for name, tt := range map[string]struct {
		raw     string
		status  int
		code    string
		message string
	}{
		"nothing":                     {post("", ""), 400, "MissingParameter", missing + "Action."},
		"empty action":                {post("", "Action=&Version=2011-06-15"), 400, "MissingParameter", missing + "Action."},
		"unknown action":              {post("", "Action=Nonsense&Version=2011-06-15"), 400, "InvalidAction", "Could not find operation Nonsense for version 2011-06-15"},
		"markup in the action":        {post("", "Action=%3Cx%3E%26&Version=2011-06-15"), 400, "InvalidAction", "Could not find operation <x>& for version 2011-06-15"},
		"action in small letters":     {post(signed, "Action=getCallerIdentity&Version=2011-06-15"), 400, "InvalidAction", "Could not find operation getCallerIdentity for version 2011-06-15"},
		"unknown version":             {post(signed, "Action=GetCallerIdentity&Version=2010-05-08"), 400, "InvalidAction", "Could not find operation GetCallerIdentity for version 2010-05-08"},
		"no version":                  {post(signed, "Action=GetCallerIdentity"), 400, "InvalidAction", "Could not find operation GetCallerIdentity for version NO_VERSION_SPECIFIED"},
		"GetDelegatedAccessToken":     {post(signed, "Action=GetDelegatedAccessToken&Version=2011-06-15"), 400, "InvalidAction", "Could not find operation GetDelegatedAccessToken for version 2011-06-15"},
		"action of IAM":               {post(signed, "Action=ListUsers&Version=2010-05-08"), 400, "InvalidAction", "Could not find operation ListUsers for version 2010-05-08"},
		"action twice":                {post("", with()+"&Action=GetCallerIdentity"), 400, "ValidationError", "A parameter must not occur more than once in a request."},
		"action in query and body":    {head("POST /?Action=GetCallerIdentity") + form + "\n" + with(), 400, "ValidationError", "A parameter must not occur more than once in a request."},
		"bad escape":                  {post("", with()+"&a=%zz"), 400, "ValidationError", "The value of a parameter is malformed."},
		"JSON":                        {head("POST /") + "Content-Type: application/json\n\n{}", 400, "ValidationError", "The content type of the request must be application/x-www-form-urlencoded."},
		"PUT":                         {head("PUT /") + form + "\n" + with(), 405, "MethodNotAllowed", "The method is not allowed; use POST or GET."},
		"HEAD":                        {head("HEAD /?"+with()) + "\n", 405, "MethodNotAllowed", "The method is not allowed; use POST or GET."},
		"GET with a body":             {head("GET /") + form + "\n" + with(), 400, "ValidationError", "A GET request must not have a body."},
		"too large":                   {post("", with("Policy", strings.Repeat("a", 1<<20))), 413, "RequestEntityTooLarge", "The request is larger than the service accepts."},
		"cut body":                    {post("Content-Length: 5000\n", with()), 400, "ValidationError", "The request body terminated unexpectedly."},
		"unsigned identity":           {post("", "Action=GetCallerIdentity&Version=2011-06-15"), 403, "MissingAuthenticationToken", "Request is missing Authentication Token"},
		"presigned by POST":           {head("POST /?X-Amz-Signature=00&Action=GetCallerIdentity&Version=2011-06-15") + "\n", 403, "MissingAuthenticationToken", "Request is missing Authentication Token"},
		"no RoleArn":                  {post("", with("RoleArn", "-")), 400, "MissingParameter", missing + "RoleArn."},
		"no RoleSessionName":          {post("", with("RoleSessionName", "-")), 400, "MissingParameter", missing + "RoleSessionName."},
		"no WebIdentityToken":         {post("", with("WebIdentityToken", "-")), 400, "MissingParameter", missing + "WebIdentityToken."},
		"empty RoleArn":               {post("", with("RoleArn", "")), 400, "ValidationError", constraint("", "roleArn", shortest+"20")},
		"short RoleArn":               {post("", with("RoleArn", "arn:aws:iam::1:root")), 400, "ValidationError", constraint("", "roleArn", shortest+"20")},
		"long RoleArn":                {post("", with("RoleArn", strings.Repeat("a", 2049))), 400, "ValidationError", constraint("", "roleArn", longest+"2048")},
		"short session name":          {post("", with("RoleSessionName", "a")), 400, "ValidationError", constraint("", "roleSessionName", shortest+"2")},
		"long session name":           {post("", with("RoleSessionName", strings.Repeat("a", 65))), 400, "ValidationError", constraint("", "roleSessionName", longest+"64")},
		"blank in the session name":   {post("", with("RoleSessionName", "a b")), 400, "ValidationError", constraint("a b", "roleSessionName", pattern)},
		"slash in the session name":   {post("", with("RoleSessionName", "a/b")), 400, "ValidationError", constraint("a/b", "roleSessionName", pattern)},
		"umlaut in the session name":  {post("", with("RoleSessionName", "äb")), 400, "ValidationError", constraint("äb", "roleSessionName", pattern)},
		"markup in the session name":  {post("", with("RoleSessionName", "<&>")), 400, "ValidationError", constraint("<&>", "roleSessionName", pattern)},
		"short token":                 {post("", with("WebIdentityToken", "abc")), 400, "ValidationError", constraint("", "webIdentityToken", shortest+"4")},
		"long token":                  {post("", with("WebIdentityToken", strings.Repeat("a", 20001))), 400, "ValidationError", constraint("", "webIdentityToken", longest+"20000")},
		"short provider":              {post("", with("ProviderId", "abc")), 400, "ValidationError", constraint("", "providerId", shortest+"4")},
		"short duration":              {post("", with("DurationSeconds", "899")), 400, "ValidationError", constraint("899", "durationSeconds", "Member must have value greater than or equal to 900")},
		"duration of nothing":         {post("", with("DurationSeconds", "0")), 400, "ValidationError", constraint("0", "durationSeconds", "Member must have value greater than or equal to 900")},
		"negative duration":           {post("", with("DurationSeconds", "-3600")), 400, "ValidationError", constraint("-3600", "durationSeconds", "Member must have value greater than or equal to 900")},
		"long duration":               {post("", with("DurationSeconds", "43201")), 400, "ValidationError", constraint("43201", "durationSeconds", "Member must have value less than or equal to 43200")},
		"duration in words":           {post("", with("DurationSeconds", "1h")), 400, "ValidationError", constraint("1h", "durationSeconds", integer)},
		"duration with a fraction":    {post("", with("DurationSeconds", "3600.5")), 400, "ValidationError", constraint("3600.5", "durationSeconds", integer)},
		"empty duration":              {post("", with("DurationSeconds", "")), 400, "ValidationError", constraint("", "durationSeconds", integer)},
		"huge duration":               {post("", with("DurationSeconds", "99999999999999999999")), 400, "ValidationError", constraint("99999999999999999999", "durationSeconds", integer)},
		"empty policy":                {post("", with("Policy", "")), 400, "ValidationError", constraint("", "policy", shortest+"1")},
		"long policy":                 {post("", with("Policy", strings.Repeat(" ", 2049))), 400, "ValidationError", constraint("", "policy", longest+"2048")},
		"control character in policy": {post("", with("Policy", "{\x01}")), 400, "ValidationError", constraint("", "policy", `Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+`)},
		"emoji in the policy":         {post("", with("Policy", "{😀}")), 400, "ValidationError", constraint("", "policy", `Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+`)},
		"eleven policies":             {post("", with(policyARNs(11, policy)...)), 400, "ValidationError", constraint("", "policyArns", longest+"10")},
		"short policy ARN":            {post("", with(policyARNs(1, "arn:x")...)), 400, "ValidationError", constraint("", "policyArns.1.member.arn", shortest+"20")},
		"policy without ARN":          {post("", with("PolicyArns.member.1.Arn", policy)), 400, "ValidationError", constraint("", "policyArns.1.member.arn", "Member must not be null")},
		"policies with a gap":         {post("", with("PolicyArns.member.2.arn", policy)), 400, "ValidationError", constraint("", "policyArns", "Members must be numbered from 1 without a gap")},
		"unknown role":                {post("", with("RoleArn", "arn:demo:iam::other:role/reader")), 403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		"role ARN of S3":              {post(signed, ask("AssumeRole", "RoleArn", "arn:demo:s3:::bucket/role/x")), 400, "ValidationError", "arn:demo:s3:::bucket/role/x is invalid"},
		"role that is no ARN":         {post("", with("RoleArn", "role/of/twenty/letters")), 400, "ValidationError", "role/of/twenty/letters is invalid"},
		"unsigned role":               {post("", ask("AssumeRole")), 403, "MissingAuthenticationToken", "Request is missing Authentication Token"},
		"presigned role":              {head("GET /?X-Amz-Signature=00&"+ask("AssumeRole")) + "\n", 403, "MissingAuthenticationToken", "Request is missing Authentication Token"},
		"presigned session":           {head("GET /?X-Amz-Signature=00&Action=GetSessionToken&Version=2011-06-15") + "\n", 403, "MissingAuthenticationToken", "Request is missing Authentication Token"},
		"short external ID":           {post(signed, ask("AssumeRole", "ExternalId", "a")), 400, "ValidationError", constraint("", "externalId", shortest+"2")},
		"long external ID":            {post(signed, ask("AssumeRole", "ExternalId", strings.Repeat("a", 1225))), 400, "ValidationError", constraint("", "externalId", longest+"1224")},
		"blank in the external ID":    {post(signed, ask("AssumeRole", "ExternalId", "a b")), 400, "ValidationError", constraint("", "externalId", `Member must satisfy regular expression pattern: [\w+=,.@:\/-]*`)},
		"short serial number":         {post(signed, ask("AssumeRole", "SerialNumber", "12345678")), 400, "ValidationError", constraint("", "serialNumber", shortest+"9")},
		"code of five":                {post(signed, ask("AssumeRole", "TokenCode", "12345")), 400, "ValidationError", constraint("", "tokenCode", shortest+"6")},
		"code of letters":             {post(signed, ask("AssumeRole", "TokenCode", "12345a")), 400, "ValidationError", constraint("", "tokenCode", `Member must satisfy regular expression pattern: [\d]*`)},
		"code of other digits":        {post(signed, ask("AssumeRole", "TokenCode", "12345６")), 400, "ValidationError", constraint("", "tokenCode", `Member must satisfy regular expression pattern: [\d]*`)},
		"short source identity":       {post(signed, ask("AssumeRole", "SourceIdentity", "a")), 400, "ValidationError", constraint("", "sourceIdentity", shortest+"2")},
		"ARN as source identity":      {post(signed, ask("AssumeRole", "SourceIdentity", "a:b")), 400, "ValidationError", constraint("a:b", "sourceIdentity", pattern)},
		"tag without key":             {post(signed, ask("AssumeRole", "Tags.member.1.Value", "x")), 400, "ValidationError", constraint("", "tags.1.member.key", "Member must not be null")},
		"tag without value":           {post(signed, ask("AssumeRole", "Tags.member.1.Key", "x")), 400, "ValidationError", constraint("", "tags.1.member.value", "Member must not be null")},
		"long tag value":              {post(signed, ask("AssumeRole", "Tags.member.1.Key", "x", "Tags.member.1.Value", strings.Repeat("v", 257))), 400, "ValidationError", constraint("", "tags.1.member.value", longest+"256")},
		"51 tags":                     {post(signed, ask("AssumeRole", "Tags.member.51.Key", "x")), 400, "ValidationError", constraint("", "tags", longest+"50")},
		"51 transitive keys":          {post(signed, ask("AssumeRole", "TransitiveTagKeys.member.51", "x")), 400, "ValidationError", constraint("", "transitiveTagKeys", longest+"50")},
		"empty transitive key":        {post(signed, ask("AssumeRole", "TransitiveTagKeys.member.1", "")), 400, "ValidationError", constraint("", "transitiveTagKeys.1.member", shortest+"1")},
		"long session":                {post(signed, "Action=GetSessionToken&Version=2011-06-15&DurationSeconds=129601"), 400, "ValidationError", constraint("129601", "durationSeconds", "Member must have value less than or equal to 129600")},
		"no name":                     {post(signed, "Action=GetFederationToken&Version=2011-06-15"), 400, "MissingParameter", missing + "Name."},
		"long name":                   {post(signed, "Action=GetFederationToken&Version=2011-06-15&Name="+strings.Repeat("a", 33)), 400, "ValidationError", constraint("", "name", longest+"32")},
		"slash in the name":           {post(signed, "Action=GetFederationToken&Version=2011-06-15&Name=a/b"), 400, "ValidationError", constraint("a/b", "name", pattern)},
		"short key ID":                {post(signed, "Action=GetAccessKeyInfo&Version=2011-06-15&AccessKeyId=AKIA"), 400, "ValidationError", constraint("", "accessKeyId", shortest+"16")},
		"markup in the key ID":        {post(signed, "Action=GetAccessKeyInfo&Version=2011-06-15&AccessKeyId=AKIA<>0123456789AB"), 400, "ValidationError", constraint("", "accessKeyId", `Member must satisfy regular expression pattern: [\w]*`)},
		"eleven audiences":            {post(signed, "Action=GetWebIdentityToken&Version=2011-06-15&SigningAlgorithm=RS256&Audience.member.11=x"), 400, "ValidationError", constraint("", "audience", longest+"10")},
		"long root task":              {post(signed, "Action=AssumeRoot&Version=2011-06-15&DurationSeconds=901&TargetPrincipal=123456789012&TaskPolicyArn.arn=arn:aws:iam::aws:policy/root-task/X"), 400, "ValidationError", constraint("901", "durationSeconds", "Member must have value less than or equal to 900")},
		"no JWT":                      {post("", with("WebIdentityToken", "nonsense")), 400, "InvalidIdentityToken", "Missing a required claim: sub."},
		"expired JWT":                 {post("", with("RoleSessionName", "fail-expired-identity")), 400, "ExpiredToken", "Token is expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			newHandler(sts.Config{}).ServeHTTP(w, wiretest.Request(t, tt.raw))
			namespace := awswire.NamespaceSTS
			if tt.code == "InvalidAction" {
				namespace = awswire.NamespaceFault
			}
			checkError(t, w, tt.status, tt.code, tt.message, namespace)
			if got := w.Header().Get("Allow"); (got != "") != (tt.status == 405) {
				t.Errorf("got Allow %q", got)
			}
		})
	}
}

// TestGoodBounds sends every parameter at the edge of what is allowed.
func TestGoodBounds(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"least":             with("RoleSessionName", "ab", "DurationSeconds", "900", "ProviderId", "abcd"),
		"most":              with("RoleSessionName", strings.Repeat("a", 64), "DurationSeconds", "43200", "Policy", strings.Repeat("ÿ", 2048)),
		"session name":      with("RoleSessionName", "aZ09_+=,.@-"),
		"ten policies":      with(policyARNs(10, "arn:aws:iam::aws:policy/ReadOnlyAccess")...),
		"unknown parameter": with("Nonsense", "x"),
		"empty list":        with("PolicyArns", ""),
	} {
		w := httptest.NewRecorder()
		newHandler(sts.Config{}).ServeHTTP(w, wiretest.Request(t, post("", body)))
		if w.Code != 200 {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
	}
}
