package cognito

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

// Identities are the calls of identity pools by whoever holds log-in tokens;
// *issue.Issuer is the implementation.
type Identities interface {
	IdentityID(ctx context.Context, r issue.IdentityIDRequest) (string, error)
	PoolCredentials(ctx context.Context, r issue.PoolCredentialsRequest) (issue.PoolCredentials, error)
	PoolOpenIDToken(ctx context.Context, r issue.PoolTokenRequest) (issue.PoolToken, error)
	UnlinkIdentity(ctx context.Context, r issue.UnlinkRequest) error
}

var _ Identities = (*issue.Issuer)(nil)

// identityOperations are unsigned, as at Amazon.
var identityOperations = map[string]operation{
	"GetId":                     {serve: (*Handler).getID},
	"GetCredentialsForIdentity": {serve: (*Handler).getCredentialsForIdentity},
	"GetOpenIdToken":            {serve: (*Handler).getOpenIDToken},
	"UnlinkIdentity":            {serve: (*Handler).unlinkIdentity},
}

// Bounds of the service's model.
const (
	maxPoolID    = 55
	maxLogins    = 10
	maxLoginName = 128
	maxLogin     = 50000
	maxARN       = 2048
	minARN       = 20
	maxAccountID = 63 // Amazon's are 15 at most
	poolIDForm   = `[\w-]+:[0-9a-f-]+`
	accountForm  = `[\w-]+`
)

var (
	poolIDRE  = regexp.MustCompile(`^` + poolIDForm + `$`)
	accountRE = regexp.MustCompile(`^` + accountForm + `$`)
)

// loginsMember is Logins: tokens by provider.
type loginsMember map[string]identity.Secret

func (l loginsMember) check() error {
	if len(l) > maxLogins {
		return badMember("logins", fmt.Sprintf("Member must have length less than or equal to %d", maxLogins))
	}
	for name, token := range l {
		if name == "" || len(name) > maxLoginName {
			return badMember("logins", fmt.Sprintf("Map keys must satisfy constraint: [Member must have length less than or equal to %d, Member must have length greater than or equal to 1]", maxLoginName))
		}
		if token == "" || len(token) > maxLogin {
			return badMember("logins", fmt.Sprintf("Map value must satisfy constraint: [Member must have length less than or equal to %d, Member must have length greater than or equal to 1]", maxLogin))
		}
	}
	return nil
}

// badMember is Amazon's sentence about a member; values are not repeated, which
// may be tokens.
func badMember(name, constraint string) error {
	return identity.NewError(identity.KindValidation, "cognito.check", "1 validation error detected: Value at '"+name+"' failed to satisfy constraint: "+constraint)
}

// checkID judges an identity pool's or identity's ID.
func checkID(name, id string) error {
	if id == "" {
		return badMember(name, "Member must not be null")
	}
	if len(id) > maxPoolID {
		return badMember(name, fmt.Sprintf("Member must have length less than or equal to %d", maxPoolID))
	}
	if !poolIDRE.MatchString(id) {
		return badMember(name, "Member must satisfy regular expression pattern: "+poolIDForm)
	}
	return nil
}

func checkARN(name, arn string) error {
	if len(arn) < minARN || len(arn) > maxARN {
		return badMember(name, fmt.Sprintf("Member must have length between %d and %d", minARN, maxARN))
	}
	return nil
}

func (h *Handler) getID(c *call) (any, error) {
	var in struct {
		AccountId      string
		IdentityPoolId string
		Logins         loginsMember
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkID("identityPoolId", in.IdentityPoolId); err != nil {
		return nil, err
	}
	if in.AccountId != "" && (len(in.AccountId) > maxAccountID || !accountRE.MatchString(in.AccountId)) {
		return nil, badMember("accountId", "Member must satisfy regular expression pattern: "+accountForm)
	}
	if err := in.Logins.check(); err != nil {
		return nil, err
	}
	id, err := h.Identities.IdentityID(c.ctx, issue.IdentityIDRequest{AccountID: in.AccountId, PoolID: in.IdentityPoolId, Logins: issue.Logins(in.Logins)})
	return struct{ IdentityId string }{id}, err
}

// poolKeys are session keys as identity pools write them: the secret has another
// name than at STS, and the expiry is a number.
type poolKeys struct {
	AccessKeyId  string
	SecretKey    string
	SessionToken string
	Expiration   epochSeconds
}

// epochSeconds is a time as JSON 1.1 has it: Unix seconds, with a fraction.
type epochSeconds time.Time

// MarshalJSON writes milliseconds where there are some.
func (e epochSeconds) MarshalJSON() ([]byte, error) {
	ms := time.Time(e).UnixMilli()
	return fmt.Appendf(nil, "%d.%03d", ms/1000, ms%1000), nil
}

func (h *Handler) getCredentialsForIdentity(c *call) (any, error) {
	var in struct {
		IdentityId    string
		Logins        loginsMember
		CustomRoleArn *string
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkID("identityId", in.IdentityId); err != nil {
		return nil, err
	}
	if err := in.Logins.check(); err != nil {
		return nil, err
	}
	r := issue.PoolCredentialsRequest{IdentityID: in.IdentityId, Logins: issue.Logins(in.Logins)}
	if in.CustomRoleArn != nil {
		if err := checkARN("customRoleArn", *in.CustomRoleArn); err != nil {
			return nil, err
		}
		r.CustomRoleARN = *in.CustomRoleArn
	}
	out, err := h.Identities.PoolCredentials(c.ctx, r)
	if err != nil {
		return nil, err
	}
	return struct {
		IdentityId  string
		Credentials poolKeys
	}{out.IdentityID, poolKeys{
		out.Keys.AccessKeyID, out.Keys.SecretAccessKey.Reveal(), out.Keys.SessionToken.Reveal(), epochSeconds(out.Keys.Expiration),
	}}, nil
}

func (h *Handler) getOpenIDToken(c *call) (any, error) {
	var in struct {
		IdentityId string
		Logins     loginsMember
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkID("identityId", in.IdentityId); err != nil {
		return nil, err
	}
	if err := in.Logins.check(); err != nil {
		return nil, err
	}
	out, err := h.Identities.PoolOpenIDToken(c.ctx, issue.PoolTokenRequest{IdentityID: in.IdentityId, Logins: issue.Logins(in.Logins)})
	if err != nil {
		return nil, err
	}
	return struct{ IdentityId, Token string }{out.IdentityID, out.Token.Reveal()}, nil
}

func (h *Handler) unlinkIdentity(c *call) (any, error) {
	var in struct {
		IdentityId     string
		Logins         loginsMember
		LoginsToRemove []string
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkID("identityId", in.IdentityId); err != nil {
		return nil, err
	}
	if err := in.Logins.check(); err != nil {
		return nil, err
	}
	if len(in.Logins) == 0 {
		return nil, badMember("logins", "Member must not be null")
	}
	if len(in.LoginsToRemove) == 0 {
		return nil, badMember("loginsToRemove", "Member must not be null")
	}
	if len(in.LoginsToRemove) > maxLogins {
		return nil, badMember("loginsToRemove", fmt.Sprintf("Member must have length less than or equal to %d", maxLogins))
	}
	return nil, h.Identities.UnlinkIdentity(c.ctx, issue.UnlinkRequest{
		IdentityID: in.IdentityId, Logins: issue.Logins(in.Logins), Remove: in.LoginsToRemove,
	})
}
