package sigv4

import "strings"

// verifier is a key of either kind.
type verifier interface {
	// verify judges a signature of text.
	verify(c *scratch, text []byte, signature string) bool
}

// Check verifies the signature with the key of the request's scope, in
// constant time, and sets Reading. bodySHA256 is the lower-case hexadecimal
// hash of the body for services other than S3, and ignored for S3. A request
// that is Asymmetric never passes; CheckAsymmetric is for it.
//
// The error is an *Error with FailureSignatureMismatch and the details
// AWSAccessKeyId, StringToSign, SignatureProvided, StringToSignBytes,
// CanonicalRequest and CanonicalRequestBytes, in which session tokens and other
// secrets are replaced by REDACTED.
func (s *Signed) Check(key *SigningKey, bodySHA256 string) error {
	if key == nil || s.Asymmetric {
		return s.check(nil, bodySHA256)
	}
	if err := s.check(key, bodySHA256); err != nil {
		return err
	}
	s.seedChunks(key)
	return nil
}

// CheckAsymmetric is Check for requests that are Asymmetric, and refuses all
// others.
func (s *Signed) CheckAsymmetric(key *AsymmetricKey, bodySHA256 string) error {
	if key == nil || !s.Asymmetric {
		return s.check(nil, bodySHA256)
	}
	return s.check(key, bodySHA256)
}

// check is Check with a key of the right kind, or none.
func (s *Signed) check(key verifier, bodySHA256 string) error {
	if s.Mechanism == MechanismPost {
		return s.checkPolicy(key)
	}
	payload := s.PayloadHash
	if s.PayloadMode == PayloadBody {
		payload = bodySHA256
	}
	c := scratches.Get().(*scratch)
	defer c.release()
	if key != nil && payload != "" {
		if s.tryHost(c, key, payload, "") {
			s.Reading.Host = s.msg.host
			return nil
		}
		for _, host := range s.hosts {
			if s.tryHost(c, key, payload, host) {
				s.Reading.Host = host
				return nil
			}
		}
	}
	return s.mismatch(c, payload)
}

// tryHost tries the readings the rules allow.
func (s *Signed) tryHost(c *scratch, key verifier, payload, host string) bool {
	f := form{host: host}
	if s.try(c, key, payload, f) {
		return true
	}
	if s.Mechanism == MechanismPresigned {
		f.withoutToken = true
		return !s.presignedS3 && s.SessionToken != "" && s.try(c, key, payload, f)
	}
	if !s.fallbacks {
		return false
	}
	for _, f := range []form{
		{rawQuery: true},
		{rawQuery: true, order: byPair},
		{rawQuery: true, order: asItCame}, // curl before 8.3
		{singlePath: true},
		{rawQuery: true, singlePath: true},
	} {
		f.host = host
		if s.try(c, key, payload, f) {
			return true
		}
	}
	return false
}

func (s *Signed) try(c *scratch, key verifier, payload string, f form) bool {
	if s.msg.build(c, f, payload); c.absent {
		return false
	}
	c.stringToSign(s.algorithm(), s.timestamp, s.Date, s.Region, s.Service)
	if !key.verify(c, c.text, s.Signature) {
		return false
	}
	s.Reading = Reading{RawQuery: f.rawQuery, SinglePath: f.singlePath, WithoutToken: f.withoutToken}
	return true
}

// mismatch shows what was computed. The string to sign is that of the true
// canonical request; the canonical request is shown without its secrets.
func (s *Signed) mismatch(c *scratch, payload string) error {
	s.msg.build(c, form{}, payload)
	c.stringToSign(s.algorithm(), s.timestamp, s.Date, s.Region, s.Service)
	text := string(c.text)
	s.msg.build(c, form{redact: true}, payload)
	canonical := string(c.canonical)
	return refuse(FailureSignatureMismatch,
		Detail{"AWSAccessKeyId", s.AccessKeyID},
		Detail{"StringToSign", text},
		Detail{"SignatureProvided", s.Signature},
		Detail{"StringToSignBytes", spacedHex(text)},
		Detail{"CanonicalRequest", canonical},
		Detail{"CanonicalRequestBytes", spacedHex(canonical)},
	)
}

func spacedHex(s string) string {
	var b strings.Builder
	b.Grow(3 * len(s))
	for i := 0; i < len(s); i++ {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteByte("0123456789abcdef"[s[i]>>4])
		b.WriteByte("0123456789abcdef"[s[i]&15])
	}
	return b.String()
}
