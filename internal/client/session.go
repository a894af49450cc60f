package client

import (
	"encoding/json"
	"maps"
	"time"

	"daypass/internal/identity"
)

// Where a session came from.
const (
	SourcePassword    = "password"
	SourceWebIdentity = "web-identity"
)

// Session is what is kept of a profile's log-in.
type Session struct {
	// Endpoint, Realm and ClientID are where the refresh token was issued; it is
	// shown nowhere else.
	Endpoint string `json:"endpoint"`
	Realm    string `json:"realm,omitempty"`
	ClientID string `json:"client_id,omitempty"`
	// Username is who logged in, as typed.
	Username string `json:"username,omitempty"`
	// Source says how: one of the constants.
	Source     string    `json:"source"`
	LoggedInAt time.Time `json:"logged_in_at"`

	RefreshToken     identity.Secret `json:"refresh_token,omitempty"`
	RefreshExpiresAt time.Time       `json:"refresh_expires_at,omitzero"`
	// IBM is the access token of a log-in of IBM's dialect; nil for others.
	IBM *IBMToken `json:"ibm,omitempty"`
	// Compute says how to log in again where no refresh token is given; nil for
	// other log-ins.
	Compute *IBMCompute `json:"compute,omitempty"`
	// Keys are the session keys, by what was asked for.
	Keys map[string]Keys `json:"keys,omitempty"`
}

// Keys are session keys and whose they are.
type Keys struct {
	AccessKeyID     string          `json:"access_key_id"`
	SecretAccessKey identity.Secret `json:"secret_access_key"`
	SessionToken    identity.Secret `json:"session_token"`
	IssuedAt        time.Time       `json:"issued_at"`
	ExpiresAt       time.Time       `json:"expires_at"`
	// ARN, AccountID and UserID are the caller's, as GetCallerIdentity says.
	ARN       string `json:"arn"`
	AccountID string `json:"account_id"`
	UserID    string `json:"user_id"`
	// Source is the session's.
	Source string `json:"source"`
}

// Alive reports whether more than window of the lifetime is left; a window of
// more than a third of the lifetime counts as that third, so that short-lived
// keys are not renewed at every use.
func (k *Keys) Alive(now time.Time, window time.Duration) bool {
	window = min(window, k.ExpiresAt.Sub(k.IssuedAt)/3)
	return k.ExpiresAt.Sub(now) > max(window, 0)
}

// encode writes a session with its secrets, which identity.Secret hides from
// ordinary encoding.
func (s *Session) encode() ([]byte, error) {
	type plainKeys Keys
	type keys struct {
		plainKeys
		SecretAccessKey string `json:"secret_access_key"`
		SessionToken    string `json:"session_token"`
	}
	type plainIBM IBMToken
	type ibmToken struct {
		plainIBM
		Text string `json:"access_token"`
	}
	type plain Session
	out := struct {
		plain
		RefreshToken string          `json:"refresh_token,omitempty"`
		IBM          *ibmToken       `json:"ibm,omitempty"`
		Keys         map[string]keys `json:"keys,omitempty"`
	}{plain(*s), s.RefreshToken.Reveal(), nil, map[string]keys{}}
	if s.IBM != nil {
		out.IBM = &ibmToken{plainIBM(*s.IBM), s.IBM.Text.Reveal()}
	}
	for name, k := range s.Keys {
		out.Keys[name] = keys{plainKeys(k), k.SecretAccessKey.Reveal(), k.SessionToken.Reveal()}
	}
	return json.Marshal(out)
}

// decodeSession reads what encode wrote. An entry that cannot be read is none:
// logging in again replaces it.
func decodeSession(data []byte) *Session {
	s := &Session{}
	if len(data) == 0 || json.Unmarshal(data, s) != nil {
		return &Session{}
	}
	return s
}

// of reports whether the session belongs to where the profile points.
func (s *Session) of(p *Profile) bool {
	if s.Endpoint != p.Endpoint || p.Username != "" && s.Username != "" && s.Username != p.Username {
		return false
	}
	if s.IBM != nil || p.Kind == KindIBM {
		return s.IBM != nil && p.Kind == KindIBM
	}
	if s.Source == SourceWebIdentity {
		return p.WebIdentityTokenFile != ""
	}
	return p.WebIdentityTokenFile == "" && s.Realm == p.Realm && s.ClientID == p.ClientID
}

// keysName is what keys are filed under: everything of a profile that changes
// which keys are asked for.
func (p *Profile) keysName() string {
	name := p.Role
	if p.SessionName != "" {
		name += " " + p.SessionName
	}
	if p.Duration != 0 {
		name += " " + shortDuration(p.Duration)
	}
	return name
}

// take replaces the refresh token by the one of tokens.
func (s *Session) take(tokens *realmTokens, now time.Time) {
	s.RefreshToken, s.RefreshExpiresAt = identity.Secret(tokens.RefreshToken), time.Time{}
	if tokens.RefreshExpiresIn > 0 {
		s.RefreshExpiresAt = now.UTC().Truncate(time.Second).Add(time.Duration(tokens.RefreshExpiresIn) * time.Second)
	}
}

// maxKeys bounds the keys of one session.
const maxKeys = 16

// put files keys and drops those that are of no more use.
func (s *Session) put(name string, k Keys, now time.Time) {
	kept := map[string]Keys{}
	for other, old := range s.Keys {
		if old.Alive(now, 0) && len(kept) < maxKeys-1 {
			kept[other] = old
		}
	}
	kept[name] = k
	s.Keys = kept
}

// latest returns the keys that live longest, the zero value for none.
func (s *Session) latest() (best Keys) {
	for k := range maps.Values(s.Keys) {
		if k.ExpiresAt.After(best.ExpiresAt) {
			best = k
		}
	}
	return best
}
