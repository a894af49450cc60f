package policy

import (
	"encoding/json"
	"unicode/utf8"
)

// detail is how much of an explanation is kept: how many findings, conditions
// of each, context values, and how long their texts may be.
type detail struct{ findings, conditions, values, text int }

var details = []detail{{3, 4, 16, 2048}, {3, 2, 8, 512}, {2, 2, 6, 128}, {1, 1, 0, 32}}

// Encode is the explanation as JSON of at most limit bytes, for messages of
// bounded size. All matches but the deciding one are left out; what is too
// long then is cut step by step, down to effect and layer. It is nil only when
// not even those fit.
func (e Explanation) Encode(limit int) []byte {
	for _, d := range details {
		if b, err := json.Marshal(e.cut(d)); err == nil && len(b) <= limit {
			return b
		}
	}
	if b, err := json.Marshal(Explanation{Effect: e.Effect, Layer: e.Layer}); err == nil && len(b) <= limit {
		return b
	}
	return nil
}

func (e Explanation) cut(d detail) Explanation {
	e.Matched = nil
	if e.Deciding != nil {
		f := e.Deciding.cut(d)
		e.Deciding = &f
	}
	var misses []Finding
	for i := range min(len(e.Misses), d.findings) {
		misses = append(misses, e.Misses[i].cut(d))
	}
	var context []ContextValue
	for _, c := range e.Context[:min(len(e.Context), d.values)] {
		context = append(context, ContextValue{cut(c.Key, d.text), cutAll(c.Values, 4, d.text)})
	}
	e.Misses, e.Context = misses, context
	e.Missing, e.Unreadable = cutAll(e.Missing, d.values, d.text), cut(e.Unreadable, d.text)
	return e
}

func (f *Finding) cut(d detail) Finding {
	out := *f
	out.Policy, out.Sid, out.Source = cut(f.Policy, d.text), cut(f.Sid, d.text), cut(f.Source, d.text)
	out.Conditions = nil
	for _, c := range f.Conditions[:min(len(f.Conditions), d.conditions)] {
		c.Operator, c.Key = cut(c.Operator, d.text), cut(c.Key, d.text)
		c.Wanted, c.Got = cutAll(c.Wanted, 4, d.text), cutAll(c.Got, 4, d.text)
		out.Conditions = append(out.Conditions, c)
	}
	return out
}

func cutAll(list []string, n, length int) []string {
	var out []string
	for _, s := range list[:min(len(list), n)] {
		out = append(out, cut(s, length))
	}
	return out
}

// cut shortens a text at a character's edge.
func cut(s string, length int) string {
	if len(s) <= length {
		return s
	}
	for !utf8.RuneStart(s[length]) {
		length--
	}
	return s[:length] + "…"
}
