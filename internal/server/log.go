package server

import (
	"io"
	"log/slog"
	"strings"
)

func logLevel(name string) (slog.Level, error) {
	var level slog.Level
	err := level.UnmarshalText([]byte(name))
	return level, err
}

// NewLogger makes the log of a server. Lines per request may reach w up to
// 100 ms late; Serve writes the last of them before it returns.
func NewLogger(c LogConfig, w io.Writer) *slog.Logger {
	level, _ := logLevel(c.Level) // judged by LoadConfig
	options := &slog.HandlerOptions{Level: level}
	lines := &gatheredLines{w: w}
	if c.Format == "json" {
		return slog.New(gathering{slog.NewJSONHandler(lines, options), lines, true})
	}
	return slog.New(gathering{slog.NewTextHandler(lines, options), lines, false})
}

// secretParameters are the query parameters whose values never reach a log, in
// lower case: credentials, proofs and what is as good as one.
var secretParameters = map[string]bool{
	"x-amz-signature": true, "x-amz-security-token": true, "x-amz-credential": true, "signature": true,
	"awsaccesskeyid": true, "webidentitytoken": true, "samlassertion": true, "token": true, "access_token": true,
	"id_token": true, "refresh_token": true, "id_token_hint": true, "code": true, "state": true, "password": true,
	"passcode": true, "apikey": true, "api_key": true, "client_secret": true, "client_assertion": true,
	"tokencode": true, "tradeintoken": true, "encodedmessage": true, "policy": true, "assertion": true,
	"subject_token": true, "actor_token": true, "device_code": true, "user_code": true, "code_verifier": true,
	"samlresponse": true, "samlrequest": true, "signintoken": true, "secretaccesskey": true, "username": true,
	"cr_token": true, "security_code": true, "security_question_answer": true, "authentication_token": true, "iam-apikey": true,
	"x-amz-server-side-encryption-customer-key": true, "x-amz-copy-source-server-side-encryption-customer-key": true,
}

// logTarget is a request target fit for a log: values of parameters that can
// be secret are dropped, and what a stranger wrote stays short.
func logTarget(requestURI string) string {
	const maxTarget = 1024
	path, query, has := strings.Cut(requestURI, "?")
	if !has {
		return cut(path, maxTarget)
	}
	var b strings.Builder
	b.WriteString(path)
	sep := byte('?')
	for pair := range strings.SplitSeq(query, "&") {
		b.WriteByte(sep)
		sep = '&'
		name, value, hasValue := strings.Cut(pair, "=")
		b.WriteString(name)
		switch {
		case !hasValue:
		case strings.ContainsRune(name, '%') || secretParameters[strings.ToLower(name)]:
			b.WriteString("=-") // an escaped name could be any
		default:
			b.WriteByte('=')
			b.WriteString(value)
		}
		if b.Len() > maxTarget {
			break
		}
	}
	return cut(b.String(), maxTarget)
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
