package policy

import (
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"

	"daypass/internal/identity"
)

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		cannedDocument(`"*"`),
		`{"Version":"2012-10-17","Id":"x","Statement":[{"Sid":"a","Effect":"Allow","NotAction":["s3:Get*","iam:?"],"NotResource":"arn:aws:s3:::b/${aws:username, 'x'}/*","Condition":{"ForAnyValue:StringLikeIfExists":{"aws:TagKeys":["a*","${*}"]},"Bool":{"aws:SecureTransport":true}}}]}`,
		`{"Statement":{"Effect":"Deny","Principal":{"AWS":["*","111122223333"],"Federated":"x"},"Action":"s3:*","Resource":"arn:*:s3:::*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"DateLessThan":{"aws:CurrentTime":"2026-01-02"},"NumericEquals":{"s3:max-keys":[1,"2.5"]},"Null":{"a:b":"true"},"ArnLike":{"aws:SourceArn":"arn:aws:s3:::${aws:userid}"},"BinaryEquals":{"a:b":"AA=="}}}}`,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:o/*"}}}}`,
		`{"Statement":[[]]}`, `{"\u0053tatement":{}}`, "\xff", `{"Statement":{"Effect":"Allow","Effect":"Deny"}}`,
	} {
		for kind := InlinePolicy; kind <= TrustPolicy; kind++ {
			f.Add(uint8(kind), text, "s3:GetObject", "arn:aws:s3:::b/k", "ann")
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, text, action, resource, name string) {
		k := Kind(kind)
		p, err := Parse(k, text, Options{ByName: true})
		if (p == nil) == (err == nil) {
			t.Fatal("neither a policy nor an error")
		}
		if p != nil && !json.Valid([]byte(text)) {
			t.Fatal("accepted what is not JSON")
		}
		loaded := Load(k, text, Options{ByName: true})
		if p != nil && loaded.Unreadable() != nil {
			t.Fatal("what was accepted can no longer be read")
		}
		who := Principal{Kind: identity.IAMUser, ARN: userARN, Account: here, ID: "AIDA0000000000000001", Name: name, Tags: map[string]string{name: name}}
		r := &Request{
			Principal: who, Action: action, Resource: resource, ResourceAccount: here, Time: time.Unix(1767323045, 0),
			Context: Keys{"aws:sourceip": {name}, "aws:tagkeys": {name, "a"}, "s3:max-keys": {name}},
		}
		set := &Set{Identity: []*Policy{loaded}}
		if k.hasPrincipal() {
			set = &Set{Resource: loaded}
		}
		d := Evaluate(r, set)
		e := Explain(r, set)
		if e.Effect != d.Effect.String() {
			t.Fatal("explained another decision")
		}
		if _, err := json.Marshal(e); err != nil {
			t.Fatal(err)
		}
		if loaded.Unreadable() != nil && d.Effect != ExplicitDeny && action != "" {
			t.Fatal("an unreadable policy did not deny")
		}
		for i := range loaded.Statements() {
			s := &loaded.Statements()[i]
			if !json.Valid([]byte(s.Source())) || s.Start().Line > s.End().Line {
				t.Fatal("a statement is not where it says")
			}
		}
		set.Session = []*Policy{Load(SessionPolicy, `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`, Options{})}
		if Evaluate(r, set).Allowed() {
			t.Fatal("allowed in spite of a deny")
		}
	})
}

// FuzzEvaluate asks what must hold whatever the documents are.
func FuzzEvaluate(f *testing.F) {
	const object, key = "arn:aws:s3:::b/ann/k", "aws:PrincipalTag/t"
	everyone := `{"Statement":{"Effect":"Allow","Principal":"*",` + bucketTo + `}`
	for who := range uint8(6) {
		f.Add(who, cannedDocument(`"s3:Get*"`), "", "", everyone, "s3:GetObject", object, "x")
		f.Add(who, `{"Version":"2012-10-17","Statement":[`+allowGet+`,{"Effect":"Deny","NotAction":"iam:*","NotResource":"arn:aws:s3:::b/${aws:username}/*"}]}`,
			cannedDocument(`"*"`), cannedDocument(`"s3:*"`), `{"Statement":[{"Effect":"Allow","Principal":{"AWS":["`+userARN+`","`+sessARN+`"]},`+bucketTo+`,{"Effect":"Deny","NotPrincipal":{"AWS":"`+roleARN+`"},`+bucketTo+`]}`,
			"s3:GetObject", object, "ann")
		f.Add(who, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAllValues:StringLike":{"aws:TagKeys":["a*","${`+key+`}"]},"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"ForAnyValue:StringNotEqualsIfExists":{"aws:TagKeys":"b"},"DateLessThan":{"aws:CurrentTime":"2020-01-01"},"NumericGreaterThan":{"s3:max-keys":"1e3"}}}]}`,
			"", "", "", "iam:GetUser", "*", "10.1.2.3")
	}
	callers := []Principal{user, session, fed, root, nobody, web}
	f.Fuzz(func(t *testing.T, who uint8, byIdentity, boundary, session, resource, action, asked, value string) {
		set := new(Set)
		load := func(kind Kind, text string) *Policy {
			p, err := Parse(kind, text, Options{ByName: true})
			loaded := Load(kind, text, Options{ByName: true})
			if err == nil && (loaded.Unreadable() != nil || len(loaded.statements) != len(p.statements)) {
				t.Fatalf("accepted, but read otherwise: %v", loaded.Unreadable())
			}
			return loaded
		}
		if byIdentity != "" {
			set.Identity = []*Policy{load(InlinePolicy, byIdentity)}
		}
		if boundary != "" {
			set.Boundary = load(BoundaryPolicy, boundary)
		}
		if session != "" {
			set.Session = []*Policy{load(SessionPolicy, session)}
		}
		if resource != "" {
			set.Resource = load(ResourcePolicy, resource)
		}
		r := &Request{
			Principal: callers[int(who)%len(callers)], Action: action, Resource: asked, ResourceAccount: here, Time: time.Unix(1767323045, 0),
			Context: Keys{"aws:sourceip": {value}, "aws:tagkeys": {value, "a"}, "s3:max-keys": {value}},
		}
		r.Principal.Tags = map[string]string{"t": value}
		checkProperties(t, r, set)
	})
}

func checkProperties(t *testing.T, r *Request, set *Set) {
	t.Helper()
	d := Evaluate(r, set)
	if again := Evaluate(r, set); again != d {
		t.Fatalf("decided %v, then %v", d, again)
	}
	if e := Explain(r, set); e.Effect != d.Effect.String() || e.Decision != d {
		t.Fatalf("explained %s, decided %v", e.Effect, d.Effect)
	}
	// A policy with fewer Allows, or more Denies, never permits more.
	without := func(p *Policy, keep func(*Statement) bool) *Policy {
		less := *p
		less.statements = nil
		for i := range p.statements {
			if keep(&p.statements[i]) {
				less.statements = append(less.statements, p.statements[i])
			}
		}
		return &less
	}
	noDeny := func(s *Statement) bool { return s.Effect == Allow }
	for _, place := range placesOf(set) {
		p := *place
		if p == nil || p.unreadable != nil {
			continue
		}
		for i := range p.statements {
			*place = without(p, func(s *Statement) bool { return s.Index != i || s.Effect != Allow })
			if got := Evaluate(r, set); got.Allowed() && !d.Allowed() {
				t.Fatalf("taking away the Allow %d grants", i)
			}
		}
		*place = without(p, noDeny)
		if got := Evaluate(r, set); d.Allowed() && !got.Allowed() {
			t.Fatal("taking away Denies refuses")
		}
		*place = p
		if d.Effect == ExplicitDeny && d.Statement != nil && !d.Policy.kind.hasPrincipal() {
			if got := Evaluate(r, &Set{Identity: []*Policy{d.Policy, Load(InlinePolicy, cannedDocument(`"*"`), Options{})}}); got.Effect != ExplicitDeny {
				t.Fatal("an Allow beats a Deny")
			}
		}
	}
	if r.Action == "" {
		return
	}
	// A limit more never grants, but that a federated user has rights by its
	// session policies only.
	limited := *set
	if limited.Boundary == nil {
		limited.Boundary = Load(BoundaryPolicy, cannedDocument(`"*"`), Options{})
	}
	if r.Principal.Kind != identity.Federated {
		limited.Session = append(limited.Session[:len(limited.Session):len(limited.Session)], Load(SessionPolicy, cannedDocument(`"s3:*"`), Options{}))
	}
	if got := Evaluate(r, &limited); got.Allowed() && !d.Allowed() && len(set.Session) == 0 {
		t.Fatal("a limit grants")
	}
	denied := *set
	denied.Identity = append(denied.Identity[:len(denied.Identity):len(denied.Identity)], Load(InlinePolicy, `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`, Options{}))
	if got := Evaluate(r, &denied); got.Effect != ExplicitDeny {
		t.Fatalf("got %v in spite of a deny", got.Effect)
	}
}

// placesOf are the places of a set that hold a policy.
func placesOf(set *Set) []**Policy {
	out := []**Policy{&set.Boundary, &set.Resource}
	for i := range set.Identity {
		out = append(out, &set.Identity[i])
	}
	for i := range set.Session {
		out = append(out, &set.Session[i])
	}
	return out
}

// FuzzOrder: values that compare at all are less, equal or greater, and the
// other way round when they change places.
func FuzzOrder(f *testing.F) {
	for _, s := range []string{"1", "-1e3", "9007199254740993", "+5", "2026-01-02", "2026-01-02T03:04:05.5+01:00", "253402300799", "9223372036854775807", "1e-400", "-0"} {
		f.Add(s, "10")
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, okX := parseNumber(a)
		y, okY := parseNumber(b)
		if okX && okY && (x.compare(y) != -y.compare(x) || x.compare(x) != 0) {
			t.Fatal("numbers without order")
		}
		d, okD := parseDate(a)
		e, okE := parseDate(b)
		if okD && okE && (d.Compare(e) != -e.Compare(d) || d.Year() > 9999) {
			t.Fatal("dates without order")
		}
		if n, ok := parseNetwork(a); ok && !n.Contains(n.Addr()) {
			t.Fatal("a network without its own address")
		}
	})
}

func FuzzWildcard(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("*ü?", "aüb")
	f.Add("**", "")
	f.Add("*???????????????????b", "aaaaaaaaaaaaaaaaaaaaab")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		got := Wildcard(pattern, s)
		if pattern == s && len(s) <= MaxPattern && !got {
			t.Fatal("a text does not match itself")
		}
		if got && Wildcard(pattern+"*", s+"tail") != (len(pattern) < MaxPattern) {
			t.Fatal("a longer text does not match the longer pattern")
		}
		if len(pattern) > MaxPattern || !utf8.ValidString(pattern) || !utf8.ValidString(s) {
			return
		}
		p, err := compilePattern(pattern, wildcards)
		if err != nil {
			t.Fatal(err)
		}
		if crowd, ok := p.places(nil); ok && crowd.match(s, false) != p.search(nil, s) {
			t.Fatal("the two ways to match disagree")
		}
	})
}
