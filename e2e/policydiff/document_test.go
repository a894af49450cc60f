package policydiff

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
)

const (
	version2012 = "2012-10-17"
	version2008 = "2008-10-17"
)

// document is a policy before it is written as JSON.
type document struct {
	version    string
	statements []statement
}

type statement struct {
	allow       bool
	notAction   bool
	actions     []string
	notResource bool
	resources   []string
	conditions  []condition
	principal   any // nil: none
}

type condition struct {
	operator, key string
	values        []string
}

// text writes the document; rng chooses among the forms that mean the same: a
// list or its only item, a number or its text. A nil rng writes lists.
func (d document) text(rng *rand.Rand) string {
	var list []any
	for _, s := range d.statements {
		list = append(list, s.members(rng))
	}
	doc := map[string]any{"Statement": list}
	if len(list) == 1 && chance(rng, 2) {
		doc["Statement"] = list[0]
	}
	if d.version != "" {
		doc["Version"] = d.version
	}
	out, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return escaped(string(out))
}

// beyondLatin are characters that identity policies hold only as escapes.
var beyondLatin = regexp.MustCompile(`[\x{100}-\x{ffff}]`)

func escaped(text string) string {
	return beyondLatin.ReplaceAllStringFunc(text, func(c string) string { return fmt.Sprintf(`\u%04x`, []rune(c)[0]) })
}

func (s statement) members(rng *rand.Rand) map[string]any {
	m := map[string]any{"Effect": "Deny"}
	if s.allow {
		m["Effect"] = "Allow"
	}
	actions, resources := "Action", "Resource"
	if s.notAction {
		actions = "NotAction"
	}
	if s.notResource {
		resources = "NotResource"
	}
	m[actions] = oneOrList(rng, s.actions, false)
	if s.resources != nil {
		m[resources] = oneOrList(rng, s.resources, false)
	}
	if s.principal != nil {
		m["Principal"] = s.principal
	}
	block := map[string]map[string]any{}
	for _, c := range s.conditions {
		if block[c.operator] == nil {
			block[c.operator] = map[string]any{}
		}
		block[c.operator][c.key] = oneOrList(rng, c.values, true)
	}
	if len(block) > 0 || chance(rng, 8) {
		m["Condition"] = block
	}
	return m
}

var bareScalar = regexp.MustCompile(`^(true|false|-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?)$`)

func oneOrList(rng *rand.Rand, list []string, scalars bool) any {
	var out []any
	for _, s := range list {
		if scalars && bareScalar.MatchString(s) && chance(rng, 3) {
			out = append(out, json.RawMessage(s))
		} else {
			out = append(out, s)
		}
	}
	if len(out) == 1 && chance(rng, 2) {
		return out[0]
	}
	return out
}

// chance is true once in n; never without rng.
func chance(rng *rand.Rand, n int) bool { return rng != nil && rng.IntN(n) == 0 }
