package directory

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// trustChanged ends the sessions of a role, and what descends from them, when
// its new trust policy may refuse somebody whom the old one let in. An edit
// that only adds to what is allowed ends nothing.
func (d *Directory) trustChanged(tx store.Tx, before, after *identity.Role) error {
	if !trustNarrowed(before, after) {
		return nil
	}
	return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineageRole, ID: before.ID, Reason: "trust policy narrowed"})
}

// trustNarrowed is sound, not complete: it says false only where every old
// Allow is found in a new one, no Deny is new, and the names mean the same
// principals as before.
func trustNarrowed(before, after *identity.Role) bool {
	if before.Trust == after.Trust && maps.Equal(before.TrustBindings, after.TrustBindings) {
		return false
	}
	for arn, id := range before.TrustBindings {
		if now, ok := after.TrustBindings[arn]; ok && now != id {
			return true
		}
	}
	had, ok := readTrust(before.Trust)
	has, ok2 := readTrust(after.Trust)
	if !ok || !ok2 || had.version != has.version {
		return true
	}
	for _, s := range had.statements {
		if s.allow && !slices.ContainsFunc(has.statements, s.within) {
			return true
		}
	}
	for _, s := range has.statements {
		if !s.allow && !slices.ContainsFunc(had.statements, s.same) {
			return true
		}
	}
	return false
}

// trustDocument is a trust policy as far as two of them are compared.
type trustDocument struct {
	version    string
	statements []*trustStatement
}

type trustStatement struct {
	allow bool
	// principals ("AWS\x00arn:…") and actions are sets; conditions are values
	// by operator and key ("StringEquals\x00aws:…").
	principals, actions map[string]bool
	conditions          map[string]map[string]bool
	canonical           string // of everything but the Sid
	odd                 bool   // has members that are compared as a whole only
}

func readTrust(document string) (*trustDocument, bool) {
	var doc struct {
		Version   string
		Statement json.RawMessage
	}
	if json.Unmarshal([]byte(document), &doc) != nil {
		return nil, false
	}
	var list []map[string]any
	if single := (map[string]any)(nil); decodeNumbers(doc.Statement, &single) == nil {
		list = append(list, single)
	} else if decodeNumbers(doc.Statement, &list) != nil {
		return nil, false
	}
	out := &trustDocument{version: doc.Version}
	for _, m := range list {
		s, ok := readStatement(m)
		if !ok {
			return nil, false
		}
		out.statements = append(out.statements, s)
	}
	return out, true
}

func decodeNumbers(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(into)
}

func readStatement(m map[string]any) (*trustStatement, bool) {
	delete(m, "Sid")
	s := &trustStatement{allow: m["Effect"] == "Allow", principals: map[string]bool{}, conditions: map[string]map[string]bool{}}
	ok := true
	for name, value := range m {
		switch name {
		case "Effect":
		case "Action":
			s.actions, ok = texts(value)
		case "Principal":
			ok = s.readPrincipal(value)
		case "Condition":
			ok = s.readConditions(value)
		default:
			s.odd = true
		}
		if !ok {
			return nil, false
		}
	}
	parts := []string{"allow", strings.Join(sorted(s.principals), "\x01"), strings.Join(sorted(s.actions), "\x01")}
	if !s.allow {
		parts[0] = "deny"
	}
	for _, key := range slices.Sorted(maps.Keys(s.conditions)) {
		parts = append(parts, key+"\x02"+strings.Join(sorted(s.conditions[key]), "\x01"))
	}
	if s.odd {
		whole, err := json.Marshal(m) // members in order
		if err != nil {
			return nil, false
		}
		parts = append(parts, string(whole))
	}
	s.canonical = strings.Join(parts, "\x03")
	return s, true
}

func (s *trustStatement) readPrincipal(value any) bool {
	if text, ok := value.(string); ok {
		s.principals["AWS\x00"+text] = true
		return true
	}
	byKind, ok := value.(map[string]any)
	for kind, v := range byKind {
		names, good := texts(v)
		ok = ok && good
		for n := range names {
			s.principals[kind+"\x00"+n] = true
		}
	}
	return ok
}

func (s *trustStatement) readConditions(value any) bool {
	byOperator, ok := value.(map[string]any)
	for operator, v := range byOperator {
		byKey, good := v.(map[string]any)
		ok = ok && good
		for key, v := range byKey {
			// Keys ignore case; the same key twice, written differently, is odd.
			at := operator + "\x00" + strings.ToLower(key)
			values, good := texts(v)
			if _, twice := s.conditions[at]; twice || !good {
				return false
			}
			s.conditions[at] = values
		}
	}
	return ok
}

// texts reads a scalar or a list of scalars as a set.
func texts(value any) (map[string]bool, bool) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	out := make(map[string]bool, len(list))
	for _, v := range list {
		switch v := v.(type) {
		case string:
			out[v] = true
		case json.Number:
			out[v.String()] = true
		case bool:
			out[map[bool]string{false: "false", true: "true"}[v]] = true
		default:
			return nil, false
		}
	}
	return out, true
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

func (s *trustStatement) same(o *trustStatement) bool { return s.canonical == o.canonical }

// within says whether whatever s allows, o allows too.
func (s *trustStatement) within(o *trustStatement) bool {
	if !o.allow {
		return false
	}
	if s.canonical == o.canonical {
		return true
	}
	if s.odd || o.odd || !subset(s.principals, o.principals) || !subset(s.actions, o.actions) {
		return false
	}
	for at, values := range o.conditions { // what o demands, s must demand too
		had, ok := s.conditions[at]
		operator, _, _ := strings.Cut(at, "\x00")
		switch {
		case !ok:
			return false
		case maps.Equal(had, values):
		case alternatives(operator) && subset(had, values):
		default:
			return false
		}
	}
	return true
}

func subset(a, b map[string]bool) bool {
	for v := range a {
		if !b[v] {
			return false
		}
	}
	return true
}

// alternatives tells the operators for which a further value lets more in. The
// negated ones and Null are not among them, nor those with a set operator or
// unknown to us.
func alternatives(operator string) bool {
	switch strings.TrimSuffix(operator, "IfExists") {
	case "StringEquals", "StringEqualsIgnoreCase", "StringLike", "NumericEquals", "DateEquals", "BinaryEquals", "IpAddress", "ArnEquals", "ArnLike":
		return true
	}
	return false
}
