package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"daypass/internal/identity"
)

// KMSKey is a key as key management shows it. Payload is set when the material of
// a standard key was asked for.
type KMSKey struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Aliases     []string        `json:"aliases,omitempty"`
	State       int             `json:"state"`
	Extractable bool            `json:"extractable"`
	Imported    bool            `json:"imported"`
	CRN         string          `json:"crn"`
	Ring        string          `json:"keyRingID"`
	CreatedAt   string          `json:"creationDate"`
	CreatedBy   string          `json:"createdBy"`
	UpdatedAt   string          `json:"lastUpdateDate,omitempty"`
	RotatedAt   string          `json:"lastRotateDate,omitempty"`
	ExpiresAt   string          `json:"expirationDate,omitempty"`
	Version     KMSVersion      `json:"keyVersion"`
	Deleted     bool            `json:"deleted"`
	DeletedAt   string          `json:"deletionDate,omitempty"`
	DeletedBy   string          `json:"deletedBy,omitempty"`
	PurgeFrom   string          `json:"purgeAllowedFrom,omitempty"`
	PurgeOn     string          `json:"purgeScheduledOn,omitempty"`
	Payload     identity.Secret `json:"payload,omitempty"`
}

// KMSVersion is a version of a key.
type KMSVersion struct {
	ID        string `json:"id"`
	CreatedAt string `json:"creationDate,omitempty"`
}

// NewKMSKey is a key to be made. Payload is its material, empty for random.
type NewKMSKey struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Aliases     []string `json:"aliases,omitempty"`
	Extractable bool     `json:"extractable"`
	ExpiresAt   string   `json:"expirationDate,omitempty"` // RFC 3339
	Payload     []byte   `json:"payload,omitempty"`        // base64 on the wire
	Type        string   `json:"type"`
	// Ring is the key ring, "" for the instance's default one.
	Ring string `json:"-"`
}

// KMSCipher is the answer to wrap and unwrap, or what is asked; bytes are base64 on
// the wire, and a wrapped text is what it is.
type KMSCipher struct {
	Plaintext  []byte      `json:"plaintext,omitempty"`
	Ciphertext string      `json:"ciphertext,omitempty"`
	AAD        []string    `json:"aad,omitempty"`
	Version    *KMSVersion `json:"keyVersion,omitempty"`
	Rewrapped  *KMSVersion `json:"rewrappedKeyVersion,omitempty"`
}

const (
	pathKMSKeys = "/api/v2/keys"
	kmsKeyType  = "application/vnd.ibm.kms.key+json"
	// kmsPage is how many keys one answer lists: far less than maxAnswer holds.
	kmsPage = 200
)

// kmsCollection is what holds keys on the wire.
type kmsCollection[T any] struct {
	Metadata struct {
		Type  string `json:"collectionType"`
		Total int    `json:"collectionTotal"`
	} `json:"metadata"`
	Resources []T `json:"resources"`
}

// kms sends a call about an instance, by its ID.
func (k *Keeper) kms(ctx context.Context, instance string, c ibmCall, into any) error {
	if c.header == nil {
		c.header = map[string]string{}
	}
	c.header["Bluemix-Instance"] = instance
	_, err := k.ibm(ctx, c, into)
	return err
}

// kmsKey sends a call that is answered with one key.
func (k *Keeper) kmsKey(ctx context.Context, instance string, c ibmCall) (KMSKey, error) {
	var out kmsCollection[KMSKey]
	if err := k.kms(ctx, instance, c, &out); err != nil {
		return KMSKey{}, err
	}
	if len(out.Resources) != 1 {
		return KMSKey{}, k.wire.failed(identity.KindInternal, c.doing, "the answer holds no key", "", "", nil)
	}
	return out.Resources[0], nil
}

// KMSKeys lists the keys of an instance; deleted ones too where they are asked
// for.
func (k *Keeper) KMSKeys(ctx context.Context, instance string, deleted bool) ([]KMSKey, error) {
	states := "1,2,3"
	if deleted {
		states += ",5"
	}
	var all []KMSKey
	for range maxPages {
		var page kmsCollection[KMSKey]
		err := k.kms(ctx, instance, ibmCall{
			doing: "listing keys", method: http.MethodGet, path: pathKMSKeys,
			query: url.Values{"limit": {strconv.Itoa(kmsPage)}, "offset": {strconv.Itoa(len(all))}, "state": {states}},
		}, &page)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Resources...)
		if len(page.Resources) < kmsPage {
			break
		}
	}
	return all, nil
}

// KMSKey shows a key, by its ID or alias; payload asks for the material of a
// standard key, too.
func (k *Keeper) KMSKey(ctx context.Context, instance, key string, payload bool) (KMSKey, error) {
	path := pathKMSKeys + "/" + url.PathEscape(key)
	if !payload {
		path += "/metadata"
	}
	return k.kmsKey(ctx, instance, ibmCall{doing: "reading key " + key, method: http.MethodGet, path: path})
}

// CreateKMSKey makes a key.
func (k *Keeper) CreateKMSKey(ctx context.Context, instance string, in NewKMSKey) (KMSKey, error) {
	in.Type = kmsKeyType
	body := kmsCollection[NewKMSKey]{Resources: []NewKMSKey{in}}
	body.Metadata.Type, body.Metadata.Total = kmsKeyType, 1
	c := ibmCall{doing: "creating key " + in.Name, method: http.MethodPost, path: pathKMSKeys, body: body}
	if in.Ring != "" {
		c.header = map[string]string{"X-Kms-Key-Ring": in.Ring}
	}
	return k.kmsKey(ctx, instance, c)
}

// KMSAction does what has no answer with a key: rotate, disable or enable. payload
// is the new material of an imported key, for rotate.
func (k *Keeper) KMSAction(ctx context.Context, instance, key, action string, payload []byte) error {
	c := ibmCall{doing: action + " of key " + key, method: http.MethodPost, path: pathKMSKeys + "/" + url.PathEscape(key) + "/actions/" + action}
	if payload != nil {
		c.body = map[string][]byte{"payload": payload}
	}
	return k.kms(ctx, instance, c, nil)
}

// DeleteKMSKey deletes a key; with force, one that resources are registered with,
// too.
func (k *Keeper) DeleteKMSKey(ctx context.Context, instance, key string, force bool) error {
	c := ibmCall{doing: "deleting key " + key, method: http.MethodDelete, path: pathKMSKeys + "/" + url.PathEscape(key)}
	if force {
		c.query = url.Values{"force": {"true"}}
	}
	return k.kms(ctx, instance, c, nil)
}

// RestoreKMSKey brings a deleted key back, an imported one with its material.
func (k *Keeper) RestoreKMSKey(ctx context.Context, instance, key string, payload []byte) error {
	c := ibmCall{doing: "restoring key " + key, method: http.MethodPost, path: pathKMSKeys + "/" + url.PathEscape(key) + "/restore"}
	if payload != nil {
		body := kmsCollection[map[string][]byte]{Resources: []map[string][]byte{{"payload": payload}}}
		body.Metadata.Type, body.Metadata.Total = kmsKeyType, 1
		c.body = body
	}
	return k.kms(ctx, instance, c, nil)
}

// WrapKMS wraps a plaintext by a root key, or a new one of 32 random bytes where
// it is empty, which is then in the answer.
func (k *Keeper) WrapKMS(ctx context.Context, instance, key string, plaintext []byte, aad []string) (out KMSCipher, err error) {
	return k.cipher(ctx, instance, key, "wrap", KMSCipher{Plaintext: plaintext, AAD: aad})
}

// UnwrapKMS opens what WrapKMS made. Ciphertext is set where the key was rotated
// since: the plaintext wrapped anew.
func (k *Keeper) UnwrapKMS(ctx context.Context, instance, key, ciphertext string, aad []string) (out KMSCipher, err error) {
	return k.cipher(ctx, instance, key, "unwrap", KMSCipher{Ciphertext: ciphertext, AAD: aad})
}

func (k *Keeper) cipher(ctx context.Context, instance, key, action string, in KMSCipher) (out KMSCipher, err error) {
	err = k.kms(ctx, instance, ibmCall{
		doing: action + " by key " + key, method: http.MethodPost, path: pathKMSKeys + "/" + url.PathEscape(key) + "/actions/" + action, body: in,
	}, &out)
	return out, err
}

// kmsRefusal finds code and sentence in an error of key management.
func kmsRefusal(body []byte) (code, message string) {
	var in struct {
		Resources []struct {
			Message string `json:"errorMsg"`
			Reasons []struct {
				Code    string `json:"code"`
				Message string `json:"message"`
			} `json:"reasons"`
		} `json:"resources"`
	}
	if json.Unmarshal(body, &in) != nil || len(in.Resources) == 0 || len(in.Resources[0].Reasons) == 0 {
		return "", ""
	}
	return in.Resources[0].Reasons[0].Code, in.Resources[0].Reasons[0].Message
}

// KMSUse is what one principal did with one key.
type KMSUse struct {
	KeyID     string            `json:"keyId"`
	KeyName   string            `json:"keyName,omitempty"`
	Principal string            `json:"principal"` // IAM ID
	Counts    map[string]uint64 `json:"counts"`    // by action
	FirstAt   time.Time         `json:"firstUseDate"`
	LastAt    time.Time         `json:"lastUseDate"`
	LastIP    string            `json:"lastUseAddress,omitempty"`
}

// KMSUsage lists who used a key of an instance, or all of them where key is "".
func (k *Keeper) KMSUsage(ctx context.Context, instance, key string) (all []KMSUse, err error) {
	path := "/api/v2/instance/usage"
	if key != "" {
		path = pathKMSKeys + "/" + url.PathEscape(key) + "/usage"
	}
	for range maxPages {
		var page kmsCollection[KMSUse]
		query := url.Values{"limit": {strconv.Itoa(kmsPage)}, "offset": {strconv.Itoa(len(all))}}
		if err := k.kms(ctx, instance, ibmCall{doing: "reading who used keys", method: http.MethodGet, path: path, query: query}, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Resources...)
		if len(page.Resources) < kmsPage {
			break
		}
	}
	return all, nil
}
