package directory

import (
	"daypass/internal/identity"
	"daypass/internal/store"
)

// apiKeysOfScope are the API keys that go with a scope: those that what ends has
// made, and those that a user or all of an account have.
func apiKeysOfScope(r store.Reader, c *identity.Caller, sc *scope, in RevokeSpec) ([]*identity.APIKey, error) {
	list, err := store.APIKeys.List(r, "maker", store.Join(string(sc.kind), sc.id, ""), store.After{}, 0)
	if err != nil {
		return nil, err
	}
	index, prefix := "user", sc.owner
	if sc.kind == identity.LineageAccount {
		index, prefix = "account", sc.id
	}
	if prefix != "" {
		more, err := store.APIKeys.List(r, index, store.Join(prefix, ""), store.After{}, 0)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	var out []*identity.APIKey
	seen := map[string]bool{}
	for _, k := range list {
		foreign := (sc.bounded || c.Kind != identity.Operator) && k.AccountID != sc.account
		late := !in.IssuedBefore.IsZero() && !k.CreatedAt.Before(in.IssuedBefore)
		if !seen[k.ID] && !foreign && !late && !k.Disabled {
			out = append(out, k)
		}
		seen[k.ID] = true
	}
	return out, nil
}

// switchOffAPIKeys disables the API keys of a scope, locked ones too, ends what
// was obtained with them, and says which they were.
func (d *Directory) switchOffAPIKeys(tx store.Tx, c *identity.Caller, sc *scope, in RevokeSpec) ([]string, error) {
	list, err := apiKeysOfScope(tx, c, sc, in)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, have := range list {
		k := *have
		k.Disabled = true
		done := identity.Changed{Action: "DISABLE", Message: "The API key was disabled as sessions were revoked."}
		if err := d.putAPIKey(tx, c, &k, done); err != nil {
			return nil, err
		}
		if err := d.keyEnded(tx, k.ID, "revoked: "+in.Reason); err != nil {
			return nil, err
		}
		out = append(out, k.ID)
	}
	return out, nil
}
