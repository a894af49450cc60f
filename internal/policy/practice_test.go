package policy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// Policies as people write them, each with what it allows and what it denies,
// and the statement that an explanation names for the latter.
func TestPractice(t *testing.T) {
	t.Parallel()
	tagged := session
	tagged.Tags = map[string]string{"team": "blue"}
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	type ask struct {
		who              Principal
		action, resource string
		keys             Keys
		want             Effect
		names            string // Sid of the deciding statement or of the nearest miss
	}
	for name, c := range map[string]struct {
		identity, boundary, session, resource string
		asks                                  []ask
	}{
		"read only": {
			identity: `{"Sid":"Read","Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":"*"}`,
			asks: []ask{
				{user, "s3:GetObject", "arn:aws:s3:::b/k", nil, Allow, "Read"},
				{user, "s3:PutObject", "arn:aws:s3:::b/k", nil, ImplicitDeny, ""},
			},
		},
		"prefix per user": {
			identity: `{"Sid":"List","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::home","Condition":{"StringLike":{"s3:prefix":["${aws:username}/*","${aws:username}"]}}},
				{"Sid":"Own","Effect":"Allow","Action":"s3:*Object","Resource":"arn:aws:s3:::home/${aws:username}/*"}`,
			asks: []ask{
				{user, "s3:PutObject", "arn:aws:s3:::home/ann/x", nil, Allow, "Own"},
				{user, "s3:PutObject", "arn:aws:s3:::home/bob/x", nil, ImplicitDeny, "Own"},
				{user, "s3:ListBucket", "arn:aws:s3:::home", Keys{"s3:prefix": {"ann/"}}, Allow, "List"},
				{user, "s3:ListBucket", "arn:aws:s3:::home", Keys{"s3:prefix": {""}}, ImplicitDeny, "List"},
			},
		},
		"MFA": {
			identity: allowGet + `,{"Sid":"MFA","Effect":"Deny","NotAction":["iam:EnableMFADevice","sts:GetSessionToken"],"Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}`,
			asks: []ask{
				{user, "s3:GetObject", "arn:aws:s3:::b/k", Keys{"aws:multifactorauthpresent": {"true"}}, Allow, ""},
				{user, "s3:GetObject", "arn:aws:s3:::b/k", Keys{"aws:multifactorauthpresent": {"false"}}, ExplicitDeny, "MFA"},
				{user, "s3:GetObject", "arn:aws:s3:::b/k", nil, ExplicitDeny, "MFA"},
			},
		},
		"address": {
			identity: allowGet + `,{"Sid":"Office","Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":["192.0.2.0/24","203.0.113.0/24"]}}}`,
			asks: []ask{
				{user, "s3:GetObject", "arn:aws:s3:::b/k", Keys{"aws:sourceip": {"203.0.113.3"}}, Allow, ""},
				{user, "s3:GetObject", "arn:aws:s3:::b/k", Keys{"aws:sourceip": {"198.51.100.3"}}, ExplicitDeny, "Office"},
			},
		},
		"by tag": {
			identity: `{"Sid":"Team","Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"s3:ExistingObjectTag/team":"${aws:PrincipalTag/team}"}}}`,
			asks: []ask{
				{tagged, "s3:GetObject", "arn:aws:s3:::b/k", Keys{"s3:existingobjecttag/team": {"blue"}}, Allow, "Team"},
				{tagged, "s3:GetObject", "arn:aws:s3:::b/k", Keys{"s3:existingobjecttag/team": {"red"}}, ImplicitDeny, "Team"},
				{session, "s3:GetObject", "arn:aws:s3:::b/k", Keys{"s3:existingobjecttag/team": {"blue"}}, ImplicitDeny, "Team"},
			},
		},
		"encryption": {
			identity: allowPut,
			resource: `{"Sid":"Encrypt","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*","Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption":["AES256","aws:kms"]}}}`,
			asks: []ask{
				{user, "s3:PutObject", "arn:aws:s3:::b/k", Keys{"s3:x-amz-server-side-encryption": {"AES256"}}, Allow, ""},
				{user, "s3:PutObject", "arn:aws:s3:::b/k", nil, ExplicitDeny, "Encrypt"},
			},
		},
		"session policy": {
			identity: `{"Sid":"All","Effect":"Allow","Action":"s3:*","Resource":"*"}`,
			session:  `{"Sid":"Narrow","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/in/*"}`,
			asks: []ask{
				{session, "s3:GetObject", "arn:aws:s3:::b/in/k", nil, Allow, "All"},
				{session, "s3:GetObject", "arn:aws:s3:::b/out/k", nil, ImplicitDeny, "Narrow"},
			},
		},
		"boundary": {
			identity: `{"Sid":"All","Effect":"Allow","Action":"*","Resource":"*"}`,
			boundary: `{"Sid":"Fence","Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::dev-*"}`,
			asks: []ask{
				{user, "s3:GetObject", "arn:aws:s3:::dev-1/k", nil, Allow, "All"},
				{user, "s3:GetObject", "arn:aws:s3:::prod/k", nil, ImplicitDeny, "Fence"},
				{user, "iam:CreateUser", "arn:aws:iam::" + here + ":user/x", nil, ImplicitDeny, ""},
			},
		},
		"time window": {
			identity: `{"Sid":"March","Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2026-03-01T00:00:00Z"},"DateLessThan":{"aws:CurrentTime":"2026-04-01T00:00:00Z"}}},
				{"Sid":"April","Effect":"Allow","Action":"s3:PutObject","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2026-04-01T00:00:00Z"}}}`,
			asks: []ask{
				{user, "s3:GetObject", "arn:aws:s3:::b/k", nil, Allow, "March"},
				{user, "s3:PutObject", "arn:aws:s3:::b/k", nil, ImplicitDeny, "April"},
			},
		},
	} {
		set := new(Set)
		if c.identity != "" {
			set.Identity = []*Policy{statements(t, InlinePolicy, c.identity)}
		}
		if c.boundary != "" {
			set.Boundary = statements(t, BoundaryPolicy, c.boundary)
		}
		if c.session != "" {
			set.Session = []*Policy{statements(t, SessionPolicy, c.session)}
		}
		if c.resource != "" {
			set.Resource = statements(t, ResourcePolicy, c.resource)
		}
		for _, a := range c.asks {
			r := &Request{Principal: a.who, Action: a.action, Resource: a.resource, ResourceAccount: here, Time: noon, Context: a.keys}
			e := Explain(r, set)
			got := ""
			if e.Deciding != nil {
				got = e.Deciding.Sid
			} else if len(e.Misses) > 0 {
				got = e.Misses[0].Sid
			}
			if e.Decision.Effect != a.want || got != a.names {
				t.Errorf("%s: %s on %s with %v: got %s by %q, want %v by %q", name, a.action, a.resource, a.keys, e.Effect, got, a.want, a.names)
			}
		}
	}
}

// However much there is to tell, an encoded explanation stays in its bound.
func TestEncode(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 200)
	var s []string
	for range 8 {
		s = append(s, `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"test:a":["`+long+`","b"],"test:b":"`+long+`","test:c":"x"}}}`)
	}
	set := &Set{Identity: []*Policy{Load(InlinePolicy, `{"Version":"2012-10-17","Statement":[`+strings.Join(s, ",")+`]}`, Options{ID: long + long})}}
	keys := Keys{"test:a": {long + long, long, long}, "test:b": {long + long}}
	r := &Request{Principal: user, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: here, Context: keys}
	e := Explain(r, set)
	if len(e.Misses) != MaxMisses {
		t.Errorf("got %d misses", len(e.Misses))
	}
	for _, limit := range []int{100_000, 8_000, 7_000, 2_000, 60, 10} {
		b := e.Encode(limit)
		if len(b) > limit || (len(b) == 0) != (limit == 10) {
			t.Errorf("limit %d: got %d bytes", limit, len(b))
		}
		var back Explanation
		if err := json.Unmarshal(b, &back); limit > 10 && (err != nil || back.Effect != e.Effect) {
			t.Errorf("limit %d: got %v, %+v", limit, err, back)
		}
		if limit >= 2_000 && len(back.Misses) == 0 {
			t.Errorf("limit %d: no miss is left", limit)
		}
	}
}
