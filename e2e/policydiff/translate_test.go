package policydiff

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rule names a settled difference: a row of the table in docs/policy.md.
type rule string

const (
	ruleVariableForm    rule = "variable forms"             // tag keys, defaults, ${*} ${?} ${$}
	ruleVariableLiteral rule = "no wildcard out of a value" // nor another variable
	ruleVariableMissing rule = "variable without value"
	ruleVariableUnsafe  rule = "unsafe value in a resource"
	ruleSegments        rule = "segments of an ARN"
	rulePartition       rule = "partitions and short ARNs"
	ruleAnyService      rule = "action *:*"
	ruleCharacters      rule = "? is a character"
	ruleAsterisk        rule = "asterisk in what is asked"
	ruleSeveral         rule = "several values, no quantifier"
	ruleAllEmpty        rule = "ForAllValues of empty values"
	ruleAnyMissing      rule = "ForAnyValue of a missing key"
	ruleOtherType       rule = "value of another type"
	ruleNumberForm      rule = "forms of numbers"
	ruleBigNumber       rule = "large integers"
	ruleDateForm        rule = "forms of dates"
	ruleBoolForm        rule = "forms of booleans"
	ruleMapped          rule = "mapped and scoped addresses"
	ruleLetterCase      rule = "case beyond ASCII"
)

var allRules = []rule{
	ruleVariableForm, ruleVariableLiteral, ruleVariableMissing, ruleVariableUnsafe, ruleSegments, rulePartition, ruleAnyService, ruleCharacters, ruleAsterisk, ruleSeveral,
	ruleAllEmpty, ruleAnyMissing, ruleOtherType, ruleNumberForm, ruleBigNumber, ruleDateForm, ruleBoolForm, ruleMapped, ruleLetterCase,
}

// never is a text that nothing equals; as a pattern it matches nothing.
const never = "\x1f"

// literals stand for characters that the other engine would read as wildcards,
// or count as more than one.
var literals = strings.NewReplacer("*", "\x02", "?", "\x03", "ü", "\x04", "Ü", "\x05", "\u212a", "\x06")

// translation collects what the other engine is asked in place of a document
// and a request, and which rules it took. Conditions get keys of their own, so
// that each can have its own values; variables are replaced, which Version 2008
// then leaves alone.
type translation struct {
	keys    map[string][]string // of the request, lower case
	subject string
	rename  func(n int) string // the key of condition n
	out     map[string][]string
	rules   map[rule]bool
	conds   int
}

func newTranslation(r *request) *translation {
	return &translation{
		keys: r.context(), subject: r.resource, out: map[string][]string{}, rules: map[rule]bool{},
		rename: func(n int) string { return "test:c" + strconv.Itoa(n) },
	}
}

func (t *translation) use(r rule) { t.rules[r] = true }

func (t *translation) document(d document) document {
	out := document{version: version2008}
	for _, s := range d.statements {
		out.statements = append(out.statements, t.statement(s, d.version == version2012))
	}
	return out
}

func (t *translation) statement(s statement, vars bool) statement {
	out := s
	out.actions = slices.Clone(s.actions)
	for i, a := range out.actions {
		if a == "*:*" {
			t.use(ruleAnyService)
			out.actions[i] = "*"
		}
	}
	out.conditions = nil
	if s.resources != nil {
		out.resources = nil
		for _, p := range s.resources {
			text, usable := t.resource(p, s, vars)
			if !usable && s.allow && s.notResource {
				out.conditions = append(out.conditions, t.constant(false))
			}
			out.resources = append(out.resources, text)
		}
	}
	for _, c := range s.conditions {
		out.conditions = append(out.conditions, t.condition(c, s.allow, vars))
	}
	return out
}

// constant is a condition that is met, or not.
func (t *translation) constant(met bool) condition {
	t.conds++
	return condition{"Null", t.rename(t.conds), []string{strconv.FormatBool(met)}}
}

// part is a piece of a pattern: text as written, or a value put in its place.
type part struct {
	text  string
	value bool
}

type pieces struct {
	parts           []part
	missing, unsafe bool
}

var variablePattern = regexp.MustCompile(`\$\{([^}]*)\}`)

// plainVariable is what the other engine takes for a variable.
var plainVariable = regexp.MustCompile(`^[A-Za-z0-9_:.\-]+$`)

// expand takes a pattern apart.
func (t *translation) expand(p string, vars, wildcards bool) pieces {
	var out pieces
	if !vars {
		return pieces{parts: []part{{text: p}}}
	}
	at := 0
	for _, m := range variablePattern.FindAllStringSubmatchIndex(p, -1) {
		out.parts = append(out.parts, part{text: p[at:m[0]]})
		at = m[1]
		inner := p[m[2]:m[3]]
		if !plainVariable.MatchString(inner) {
			t.use(ruleVariableForm)
		}
		if inner == "*" || inner == "?" || inner == "$" {
			out.parts = append(out.parts, part{inner, true})
			continue
		}
		key, fallback, hasFallback := strings.Cut(inner, ",")
		key = strings.ToLower(strings.TrimSpace(key))
		values := t.keys[key]
		switch {
		case len(values) == 1:
			v := values[0]
			if (wildcards && strings.ContainsAny(v, "*?")) || strings.Contains(v, "${") {
				t.use(ruleVariableLiteral)
			}
			made := (strings.HasPrefix(key, "aws:") || strings.HasPrefix(key, "s3:")) && !strings.Contains(key, "tag/")
			out.unsafe = out.unsafe || v == "" || v == "." || v == ".." || (strings.Contains(v, "/") && !made)
			out.parts = append(out.parts, part{v, true})
		case len(values) == 0 && hasFallback:
			out.parts = append(out.parts, part{strings.Trim(strings.TrimSpace(fallback), "'"), true})
		default:
			t.use(ruleVariableMissing)
			out.missing = true
		}
	}
	out.parts = append(out.parts, part{text: p[at:]})
	return out
}

// encoded is the pattern for the other engine: no wildcard is in a value.
func (p pieces) encoded() string {
	var b strings.Builder
	for _, x := range p.parts {
		if x.value {
			b.WriteString(literals.Replace(x.text))
		} else {
			b.WriteString(literals.Replace(strings.NewReplacer("*", "\x0e", "?", "\x0f").Replace(x.text)))
		}
	}
	return strings.NewReplacer("\x0e", "*", "\x0f", "?").Replace(b.String())
}

// plain is the text without meaning for wildcards.
func (p pieces) plain() string {
	var b strings.Builder
	for _, x := range p.parts {
		b.WriteString(x.text)
	}
	return b.String()
}

// matches compares with regular expressions; strictly, "*" and "?" in the first
// five segments stay within theirs.
func (p pieces) matches(s string, strict bool) bool {
	colons := 0
	for _, x := range p.parts {
		if !x.value {
			colons += strings.Count(x.text, ":")
		}
	}
	var re strings.Builder
	seen := 0
	for _, x := range p.parts {
		for _, c := range x.text {
			within := strict && seen < 5 && seen < colons
			switch {
			case x.value && c == ':' && within:
				return false // a segment never holds a colon
			case !x.value && c == ':':
				seen++
				re.WriteRune(c)
			case !x.value && c == '*' && within:
				re.WriteString(`[^:]*`)
			case !x.value && c == '*':
				re.WriteString(`.*`)
			case !x.value && c == '?' && within:
				re.WriteString(`[^:]`)
			case !x.value && c == '?':
				re.WriteString(`.`)
			default:
				re.WriteString(regexp.QuoteMeta(string(c)))
			}
		}
	}
	return compiled(`(?s)^` + re.String() + `$`).MatchString(s)
}

var cache = map[string]*regexp.Regexp{}

func compiled(expr string) *regexp.Regexp {
	if cache[expr] == nil {
		cache[expr] = regexp.MustCompile(expr)
	}
	return cache[expr]
}

const nowhere = "arn:aws:none:::" + never

// resource translates one element of Resource or NotResource.
func (t *translation) resource(p string, s statement, vars bool) (text string, usable bool) {
	if p == "*" {
		return p, true
	}
	x := t.expand(p, vars, true)
	if x.missing {
		return nowhere, false
	}
	if x.unsafe && s.allow {
		t.use(ruleVariableUnsafe)
		return nowhere, false
	}
	t.wildcards(x, t.subject)
	strict := s.allow != s.notResource
	if strict && !x.matches(t.subject, true) && x.matches(t.subject, false) {
		t.use(ruleSegments)
		return nowhere, true
	}
	fields := strings.SplitN(p, ":", 6)
	if fields[1] != "aws" || len(fields) < 6 {
		t.use(rulePartition)
		if x.matches(t.subject, strict) {
			return "*", true
		}
		return nowhere, true
	}
	return x.encoded(), true
}

// wildcards notes a "?" that meets a character of several bytes, and a "*" that
// meets itself, which the other engine takes for an equal letter.
func (t *translation) wildcards(p pieces, subject string) {
	for _, x := range p.parts {
		if !x.value && strings.Contains(x.text, "?") && len(subject) != len([]rune(subject)) {
			t.use(ruleCharacters)
		}
		if !x.value && strings.Contains(x.text, "*") && strings.Contains(subject, "*") {
			t.use(ruleAsterisk)
		}
	}
}

// resourceOfRequest is the resource to ask the other engine for.
func (t *translation) resourceOfRequest() string { return literals.Replace(t.subject) }
