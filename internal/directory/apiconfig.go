package directory

import (
	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// APIConfig is what the config document of a Stax-style API says: where the API
// is, and with which pools clients log in.
type APIConfig struct {
	Endpoint, Region                     string
	UserPoolID, ClientID, IdentityPoolID string
}

// APIConfig is what the config document says under a host name ("name" or
// "name:port"). It is public. KindNotFound when no API answers there.
func (d *Directory) APIConfig(host string) (APIConfig, error) {
	snap := d.db.Snapshot()
	api, err := access.APIAt(snap, host, "")
	if err != nil {
		return APIConfig{}, err
	}
	realm, err := store.Realms.Get(snap, api.Realm)
	if err == nil && realm.Pool == nil {
		err = &identity.Error{Kind: identity.KindNotFound, Op: "directory.api", Public: "No API answers here."}
	}
	if err != nil {
		return APIConfig{}, err
	}
	return APIConfig{
		Endpoint: d.external, Region: api.Region,
		UserPoolID: realm.PoolID(), ClientID: api.ClientID, IdentityPoolID: api.IdentityPoolID,
	}, nil
}
