package keyprotect

import (
	"context"
	"net/http"

	"daypass/internal/identity"
	"daypass/internal/kms"
)

// actions are what POST keys/{id}/actions/{action} does.
var actions = map[string]operation{
	"wrap": (*Handler).wrap, "unwrap": (*Handler).unwrap, "rewrap": (*Handler).rewrap, "rotate": (*Handler).rotate,
	"restore": (*Handler).restore,
	"disable": plainAction(KMS.Disable), "enable": plainAction(KMS.Enable), "sync": plainAction(KMS.Sync),
	"setKeyForDeletion": plainAction(KMS.SetForDeletion), "unsetKeyForDeletion": plainAction(KMS.UnsetForDeletion),
}

// plainAction serves an action that takes nothing and gives nothing. Clients send
// null, an empty object, or no body.
func plainAction(do func(KMS, context.Context, *identity.Caller, kms.At, string) error) operation {
	return func(h *Handler, c *call) (answer, error) {
		if _, err := c.body(); err != nil {
			return answer{}, err
		}
		return noContent, do(h.KMS, c.ctx, c.caller, c.at, c.id())
	}
}

func (h *Handler) rotate(c *call) (answer, error) {
	if _, err := c.prefers(); err != nil {
		return answer{}, err
	}
	in, err := c.broughtMaterial()
	if err != nil {
		return answer{}, err
	}
	return noContent, h.KMS.Rotate(c.ctx, c.caller, c.at, c.id(), in)
}

func (h *Handler) action(c *call) (answer, error) {
	if _, err := c.query(); err != nil {
		return answer{}, err
	}
	return h.act(c, c.names[1])
}

// oldAction is action as it was before actions had paths of their own: POST
// keys/{id}?action={action}.
func (h *Handler) oldAction(c *call) (answer, error) {
	q, err := c.query("action")
	if err != nil {
		return answer{}, err
	}
	return h.act(c, q["action"])
}

func (h *Handler) act(c *call, name string) (answer, error) {
	serve := actions[name]
	if serve == nil {
		return answer{}, identity.NewError(identity.KindInvalidAction, "keyprotect.action", "")
	}
	return serve(h, c)
}

// cipher is the answer to wrap, unwrap and rewrap; it is no collection. Bytes are
// base64 in JSON.
type cipher struct {
	Plaintext  []byte   `json:"plaintext,omitempty"`
	Ciphertext []byte   `json:"ciphertext,omitempty"`
	Version    version  `json:"keyVersion"`
	Rewrapped  *version `json:"rewrappedKeyVersion,omitempty"`
}

func (h *Handler) wrap(c *call) (answer, error) {
	o, err := c.body()
	if err != nil {
		return answer{}, err
	}
	var aad []string
	var plaintext []byte
	if err := o.read(map[string]any{"aad": &aad}); err != nil {
		return answer{}, err
	}
	if err := o.bytes(map[string]*[]byte{"plaintext": &plaintext}); err != nil {
		return answer{}, err
	}
	w, err := h.KMS.Wrap(c.ctx, c.caller, c.at, c.id(), plaintext, aad)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, bare("application/vnd.ibm.kms.key_action_wrap+json", cipher{
		Plaintext: w.Plaintext, Ciphertext: w.Ciphertext, Version: showVersion(w.Version),
	})}, nil
}

// sealed reads the body of unwrap and rewrap.
func (c *call) sealed() (ciphertext []byte, aad []string, err error) {
	o, err := c.body()
	if err != nil {
		return nil, nil, err
	}
	if err := o.read(map[string]any{"aad": &aad}); err != nil {
		return nil, nil, err
	}
	if err := o.bytes(map[string]*[]byte{"ciphertext": &ciphertext}); err != nil {
		return nil, nil, err
	}
	if len(ciphertext) == 0 {
		return nil, nil, bad("The field ciphertext is missing.")
	}
	return ciphertext, aad, nil
}

func (h *Handler) unwrap(c *call) (answer, error) {
	ciphertext, aad, err := c.sealed()
	if err != nil {
		return answer{}, err
	}
	u, err := h.KMS.Unwrap(c.ctx, c.caller, c.at, c.id(), ciphertext, aad)
	if err != nil {
		return answer{}, err
	}
	out := cipher{Plaintext: u.Plaintext, Ciphertext: u.Ciphertext, Version: showVersion(u.Version)}
	if u.Newest != u.Version {
		out.Rewrapped = new(showVersion(u.Newest))
	}
	return answer{http.StatusOK, bare("application/vnd.ibm.kms.key_action_unwrap+json", out)}, nil
}

func (h *Handler) rewrap(c *call) (answer, error) {
	ciphertext, aad, err := c.sealed()
	if err != nil {
		return answer{}, err
	}
	u, err := h.KMS.Rewrap(c.ctx, c.caller, c.at, c.id(), ciphertext, aad)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, bare("application/vnd.ibm.kms.key_action_rewrap+json", cipher{
		Ciphertext: u.Ciphertext, Version: showVersion(u.Version), Rewrapped: new(showVersion(u.Newest)),
	})}, nil
}
