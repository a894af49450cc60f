package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// rgwRole is the role of Ceph's STS that takes tokens of the realm shasta.
const rgwRole = "bench-people"

// trust registers the realm shasta of a server at Ceph, and makes the role. It
// returns the role's ARN.
func (c *ceph) trust(issuer string) (string, error) {
	name := strings.TrimPrefix(issuer, "http://")
	all := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":["arn:aws:iam:::oidc-provider/` + name +
		`"]},"Action":["sts:AssumeRoleWithWebIdentity"],"Condition":{"StringEquals":{"` + name + `:app_id":"shasta"}}}]}`
	for _, form := range []url.Values{
		{"Action": {"CreateOpenIDConnectProvider"}, "Url": {issuer}, "ClientIDList.member.1": {"shasta"}, "ThumbprintList.member.1": {strings.Repeat("0", 40)}},
		{"Action": {"CreateRole"}, "RoleName": {rgwRole}, "AssumeRolePolicyDocument": {trust}},
		{"Action": {"PutRolePolicy"}, "RoleName": {rgwRole}, "PolicyName": {"s3"}, "PolicyDocument": {all}},
	} {
		request, err := c.form("iam", form)
		if err != nil {
			return "", err
		}
		if _, err := (&load{at: c.at, conns: 1, requests: [][]byte{request}, once: true}).run(); err != nil {
			return "", fmt.Errorf("%s: %w", form.Get("Action"), err)
		}
	}
	return "arn:aws:iam:::role/" + rgwRole, nil
}

// form is a whole signed request to Ceph's IAM or STS.
func (c *ceph) form(service string, form url.Values) ([]byte, error) {
	k := keys{AccessKeyID: c.AccessKey, SecretAccessKey: c.SecretKey}
	return signed(c.at, k, service, "POST", "/", []byte(form.Encode()), "", http.Header{"Content-Type": {formType}})
}

// brokerSite is a token service that gives keys of Ceph's STS.
const brokerSite = `roles:
  - account: "%[1]s"
    name: bench-people
    inline_policies:
      broker: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "daypass:BrokerCredentials", Resource: "*"}]}
    trust:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Principal: {Federated: "arn:aws:iam::%[1]s:oidc-provider/%[2]s"}
          Action: ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]
          Condition: {StringEquals: {"%[2]s:aud": shasta}}
token_services:
  - account: "%[1]s"
    name: cray
    realms: [shasta]
    audience: [shasta]
    keys: upstream
    upstream: ceph
    endpoint_url: %[3]s
    rules: [{claim: resource_access.shasta.roles, value: admin, role: bench-people, upstream_role: "%[4]s"}]
`

// broker puts the token service in force.
func (c *ceph) broker(b *bench, s *server, issuer string) error {
	return s.apply(b, fmt.Sprintf(brokerSite, s.ready.AccountID, strings.TrimPrefix(issuer, "http://"), c.Endpoint, c.RoleARN))
}

// tokenService asks a token service for keys.
func tokenService(at target, token string) []byte {
	return fmt.Appendf(nil, "PUT /apis/sts/token HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 0\r\n\r\n", at.address, userAgent, token)
}

// rgwBroker measures the token service: with keys of ours, then with Ceph's, in
// turns with Ceph's own AssumeRole. Each caller's log-in is its own, so that
// fresh tokens find no keys of an earlier one; a token seen before does.
func (b *bench) rgwBroker(c *ceph, s *server) error {
	issuer, err := s.issuer("shasta")
	if err != nil {
		return err
	}
	assume, err := c.form("sts", url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {c.RoleARN}, "RoleSessionName": {"bench"}})
	if err != nil {
		return err
	}
	b.report.heading("Token service (PUT /apis/sts/token), requests per second (base: Ceph's own AssumeRole, signed)")
	for _, kind := range []string{"keys of ours", "keys of Ceph"} {
		if kind == "keys of Ceph" {
			if err := c.broker(b, s, issuer); err != nil {
				return err
			}
		}
		for _, conns := range []int{1, 16} {
			tokens, err := s.clientTokens(1 + b.fresh*b.rounds)
			if err != nil {
				return err
			}
			var fresh [][]byte
			for _, token := range tokens[1:] {
				fresh = append(fresh, tokenService(s.at, token))
			}
			direct := &load{at: c.at, conns: conns, requests: [][]byte{assume}, duration: b.duration, pids: []int{c.gateway}}
			again := b.loadOn(s, conns, tokenService(s.at, tokens[0]))
			once := b.loadOn(s, conns, fresh...)
			once.once, once.part = true, b.fresh
			again.status, once.status = http.StatusCreated, http.StatusCreated
			all, err := b.turns(direct, once, again)
			if err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			for i, name := range []string{"", "fresh token", "token seen before"} {
				if i > 0 {
					b.report.add(fmt.Sprintf("%s, %s, %d connections", kind, name, conns), fmt.Sprintf("%.0f/s", all.median(i, rate)),
						fmt.Sprintf("Ceph %.0f/s", all.median(0, rate)), fmt.Sprintf("%.2f ×", all.ratio(i, 0, rate)), "",
						fmt.Sprintf("CPU %s, latency %s; Ceph %s", short(duration(all.median(i, cpuFirst))), short(duration(all.median(i, half))), short(duration(all.median(0, half)))))
				}
			}
		}
	}
	return nil
}

// rgwKeys measures how fast keys are had: of our STS and of Ceph's for the same
// token.
func (b *bench) rgwKeys(c *ceph, s *server) error {
	tokens, err := s.clientTokens(1 + b.fresh*b.rounds)
	if err != nil {
		return err
	}
	issuer, err := s.issuer("shasta")
	if err != nil {
		return err
	}
	role, err := c.trust(issuer)
	if err != nil {
		return err
	}
	assume, err := c.form("sts", url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {c.RoleARN}, "RoleSessionName": {"bench"}})
	if err != nil {
		return err
	}
	var fresh [][]byte
	for _, token := range tokens[1:] {
		fresh = append(fresh, webIdentity(s.at, s.adminARN(), token))
	}
	b.report.heading("Keys for an RS256 token, requests per second (ours: audit event on disk before the answer; Ceph reads our key set at each call)")
	for _, conns := range []int{1, 16} {
		at := func(request []byte) *load {
			return &load{at: c.at, conns: conns, requests: [][]byte{request}, duration: b.duration, pids: []int{c.gateway}}
		}
		once := b.loadOn(s, conns, fresh...)
		once.once, once.part = true, b.fresh/2
		fresh = fresh[b.fresh/2*b.rounds:]
		all, err := b.turns(at(webIdentity(c.at, role, tokens[0])), b.loadOn(s, conns, webIdentity(s.at, s.adminARN(), tokens[0])), once, at(assume))
		if err != nil {
			return err
		}
		for i, name := range []string{"", "AssumeRoleWithWebIdentity, token seen before", "AssumeRoleWithWebIdentity, fresh token", "Ceph's AssumeRole, signed"} {
			if i > 0 {
				b.report.add(fmt.Sprintf("%s, %d connections", name, conns), fmt.Sprintf("%.0f/s", all.median(i, rate)),
					fmt.Sprintf("Ceph with the token %.0f/s", all.median(0, rate)), fmt.Sprintf("%.2f ×", all.ratio(i, 0, rate)), "",
					fmt.Sprintf("CPU %s, latency %s; Ceph %s, %s", short(duration(all.median(i, cpuFirst))), short(duration(all.median(i, half))),
						short(duration(all.median(0, cpuFirst))), short(duration(all.median(0, half)))))
			}
		}
	}
	return nil
}

// issuer is what a realm calls itself.
func (s *server) issuer(realm string) (string, error) {
	resp, err := http.Get(s.ready.URL + "/auth/realms/" + realm + "/.well-known/openid-configuration")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var doc struct{ Issuer string }
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil || doc.Issuer == "" {
		return "", errors.Join(err, errors.New("a realm without issuer"))
	}
	return doc.Issuer, nil
}
