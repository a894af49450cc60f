package console

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"daypass/internal/identity"
)

// block is a text to paste that sets keys up.
type block struct {
	ID, Title, Hint string
	Text            identity.Secret
}

// blocks are the ready-made texts for a set of keys.
func blocks(k identity.SessionKeys, endpoint, region string) []block {
	pairs := [][2]string{
		{"AWS_ACCESS_KEY_ID", k.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", k.SecretAccessKey.Reveal()},
		{"AWS_SESSION_TOKEN", k.SessionToken.Reveal()},
		{"AWS_DEFAULT_REGION", region},
		{"AWS_ENDPOINT_URL", endpoint},
	}
	lines := func(line func(name, value string) string) identity.Secret {
		var b strings.Builder
		for _, p := range pairs {
			b.WriteString(line(p[0], p[1]) + "\n")
		}
		return identity.Secret(b.String())
	}
	return []block{
		{"bash", "bash, zsh", "Paste into a terminal.", lines(func(n, v string) string { return "export " + n + "=" + posixQuoted(v) })},
		{"fish", "fish", "Paste into a terminal.", lines(func(n, v string) string { return "set -gx " + n + " " + posixQuoted(v) })},
		{"powershell", "PowerShell", "Paste into a PowerShell window.", lines(func(n, v string) string { return "$Env:" + n + " = '" + strings.ReplaceAll(v, "'", "''") + "'" })},
		{"credentials", "~/.aws/credentials", "Put this into the file and use it with --profile daypass.", identity.Secret(fmt.Sprintf(
			"[daypass]\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\nregion = %s\nendpoint_url = %s\n",
			k.AccessKeyID, k.SecretAccessKey.Reveal(), k.SessionToken.Reveal(), region, endpoint))},
		{"json", "JSON", "The form that credential_process takes.", credentialProcess(k)},
	}
}

// posixQuoted quotes for the shells; fish reads it the same, since our values
// hold neither quote nor backslash.
func posixQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func credentialProcess(k identity.SessionKeys) identity.Secret {
	b, _ := json.MarshalIndent(struct { // strings and a number always have a form
		Version         int
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      string
	}{1, k.AccessKeyID, k.SecretAccessKey.Reveal(), k.SessionToken.Reveal(), k.Expiration.UTC().Format(time.RFC3339)}, "", "  ")
	return identity.Secret(append(b, '\n'))
}
