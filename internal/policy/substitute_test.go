package policy

import (
	"encoding/json"
	"strings"
	"testing"

	"daypass/internal/identity"
)

func TestSubstitute(t *testing.T) {
	t.Parallel()
	r := &Request{
		Principal: Principal{Kind: identity.RoleSession, Account: "123456789012", UserID: "AROA:alice", Tags: map[string]string{
			"team": "red", "Quote": `a"b\c`, "star": "a*", "question": "a?", "dollar": "a${x}", "brace": "{aws:userid}", "empty": "", "dots": "..", "slash": "a/b", "space": "a b",
		}},
		Context: Keys{"aws:sourceidentity": {"alice"}, "several": {"a", "b"}},
	}
	for _, tt := range []struct{ in, want string }{
		{"arn:aws:s3:::b/${aws:PrincipalTag/TEAM}/*", "arn:aws:s3:::b/red/*"},
		{"${aws:SourceIdentity}${aws:userid}", "aliceAROA:alice"},
		{"${aws:PrincipalTag/quote}", `a"b\c`},
		{"${aws:PrincipalTag/none, 'nobody'}", "nobody"},
		{"a${*}b${?}c${$}d$e{f}", "a${*}b${?}c${$}d$e{f}"},
		{"${aws:PrincipalTag/space}", "a b"},
		{"${aws:PrincipalTag/star}", ""},
		{"${aws:PrincipalTag/question}", ""},
		{"${aws:PrincipalTag/dollar}", ""},
		{"${aws:PrincipalTag/empty}", ""},
		{"$${aws:PrincipalTag/brace}", ""},
		{"${aws:PrincipalTag/dots}", ""},
		{"${aws:PrincipalTag/slash}", ""},
		{"${aws:PrincipalTag/none}", ""},
		{"${aws:username}", ""},
		{"${several}", ""},
		{"${aws:userid", ""},
		{"${}", ""},
		{"${aws:PrincipalTag/none, '*'}", ""},
	} {
		for name, document := range map[string]any{
			"resource":  map[string]any{"Statement": []any{map[string]any{"Effect": "Allow", "Resource": []any{"x", tt.in}}}},
			"condition": map[string]any{"Statement": map[string]any{"Condition": map[string]any{"StringLike": map[string]any{"s3:prefix": tt.in}}}},
		} {
			b, err := json.MarshalIndent(document, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got, err := Substitute(string(b), r)
			if tt.want == "" {
				if identity.KindOf(err) != identity.KindMalformedPolicy || got != "" {
					t.Errorf("%s, %s: got %s, %v", name, tt.in, got, err)
				}
				continue
			}
			value, _ := json.Marshal(tt.want)
			if err != nil || !strings.Contains(got, string(value)) || strings.ContainsAny(got, "\n\t") || strings.Contains(got, ": ") {
				t.Errorf("%s, %s: got %s, %v", name, tt.in, got, err)
			}
		}
	}
	for _, bad := range []string{"", "{", "{} {}", "nothing"} {
		if got, err := Substitute(bad, r); err == nil {
			t.Errorf("%q: got %q", bad, got)
		}
	}
}

// FuzzSubstitute: what comes out is JSON, and no wildcard is new in it.
func FuzzSubstitute(f *testing.F) {
	f.Add(`{"Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}"}`, "red")
	f.Add(`["${aws:PrincipalTag/team, 'x'}","${*}"]`, `*"],"a":["`)
	f.Fuzz(func(t *testing.T, document, value string) {
		r := &Request{Principal: Principal{Kind: identity.RoleSession, Tags: map[string]string{"team": value}}}
		got, err := Substitute(document, r)
		if err != nil {
			return
		}
		if !json.Valid([]byte(got)) {
			t.Fatalf("%q is no JSON", got)
		}
		var before, after any
		_, _ = json.Unmarshal([]byte(document), &before), json.Unmarshal([]byte(got), &after)
		if a, b := wildcardsIn(before), wildcardsIn(after); b > a {
			t.Errorf("%q became %q", document, got)
		}
	})
}

func wildcardsIn(tree any) (n int) {
	switch x := tree.(type) {
	case string:
		n = strings.Count(x, "*") + strings.Count(x, "?") + strings.Count(x, "$")
	case []any:
		for _, v := range x {
			n += wildcardsIn(v)
		}
	case map[string]any:
		for _, v := range x {
			n += wildcardsIn(v)
		}
	}
	return n
}
