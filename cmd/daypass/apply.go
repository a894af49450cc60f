package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"daypass/internal/site"
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
		Long: `Bring accounts, realms, clients, users, roles and providers into line with a
site file, and print what changed. What the file does not name is left alone;
applying it again changes nothing.

The file is read here, with the secret files and variables that it names, and
sent to the running server over its socket.`,
		Example: `  daypass apply -f site.yaml --dry-run
  daypass apply -f site.yaml --data /var/lib/daypass
  generate-site | daypass apply -f -`,
		Args: cobra.NoArgs,
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
				encoder := json.NewEncoder(c.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(result)
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
		data, err = io.ReadAll(io.LimitReader(stdin, site.MaxBytes+1))
		return "standard input", data, err
	}
	f, err := os.Open(file)
	if err != nil {
		return file, nil, err
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, site.MaxBytes+1))
	return file, data, err
}
