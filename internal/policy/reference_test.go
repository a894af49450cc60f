package policy

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"daypass/internal/identity"
)

// reference evaluates identity policies over again, from their JSON text, with
// regular expressions and no care for speed: another reading of the same rules
// than the engine's.
type reference struct {
	keys     map[string][]string // lower case
	action   string
	resource string
}

type plainPolicy struct {
	Version   string
	Statement []map[string]any
}

func (e reference) evaluate(texts []string) Effect {
	allowed := false
	for _, text := range texts {
		var p plainPolicy
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return ExplicitDeny
		}
		for _, s := range p.Statement {
			if !e.matches(s, p.Version == version2012) {
				continue
			}
			if s["Effect"] == "Deny" {
				return ExplicitDeny
			}
			allowed = true
		}
	}
	if allowed {
		return Allow
	}
	return ImplicitDeny
}

func (e reference) matches(s map[string]any, vars bool) bool {
	allow := s["Effect"] == "Allow"
	hit := func(list any, match func(string) bool) bool {
		for _, v := range aslist(list) {
			if match(v) {
				return true
			}
		}
		return false
	}
	action := func(p string) bool { return glob(strings.ToLower(p), strings.ToLower(e.action), false) }
	if a, ok := s["Action"]; ok && !hit(a, action) {
		return false
	}
	if a, ok := s["NotAction"]; ok && hit(a, action) {
		return false
	}
	unusable := false
	resource := func(strict bool) func(string) bool {
		return func(p string) bool {
			if vars {
				expanded, ok := e.expand(p, allow)
				if !ok {
					unusable = true
					return false
				}
				p = expanded
			} else {
				p = quoteVars(p)
			}
			return p == "*" || glob(p, e.resource, strict)
		}
	}
	if r, ok := s["Resource"]; ok && !hit(r, resource(allow)) {
		return false
	}
	if r, ok := s["NotResource"]; ok && (hit(r, resource(!allow)) || (unusable && allow)) {
		return false
	}
	conditions, _ := s["Condition"].(map[string]any)
	for op, block := range conditions {
		for key, values := range block.(map[string]any) {
			if !e.condition(op, key, aslist(values), allow, vars) {
				return false
			}
		}
	}
	return true
}

func (e reference) condition(op, key string, wanted []string, allow, vars bool) bool {
	got := e.keys[strings.ToLower(key)]
	base, all := strings.CutPrefix(op, allPrefix)
	base, some := strings.CutPrefix(base, anyPrefix)
	base, exists := strings.CutSuffix(base, ifExists)
	if base == "Null" {
		for _, w := range wanted {
			if (w == "true") == (len(got) == 0) {
				return true
			}
		}
		return false
	}
	negated := strings.Contains(base, "Not")
	base = strings.Replace(base, "Not", "", 1)
	var patterns []string
	unusable := false
	for _, w := range wanted {
		if !vars {
			patterns = append(patterns, quoteVars(w))
		} else if p, ok := e.expand(w, false); ok {
			patterns = append(patterns, p)
		} else {
			unusable = true
		}
	}
	if len(got) == 0 {
		switch {
		case some:
			return exists && !allow
		case all, exists:
			return true
		}
		return negated && !(allow && unusable)
	}
	if all && !allow && strings.Join(got, "") == "" {
		return true
	}
	n := 0
	for _, g := range got {
		match := false
		for _, p := range patterns {
			match = match || compareText(base, p, g)
		}
		if match != negated && !(negated && allow && unusable) {
			n++
		}
	}
	if all || (!some && allow) {
		return n == len(got)
	}
	return n > 0
}

func compareText(base, p, got string) bool {
	if base == "StringLike" {
		return glob(p, got, false)
	}
	return regexp.MustCompile(`(?s)^` + regexp.QuoteMeta(unquoteVars(p)) + `$`).MatchString(got) // StringEquals
}

// Characters that are literal in an expanded pattern stand in a private range.
const literalShift = 0xE000

func quoteLiteral(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("*?$:", r) {
			return literalShift + r
		}
		return r
	}, s)
}

func unquoteVars(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= literalShift && r < literalShift+0x80 {
			return r - literalShift
		}
		return r
	}, s)
}

// quoteVars leaves wildcards alone; "${" has no meaning.
func quoteVars(s string) string { return s }

var variablePattern = regexp.MustCompile(`\$\{([^}]*)\}`)

// expand puts values in place of variables; inResource adds the rules on
// values in an Allow's resource.
func (e reference) expand(p string, inResource bool) (string, bool) {
	ok := true
	out := variablePattern.ReplaceAllStringFunc(p, func(m string) string {
		inner := m[2 : len(m)-1]
		if inner == "*" || inner == "?" || inner == "$" {
			return quoteLiteral(inner)
		}
		key, fallback, has := strings.Cut(inner, ",")
		values := e.keys[strings.ToLower(strings.TrimSpace(key))]
		if len(values) == 0 && has {
			return quoteLiteral(strings.Trim(strings.TrimSpace(fallback), "'"))
		}
		if len(values) != 1 {
			ok = false
			return ""
		}
		v := values[0]
		slash := strings.Contains(v, "/") && (!strings.HasPrefix(key, "aws:") || strings.Contains(key, "Tag/"))
		if inResource && (v == "" || v == "." || v == ".." || slash) {
			ok = false
		}
		return quoteLiteral(v)
	})
	return out, ok
}

// glob matches all of s; in the strict reading a "*" in the first five
// segments of an ARN stays within its own.
func glob(p, s string, strict bool) bool {
	var re strings.Builder
	re.WriteString(`(?s)^`)
	segments := strings.Count(p, ":")
	seen := 0
	for _, r := range p {
		switch {
		case r == ':':
			seen++
			re.WriteRune(r)
		case r == '*' && strict && seen < 5 && seen < segments:
			re.WriteString(`[^:]*`)
		case r == '*':
			re.WriteString(`.*`)
		case r == '?' && strict && seen < 5 && seen < segments:
			re.WriteString(`[^:]`)
		case r == '?':
			re.WriteString(`.`)
		default:
			re.WriteString(regexp.QuoteMeta(unquoteVars(string(r))))
		}
	}
	re.WriteString(`$`)
	return regexp.MustCompile(re.String()).MatchString(s)
}

func aslist(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, item := range v {
			out = append(out, item.(string))
		}
		return out
	}
	return nil
}

var (
	someKeys      = []string{"aws:PrincipalTag/t", "test:a", "test:b", "aws:MultiFactorAuthPresent", "idp.example.com:sub"}
	someValues    = []string{"", "a", "ab", "b", ".", "..", "a/b", "*", "a:b", "true"}
	someActions   = []string{"s3:Get", "s3:GetAcl", "iam:Get", "S3:Put"}
	someResources = []string{"*", "arn:aws:s3:::a", "arn:aws:s3:::a/b", "arn:aws:s3:::a/b:ab", "arn:aws:s3:::ab/*", "arn:aws:iam::1:role/a", "arn:aws:s3:r:1:b:a:b"}
	actionForms   = []string{"*", "s3:*", "S3:get*", "s3:?et", "iam:Get", "s3:GetAcl"}
	resourceForms = []string{
		"*", "arn:aws:s3:::*", "arn:aws:s3:::a*", "arn:aws:s3:::a/?", "arn:aws:s3:::${test:a}/*", "arn:aws:s3:::a/${aws:PrincipalTag/t}",
		"arn:aws:s3:::${idp.example.com:sub,'a'}*", "arn:*:s3:*:*:*b", "arn:aws:*", "arn:aws:s?:*", "arn:aws:iam::*:role/a", "arn:aws:s3:::${*}b", "arn:aws:s3:::*${test:b}", "arn:*:*:*:?:*b*",
	}
	valueForms    = []string{"a", "a*", "?", "*", "${test:a}", "${test:b}*", "${aws:PrincipalTag/t, 'ab'}", "${*}", "", "a${?}b"}
	textOperators = []string{"StringEquals", "StringNotEquals", "StringLike", "StringNotLike"}
)

func randomStatement(t *rapid.T) map[string]any {
	pick := func(label string, from []string) string { return rapid.SampledFrom(from).Draw(t, label) }
	many := func(label string, from []string) any {
		list := rapid.SliceOfN(rapid.SampledFrom(from), 1, 3).Draw(t, label)
		if len(list) == 1 && rapid.Bool().Draw(t, "alone") {
			return list[0]
		}
		return list
	}
	s := map[string]any{"Effect": pick("effect", []string{"Allow", "Allow", "Deny"})}
	s[pick("action element", []string{"Action", "Action", "NotAction"})] = many("actions", actionForms)
	s[pick("resource element", []string{"Resource", "Resource", "NotResource"})] = many("resources", resourceForms)
	conditions := map[string]any{}
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		op := pick("quantifier", []string{"", "", allPrefix, anyPrefix}) + pick("operator", textOperators) + pick("suffix", []string{"", ifExists})
		values := many("values", valueForms)
		if rapid.IntRange(0, 5).Draw(t, "null") == 0 {
			op, values = "Null", many("null values", []string{"true", "false"})
		}
		conditions[op] = map[string]any{pick("key", someKeys): values}
	}
	if len(conditions) > 0 {
		s["Condition"] = conditions
	}
	return s
}

// The engine and the naive evaluator agree on every random set of policies.
func TestAgreesWithReference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var set Set
		var texts []string
		for range rapid.IntRange(1, 2).Draw(t, "policies") {
			p := plainPolicy{Version: rapid.SampledFrom([]string{version2012, version2012, version2008}).Draw(t, "version")}
			for range rapid.IntRange(1, 3).Draw(t, "statements") {
				p.Statement = append(p.Statement, randomStatement(t))
			}
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			compiled, err := Parse(InlinePolicy, string(text), Options{})
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			set.Identity = append(set.Identity, compiled)
			texts = append(texts, string(text))
		}
		keys := Keys{}
		for _, key := range someKeys {
			if values := rapid.SliceOfN(rapid.SampledFrom(someValues), 0, 2).Draw(t, key); len(values) > 0 {
				keys.Set(key, values...)
			}
		}
		r := &Request{
			Principal: Principal{Kind: identity.IAMUser, ARN: userARN, Account: here}, ResourceAccount: here, Context: keys,
			Action:   rapid.SampledFrom(someActions).Draw(t, "action"),
			Resource: rapid.SampledFrom(someResources).Draw(t, "resource"),
		}
		got := Evaluate(r, &set)
		want := reference{keys: keys, action: r.Action, resource: r.Resource}.evaluate(texts)
		if got.Effect != want {
			t.Fatalf("got %v, want %v\n%s\n%s", got.Effect, want, strings.Join(texts, "\n"), keys)
		}
		if e := Explain(r, &set); e.Effect != want.String() {
			t.Fatalf("explained as %s, want %v", e.Effect, want)
		}
	})
}

// A crowded pattern, which is matched in another way, agrees as well; the text
// is made to match and then, mostly, spoilt.
func TestCrowdedAgreesWithRegexp(t *testing.T) {
	t.Parallel()
	letters := rapid.SampledFrom([]string{"a", "b", "A", "ü", "*", "?"})
	rapid.Check(t, func(t *rapid.T) {
		var p, s strings.Builder
		for range rapid.IntRange(maxLoose+1, 90).Draw(t, "length") {
			switch piece := rapid.SampledFrom([]string{"?", "?", "?", "*", "a", "b", "ü"}).Draw(t, "piece"); piece {
			case "?":
				p.WriteString("?")
				s.WriteString(letters.Draw(t, "one"))
			case "*":
				p.WriteString("*")
				s.WriteString(strings.Join(rapid.SliceOfN(letters, 0, 3).Draw(t, "run"), ""))
			default:
				p.WriteString(piece)
				s.WriteString(piece)
			}
		}
		text := []rune(s.String())
		if i := rapid.IntRange(0, 2*len(text)).Draw(t, "spoilt"); i < len(text) {
			text[i] = 'b'
		}
		for _, mode := range []patternMode{wildcards, wildcards | foldCase} {
			q, err := compilePattern(p.String(), mode)
			if err != nil {
				t.Fatal(err)
			}
			got := q.matches(nil, string(text))
			want := glob(p.String(), string(text), false)
			if mode&foldCase != 0 {
				want = glob(p.String(), strings.ReplaceAll(string(text), "A", "a"), false)
			}
			if got != want || q.search(nil, string(text)) != want {
				t.Fatalf("%q of %q: got %v, want %v", p.String(), string(text), got, want)
			}
		}
	})
}

// The pattern matcher and a regular expression agree.
func TestWildcardAgreesWithRegexp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.StringOfN(rapid.RuneFrom([]rune("ab*?ü:")), 0, 8, -1).Draw(t, "pattern")
		s := rapid.StringOfN(rapid.RuneFrom([]rune("abü:*")), 0, 10, -1).Draw(t, "text")
		if got, want := Wildcard(p, s), glob(p, s, false); got != want {
			t.Fatalf("%q of %q: got %v, want %v", p, s, got, want)
		}
	})
}
