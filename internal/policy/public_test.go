package policy

import (
	"fmt"
	"testing"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	const role = `"AROAEXAMPLEEXAMPLE"`
	tests := []struct {
		name, principal, condition string
		want                       bool
	}{
		{"everyone", `"*"`, ``, true},
		{"everyone in a list", `{"AWS":["123456789012","*"]}`, ``, true},
		{"an account", `{"AWS":"123456789012"}`, ``, false},
		{"a role", `{"AWS":` + role + `}`, ``, false},
		{"network", `"*"`, `{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","2001:db8::/32"]}}`, false},
		{"private network", `"*"`, `{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","fc00::/7"]}}`, false},
		{"wide network", `"*"`, `{"IpAddress":{"aws:SourceIp":"0.0.0.0/1"}}`, true},
		{"one wide network of two", `"*"`, `{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","::/0"]}}`, true},
		{"wide network around a private one", `"*"`, `{"IpAddress":{"aws:SourceIp":"10.0.0.0/7"}}`, true},
		{"all but a network", `"*"`, `{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`, true},
		{"principal", `"*"`, `{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/x"}}`, false},
		{"principals by wildcard", `"*"`, `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/*"}}`, true},
		{"account, case of the key", `"*"`, `{"StringEquals":{"AWS:principalACCOUNT":"123456789012"}}`, false},
		{"account if there is one", `"*"`, `{"StringEqualsIfExists":{"aws:PrincipalAccount":"123456789012"}}`, true},
		{"all of no accounts", `"*"`, `{"ForAllValues:StringEquals":{"aws:PrincipalAccount":"123456789012"}}`, true},
		{"another account than", `"*"`, `{"StringNotEquals":{"aws:PrincipalAccount":"123456789012"}}`, true},
		{"a variable", `"*"`, `{"StringEquals":{"aws:PrincipalAccount":"${aws:ResourceAccount}"}}`, true},
		{"sessions of a role", `"*"`, `{"StringLike":{"aws:userid":"AROAEXAMPLEEXAMPLE:*"}}`, false},
		{"any user ID", `"*"`, `{"StringLike":{"aws:userid":"AROA*:*"}}`, true},
		{"user agent", `"*"`, `{"StringEquals":{"aws:UserAgent":"x"}}`, true},
		{"referer", `"*"`, `{"StringLike":{"aws:Referer":"https://example.com/*"}}`, true},
		{"tag", `"*"`, `{"StringEquals":{"aws:PrincipalTag/team":"x"}}`, true},
		{"key is there", `"*"`, `{"Null":{"aws:SourceVpc":"false"}}`, true},
	}
	for _, tt := range tests {
		condition := ""
		if tt.condition != "" {
			condition = `,"Condition":` + tt.condition
		}
		for effect, want := range map[string]bool{"Allow": tt.want, "Deny": false} {
			text := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/x"},
				{"Effect":%q,"Principal":%s,"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"%s}]}`, effect, tt.principal, condition)
			p, err := Parse(ResourcePolicy, text, Options{})
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if got := p.Public(); got != want {
				t.Errorf("%s, %s: public %v, want %v", tt.name, effect, got, want)
			}
		}
	}
	if Load(ResourcePolicy, "{", Options{}).Public() {
		t.Error("a policy that cannot be read is public")
	}
}
