package upstream

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"daypass/internal/identity"
)

// What to do about a refusal, by the code of its reason and else by its status.
var keyProtectAdvice = map[string]string{
	"KEY_ACTION_INVALID_STATE_ERR": "is disabled there, or otherwise not active: enable it",
	"KEY_INVALID_STATE_ERR":        "is disabled there, or otherwise not active: enable it",
	"KEY_EXPIRED_ERR":              "has expired there: what it wrapped opens no more",
	"KEY_DELETED_ERR":              "was deleted there: restore it while that can be done, for nothing else opens what it wrapped",
	"KEY_NOT_FOUND_ERR":            "is not there: is the instance the right one, and the key's ID or alias?",
	"KEY_ROOT_REQ_ERR":             "is a standard key, and only a root key wraps",
	"UNPROCESSABLE_CIPHERTEXT_ERR": "did not wrap what it was given: is it the key that was in use before?",
	"UNAUTHORIZED_ERR":             "may not be used: give the owner of the API key the service role Reader, or one that holds kms.secrets.wrap and kms.secrets.unwrap, on the key",
	"401":                          "may not be used: give the owner of the API key the service role Reader, or one that holds kms.secrets.wrap and kms.secrets.unwrap, on the key",
	"403":                          "may not be used from here, or not by this API key's owner",
	"404":                          "is not there: is the instance the right one, and the key's ID or alias?",
	"409":                          "is not in a state to be used: look at it there",
	"410":                          "was deleted there: restore it while that can be done, for nothing else opens what it wrapped",
	"422":                          "did not wrap what it was given: is it the key that was in use before?",
}

// refused is the error of an action's answer that is no success.
func (k *KeyProtect) refused(status int, answer []byte) error {
	var in struct {
		Resources []struct {
			Reasons []struct {
				Code string `json:"code"`
			} `json:"reasons"`
		} `json:"resources"`
	}
	code := ""
	if json.Unmarshal(answer, &in) == nil && len(in.Resources) > 0 && len(in.Resources[0].Reasons) > 0 {
		code = in.Resources[0].Reasons[0].Code
	}
	advice, ok := keyProtectAdvice[code]
	if !ok {
		advice, ok = keyProtectAdvice[strconv.Itoa(status)]
	}
	if !ok {
		return k.notUnderstood(fmt.Errorf("status %d", status))
	}
	return k.refusal(status, code, k.Place()+" "+advice)
}

// refusal makes an error of an answer. Of the answer only a code that looks like
// one gets into it.
func (k *KeyProtect) refusal(status int, code, public string) error {
	if len(code) > maxCode || strings.ContainsFunc(code, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' }) {
		code = ""
	}
	if code != "" {
		public += " (" + code + ")"
	}
	return &identity.Error{
		Kind: identity.KindUpstream, Op: opKeyProtect, Public: public, Err: fmt.Errorf("status %d %s", status, code),
		Detail: []identity.Detail{{Name: "Status", Value: strconv.Itoa(status)}, {Name: "Code", Value: code}},
	}
}

func (k *KeyProtect) notUnderstood(err error) error {
	return &identity.Error{
		Kind: identity.KindUpstream, Op: opKeyProtect, Err: err,
		Public: "the answer of " + k.URL.Host + " is not understood (" + err.Error() + "): is it a key management service?",
	}
}

// unreached is the error of a service that is away. A certificate that does not
// verify does not by waiting either, nor does what the transport itself refuses.
func unreached(target *url.URL, err error) error {
	e := &identity.Error{Kind: identity.KindUnavailable, Op: opKeyProtect, Err: err, RetryAfterSeconds: retryAfterSeconds, Public: target.Host + " cannot be reached: " + err.Error()}
	if certificate := (*tls.CertificateVerificationError)(nil); errors.As(err, &certificate) {
		e.Kind, e.RetryAfterSeconds, e.Public = identity.KindUpstream, 0, "the certificate of "+target.Host+" does not verify: "+certificate.Err.Error()
	}
	if refused := (*identity.Error)(nil); errors.As(err, &refused) {
		return refused
	}
	if record := (tls.RecordHeaderError{}); errors.As(err, &record) {
		e.Kind, e.RetryAfterSeconds, e.Public = identity.KindUpstream, 0, target.Host+" does not speak TLS"
	}
	return e
}
