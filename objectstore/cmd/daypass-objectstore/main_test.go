package main

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

func TestReadKeys(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	for _, tt := range []struct {
		name, in string
		ok       bool
	}{
		{"good", `{"access_key_id":"id","secret_access_key":"` + secret + `"}` + "\n", true},
		{"no end of line", `{"access_key_id":"id","secret_access_key":"` + secret + `"}`, false},
		{"no identifier", `{"secret_access_key":"` + secret + `"}` + "\n", false},
		{"no secret", `{"access_key_id":"id"}` + "\n", false},
		{"not JSON", secret + "\n", false},
		{"nothing", "", false},
		{"too long", strings.Repeat(secret, maxKeyLine) + "\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k, err := readKeys(bufio.NewReaderSize(strings.NewReader(tt.in), maxKeyLine))
			if (err == nil) != tt.ok {
				t.Errorf("got error %v, want success: %v", err, tt.ok)
			}
			if tt.ok && (k.AccessKeyID != "id" || k.SecretAccessKey != secret) {
				t.Errorf("got %+v", k)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error %q tells the secret", err)
			}
		})
	}
}

func TestRunRefusesArguments(t *testing.T) {
	for _, args := range [][]string{{"extra"}, {"--secret", "x"}} {
		if err := run(args, strings.NewReader(""), io.Discard); err == nil {
			t.Errorf("run(%q): got no error", args)
		}
	}
}
