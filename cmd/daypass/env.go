package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"daypass/internal/client"
)

// dialect is how a shell sets and removes variables; usage is the comment that
// says how to use the output, "" where there is none.
type dialect struct {
	set, unset func(name, value string) string
	usage      string
}

// single quotes as POSIX shells do.
func single(value string) string { return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'" }

// evalOf is how POSIX shells use the output.
const evalOf = `# eval "$(daypass env%s)"`

var posix = dialect{
	func(name, value string) string { return "export " + name + "=" + single(value) },
	func(name, _ string) string { return "unset " + name },
	evalOf,
}

// dialects are the forms of the output besides json and ini.
var dialects = map[string]dialect{
	"sh": posix, "bash": posix, "zsh": posix,
	"fish": {
		func(name, value string) string {
			return "set -gx " + name + " '" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
		},
		func(name, _ string) string { return "set -e " + name },
		"# daypass env --shell fish%s | source",
	},
	"powershell": {
		func(name, value string) string {
			return "$Env:" + name + " = '" + strings.ReplaceAll(value, "'", "''") + "'"
		},
		func(name, _ string) string { return "Remove-Item Env:" + name + " -ErrorAction SilentlyContinue" },
		"# daypass env --shell powershell%s | Out-String | Invoke-Expression",
	},
	"tcsh": {
		func(name, value string) string {
			return "setenv " + name + " " + strings.ReplaceAll(single(value), "!", `'\!'`)
		},
		func(name, _ string) string { return "unsetenv " + name },
		"# eval `daypass env --shell tcsh%s`",
	},
	"cmd": {
		func(name, value string) string { return "set " + name + "=" + value },
		func(name, _ string) string { return "set " + name + "=" },
		"",
	},
	"dotenv": {
		func(name, value string) string { return name + "=" + value },
		func(name, _ string) string { return name + "=" },
		"",
	},
}

const (
	formJSON = "json"
	formINI  = "ini"
)

func shells() []string {
	return slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(dialects)), formJSON, formINI)))
}

// guessShell takes the shell that $SHELL names, if it is one of dialects.
func guessShell() string {
	name := strings.TrimSuffix(filepath.Base(os.Getenv("SHELL")), ".exe")
	if name == "pwsh" {
		name = "powershell"
	}
	if _, ok := dialects[name]; ok {
		return name
	}
	return "sh"
}

type envFlags struct {
	clientFlags
	shell string
	unset bool
}

func newEnv() *cobra.Command {
	var f envFlags
	c := &cobra.Command{
		Use:   "env",
		Short: "Print session keys as a shell's exports",
		Long: `Print session keys, region and endpoint in the form in which a shell sets
variables. Other processes of yours can read a shell's environment: exec keeps the
keys in one command's.`,
		Example: `  eval "$(daypass env)"
  eval "$(daypass env --unset)"
  daypass env --shell fish | source
  daypass env --shell dotenv > keys.env`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	f.addKeys(c)
	c.Flags().StringVar(&f.shell, "shell", "", "`form`: "+strings.Join(shells(), ", ")+" (default by $SHELL)")
	c.Flags().BoolVar(&f.unset, "unset", false, "print what removes the variables")
	complete(c, "shell", shells)
	return c
}

func (f *envFlags) run(c *cobra.Command) error {
	form := f.shell
	if form == "" {
		form = guessShell()
	}
	if !slices.Contains(shells(), form) {
		return &usageError{c.CommandPath(), fmt.Errorf("--shell: %q is none of %s", form, strings.Join(shells(), ", "))}
	}
	d, lines := dialects[form]
	if f.unset {
		if !lines {
			return &usageError{c.CommandPath(), fmt.Errorf("--unset: %s sets no variables", form)}
		}
		_, p, err := f.resolve(c)
		if err != nil {
			return err
		}
		return printLines(c.OutOrStdout(), d.unset, awsVariables(p, client.Keys{}), usageOf(d, f.name, " --unset"))
	}
	p, keys, err := f.keys(c, client.RenewalWindow)
	if err != nil {
		return err
	}
	if out, ok := c.OutOrStdout().(*os.File); ok && term.IsTerminal(int(out.Fd())) {
		notices(c)("the secrets are on your screen now, and in what it scrolls back to")
	}
	switch form {
	case formJSON:
		return printCredentials(c.OutOrStdout(), keys)
	case formINI:
		return printINI(c.OutOrStdout(), p, keys)
	}
	return printLines(c.OutOrStdout(), d.set, awsVariables(p, keys), usageOf(d, f.name, ""))
}

func usageOf(d dialect, profile, flags string) string {
	if d.usage == "" {
		return ""
	}
	if profile != "" {
		flags = " --profile " + profile + flags
	}
	return fmt.Sprintf(d.usage, flags) + "\n"
}

func printLines(w io.Writer, line func(name, value string) string, variables []variable, usage string) error {
	var b strings.Builder
	for _, v := range variables {
		b.WriteString(line(v.name, v.value) + "\n")
	}
	_, err := io.WriteString(w, b.String()+usage)
	return err
}

// printINI prints a section of a credentials file. Names are lower-case there.
func printINI(w io.Writer, p client.Profile, k client.Keys) error {
	var b strings.Builder
	fmt.Fprintf(&b, "[%s]\n", p.Name)
	for _, v := range awsVariables(p, k) {
		switch v.name {
		case "AWS_DEFAULT_REGION":
			fmt.Fprintf(&b, "region = %s\n", v.value)
		case "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION":
			fmt.Fprintf(&b, "%s = %s\n", strings.ToLower(v.name), v.value)
		case "AWS_ENDPOINT_URL":
			fmt.Fprintf(&b, "endpoint_url = %s\n", v.value)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
