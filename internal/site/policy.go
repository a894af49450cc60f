package site

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// policy makes JSON of a policy written as YAML, or takes it as the JSON text
// of a string.
func (b *builder) policy(path string, n *yaml.Node) string {
	switch n.Kind {
	case 0:
		b.complain(path, "must be given")
	case yaml.ScalarNode:
		if !json.Valid([]byte(n.Value)) {
			b.complain(path, "neither a mapping nor JSON")
		}
		return n.Value
	case yaml.MappingNode:
		var text bytes.Buffer
		if err := writeJSON(&text, n); err != nil {
			b.complain(path, "%v", err)
		}
		return text.String()
	default:
		b.complain(path, "neither a mapping nor JSON")
	}
	return ""
}

// policies are documents by name; nil stays nil.
func (b *builder) policies(path string, nodes map[string]yaml.Node) map[string]string {
	if nodes == nil {
		return nil
	}
	out := make(map[string]string, len(nodes))
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		n := nodes[name]
		out[name] = b.policy(path+"."+name, &n)
	}
	return out
}

// writeJSON keeps the order of keys, so that a policy reads back as written.
// In a policy every scalar but a boolean and a number is a string: YAML's dates
// ("2012-10-17") stay what they look like.
func writeJSON(w *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.AliasNode:
		return fmt.Errorf("line %d: a policy cannot use YAML aliases", n.Line)
	case yaml.ScalarNode:
		if tag := n.ShortTag(); (tag == "!!bool" || tag == "!!int") && json.Valid([]byte(n.Value)) {
			w.WriteString(n.Value)
			return nil
		}
		return quoteJSON(w, n.Value)
	case yaml.SequenceNode:
		w.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				w.WriteByte(',')
			}
			if err := writeJSON(w, item); err != nil {
				return err
			}
		}
		w.WriteByte(']')
	case yaml.MappingNode:
		w.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				w.WriteByte(',')
			}
			if n.Content[i].Kind != yaml.ScalarNode {
				return fmt.Errorf("line %d: a key must be a string", n.Content[i].Line)
			}
			if err := quoteJSON(w, n.Content[i].Value); err != nil {
				return err
			}
			w.WriteByte(':')
			if err := writeJSON(w, n.Content[i+1]); err != nil {
				return err
			}
		}
		w.WriteByte('}')
	}
	return nil
}

func quoteJSON(w *bytes.Buffer, s string) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return err
	}
	w.Truncate(w.Len() - 1) // Encode ends with a newline
	return nil
}
