package client

import (
	"context"
	"net/http"
	"net/url"

	"daypass/internal/identity"
)

// IBMAPIKey is an API key as the identity API shows it; Text is set when it was
// just made.
type IBMAPIKey struct {
	ID               string `json:"id"`
	EntityTag        string `json:"entity_tag"`
	CRN              string `json:"crn"`
	Locked           bool   `json:"locked"`
	Disabled         bool   `json:"disabled"`
	CreatedAt        string `json:"created_at"`
	CreatedBy        string `json:"created_by"`
	ModifiedAt       string `json:"modified_at"`
	Name             string `json:"name"`
	Description      string `json:"description"`
	IAMID            string `json:"iam_id"`
	AccountID        string `json:"account_id"`
	Text             string `json:"apikey"`
	ExpiresAt        string `json:"expires_at,omitempty"`
	ActionWhenLeaked string `json:"action_when_leaked,omitempty"`
}

// NewIBMAPIKey is an API key to be made; IAMID is its owner, "" for who is
// logged in.
type NewIBMAPIKey struct {
	Name, Description, IAMID string
	ExpiresAt                string // RFC 3339, "" for never
	WhenLeaked               string
	Locked                   bool
}

// IBMLabels are another name and description of a thing; nil leaves one alone.
type IBMLabels struct {
	Name        *string `json:"name,omitempty"`
	Description *string `json:"description,omitempty"`
}

const (
	pathAPIKeys = "/v1/apikeys"
	entityLock  = "Entity-Lock"
	// pageSize is the most that a page of the identity API holds.
	pageSize = "100"
	// maxPages bounds a listing.
	maxPages = 1000
)

// CreateIBMAPIKey makes an API key (POST /v1/apikeys).
func (k *Keeper) CreateIBMAPIKey(ctx context.Context, in NewIBMAPIKey) (IBMAPIKey, error) {
	var out IBMAPIKey
	token, err := k.IBMToken(ctx, RenewalWindow)
	if err != nil {
		return out, err
	}
	body := map[string]string{"name": in.Name, "iam_id": in.IAMID, "account_id": token.Account}
	if in.IAMID == "" {
		body["iam_id"] = token.IAMID
	}
	for name, value := range map[string]string{"description": in.Description, "expires_at": in.ExpiresAt, "action_when_leaked": in.WhenLeaked} {
		if value != "" {
			body[name] = value
		}
	}
	_, err = k.wire.ibm(ctx, token, ibmCall{
		doing: "creating API key " + in.Name, method: http.MethodPost, path: pathAPIKeys, body: body, header: lockHeader(in.Locked),
	}, &out)
	return out, err
}

func lockHeader(locked bool) map[string]string {
	if locked {
		return map[string]string{entityLock: "true"}
	}
	return nil
}

// IBMAPIKeys lists the API keys of an owner, or without one those of who is
// logged in (GET /v1/apikeys).
func (k *Keeper) IBMAPIKeys(ctx context.Context, iamID string) ([]IBMAPIKey, error) {
	q := url.Values{}
	if iamID != "" {
		q.Set("iam_id", iamID)
	}
	var out []IBMAPIKey
	err := k.ibmPages(ctx, "listing API keys", pathAPIKeys, q, func(p *ibmPage) { out = append(out, p.APIKeys...) })
	return out, err
}

// ibmPage is one page of a listing of the identity API.
type ibmPage struct {
	Next       string         `json:"next"`
	APIKeys    []IBMAPIKey    `json:"apikeys"`
	ServiceIDs []IBMServiceID `json:"serviceids"`
}

// ibmPages reads a listing to its end.
func (k *Keeper) ibmPages(ctx context.Context, doing, path string, q url.Values, take func(*ibmPage)) error {
	q.Set("pagesize", pageSize)
	for range maxPages {
		var p ibmPage
		if _, err := k.ibm(ctx, ibmCall{doing: doing, method: http.MethodGet, path: path, query: q}, &p); err != nil {
			return err
		}
		take(&p)
		next, err := url.Parse(p.Next)
		if err != nil || p.Next == "" || next.Query().Get("pagetoken") == "" {
			return nil
		}
		q.Set("pagetoken", next.Query().Get("pagetoken"))
	}
	return k.wire.failed(identity.KindLimitExceeded, doing, "there is no end to the list", "", "", nil)
}

// ibmRead reads a thing of the identity API by its ID; noun is for errors.
func ibmRead[T any](ctx context.Context, k *Keeper, noun, path, id string) (out T, err error) {
	_, err = k.ibm(ctx, ibmCall{doing: "reading " + noun + " " + id, method: http.MethodGet, path: path + "/" + url.PathEscape(id)}, &out)
	return out, err
}

// ibmUpdate changes one, unless another changed it since it had that tag.
func ibmUpdate[T any](ctx context.Context, k *Keeper, noun, name, path, id, tag string, change IBMLabels) (out T, err error) {
	_, err = k.ibm(ctx, ibmCall{
		doing: "updating " + noun + " " + name, method: http.MethodPut, path: path + "/" + url.PathEscape(id),
		header: map[string]string{"If-Match": tag}, body: change,
	}, &out)
	return out, err
}

func (k *Keeper) ibmDelete(ctx context.Context, noun, path, id string) error {
	_, err := k.ibm(ctx, ibmCall{doing: "deleting " + noun + " " + id, method: http.MethodDelete, path: path + "/" + url.PathEscape(id)}, nil)
	return err
}

// IBMAPIKey reads an API key by its ID.
func (k *Keeper) IBMAPIKey(ctx context.Context, id string) (IBMAPIKey, error) {
	return ibmRead[IBMAPIKey](ctx, k, "API key", pathAPIKeys, id)
}

// UpdateIBMAPIKey changes one, unless another changed it since it was read.
func (k *Keeper) UpdateIBMAPIKey(ctx context.Context, key *IBMAPIKey, change IBMLabels) (IBMAPIKey, error) {
	return ibmUpdate[IBMAPIKey](ctx, k, "API key", key.Name, pathAPIKeys, key.ID, key.EntityTag, change)
}

// DeleteIBMAPIKey ends one, and what was obtained with it.
func (k *Keeper) DeleteIBMAPIKey(ctx context.Context, id string) error {
	return k.ibmDelete(ctx, "API key", pathAPIKeys, id)
}

// ReportLeakedIBMAPIKey says that the text of a key was seen where it should not
// have been (POST /v1/apikeys/leaked, which is Daypass's own), and returns the key
// as it is then, or was before it was deleted.
func (k *Keeper) ReportLeakedIBMAPIKey(ctx context.Context, text identity.Secret) (IBMAPIKey, error) {
	var out IBMAPIKey
	_, err := k.ibm(ctx, ibmCall{
		doing: "reporting a leaked API key", method: http.MethodPost, path: pathAPIKeys + "/leaked",
		header: map[string]string{"IAM-ApiKey": text.Reveal()},
	}, &out)
	return out, err
}

// Switches of API keys and service IDs.
const (
	IBMLock    = "lock"
	IBMDisable = "disable" // of API keys alone
)

// SwitchIBMAPIKey sets a switch of an API key, or takes it back.
func (k *Keeper) SwitchIBMAPIKey(ctx context.Context, id, what string, on bool) error {
	return k.ibmSwitch(ctx, pathAPIKeys, "API key", id, what, on)
}

func (k *Keeper) ibmSwitch(ctx context.Context, path, noun, id, what string, on bool) error {
	method, doing := http.MethodPost, what+" of "+noun+" "+id
	if !on {
		method, doing = http.MethodDelete, "taking back "+doing
	}
	_, err := k.ibm(ctx, ibmCall{doing: doing, method: method, path: path + "/" + url.PathEscape(id) + "/" + what}, nil)
	return err
}
