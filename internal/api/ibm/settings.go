package ibm

import (
	"net/http"
	"reflect"
	"strconv"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

var accountSettings = map[string]endpoint{
	"/v1/accounts/*/settings/identity": {"AccountSettings", map[string]operation{
		http.MethodGet: signed((*Handler).readSettings), http.MethodPut: signed((*Handler).updateSettings),
	}},
}

// settings are the account settings. Of most this service has one value.
type settings struct {
	AccountID            string    `json:"account_id"`
	EntityTag            string    `json:"entity_tag"`
	RestrictServiceID    string    `json:"restrict_create_service_id"`
	RestrictAPIKey       string    `json:"restrict_create_platform_apikey"`
	AllowedIPs           string    `json:"allowed_ip_addresses"`
	MFA                  string    `json:"mfa"`
	SessionExpiration    string    `json:"session_expiration_in_seconds"`
	SessionInvalidation  string    `json:"session_invalidation_in_seconds"`
	MaxSessions          string    `json:"max_sessions_per_identity"`
	AccessTokenSeconds   string    `json:"system_access_token_expiration_in_seconds"`
	RefreshTokenSeconds  string    `json:"system_refresh_token_expiration_in_seconds"`
	RestrictUserList     string    `json:"restrict_user_list_visibility"`
	UserMFA              []string  `json:"user_mfa"`
	RestrictedUserDomain []string  `json:"restrict_user_domains"`
	History              []history `json:"history,omitempty"`
}

const (
	notSet = "NOT_SET"
	// Policies say who may make service IDs; a person may make API keys of its own.
	restricted, notRestricted = "RESTRICTED", "NOT_RESTRICTED"
	// A second factor is a rule of users and realms.
	noMFA = "NONE"
)

func showSettings(account string, s *identity.IBMSettings, withHistory bool) settings {
	out := settings{
		AccountID: account, EntityTag: s.EntityTag().String(), RestrictServiceID: restricted, RestrictAPIKey: notRestricted, MFA: noMFA,
		SessionExpiration: notSet, SessionInvalidation: notSet, MaxSessions: notSet,
		AccessTokenSeconds: seconds(s.AccessTokenLife()), RefreshTokenSeconds: seconds(s.RefreshTokenLife()),
		RestrictUserList: notRestricted, UserMFA: []string{}, RestrictedUserDomain: []string{},
	}
	if withHistory {
		out.History = historyOf(s.History)
	}
	return out
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

func (h *Handler) readSettings(c *call) (answer, error) {
	q, err := c.query("include_history", "resolve_user_mfa")
	if err != nil {
		return answer{}, err
	}
	withHistory, err := q.flag("include_history")
	if err != nil {
		return answer{}, err
	}
	if _, err := q.flag("resolve_user_mfa"); err != nil { // no user is exempt
		return answer{}, err
	}
	s, err := h.Directory.IBMAccountSettings(c.ctx, c.caller, c.names[0])
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: showSettings(c.names[0], &s, withHistory), tag: s.EntityTag().String()}, nil
}

func (h *Handler) updateSettings(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	tag, err := c.ifMatch()
	if err != nil {
		return answer{}, err
	}
	change, err := c.settingsChange()
	if err != nil {
		return answer{}, err
	}
	s, err := h.Directory.UpdateIBMAccountSettings(c.ctx, c.caller, c.names[0], tag, change)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: showSettings(c.names[0], &s, true), tag: s.EntityTag().String()}, nil
}

// settingsChange reads another body of the settings. What has one value here may
// be there with that value, as in a document that was read and is sent back.
func (c *call) settingsChange() (change directory.IBMSettingsChange, err error) {
	only := showSettings("", &identity.IBMSettings{}, false)
	in := only
	access, refresh := "", ""
	fixed := members{
		"restrict_create_service_id": &in.RestrictServiceID, "restrict_create_platform_apikey": &in.RestrictAPIKey,
		"allowed_ip_addresses": &in.AllowedIPs, "mfa": &in.MFA, "session_expiration_in_seconds": &in.SessionExpiration,
		"session_invalidation_in_seconds": &in.SessionInvalidation, "max_sessions_per_identity": &in.MaxSessions,
		"restrict_user_list_visibility": &in.RestrictUserList, "user_mfa": &in.UserMFA, "restrict_user_domains": &in.RestrictedUserDomain,
		"system_access_token_expiration_in_seconds": &access, "system_refresh_token_expiration_in_seconds": &refresh,
	}
	if err = c.decode(fixed); err != nil {
		return change, err
	}
	if !reflect.DeepEqual(in, only) {
		return change, identity.NewError(identity.KindNotImplemented, "ibm.settings", "Of the account settings only the lifetimes of tokens can be changed.")
	}
	if change.AccessTokenSeconds, err = lifetime("system_access_token_expiration_in_seconds", access); err != nil {
		return change, err
	}
	change.RefreshTokenSeconds, err = lifetime("system_refresh_token_expiration_in_seconds", refresh)
	return change, err
}

// lifetime reads a text of seconds; nil for none, and 0 for the longest.
func lifetime(name, text string) (*int, error) {
	n := 0
	switch text {
	case "":
		return nil, nil
	case notSet:
		return &n, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		return nil, invalidValue(name)
	}
	return &n, nil
}
