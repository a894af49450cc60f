package keyprotect

import (
	"encoding/base64"
	"net/http"
	"time"

	"daypass/internal/identity"
	"daypass/internal/kms"
)

// key is a key as the wire has it.
type key struct {
	ID          string          `json:"id"`
	Type        string          `json:"type"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Aliases     []string        `json:"aliases,omitempty"`
	Tags        []string        `json:"tags,omitempty"`
	State       int             `json:"state"`
	Extractable bool            `json:"extractable"`
	Algorithm   string          `json:"algorithmType"`
	CRN         string          `json:"crn"`
	Imported    bool            `json:"imported"`
	Ring        string          `json:"keyRingID"`
	CreatedAt   *time.Time      `json:"creationDate"`
	CreatedBy   string          `json:"createdBy"`
	UpdatedAt   *time.Time      `json:"lastUpdateDate,omitempty"`
	RotatedAt   *time.Time      `json:"lastRotateDate,omitempty"`
	ExpiresAt   *time.Time      `json:"expirationDate,omitempty"`
	Version     version         `json:"keyVersion"`
	DualAuth    *dualAuthStatus `json:"dualAuthDelete,omitempty"`
	Rotation    *rotation       `json:"rotation,omitempty"`
	Payload     string          `json:"payload,omitempty"`

	Deleted          bool       `json:"deleted"`
	DeletedAt        *time.Time `json:"deletionDate,omitempty"`
	DeletedBy        string     `json:"deletedBy,omitempty"`
	PurgeAllowed     *bool      `json:"purgeAllowed,omitempty"`
	PurgeAllowedFrom *time.Time `json:"purgeAllowedFrom,omitempty"`
	PurgeScheduledOn *time.Time `json:"purgeScheduledOn,omitempty"`
}

// version is one of a key's.
type version struct {
	ID        string     `json:"id"`
	CreatedAt *time.Time `json:"creationDate,omitempty"`
}

func showVersion(v identity.KMSVersionID) version { return version{v.ID, at(v.CreatedAt)} }

// dualAuthStatus says whether two must agree to a deletion, and whether one has.
type dualAuthStatus struct {
	Enabled   bool       `json:"enabled"`
	Set       *bool      `json:"keySetForDeletion,omitempty"`
	ExpiresAt *time.Time `json:"authExpiration,omitempty"`
}

type rotation struct {
	Enabled bool `json:"enabled"`
	Months  int  `json:"interval_month,omitempty"`
}

func showKey(k *kms.Key) key {
	out := key{
		ID: k.ID, Type: keyType, Name: k.Name, Description: k.Description, Tags: k.Tags, State: int(k.State), Extractable: k.Extractable,
		Algorithm: "AES", CRN: k.CRN, Imported: k.Imported, Ring: k.Ring, CreatedAt: at(k.CreatedAt), CreatedBy: k.CreatedBy,
		UpdatedAt: at(k.UpdatedAt), RotatedAt: at(k.RotatedAt), ExpiresAt: at(k.ExpiresAt), Version: showVersion(k.Version),
		Deleted: k.State == identity.KeyDestroyed, DeletedAt: at(k.DeletedAt), DeletedBy: k.DeletedBy,
		PurgeAllowedFrom: at(k.PurgeAllowedFrom), PurgeScheduledOn: at(k.PurgeScheduledOn),
	}
	for _, a := range k.Aliases {
		out.Aliases = append(out.Aliases, a.Name)
	}
	if out.Deleted {
		out.PurgeAllowed = &k.PurgeAllowed
	}
	if k.DualAuth != nil {
		out.DualAuth = &dualAuthStatus{Enabled: k.DualAuth.Enabled}
		if k.DualAuth.Enabled {
			out.DualAuth.Set = new(k.Doomed != nil)
		}
		if k.Doomed != nil {
			out.DualAuth.ExpiresAt = at(k.Doomed.ExpiresAt)
		}
	}
	if k.Rotation != nil {
		out.Rotation = &rotation{k.Rotation.Enabled, k.Rotation.Months}
	}
	return out
}

func oneKey(status int, k *kms.Key) answer {
	return answer{status, collectionOf(keyType, []key{showKey(k)})}
}

// newKey is what POST keys asks for.
func (c *call) newKey() (kms.NewKey, object, error) {
	var in kms.NewKey
	list, err := c.resources()
	if err != nil {
		return in, nil, err
	}
	if len(list) != 1 {
		return in, nil, errResources
	}
	var expires *time.Time
	err = list[0].read(map[string]any{
		"name": &in.Name, "description": &in.Description, "tags": &in.Tags, "aliases": &in.Aliases, "extractable": &in.Extractable,
		"expirationDate": &expires,
	})
	if err == nil && expires != nil {
		in.ExpiresAt = *expires
	}
	if err == nil {
		in.Material, err = list[0].material()
	}
	return in, list[0], err
}

// material is what a body brings in.
func (o object) material() (kms.Material, error) {
	out := kms.Material{}
	var payload []byte
	err := o.bytes(map[string]*[]byte{"payload": &payload, "encryptedNonce": &out.EncryptedNonce, "iv": &out.IV})
	if err == nil {
		err = o.read(map[string]any{"encryptionAlgorithm": &out.Algorithm})
	}
	out.Payload = identity.Secret(payload)
	return out, err
}

// bytes decodes members that are base64; absent and empty ones are left as they
// are.
func (o object) bytes(into map[string]*[]byte) error {
	for name, v := range into {
		var text string
		if err := o.read(map[string]any{name: &text}); err != nil {
			return err
		}
		if text == "" {
			continue
		}
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return bad("The field " + name + " must be base64.")
		}
		*v = b
	}
	return nil
}

// broughtMaterial reads the body of rotate and restore.
func (c *call) broughtMaterial() (kms.Material, error) {
	o, err := c.resource()
	if err != nil {
		return kms.Material{}, err
	}
	return o.material()
}

func (h *Handler) createKey(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	if _, err := c.prefers(); err != nil {
		return answer{}, err
	}
	in, _, err := c.newKey()
	if err != nil {
		return answer{}, err
	}
	return h.created(c, in)
}

func (h *Handler) created(c *call, in kms.NewKey) (answer, error) {
	k, err := h.KMS.Create(c.ctx, c.caller, c.at, in)
	if err != nil {
		return answer{}, err
	}
	return oneKey(http.StatusCreated, k), nil
}

// createKeyWithPolicies makes a key with the policies that the body has, none
// without any, whatever those of the instance are.
func (h *Handler) createKeyWithPolicies(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	in, o, err := c.newKey()
	if err != nil {
		return answer{}, err
	}
	var change policyBody
	if err := o.read(map[string]any{"rotation": &change.Rotation, "dualAuthDelete": &change.DualAuth}); err != nil {
		return answer{}, err
	}
	in.Policies = &kms.KeyPolicies{}
	if r := change.Rotation; r != nil {
		if r.Months == nil {
			return answer{}, bad("The field rotation.interval_month is missing.")
		}
		if in.Policies.RotationMonths = *r.Months; *r.Months == 0 {
			return answer{}, bad("The field rotation.interval_month is from 1 to 12.")
		}
		in.Policies.RotationEnabled = r.Enabled == nil || *r.Enabled
	}
	in.Policies.DualAuth = change.DualAuth != nil && change.DualAuth.Enabled != nil && *change.DualAuth.Enabled
	return h.created(c, in)
}

func (h *Handler) getMetadata(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	k, err := h.KMS.Key(c.ctx, c.caller, c.at, c.id())
	if err != nil {
		return answer{}, err
	}
	return oneKey(http.StatusOK, k), nil
}

func (h *Handler) getKey(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	k, payload, err := h.KMS.Payload(c.ctx, c.caller, c.at, c.id())
	if err != nil {
		return answer{}, err
	}
	shown := showKey(k)
	shown.Payload = base64.StdEncoding.EncodeToString([]byte(payload.Reveal()))
	return answer{http.StatusOK, collectionOf(keyType, []key{shown})}, nil
}

func (h *Handler) listVersions(c *call) (answer, error) {
	q, err := c.query("limit", "offset", "totalCount", "allKeyStates")
	if err != nil {
		return answer{}, err
	}
	limit, offset, err := q.page()
	if err != nil {
		return answer{}, err
	}
	counted, err := q.on("totalCount")
	if err != nil {
		return answer{}, err
	}
	all, err := q.on("allKeyStates")
	if err != nil {
		return answer{}, err
	}
	list, total, err := h.KMS.Versions(c.ctx, c.caller, c.at, c.id(), offset, limit, all)
	if err != nil {
		return answer{}, err
	}
	out := make([]version, len(list))
	for i, v := range list {
		out[i] = showVersion(v)
	}
	body := collectionOf(versionType, out)
	if counted {
		body.counted(total)
	}
	return answer{http.StatusOK, body}, nil
}

// patchKey moves a key to another ring. Clients spell the field in two ways.
func (h *Handler) patchKey(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	o, err := c.body()
	if err != nil {
		return answer{}, err
	}
	ring, other := "", ""
	if err := o.read(map[string]any{"keyRingID": &ring, "KeyRingID": &other}); err != nil {
		return answer{}, err
	}
	if ring == "" {
		ring, other = other, ""
	}
	if ring == "" || other != "" && other != ring {
		return answer{}, bad("The field keyRingID names the key ring to move to.")
	}
	k, err := h.KMS.Patch(c.ctx, c.caller, c.at, c.id(), ring)
	if err != nil {
		return answer{}, err
	}
	return oneKey(http.StatusOK, k), nil
}

// removed answers a deletion: with the key for who prefers to see it.
func (c *call) removed(k *kms.Key, prefers string) answer {
	if prefers == "representation" {
		return oneKey(http.StatusOK, k)
	}
	return noContent
}

func (h *Handler) deleteKey(c *call) (answer, error) {
	q, err := c.query("force")
	if err != nil {
		return answer{}, err
	}
	force, err := q.on("force")
	if err != nil {
		return answer{}, err
	}
	prefers, err := c.prefers()
	if err != nil {
		return answer{}, err
	}
	k, err := h.KMS.Delete(c.ctx, c.caller, c.at, c.id(), force)
	if err != nil {
		return answer{}, err
	}
	return c.removed(k, prefers), nil
}

func (h *Handler) purgeKey(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	prefers, err := c.prefers()
	if err != nil {
		return answer{}, err
	}
	k, err := h.KMS.Purge(c.ctx, c.caller, c.at, c.id())
	if err != nil {
		return answer{}, err
	}
	return c.removed(k, prefers), nil
}

func (h *Handler) restoreKey(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	return h.restore(c)
}

// restore answers with the key always: IBM's client for Go looks for it.
func (h *Handler) restore(c *call) (answer, error) {
	if _, err := c.prefers(); err != nil {
		return answer{}, err
	}
	in, err := c.broughtMaterial()
	if err != nil {
		return answer{}, err
	}
	k, err := h.KMS.Restore(c.ctx, c.caller, c.at, c.id(), in)
	if err != nil {
		return answer{}, err
	}
	return oneKey(http.StatusCreated, k), nil
}
