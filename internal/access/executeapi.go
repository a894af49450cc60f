package access

import (
	"net"
	"slices"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// APIPath is what the paths of the Stax-style API begin with.
const APIPath = "/20190206/"

// APIAt finds the Stax-style API that answers for a host name ("name" or
// "name:port"): the one that names the host, else the first by name that names
// none. With an account it is one of that account's, where the host chooses
// between several. KindNotFound without any.
func APIAt(r store.Reader, host, account string) (*identity.StaxAPI, error) {
	all, err := store.StaxAPIs.List(r, "", "", store.After{}, 0)
	if err != nil {
		return nil, err
	}
	host = hostName(host)
	var own, rest []*identity.StaxAPI
	for _, a := range all {
		if account != "" && a.AccountID != account {
			continue
		}
		if slices.ContainsFunc(a.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
			return a, nil
		}
		own = append(own, a)
		if len(a.Hosts) == 0 {
			rest = append(rest, a)
		}
	}
	switch {
	case len(rest) > 0:
		return rest[0], nil
	case account != "" && len(own) == 1:
		return own[0], nil
	}
	return nil, &identity.Error{Kind: identity.KindNotFound, Op: "access.api", Public: "No API answers here."}
}

// hostName takes port and final dot away.
func hostName(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.TrimSuffix(host, ".")
}

// Invocation is a call of a route of the Stax-style API.
type Invocation struct {
	Host string // of the request
	// Method and Path, below APIPath, name the route.
	Method, Path string
}

// Invoke decides whether the caller may call a route of its account's API
// (execute-api:Invoke).
func (a *Access) Invoke(c *identity.Caller, in Invocation, unrecorded bool) error {
	region := ""
	if api, err := APIAt(a.db.Snapshot(), in.Host, c.AccountID); err == nil {
		region = api.Region
	}
	arn := identity.ARN{
		Partition: c.Partition, Service: "execute-api", Region: region, Account: c.AccountID,
		Resource: "stax" + APIPath + in.Method + "/" + in.Path,
	}
	return a.Authorize(c, "execute-api:Invoke", Resource{ARN: arn.String(), AccountID: c.AccountID, Unrecorded: unrecorded}).Err
}

// PassAPIRole decides whether the caller may give an API token a role of its
// account (iam:PassRole). A role that does not exist has the ARN that it would
// have without a path.
func (a *Access) PassAPIRole(r store.Reader, c *identity.Caller, role string, unrecorded bool) error {
	arn := identity.RoleARN(c.Partition, c.AccountID, "/", role)
	keys := EntityKeys{"iam:PassedToService": {identity.CognitoIdentity}}
	if found, err := store.Roles.By(r, "name", store.Join(c.AccountID, store.Fold(role))); err == nil {
		arn = found.ARN(c.Partition)
		keys.Tagged(found.Tags)
	}
	return a.Authorize(c, "iam:PassRole", Resource{ARN: arn, AccountID: c.AccountID, Unrecorded: unrecorded, Keys: keys}).Err
}
