package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
)

// What a caller can choose, such as a tag or a name, never widens what a policy
// says.
func TestValuesCannotWiden(t *testing.T) {
	t.Parallel()
	const mine, likeMine = `"arn:aws:s3:::b/${aws:PrincipalTag/team}/*"`, `{"StringLike":{"s3:prefix":"${aws:PrincipalTag/team}/*"}}`
	for _, value := range []string{
		"*", "?", "**", "b*", "blu?", "${*}", "${aws:PrincipalTag/team}", "${aws:userid}", "*/../blue", "../blue", "x/../blue", "..", ".", "", "blue/*", "/", "//",
		"\u2217", "\uff0a", "bl\x00ue", "blue\x00", "BLUE", "bluе", "ｂlue", "blue ", " blue", "arn:aws:s3:::b/blue", ":", "blue:*", strings.Repeat("*", 256),
	} {
		who := session
		who.Tags = map[string]string{"team": value}
		ask := func(statement string, keys Keys) Effect {
			r := &Request{Principal: who, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/blue/k", ResourceAccount: here, Context: keys}
			return Evaluate(r, &Set{Identity: []*Policy{statements(t, InlinePolicy, statement)}}).Effect
		}
		for _, statement := range []string{
			`{"Effect":"Allow","Action":"*","Resource":` + mine + `}`,
			`{"Effect":"Allow","Action":"*","Resource":"*","Condition":` + likeMine + `}`,
			`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"s3:prefix":"${aws:PrincipalTag/team}/"}}}`,
			`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::b/${aws:PrincipalTag/team}/*"}}}`,
		} {
			if got := ask(statement, Keys{"s3:prefix": {"blue/"}, "aws:sourcearn": {"arn:aws:s3:::b/blue/k"}}); got != ImplicitDeny {
				t.Errorf("tag %q, %s: got %v, want an implicit deny", value, statement, got)
			}
		}
	}
}

// Nor does it take the caller out of a Deny that does not speak of it.
func TestValuesCannotEscape(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"*", "*/*", "a*b", "?", "\x00", "a\nb", "ü", "\u212a", "${aws:username}", "a:b:c:d", "..", "a/../b", "\xff", strings.Repeat("a", 1024)} {
		for _, pattern := range []string{"*", "arn:aws:s3:::b/*", "arn:aws:s3:::b*", "arn:*:s3:::b/*", "arn:aws:s3:*:*:b/*", "arn:aws:*", "arn:aws:s3:::*/*"} {
			r := &Request{Principal: user, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/" + key, ResourceAccount: here}
			set := &Set{Identity: []*Policy{statements(t, InlinePolicy, allowGet+`,{"Effect":"Deny","Action":"s3:*","Resource":"`+pattern+`"}`)}}
			if got := Evaluate(r, set).Effect; got != ExplicitDeny {
				t.Errorf("key %q, Deny of %s: got %v", key, pattern, got)
			}
		}
	}
}

// A document that means one thing to a reader and another to a program is
// refused; when it was stored all the same, it grants nothing.
func TestConfusingDocuments(t *testing.T) {
	t.Parallel()
	in := func(statement string) string { return `{"Version":"2012-10-17","Statement":` + statement + `}` }
	act := func(rest string) string {
		return in(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"` + rest + `}`)
	}
	for name, text := range map[string]string{
		"effect twice":                    act(`,"Effect":"Deny"`),
		"effect twice, escaped":           act(`,"\u0045ffect":"Deny"`),
		"condition twice":                 act(`,"Condition":{"Bool":{"aws:SecureTransport":"true"}},"Condition":{}`),
		"key twice by case":               act(`,"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8","AWS:sourceip":"0.0.0.0/0"}}`),
		"statement twice":                 `{"Version":"2012-10-17","Statement":` + denyGet + `,"Statement":` + allowGet + `}`,
		"version twice":                   `{"Version":"2008-10-17","Version":"2012-10-17","Statement":` + allowGet + `}`,
		"members that differ by case":     act(`,"EFFECT":"Deny"`),
		"effect of look-alikes":           in(`{"Effect":"\u0410llow","Action":"*","Resource":"*"}`),
		"effect full-width":               in(`{"Effect":"\uff21llow","Action":"*","Resource":"*"}`),
		"effect with NUL":                 in(`{"Effect":"Allow\u0000","Action":"*","Resource":"*"}`),
		"effect with space":               in(`{"Effect":"Allow ","Action":"*","Resource":"*"}`),
		"member of look-alikes":           in(`{"Effect":"Allow","\u0410ction":"*","Action":"s3:Get*","Resource":"*"}`),
		"action with NUL":                 in(`{"Effect":"Deny","Action":"s3:GetObject\u0000","Resource":"*"}`),
		"action full-width":               in(`{"Effect":"Deny","Action":"s3\uff1aGetObject","Resource":"*"}`),
		"action with full-width asterisk": in(`{"Effect":"Deny","Action":"s3:\uff0a","Resource":"*"}`),
		"service of look-alikes":          in(`{"Effect":"Deny","Action":"*","Resource":"arn:aws:\u04553:::b"}`),
		"partition of look-alikes":        in(`{"Effect":"Deny","Action":"*","NotResource":["arn:aws:s3:::b","arn:\u0430ws:s3:::b"]}`),
		"key of look-alikes":              in(`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"\u0430ws:SourceIp":"10.0.0.0/8"}}}`),
		"key with zero-width space":       in(`{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:Source\u200bIp":"10.0.0.0/8"}}}`),
		"variable of look-alikes":         in(`{"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::b/${aws:usern\u0430me}"}`),
		"operator of look-alikes":         act(`,"Condition":{"String\u0415quals":{"a:b":"c"}}`),
		"number for a string":             in(`{"Effect":1,"Action":"*","Resource":"*"}`),
		"number for an action":            in(`{"Effect":"Allow","Action":[1],"Resource":"*"}`),
		"object for a list":               in(`{"Effect":"Allow","Action":{"0":"*"},"Resource":"*"}`),
		"object for a value":              act(`,"Condition":{"StringEquals":{"a:b":{"c":"d"}}}`),
		"list for a condition":            act(`,"Condition":[{"StringEquals":{"a:b":"c"}}]`),
		"list for keys":                   act(`,"Condition":{"StringEquals":["a:b","c"]}`),
		"list in a list":                  in(`{"Effect":"Allow","Action":[["*"]],"Resource":"*"}`),
		"string for a statement":          in(`"Allow"`),
		"document in a string":            `"{\"Statement\":[]}"`,
		"null for a list":                 in(`{"Effect":"Allow","Action":null,"Resource":"*"}`),
		"true for a resource":             in(`{"Effect":"Allow","Action":"*","Resource":true}`),
		"a huge number":                   act(`,"Condition":{"NumericLessThan":{"a:b":1` + strings.Repeat("0", 400) + `}}`),
		"a huge exponent":                 act(`,"Condition":{"NumericLessThan":{"a:b":1e999999999}}`),
		"a huge date":                     act(`,"Condition":{"DateLessThan":{"a:b":"9223372036854775807"}}`),
		"a date of five digits":           act(`,"Condition":{"DateLessThan":{"a:b":"10000-01-01T00:00:00Z"}}`),
		"infinity":                        act(`,"Condition":{"NumericLessThan":{"a:b":"Infinity"}}`),
		"no number":                       act(`,"Condition":{"NumericLessThan":{"a:b":"NaN"}}`),
		"byte order mark":                 "\ufeff" + act(``),
		"two documents":                   act(``) + act(``),
		"deeply nested lists":             in(strings.Repeat("[", 9000) + strings.Repeat("]", 9000)),
		"deeply nested objects":           strings.Repeat(`{"Statement":`, 700) + `1` + strings.Repeat(`}`, 700),
		"deeply nested principals":        in(`{"Effect":"Allow","Principal":` + strings.Repeat(`{"AWS":`, 900) + `"*"` + strings.Repeat(`}`, 900) + `}`),
	} {
		for _, kind := range []Kind{InlinePolicy, SessionPolicy, ManagedPolicy} {
			if _, err := Parse(kind, text, Options{}); err == nil || identity.KindOf(err) == identity.KindInternal {
				t.Errorf("%s, kind %d: got %v", name, kind, err)
			}
			r := &Request{Principal: user, Action: "s3:GetObject", Resource: "arn:aws:s3:::b", ResourceAccount: here, Context: Keys{"a:b": {"1"}}}
			if got := Evaluate(r, &Set{Identity: []*Policy{Load(kind, text, Options{})}}).Effect; got == Allow {
				t.Errorf("%s, kind %d: allowed at use", name, kind)
			}
		}
	}
}

// Tags and the ends of ARNs may be spelt in any script.
func TestOtherScripts(t *testing.T) {
	t.Parallel()
	const name = `\u043a\u043b\u044e\u0447`
	p := statements(t, InlinePolicy, `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/`+name+`/${aws:PrincipalTag/`+name+`}","Condition":{"StringEquals":{"aws:RequestTag/`+name+`":"`+name+`"}}}`)
	who := session
	who.Tags = map[string]string{"ключ": "ü"}
	r := &Request{Principal: who, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/ключ/ü", ResourceAccount: here, Context: Keys{"aws:requesttag/ключ": {"ключ"}}}
	if got := Evaluate(r, &Set{Identity: []*Policy{p}}); !got.Allowed() {
		t.Errorf("got %v", got.Effect)
	}
}

// bounded fails when f takes longer than any machine needs for a linear answer
// and less than it would need for a quadratic one.
func bounded(t *testing.T, name string, f func()) {
	t.Helper()
	start := time.Now()
	f()
	took := time.Since(start)
	t.Logf("%-48s %v", name, took.Round(time.Microsecond))
	if took > 5*time.Second {
		t.Errorf("%s took %v", name, took)
	}
}

func TestLargeDocumentsTakeLinearTime(t *testing.T) {
	t.Parallel()
	repeated := func(n int, each func(i int) string) string {
		var list []string
		for i := range n {
			list = append(list, each(i))
		}
		return strings.Join(list, ",")
	}
	document := func(statements string) string { return `{"Version":"2012-10-17","Statement":[` + statements + `]}` }
	condition := func(c string) string {
		return document(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{` + c + `}}}`)
	}
	many := make([]string, 1000)
	r := &Request{Principal: user, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: here, Context: Keys{"a:b": many}}
	for name, text := range map[string]string{
		"10,000 statements": document(repeated(10000, func(i int) string {
			return fmt.Sprintf(`{"Sid":"s%d","Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::other"}`, i)
		})),
		"10,000 statements that match": document(repeated(10000, func(int) string { return `{"Effect":"Allow","Action":"*","Resource":"*"}` })),
		"10,000 condition keys":        condition(repeated(10000, func(i int) string { return fmt.Sprintf(`"a:k%d":"x"`, i) })),
		"10,000 values":                condition(`"a:b":[` + repeated(10000, func(i int) string { return fmt.Sprintf(`"x%d"`, i) }) + `]`),
		"10,000 actions":               document(`{"Effect":"Allow","Action":[` + repeated(10000, func(i int) string { return fmt.Sprintf(`"s3:A%d"`, i) }) + `],"Resource":"*"}`),
	} {
		var p *Policy
		bounded(t, name+": compile", func() {
			var err error
			if p, err = compile(InlinePolicy, text, &Options{}, true); err != nil {
				t.Fatal(err)
			}
		})
		set := &Set{Identity: []*Policy{p}}
		bounded(t, name+": evaluate", func() { Evaluate(r, set) })
		bounded(t, name+": explain", func() { Explain(r, set) })
		bounded(t, name+": keys", func() { p.ContextKeys() })
	}
	for name, text := range map[string]string{
		"one string":   `{"Statement":"` + strings.Repeat("a", MaxWireSize-16) + `"}`,
		"escapes":      `{"Statement":"` + strings.Repeat(`\u0061`, (MaxWireSize-16)/6) + `"}`,
		"white space":  strings.Repeat(" \n", MaxWireSize/2),
		"brackets":     strings.Repeat("[", MaxWireSize),
		"members":      `{` + strings.Repeat(`"a":1,`, MaxWireSize/6-1),
		"an open key":  `{"Statement":{"Condition":{"` + strings.Repeat(`\\`, MaxWireSize/2-20),
		"a long digit": `{"Statement":{"Condition":{"NumericEquals":{"a:b":` + strings.Repeat("9", MaxWireSize-60) + `}}}}`,
	} {
		bounded(t, "131,072 bytes of "+name, func() {
			if p := Load(ResourcePolicy, text, Options{}); p.Unreadable() == nil {
				t.Errorf("%s was read", name)
			}
		})
	}
}

func TestHostilePatternsTakeBoundedTime(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a", 1<<16)
	for name, pattern := range map[string]string{
		"*a*a…b":     strings.Repeat("*a", 1000) + "b",
		"*?a?a…b":    "*" + strings.Repeat("?a", 1000) + "b",
		"*???…b":     "*" + strings.Repeat("?", 2000) + "b",
		"*aaa…b":     "*" + strings.Repeat("a", 2000) + "b",
		"?*?*…b":     strings.Repeat("?*", 1000) + "b",
		"*a?*a?…b":   strings.Repeat("*a?", 600) + "b",
		"*aa?…*aa?b": strings.Repeat("*"+strings.Repeat("a", 60)+strings.Repeat("?", 16), 20) + "b",
		"**…*b":      strings.Repeat("*", 2000) + "b",
	} {
		bounded(t, name, func() {
			for range 10 {
				if Wildcard(pattern, text) {
					t.Errorf("%s matched", name)
				}
			}
		})
	}
	p, err := compilePattern("*"+strings.Repeat("${a:b}", 300)+"b", wildcards|variables)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"a", strings.Repeat("a", 20)} {
		values := make([]string, 300)
		for i := range values {
			values[i] = value
		}
		bounded(t, fmt.Sprintf("300 variables of %d characters", len(value)), func() { p.matches(values, text) })
	}
}
