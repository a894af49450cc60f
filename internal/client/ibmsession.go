package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"daypass/internal/identity"
)

const pathSessionKeys = "/v1/session_keys"

// ibmKeys exchanges the access token of a session for session keys, and keeps
// the session with them. The profile is locked. Keys end with the token, so one
// that is fresh is shown.
func (k *Keeper) ibmKeys(ctx context.Context, session *Session) (Keys, error) {
	token, err := k.liveIBM(ctx, session, 1<<62)
	if err != nil {
		return Keys{}, err
	}
	body := map[string]int64{}
	if d := k.profile.Duration; d > 0 {
		body["duration_seconds"] = int64(d / time.Second)
	}
	var out struct {
		AccessKeyID     string    `json:"access_key_id"`
		SecretAccessKey string    `json:"secret_access_key"`
		SessionToken    string    `json:"session_token"`
		Expiration      time.Time `json:"expiration"`
		ARN             string    `json:"arn"`
		AccountID       string    `json:"account_id"`
		UserID          string    `json:"user_id"`
	}
	now := k.clock.Now().UTC().Truncate(time.Second)
	const doing = "getting session keys"
	if _, err := k.wire.ibm(ctx, token, ibmCall{doing: doing, method: http.MethodPost, path: pathSessionKeys, body: body}, &out); err != nil {
		return Keys{}, err
	}
	if out.AccessKeyID == "" || out.Expiration.IsZero() {
		return Keys{}, k.wire.failed(identity.KindUnavailable, doing, "the answer holds no keys", "", "", nil)
	}
	keys := Keys{
		AccessKeyID: out.AccessKeyID, SecretAccessKey: identity.Secret(out.SecretAccessKey), SessionToken: identity.Secret(out.SessionToken),
		IssuedAt: now, ExpiresAt: out.Expiration, ARN: out.ARN, AccountID: out.AccountID, UserID: out.UserID, Source: session.Source,
	}
	session.put(k.profile.keysName(), keys, now)
	return keys, k.put(session)
}

// ibmLogout ends the log-in session at the server. One that has ended already is
// no error.
func (k *Keeper) ibmLogout(ctx context.Context, session *Session) error {
	session.Compute = nil // nobody logs in to log out
	token, err := k.liveIBM(ctx, session, 0)
	if err == nil {
		_, err = k.wire.ibm(ctx, token, ibmCall{doing: "logging out", method: http.MethodDelete, path: "/v1/sessions/" + url.PathEscape(token.SessionID)}, nil)
	}
	if identity.KindOf(err) == identity.KindExpiredToken {
		return nil
	}
	return err
}
