package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"daypass/internal/site"
	"daypass/internal/yamldoc"
)

func newApply() *cobra.Command {
	var (
		operator     operatorFlags
		file         string
		dryRun, asJS bool
	)
	c := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Bring the site into line with a file",
		Long: `Bring accounts, realms, clients, policies, groups, users, roles and providers
into line with a site file, and print what changed. What the file does not name is left alone;
applying it again changes nothing.

The file is read here, with the secret files and variables that it names, and
sent to the running server over its socket.`,
		Example: `  daypass apply -f site.yaml --dry-run
  daypass apply -f site.yaml --data /var/lib/daypass
  generate-site | daypass apply -f -`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("name the site file with -f, as in -f %s", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			if file == "" {
				return &usageError{c.CommandPath(), errors.New("name the site file with -f FILE, or - for standard input")}
			}
			name, data, err := readSite(file, c.InOrStdin())
			if err != nil {
				return err
			}
			spec, err := site.Read(site.Source{Name: name, Lookup: os.LookupEnv}, data)
			if err != nil {
				return err
			}
			result, err := operator.client().Apply(c.Context(), spec, dryRun)
			if err != nil {
				return err
			}
			if asJS {
				return printJSON(c.OutOrStdout(), result)
			}
			return site.PrintDiff(c.OutOrStdout(), result.Changes, dryRun)
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "site `file`, - for standard input")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only print what would change")
	c.Flags().BoolVar(&asJS, "json", false, "print the changes as JSON")
	operator.add(c)
	return c
}

func readSite(file string, stdin io.Reader) (name string, data []byte, err error) {
	if file == "-" {
		data, err = io.ReadAll(io.LimitReader(stdin, yamldoc.MaxBytes+1))
		return "standard input", data, err
	}
	f, err := os.Open(file)
	if err != nil {
		return file, nil, unreadable(file, err)
	}
	defer f.Close()
	if data, err = io.ReadAll(io.LimitReader(f, yamldoc.MaxBytes+1)); err != nil {
		return file, nil, unreadable(file, err)
	}
	return file, data, nil
}

func unreadable(file string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s: %w; name an existing site file with -f, or - for standard input", file, err)
}
