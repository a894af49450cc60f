package main

import (
	"slices"
	"strings"

	"daypass/internal/awswire"
	"daypass/internal/client"
)

// stale are the variables that are taken from a child's environment before ours
// are set: each could lead a client to other keys or another endpoint. A name
// that ends in "_" stands for all that begin so.
var stale = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_FILE",
	"AWS_DEFAULT_PROFILE", "AWS_PROFILE", "AWS_SDK_LOAD_CONFIG", "AWS_CREDENTIAL_EXPIRATION",
	"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
	"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
	"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	envProfile, envPassphrase,
}

// variable is one variable of an environment.
type variable struct{ name, value string }

// awsVariables are what a client of AWS reads, in the order that env prints.
func awsVariables(p client.Profile, k client.Keys) []variable {
	out := []variable{
		{"AWS_ACCESS_KEY_ID", k.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", k.SecretAccessKey.Reveal()},
		{"AWS_SESSION_TOKEN", k.SessionToken.Reveal()},
		{"AWS_CREDENTIAL_EXPIRATION", awswire.FormatTime(k.ExpiresAt)},
		{"AWS_REGION", p.Region},
		{"AWS_DEFAULT_REGION", p.Region},
		{"AWS_ENDPOINT_URL", p.Endpoint},
	}
	if p.CAFile != "" {
		out = append(out, variable{"AWS_CA_BUNDLE", p.CAFile})
	}
	return out
}

// childEnvironment is environ without what is stale, with the keys in it.
func childEnvironment(environ []string, p client.Profile, k client.Keys) []string {
	set := append(awsVariables(p, k), variable{envProfile, p.Name})
	out := slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.ContainsFunc(stale, func(s string) bool { return name == s || strings.HasSuffix(s, "_") && strings.HasPrefix(name, s) }) ||
			slices.ContainsFunc(set, func(v variable) bool { return v.name == name })
	})
	for _, v := range set {
		out = append(out, v.name+"="+v.value)
	}
	return out
}
