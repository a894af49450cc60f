package keyprotect

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/kms"
)

// registration says that a resource uses a root key.
type registration struct {
	KeyID       string     `json:"keyId"`
	Resource    string     `json:"resourceCrn"`
	CreatedBy   string     `json:"createdBy"`
	CreatedAt   *time.Time `json:"creationDate"`
	UpdatedBy   string     `json:"updatedBy,omitempty"`
	UpdatedAt   *time.Time `json:"lastUpdated,omitempty"`
	Description string     `json:"description"`
	Prevents    bool       `json:"preventKeyDeletion"`
	Version     version    `json:"keyVersion"`
}

func showRegistration(r *identity.KMSRegistration) registration {
	return registration{
		KeyID: r.KeyID, Resource: r.Resource, CreatedBy: r.CreatedBy, CreatedAt: at(r.CreatedAt), UpdatedBy: r.UpdatedBy,
		UpdatedAt: at(r.UpdatedAt), Description: r.Description, Prevents: r.PreventsDelete, Version: version{ID: r.VersionID},
	}
}

func (h *Handler) listRegistrations(c *call) (answer, error) { return h.registrations(c, c.id()) }

func (h *Handler) listAllRegistrations(c *call) (answer, error) { return h.registrations(c, "") }

func (h *Handler) registrations(c *call, key string) (answer, error) {
	const crn = "urlEncodedResourceCRNQuery"
	q, err := c.query("limit", "offset", crn, "preventKeyDeletion", "totalCount")
	if err != nil {
		return answer{}, err
	}
	asked := kms.RegistrationQuery{Key: key, Resource: q[crn]}
	if !strings.Contains(asked.Resource, ":") { // clients encode it, and then the query
		if asked.Resource, err = url.QueryUnescape(asked.Resource); err != nil {
			return answer{}, badParameter(crn)
		}
	}
	if asked.Limit, asked.Offset, err = q.page(); err != nil {
		return answer{}, err
	}
	if asked.Prevents, err = q.flag("preventKeyDeletion"); err != nil {
		return answer{}, err
	}
	counted, err := q.on("totalCount")
	if err != nil {
		return answer{}, err
	}
	asked.Count = counted
	list, err := h.KMS.Registrations(c.ctx, c.caller, c.at, asked)
	if err != nil {
		return answer{}, err
	}
	out := make([]registration, len(list.Registrations))
	for i := range list.Registrations {
		out[i] = showRegistration(&list.Registrations[i])
	}
	body := collectionOf(registrationType, out)
	if asked.Count {
		body.counted(list.Total)
	}
	return answer{http.StatusOK, body}, nil
}

// registrationChange reads a body.
func (c *call) registrationChange() (kms.RegistrationChange, error) {
	var out kms.RegistrationChange
	if _, err := c.query(); err != nil {
		return out, err
	}
	o, err := c.resource()
	if err != nil {
		return out, err
	}
	var v object
	if err := o.read(map[string]any{"description": &out.Description, "preventKeyDeletion": &out.Prevents, "keyVersion": &v}); err != nil {
		return out, err
	}
	return out, v.read(map[string]any{"id": &out.VersionID})
}

func oneRegistration(status int, r *identity.KMSRegistration) answer {
	return answer{status, collectionOf(registrationType, []registration{showRegistration(r)})}
}

func (h *Handler) createRegistration(c *call) (answer, error) {
	return h.register(c, http.StatusCreated, false)
}

func (h *Handler) replaceRegistration(c *call) (answer, error) {
	return h.register(c, http.StatusOK, true)
}

func (h *Handler) register(c *call, status int, replace bool) (answer, error) {
	change, err := c.registrationChange()
	if err != nil {
		return answer{}, err
	}
	r, err := h.KMS.Register(c.ctx, c.caller, c.at, c.id(), c.names[1], change, replace)
	if err != nil {
		return answer{}, err
	}
	return oneRegistration(status, &r), nil
}

func (h *Handler) updateRegistration(c *call) (answer, error) {
	change, err := c.registrationChange()
	if err != nil {
		return answer{}, err
	}
	r, err := h.KMS.UpdateRegistration(c.ctx, c.caller, c.at, c.id(), c.names[1], change)
	if err != nil {
		return answer{}, err
	}
	return oneRegistration(http.StatusOK, &r), nil
}

func (h *Handler) deleteRegistration(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	return noContent, h.KMS.Unregister(c.ctx, c.caller, c.at, c.id(), c.names[1])
}
