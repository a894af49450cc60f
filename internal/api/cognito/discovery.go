package cognito

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

// Issuers tells what user pools and identity pools sign with; *issue.Issuer is
// the implementation.
type Issuers interface {
	Pool(poolID string) (issue.PoolFacts, error)
	IdentityPoolIssuer(poolID string) (issue.PoolIssuerFacts, []byte, error)
}

var _ Issuers = (*issue.Issuer)(nil)

const (
	discoveryPath = "/.well-known/openid-configuration"
	keysPath      = "/.well-known/jwks.json"
	// documentAge is how long a discovery document may be kept; keys say so
	// themselves.
	documentAge = 5 * time.Minute
)

// discoveryDocument is what an issuer says of itself (OpenID Connect Discovery
// §3), as far as it is true here: there are no pages to be sent to.
type discoveryDocument struct {
	Issuer            string   `json:"issuer"`
	JWKSURI           string   `json:"jwks_uri"`
	ResponseTypes     []string `json:"response_types_supported"`
	SubjectTypes      []string `json:"subject_types_supported"`
	SigningAlgorithms []string `json:"id_token_signing_alg_values_supported"`
}

// Discovery serves the documents of issuers: /<user pool's ID>/.well-known/… and
// those of identity pools.
type Discovery struct {
	Issuers Issuers
	Log     *slog.Logger
}

// ServeHTTP answers in JSON, to pages of any origin too.
func (d *Discovery) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	body, age, err := d.document(r)
	switch identity.KindOf(err) {
	case "":
		w.Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(int(age/time.Second)))
		writePlain(w, http.StatusOK, body)
	case identity.KindMethodNotAllowed:
		w.Header().Set("Allow", "GET, HEAD")
		writePlain(w, http.StatusMethodNotAllowed, []byte(`{"message":"Method not allowed"}`))
	case identity.KindNotFound:
		writePlain(w, http.StatusNotFound, []byte(`{"message":"Not found"}`))
	default:
		d.Log.Error("a discovery document could not be made", "error", err)
		writePlain(w, http.StatusServiceUnavailable, []byte(`{"message":"Try again"}`))
	}
}

func writePlain(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	if status != http.StatusOK {
		h.Set("Cache-Control", "no-store")
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (d *Discovery) document(r *http.Request) ([]byte, time.Duration, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, 0, identity.NewError(identity.KindMethodNotAllowed, "cognito.discovery", "")
	}
	path, keys := strings.CutSuffix(r.URL.Path, keysPath)
	if !keys {
		var found bool
		if path, found = strings.CutSuffix(path, discoveryPath); !found {
			return nil, 0, identity.NewError(identity.KindNotFound, "cognito.discovery", "")
		}
	}
	issuer, algorithm, set, age := "", "", []byte(nil), documentAge
	if id, ok := strings.CutPrefix(path, identity.IdentityPoolPath); ok {
		facts, jwks, err := d.Issuers.IdentityPoolIssuer(id)
		if err != nil {
			return nil, 0, err
		}
		issuer, algorithm, set = facts.Issuer, facts.Algorithm, jwks
	} else {
		facts, err := d.Issuers.Pool(strings.TrimPrefix(path, "/"))
		if err != nil {
			return nil, 0, err
		}
		issuer, algorithm, set, age = facts.Issuer, facts.Algorithm, facts.Keys, min(age, facts.KeysMaxAge)
	}
	if keys {
		return set, age, nil
	}
	body, err := json.Marshal(discoveryDocument{
		Issuer: issuer, JWKSURI: issuer + keysPath, ResponseTypes: []string{"id_token"}, SubjectTypes: []string{"public"},
		SigningAlgorithms: []string{algorithm},
	})
	return body, age, err
}
