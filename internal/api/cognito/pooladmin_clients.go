package cognito

import (
	"fmt"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// unitSeconds are the units of TokenValidityUnits.
var unitSeconds = map[string]int{"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}

type validityUnits struct {
	AccessToken, IdToken, RefreshToken string `json:",omitempty"`
}

type rotationMember struct {
	Feature                 string
	RetryGracePeriodSeconds int
}

// clientMember are the settings of an app client, in and out.
type clientMember struct {
	ClientName                                                 *string         `json:",omitempty"`
	RefreshTokenValidity, AccessTokenValidity, IdTokenValidity *int            `json:",omitempty"`
	TokenValidityUnits                                         *validityUnits  `json:",omitempty"`
	ReadAttributes, WriteAttributes, ExplicitAuthFlows         []string        `json:",omitempty"`
	CallbackURLs, LogoutURLs                                   []string        `json:",omitempty"`
	AllowedOAuthFlows, AllowedOAuthScopes                      []string        `json:",omitempty"`
	PreventUserExistenceErrors                                 string          `json:",omitempty"`
	EnableTokenRevocation                                      *bool           `json:",omitempty"`
	AuthSessionValidity                                        *int            `json:",omitempty"` // minutes
	RefreshTokenRotation                                       *rotationMember `json:",omitempty"`
	AllowedOAuthFlowsUserPoolClient                            bool
	SupportedIdentityProviders                                 []string `json:",omitempty"`
}

func (m *clientMember) check() error {
	for _, p := range m.SupportedIdentityProviders {
		if p != "COGNITO" {
			return notServed("supportedIdentityProviders", "clients log in with the pool's own users; identity pools take other issuers")
		}
	}
	switch {
	case m.PreventUserExistenceErrors != "" && m.PreventUserExistenceErrors != "LEGACY" && m.PreventUserExistenceErrors != "ENABLED":
		return badMember("preventUserExistenceErrors", "Member must satisfy enum value set: [LEGACY, ENABLED]")
	case m.RefreshTokenRotation != nil && m.RefreshTokenRotation.Feature != "ENABLED" && m.RefreshTokenRotation.Feature != "DISABLED":
		return badMember("refreshTokenRotation.feature", "Member must satisfy enum value set: [ENABLED, DISABLED]")
	}
	for _, n := range []*int{m.RefreshTokenValidity, m.AccessTokenValidity, m.IdTokenValidity, m.AuthSessionValidity} {
		if n != nil && (*n < 0 || *n > 315360000) {
			return badMember("validity", "Member must have value between 0 and 315360000")
		}
	}
	if u := m.TokenValidityUnits; u != nil {
		for _, unit := range []string{u.AccessToken, u.IdToken, u.RefreshToken} {
			if unit != "" && unitSeconds[unit] == 0 {
				return badMember("tokenValidityUnits", "Member must satisfy enum value set: [seconds, minutes, hours, days]")
			}
		}
	}
	return nil
}

// defaultUnits are those of a client that names none.
var defaultUnits = validityUnits{"hours", "hours", "days"}

// over puts the settings over a client; what is not given stays.
func (m *clientMember) over(c *identity.PoolClient) {
	if m.ClientName != nil {
		c.Name = *m.ClientName
	}
	units := unitsOf(c)
	if u := m.TokenValidityUnits; u != nil {
		for _, unit := range []struct{ to, from *string }{{&units.AccessToken, &u.AccessToken}, {&units.IdToken, &u.IdToken}, {&units.RefreshToken, &u.RefreshToken}} {
			if *unit.from != "" {
				*unit.to = *unit.from
			}
		}
	}
	c.TokenValidityUnits = map[string]string{"AccessToken": units.AccessToken, "IdToken": units.IdToken, "RefreshToken": units.RefreshToken}
	for _, v := range []struct {
		n    *int
		unit string
		to   *int
	}{
		{m.AccessTokenValidity, units.AccessToken, &c.AccessTokenSeconds},
		{m.IdTokenValidity, units.IdToken, &c.IDTokenSeconds},
		{m.RefreshTokenValidity, units.RefreshToken, &c.RefreshTokenSeconds},
		{m.AuthSessionValidity, "minutes", &c.AuthSessionSeconds},
	} {
		if v.n != nil && *v.n > 0 { // 0 is the default
			*v.to = *v.n * unitSeconds[v.unit]
		}
	}
	for _, l := range []struct {
		from []string
		to   *[]string
	}{
		{m.ReadAttributes, &c.ReadAttributes},
		{m.WriteAttributes, &c.WriteAttributes},
		{m.ExplicitAuthFlows, &c.AuthFlows},
		{m.CallbackURLs, &c.CallbackURLs},
		{m.LogoutURLs, &c.LogoutURLs},
		{m.AllowedOAuthFlows, &c.OAuthFlows},
		{m.AllowedOAuthScopes, &c.OAuthScopes},
	} {
		if l.from != nil {
			*l.to = l.from
		}
	}
	if m.PreventUserExistenceErrors != "" {
		c.TellUnknownUsers = m.PreventUserExistenceErrors == "LEGACY"
	}
	if m.EnableTokenRevocation != nil {
		c.NoRevocation = !*m.EnableTokenRevocation
	}
	if r := m.RefreshTokenRotation; r != nil {
		c.RotateRefresh, c.RetryGraceSeconds = r.Feature == "ENABLED", r.RetryGracePeriodSeconds
	}
}

// unitsOf are the units that a client's lives are shown in.
func unitsOf(c *identity.PoolClient) validityUnits {
	out := defaultUnits
	for name, to := range map[string]*string{"AccessToken": &out.AccessToken, "IdToken": &out.IdToken, "RefreshToken": &out.RefreshToken} {
		if u := c.TokenValidityUnits[name]; u != "" {
			*to = u
		}
	}
	return out
}

// inUnit is a life in a unit, or in seconds where it is no whole number of them.
func inUnit(seconds int, unit *string) *int {
	if seconds%unitSeconds[*unit] != 0 {
		*unit = "seconds"
	}
	n := seconds / unitSeconds[*unit]
	return &n
}

// shownClient is UserPoolClientType.
type shownClient struct {
	UserPoolId, ClientId           string
	ClientSecret                   string `json:",omitempty"`
	LastModifiedDate, CreationDate epochSeconds
	clientMember
}

func showClient(poolID string, c *directory.PoolClientDetails) any {
	units, existence, rotation, revocable := unitsOf(&c.PoolClient), "ENABLED", "DISABLED", !c.NoRevocation
	if c.TellUnknownUsers {
		existence = "LEGACY"
	}
	if c.RotateRefresh {
		rotation = "ENABLED"
	}
	minutes := c.AuthSessionSeconds / 60
	out := shownClient{
		UserPoolId: poolID, ClientId: c.ID, ClientSecret: c.Secret.Reveal(),
		LastModifiedDate: epochSeconds(c.ModifiedAt), CreationDate: epochSeconds(c.CreatedAt),
		clientMember: clientMember{
			ClientName: &c.Name, AccessTokenValidity: inUnit(c.AccessTokenSeconds, &units.AccessToken), IdTokenValidity: inUnit(c.IDTokenSeconds, &units.IdToken),
			RefreshTokenValidity: inUnit(c.RefreshTokenSeconds, &units.RefreshToken), ReadAttributes: c.ReadAttributes, WriteAttributes: c.WriteAttributes,
			ExplicitAuthFlows: c.AuthFlows, CallbackURLs: c.CallbackURLs, LogoutURLs: c.LogoutURLs, AllowedOAuthFlows: c.OAuthFlows, AllowedOAuthScopes: c.OAuthScopes,
			PreventUserExistenceErrors: existence, EnableTokenRevocation: &revocable, AuthSessionValidity: &minutes,
			AllowedOAuthFlowsUserPoolClient: len(c.OAuthFlows) > 0,
		},
	}
	out.TokenValidityUnits = &units
	if c.RotateRefresh || c.RetryGraceSeconds > 0 {
		out.RefreshTokenRotation = &rotationMember{rotation, c.RetryGraceSeconds}
	}
	return map[string]any{"UserPoolClient": out}
}

type createClientRequest struct {
	inPool
	clientMember
	GenerateSecret bool
	ClientSecret   string
}

func (m *createClientRequest) check() error {
	if err := m.inPool.check(); err != nil {
		return err
	}
	if m.ClientName == nil {
		return missing("clientName")
	}
	if m.ClientSecret != "" {
		return notServed("clientSecret", "secrets are made here")
	}
	return m.clientMember.check()
}

func createUserPoolClient(h *Handler, c *call, in *createClientRequest) (any, error) {
	client := identity.PoolClient{
		HasSecret: in.GenerateSecret, AuthFlows: []string{"ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"},
		AccessTokenSeconds: 3600, IDTokenSeconds: 3600, RefreshTokenSeconds: 30 * 86400, AuthSessionSeconds: 180,
	}
	in.over(&client)
	made, err := h.UserPools.CreatePoolClient(c.ctx, c.caller, in.UserPoolId, client)
	if err != nil {
		return nil, err
	}
	return showClient(in.UserPoolId, &made), nil
}

// ofClient is a request about an app client.
type ofClient struct {
	inPool
	ClientId string
}

func (m *ofClient) check() error {
	if err := m.inPool.check(); err != nil {
		return err
	}
	switch {
	case m.ClientId == "":
		return missing("clientId")
	case len(m.ClientId) > 128:
		return badMember("clientId", fmt.Sprintf("Member must have length less than or equal to %d", 128))
	}
	return nil
}

func describeUserPoolClient(h *Handler, c *call, in *ofClient) (any, error) {
	got, err := h.UserPools.PoolClient(c.ctx, c.caller, in.UserPoolId, in.ClientId)
	if err != nil {
		return nil, err
	}
	return showClient(in.UserPoolId, &got), nil
}

type updateClientRequest struct {
	ofClient
	clientMember
}

func (m *updateClientRequest) check() error {
	if err := m.ofClient.check(); err != nil {
		return err
	}
	return m.clientMember.check()
}

func updateUserPoolClient(h *Handler, c *call, in *updateClientRequest) (any, error) {
	got, err := h.UserPools.UpdatePoolClient(c.ctx, c.caller, in.UserPoolId, in.ClientId, in.over)
	if err != nil {
		return nil, err
	}
	return showClient(in.UserPoolId, &got), nil
}

func deleteUserPoolClient(h *Handler, c *call, in *ofClient) (any, error) {
	return nil, h.UserPools.DeletePoolClient(c.ctx, c.caller, in.UserPoolId, in.ClientId)
}

// inPoolPage is a request about a pool that is answered by pages; the length of
// a page has two names.
type inPoolPage struct {
	inPool
	MaxResults, Limit          *int
	NextToken, PaginationToken string
}

func (m *inPoolPage) check() error {
	if err := m.inPool.check(); err != nil {
		return err
	}
	for _, n := range []*int{m.MaxResults, m.Limit} {
		if n != nil && (*n < 0 || *n > maxResults) {
			return badMember("limit", "Member must have value less than or equal to 60")
		}
	}
	if len(m.NextToken) > maxToken || len(m.PaginationToken) > maxToken {
		return badMember("nextToken", fmt.Sprintf("Member must have length less than or equal to %d", maxToken))
	}
	return nil
}

func (m *inPoolPage) page() directory.Page {
	p := directory.Page{Marker: m.NextToken + m.PaginationToken, MaxItems: maxResults}
	for _, n := range []*int{m.MaxResults, m.Limit} {
		if n != nil && *n > 0 {
			p.MaxItems = *n
		}
	}
	return p
}

func listUserPoolClients(h *Handler, c *call, in *inPoolPage) (any, error) {
	list, err := h.UserPools.ListPoolClients(c.ctx, c.caller, in.UserPoolId, in.page())
	type short struct{ ClientId, UserPoolId, ClientName string }
	out := struct {
		UserPoolClients []short
		NextToken       string `json:",omitempty"`
	}{UserPoolClients: []short{}, NextToken: list.Next}
	for _, cl := range list.Items {
		out.UserPoolClients = append(out.UserPoolClients, short{cl.ID, in.UserPoolId, cl.Name})
	}
	return out, err
}
