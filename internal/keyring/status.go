package keyring

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// KeyState is where a key is in its life.
type KeyState string

// Key states.
const (
	Pending   KeyState = "pending"   // known, not used yet
	Active    KeyState = "active"    // used for what is new
	Retired   KeyState = "retired"   // still opens or verifies
	Destroyed KeyState = "destroyed" // gone
)

// KeyStatus is one line of `daypass keyring list`. It holds nothing secret.
type KeyStatus struct {
	Group      string    `json:"group"` // root, epochs, at-rest, hash, box, enumeration, or the signing set
	ID         string    `json:"id"`    // number, version or kid; of the root key, where it is
	Algorithm  string    `json:"algorithm,omitempty"`
	State      KeyState  `json:"state"`
	CreatedAt  time.Time `json:"created_at,omitzero"`
	ActiveFrom time.Time `json:"active_from,omitzero"`
	RetiredAt  time.Time `json:"retired_at,omitzero"`
	// EndsAt is when it is destroyed or leaves the JWKS.
	EndsAt time.Time `json:"ends_at,omitzero"`
}

// Status lists every key, sorted by group and age.
func (k *Keyring) Status() []KeyStatus {
	now := k.clock.Now()
	st := k.state.Load()
	out := []KeyStatus{{Group: "root", ID: k.rootKey.Place(), State: Active}}
	current, _ := k.CurrentEpoch()
	for _, e := range st.epochs {
		s := KeyStatus{
			Group: "epochs", ID: strconv.Itoa(int(e.Number)), CreatedAt: e.CreatedAt, ActiveFrom: e.SignsFrom,
			RetiredAt: e.RetiredAt, EndsAt: e.DestroyAt, State: Retired,
		}
		switch {
		case e.gone(now):
			s.State = Destroyed
		case e == current:
			s.State = Active
		case e.SignsFrom.After(now):
			s.State = Pending
		}
		out = append(out, s)
	}
	for set, vs := range st.sets {
		for _, v := range vs {
			s := KeyStatus{Group: set, ID: strconv.Itoa(int(v.n)), CreatedAt: v.createdAt, ActiveFrom: v.activeFrom, State: Retired}
			switch {
			case v == vs.active(now):
				s.State = Active
			case v.activeFrom.After(now):
				s.State = Pending
			}
			out = append(out, s)
		}
	}
	for _, key := range st.keys {
		s := KeyStatus{
			Group: key.row.Set, ID: key.row.ID, Algorithm: key.row.Algorithm, CreatedAt: key.row.CreatedAt,
			ActiveFrom: key.row.SignsFrom, RetiredAt: key.row.RetiredAt, EndsAt: key.row.PublicUntil, State: Retired,
		}
		switch {
		case key.active():
			s.State = Active
		case key.row.RetiredAt.IsZero():
			s.State = Pending
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b KeyStatus) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out
}
