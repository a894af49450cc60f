package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"daypass/internal/identity"
)

// TestIBMVerbsExplainThemselves: each has an example of itself, and JSON.
func TestIBMVerbsExplainThemselves(t *testing.T) {
	t.Parallel()
	verbs := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if c.HasSubCommands() {
			return
		}
		verbs++
		if !strings.Contains(c.Example, "  "+c.CommandPath()) {
			t.Errorf("%s has no example of itself: %q", c.CommandPath(), c.Example)
		}
		if c.Flags().Lookup("output") == nil || c.Flags().Lookup("quiet") == nil {
			t.Errorf("%s knows neither --output nor --quiet", c.CommandPath())
		}
		if strings.HasSuffix(c.Name(), "-delete") != (c.Flags().ShorthandLookup("f") != nil) {
			t.Errorf("%s: what destroys asks first, and takes -f", c.CommandPath())
		}
	}
	for _, c := range newRoot().Commands() {
		switch c.Name() {
		case "iam", "resource", "target", "regions":
			walk(c)
		}
	}
	if verbs < 35 {
		t.Errorf("only %d verbs", verbs)
	}
}

func TestKeyOf(t *testing.T) {
	t.Parallel()
	const key = "EXAMPLEabcdefghijklmnopqrstuvwxyz0123456789A"
	for text, want := range map[string]string{
		key:                 key,
		"  " + key + "\r\n": key,
		"{\n\t\"name\": \"n\",\n\t\"apikey\": \"" + key + "\",\n\t\"uuid\": \"\"\n}\n":                               key,
		`{"id":"ApiKey-1","crn":"c","iam_id":"i","account_id":"a","name":"n","apikey":"` + key + `","locked":false}`: key,
		"":                  "",
		"{}":                "",
		`{"apikey":""}`:     "",
		`{"apikey":7}`:      "",
		`{"apikey":"x"`:     "",
		key + "\n" + key:    "",
		"[\"" + key + "\"]": "[\"" + key + "\"]", // which the server refuses
	} {
		got, err := keyOf(identity.Secret(text), "the file")
		if got.Reveal() != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", text, got.Reveal(), err)
		}
		if err != nil && strings.Contains(err.Error(), key) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}
