package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"daypass/internal/client"
)

type configureFlags struct {
	clientFlags
	awsProfile    string
	dryRun, force bool
}

func newConfigure() *cobra.Command {
	var f configureFlags
	c := &cobra.Command{
		Use:   "configure",
		Short: "Let AWS SDKs fetch keys by themselves",
		Long: `Write a profile into the AWS configuration file (` + "`$AWS_CONFIG_FILE`" + `, else
~/.aws/config) that fetches keys with credential-process. Only a section that this
verb made is changed, and of it only the keys that are ours; comments, order,
permissions and symbolic links stay. No secret is written.`,
		Example: `  daypass configure
  daypass configure --profile lab --aws-profile lab-s3 --dry-run
  aws s3 ls --profile daypass`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	f.add(c)
	c.Flags().StringVar(&f.awsProfile, "aws-profile", "", "`name` of the AWS profile (default the profile's, and daypass for "+client.DefaultProfile+")")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "only print what would change")
	c.Flags().BoolVar(&f.force, "force", false, "take over a section that this verb did not make")
	return c
}

func (f *configureFlags) run(c *cobra.Command) error {
	_, p, err := f.resolve(c)
	if err != nil {
		return err
	}
	p = p.WithDefaults()
	if err := p.Check(); err != nil {
		return err
	}
	name := f.awsProfile
	if name == "" {
		if name = p.Name; name == client.DefaultProfile {
			name = "daypass"
		}
	}
	if !client.ValidProfileName(name) {
		return &usageError{c.CommandPath(), fmt.Errorf("--aws-profile: %q is no name of a profile: use letters, digits and ._@-", name)}
	}
	path, err := awsConfigPath()
	if err != nil {
		return err
	}
	settings, err := awsSettings(p)
	if err != nil {
		return err
	}
	config, err := client.LoadAWSConfig(path)
	if err != nil {
		return err
	}
	if err := config.Set(name, settings, f.force); err != nil {
		return err
	}
	out := c.OutOrStdout()
	if f.dryRun {
		return printChange(out, config)
	}
	if err := config.Save(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "profile %s is in %s; try: aws s3 ls --profile %s\n", name, config.Path(), name)
	return err
}

func awsConfigPath() (string, error) {
	home, err := os.UserHomeDir()
	if path := os.Getenv("AWS_CONFIG_FILE"); path != "" || err != nil {
		if rest, ok := strings.CutPrefix(path, "~/"); ok { // as SDKs do
			path = filepath.Join(home, rest)
		}
		return path, err
	}
	return filepath.Join(home, ".aws", "config"), nil
}

// awsSettings are the keys of an AWS profile. SDKs start the process without a
// shell, so its path is whole.
func awsSettings(p client.Profile) ([]client.Setting, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(self, " \t'\\$") {
		self = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(self) + `"`
	}
	out := []client.Setting{
		{Key: "region", Value: p.Region},
		{Key: "endpoint_url", Value: p.Endpoint},
		{Key: "credential_process", Value: self + " credential-process --profile " + p.Name},
	}
	if p.CAFile != "" {
		out = append(out, client.Setting{Key: "ca_bundle", Value: p.CAFile})
	}
	// Without s3v4 an aws CLI v1 presigns by SigV2 at foreign endpoints.
	return append(out, client.Setting{Key: "s3", Nested: []client.Setting{
		{Key: "signature_version", Value: "s3v4"}, {Key: "addressing_style", Value: "path"},
	}}), nil
}

// printChange prints the lines that go and those that come, between those that
// both files share at their ends.
func printChange(w io.Writer, c *client.AWSConfig) error {
	before, after := c.Before, c.After
	if slices.Equal(before, after) {
		_, err := fmt.Fprintln(w, "nothing to do")
		return err
	}
	shared := 0
	for shared < min(len(before), len(after)) && before[shared] == after[shared] {
		shared++
	}
	tail := 0
	for tail < min(len(before), len(after))-shared && before[len(before)-1-tail] == after[len(after)-1-tail] {
		tail++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d\n", c.Path(), shared+1)
	for _, line := range before[shared : len(before)-tail] {
		b.WriteString("-" + line + "\n")
	}
	for _, line := range after[shared : len(after)-tail] {
		b.WriteString("+" + line + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
