package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"daypass/internal/client"
	"daypass/internal/identity"
	"daypass/internal/policy"
)

// maxPasted bounds what is read from standard input: an error message, or what
// an encoded one says.
const maxPasted = 64 << 10

// decoded is what an encoded authorization message says.
type decoded struct {
	Allowed      bool `json:"allowed"`
	ExplicitDeny bool `json:"explicitDeny"`
	Context      struct {
		Principal struct {
			ARN string `json:"arn"`
		} `json:"principal"`
		Action   string `json:"action"`
		Resource string `json:"resource"`
	} `json:"context"`
	Explanation *policy.Explanation `json:"explanation"`
	Hint        string              `json:"hint"`
	RequestID   string              `json:"requestId"`
}

// explainMessage explains an error message, the encoded part of one, or the
// JSON that it was opened into; "-" reads it from standard input.
func explainMessage(c *cobra.Command, f *clientFlags, text string, asJSON bool) error {
	if text == "-" {
		b, err := io.ReadAll(io.LimitReader(c.InOrStdin(), maxPasted))
		if err != nil {
			return err
		}
		text = string(b)
	}
	text, err := encodedPart(text)
	if err != nil {
		return err
	}
	opened := text
	if !strings.HasPrefix(text, "{") {
		k, err := f.keeper(c)
		if err != nil {
			return err
		}
		keys, err := k.Keys(c.Context(), client.RenewalWindow)
		if err != nil {
			return err
		}
		if opened, err = k.DecodeMessage(c.Context(), keys, text); err != nil {
			return err
		}
	}
	var m decoded
	if err := json.Unmarshal([]byte(opened), &m); err != nil || m.Context.Action == "" {
		return errors.New("this is no authorization message: paste the whole error, in quotes")
	}
	if asJSON {
		return printJSON(c.OutOrStdout(), json.RawMessage(opened))
	}
	return writeDecoded(c.OutOrStdout(), &m)
}

// encodedPart is the encoded message in an error as clients print it, or the
// text itself when that is one, or JSON. Of several errors it is the first one's.
func encodedPart(text string) (string, error) {
	text = strings.TrimSpace(text)
	_, after, marked := strings.Cut(text, strings.TrimSpace(identity.EncodedMessage))
	switch {
	case text == "":
		return "", errors.New("there is no message: paste the whole error, in quotes, or pipe it in and give -")
	case marked:
		text = strings.TrimSpace(after)
	case strings.HasPrefix(text, "{"):
		return text, nil
	}
	fields := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '<' }) // an XML body or another error may follow
	if len(fields) == 0 || !marked && len(fields) > 1 {
		return "", fmt.Errorf("there is no encoded message in this text: only a refusal that ends with %q and the message can be explained",
			strings.TrimSpace(identity.EncodedMessage))
	}
	return fields[0], nil
}

func writeDecoded(w io.Writer, m *decoded) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	kind := "nothing allows it"
	if m.ExplicitDeny {
		kind = "a statement denies it"
	}
	line("DENIED     %s on %s: %s", m.Context.Action, m.Context.Resource, kind)
	line("principal  %s", m.Context.Principal.ARN)
	if m.RequestID != "" {
		line("request    %s", m.RequestID)
	}
	if m.Explanation != nil {
		writeFindings(line, m.Explanation)
	}
	if m.Hint != "" {
		line("\n%s", m.Hint)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
