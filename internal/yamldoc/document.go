package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"daypass/internal/identity"
)

// MaxBytes is the most that a declarative file may hold.
const MaxBytes = 4 << 20

// Document is one YAML document whose places can be named in complaints.
type Document struct {
	name string
	root *yaml.Node // nil for an empty document
}

// Parse reads one YAML document. name is how complaints call the file. It
// fails with KindValidation for what is not YAML, for a second document, and
// beyond MaxBytes.
func Parse(name string, data []byte) (*Document, error) {
	if len(data) > MaxBytes {
		return nil, complain(fmt.Sprintf("%s: the file is larger than %d bytes", name, MaxBytes))
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var root yaml.Node
	if err := decoder.Decode(&root); errors.Is(err, io.EOF) {
		return &Document{name: name}, nil
	} else if err != nil {
		return nil, complain(name + ": " + syntax(err))
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, complain(name + ": the file holds more than one YAML document")
	}
	return &Document{name: name, root: root.Content[0]}, nil
}

// Expand replaces every ${env:NAME} in keys and values by lookup's answer. A
// name that lookup does not know is a complaint.
func (d *Document) Expand(lookup func(string) (string, bool)) error {
	if d.root == nil {
		return nil
	}
	return d.expand(d.root, lookup)
}

var envReference = regexp.MustCompile(`\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}`)

func (d *Document) expand(n *yaml.Node, lookup func(string) (string, bool)) error {
	for _, child := range n.Content {
		if err := d.expand(child, lookup); err != nil {
			return err
		}
	}
	if n.Kind != yaml.ScalarNode || !strings.Contains(n.Value, "${env:") {
		return nil
	}
	var missing string
	n.Value = envReference.ReplaceAllStringFunc(n.Value, func(ref string) string {
		name := envReference.FindStringSubmatch(ref)[1]
		value, ok := lookup(name)
		if !ok {
			missing = name
		}
		return value
	})
	if missing != "" {
		return d.at(n.Line, n.Column, fmt.Sprintf("the environment has no variable %s", missing))
	}
	return nil
}

// Decode fills the struct that into points at. Keys that the struct does not
// know, keys given twice and values of the wrong type are complaints, all of
// them in one error of KindValidation.
func (d *Document) Decode(into any) error {
	if d.root == nil {
		return nil
	}
	var wrong []string
	d.unknownKeys(d.root, reflect.TypeOf(into), "", &wrong)
	err := d.root.Decode(into)
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		for _, line := range typed.Errors {
			wrong = append(wrong, d.explain(line))
		}
	} else if err != nil {
		wrong = append(wrong, d.name+": "+syntax(err))
	}
	if len(wrong) == 0 {
		return nil
	}
	return complain(strings.Join(wrong, "\n"))
}

var nodeType = reflect.TypeFor[yaml.Node]()

// unknownKeys walks the document beside the type. yaml's own KnownFields is a
// property of a Decoder, not of a Node, and names Go types in its complaints.
func (d *Document) unknownKeys(n *yaml.Node, t reflect.Type, path string, wrong *[]string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if t == nodeType || reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.Unmarshaler]()) {
		return
	}
	switch {
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		for i, item := range n.Content {
			d.unknownKeys(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i), wrong)
		}
	case t.Kind() == reflect.Map && n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			d.unknownKeys(n.Content[i+1], t.Elem(), join(path, n.Content[i].Value), wrong)
		}
	case t.Kind() == reflect.Struct && n.Kind == yaml.MappingNode:
		fields := fieldsOf(t)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			field, ok := fields[key.Value]
			if !ok {
				*wrong = append(*wrong, fmt.Sprintf("%s:%d: %s: unknown key%s", d.name, key.Line, join(path, key.Value), suggest(key.Value, fields)))
				continue
			}
			d.unknownKeys(n.Content[i+1], field, join(path, key.Value), wrong)
		}
	}
}

// fieldsOf maps the YAML keys of a struct to the types of their values.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name != "" && name != "-" {
			out[name] = f.Type
		}
	}
	return out
}

// suggest names the known key that differs least, when it differs little.
func suggest(key string, known map[string]reflect.Type) string {
	best, at := "", 3
	for name := range known {
		if n := distance(key, name); n < at || n == at && name < best {
			best, at = name, n
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Errorf makes a complaint about the value at path ("users[2].name"), naming
// its line.
func (d *Document) Errorf(path, format string, args ...any) error {
	line := 1
	if d.root != nil {
		line = d.line(path)
	}
	return complain(fmt.Sprintf("%s:%d: %s: %s", d.name, line, path, fmt.Sprintf(format, args...)))
}

// at makes a complaint about what stands on a line, at a column or, when that
// is 0, first.
func (d *Document) at(line, column int, message string) error {
	path := d.pathAt(d.root, line, column, "")
	if path != "" {
		path += ": "
	}
	return complain(fmt.Sprintf("%s:%d: %s%s", d.name, line, path, message))
}

// line finds the line of the deepest existing place on path.
func (d *Document) line(path string) int {
	n := d.root
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		next, at := child(n, step)
		if next == nil {
			break
		}
		n = next
		if at != nil {
			n = &yaml.Node{Kind: n.Kind, Content: n.Content, Line: at.Line, Alias: n.Alias}
		}
	}
	return n.Line
}

func child(n *yaml.Node, step string) (value, key *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i < len(n.Content) {
			return n.Content[i], nil
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1], n.Content[i]
			}
		}
	}
	return nil, nil
}

// pathAt names the key of the value that stands on a line and at a column, or
// without a column the first key or value on the line.
func (d *Document) pathAt(n *yaml.Node, line, column int, path string) string {
	if n == nil {
		return ""
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			here := join(path, key.Value)
			if found := d.pathAt(value, line, column, here); found != "" {
				return found
			}
			if column > 0 {
				if key.Line == line && key.Column == column || value.Line == line && value.Column == column {
					return here
				}
				continue
			}
			if key.Line == line || value.Line == line && value.Kind == yaml.ScalarNode {
				return here
			}
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			here := fmt.Sprintf("%s[%d]", path, i)
			if found := d.pathAt(item, line, column, here); found != "" {
				return found
			}
			if item.Line == line && (column == 0 || item.Column == column) && item.Kind == yaml.ScalarNode {
				return here
			}
		}
	}
	return ""
}

var typeError = regexp.MustCompile(`^line (\d+)(?::(\d+))?: (.*)$`)

// explain gives a complaint of the YAML package the key that it leaves out.
func (d *Document) explain(line string) string {
	m := typeError.FindStringSubmatch(line)
	if m == nil {
		return d.name + ": " + line
	}
	number, _ := strconv.Atoi(m[1])
	column, _ := strconv.Atoi(m[2])
	if value := quoted.FindStringSubmatch(m[3]); value != nil && column == 0 {
		column = columnOf(d.root, number, value[1])
	}
	message := goTypes.Replace(goType.ReplaceAllStringFunc(m[3], plainType))
	return identity.AsError(d.at(number, column, message)).Public
}

// quoted is the value in a complaint of the YAML package; long ones are cut.
var quoted = regexp.MustCompile("`([^`]*)`")

// columnOf finds a scalar by its line and value; 0 when there is none.
func columnOf(n *yaml.Node, line int, value string) int {
	if n.Kind == yaml.ScalarNode && n.Line == line && n.Value == value {
		return n.Column
	}
	for _, child := range n.Content {
		if column := columnOf(child, line, value); column > 0 {
			return column
		}
	}
	return 0
}

// goType is the Go type at the end of a complaint of the YAML package.
var goType = regexp.MustCompile(` into [\w.\[\]]+$`)

func plainType(match string) string {
	switch name := strings.TrimPrefix(match, " into "); {
	case name == "bool":
		return " into true or false"
	case name == "int" || name == "int64":
		return " into a whole number"
	case name == "string":
		return " into text"
	case strings.HasPrefix(name, "[]"):
		return " into a list"
	case strings.HasPrefix(name, "map["):
		return " into a mapping"
	case name != "time.Duration" && strings.Contains(name, "."): // a struct of this program
		return " into a mapping"
	}
	return match
}

var goTypes = strings.NewReplacer(
	"!!str ", "", "!!int ", "", "!!bool ", "", "!!float ", "", "!!map", "a mapping", "!!seq", "a list", "!!null", "nothing",
	"cannot unmarshal ", "cannot take ", " into ", " as ",
	"[]string", "a list of strings", "time.Duration", "a duration like 30s",
)

func syntax(err error) string { return strings.TrimPrefix(err.Error(), "yaml: ") }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func complain(message string) *identity.Error {
	return identity.NewError(identity.KindValidation, "yamldoc", message)
}
