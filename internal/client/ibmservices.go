package client

import (
	"context"
	"net/http"
	"net/url"
)

// IBMServiceID is a service ID as the identity API shows it.
type IBMServiceID struct {
	ID          string `json:"id"`
	IAMID       string `json:"iam_id"`
	EntityTag   string `json:"entity_tag"`
	CRN         string `json:"crn"`
	Locked      bool   `json:"locked"`
	CreatedAt   string `json:"created_at"`
	ModifiedAt  string `json:"modified_at"`
	AccountID   string `json:"account_id"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

const pathServiceIDs = "/v1/serviceids"

// CreateIBMServiceID makes a service ID (POST /v1/serviceids).
func (k *Keeper) CreateIBMServiceID(ctx context.Context, name, description string, locked bool) (IBMServiceID, error) {
	var out IBMServiceID
	token, err := k.IBMToken(ctx, RenewalWindow)
	if err != nil {
		return out, err
	}
	body := map[string]string{"account_id": token.Account, "name": name}
	if description != "" {
		body["description"] = description
	}
	_, err = k.wire.ibm(ctx, token, ibmCall{
		doing: "creating service ID " + name, method: http.MethodPost, path: pathServiceIDs + "/", body: body, header: lockHeader(locked),
	}, &out)
	return out, err
}

// IBMServiceIDs lists the service IDs of the account, or those of a name.
func (k *Keeper) IBMServiceIDs(ctx context.Context, name string) ([]IBMServiceID, error) {
	q := url.Values{}
	if name != "" {
		q.Set("name", name)
	}
	var out []IBMServiceID
	err := k.ibmPages(ctx, "listing service IDs", pathServiceIDs+"/", q, func(p *ibmPage) { out = append(out, p.ServiceIDs...) })
	return out, err
}

// IBMServiceID reads a service ID by its ID.
func (k *Keeper) IBMServiceID(ctx context.Context, id string) (IBMServiceID, error) {
	return ibmRead[IBMServiceID](ctx, k, "service ID", pathServiceIDs, id)
}

// UpdateIBMServiceID changes one, unless another changed it since it was read.
func (k *Keeper) UpdateIBMServiceID(ctx context.Context, s *IBMServiceID, change IBMLabels) (IBMServiceID, error) {
	return ibmUpdate[IBMServiceID](ctx, k, "service ID", s.Name, pathServiceIDs, s.ID, s.EntityTag, change)
}

// DeleteIBMServiceID ends one with its API keys.
func (k *Keeper) DeleteIBMServiceID(ctx context.Context, id string) error {
	return k.ibmDelete(ctx, "service ID", pathServiceIDs, id)
}

// LockIBMServiceID locks one, or unlocks it.
func (k *Keeper) LockIBMServiceID(ctx context.Context, id string, locked bool) error {
	return k.ibmSwitch(ctx, pathServiceIDs, "service ID", id, IBMLock, locked)
}
