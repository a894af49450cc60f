package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"daypass/internal/identity"
	"daypass/internal/server"
)

func newServe() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server. Configuration is one YAML file (--config); DAYPASS_* variables
override any key of it, and these flags override both.

--dev serves a demo site on this machine only: an account, two realms, an
embedded store, and on standard output the commands to paste next. Its secrets
are made at the first start and kept in DATA/dev-credentials.json.

SIGTERM or Ctrl-C lets requests in flight end; a second one ends at once.
SIGHUP reads the TLS certificate, upstreams and routes again.`,
		Example: `  daypass serve --dev
  daypass serve --dev --listen 127.0.0.1:0 --ready-file ready.json
  daypass serve --dev --tls --partition demo --account-id 0f5e1c2a-1111-4222-8333-444455556666
  daypass serve --config /etc/daypass/config.yaml`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	flags := c.Flags()
	flags.BoolVar(&f.dev, "dev", false, "serve the demo site, on loopback only")
	flags.StringVar(&f.config, "config", "", "configuration `file`")
	flags.StringVar(&f.listen, "listen", "", "`host:port` to serve on, port 0 for a free one (default "+server.DefaultConfig().Listen+")")
	flags.StringVar(&f.data, "data", "", "data `directory` (default "+server.DefaultConfig().Data+")")
	flags.StringVar(&f.readyFile, "ready-file", "", "write facts for scripts to this `file` once every listener answers")
	flags.BoolVar(&f.tls, "tls", false, "with --dev: also serve TLS, under an authority of our own")
	flags.StringVar(&f.partition, "partition", "", "with --dev: the ARN `partition` of the demo account (default aws)")
	flags.StringVar(&f.accountID, "account-id", "", "with --dev: the `ID` of the demo account (default 123456789012)")
	flags.BoolVar(&f.adopt, "adopt", false, "take over a data directory that --dev made: switches the demo's principals off")
	return c
}

type serveFlags struct {
	dev, tls, adopt                 bool
	config, listen, data, readyFile string
	partition, accountID            string
}

// check judges the flags as far as they can be judged without a configuration.
func (f *serveFlags) check(c *cobra.Command) error {
	if !f.dev {
		for _, name := range []string{"tls", "partition", "account-id"} {
			if c.Flags().Changed(name) {
				return errors.New("--" + name + " goes with --dev only")
			}
		}
	}
	switch {
	case f.dev && f.adopt:
		return errors.New("--adopt takes a directory over from --dev: leave one of the two out")
	case f.listen != "" && !server.IsHostPort(f.listen):
		return fmt.Errorf("--listen: %q is not HOST:PORT, such as 127.0.0.1:8080", f.listen)
	case f.listen != "" && f.dev && !server.IsLoopback(f.listen):
		return errors.New("--dev serves this machine only, and " + f.listen + " is not a loopback address: listen on 127.0.0.1, or configure a real site and leave --dev out")
	}
	return nil
}

func (f *serveFlags) run(c *cobra.Command) error {
	if err := f.check(c); err != nil {
		return &usageError{c.CommandPath(), err}
	}
	config, err := f.load()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(c.Context())
	defer stop()
	tune(ctx)
	end := make(chan os.Signal, 2)
	signal.Notify(end, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(end)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	force := make(chan os.Signal, 1)
	go func() {
		select {
		case <-end:
			stop()
		case <-ctx.Done():
			return
		}
		force <- <-end
	}()
	return server.Serve(ctx, server.Options{
		Config: config, ConfigFile: f.config, LoadConfig: f.load, Dev: f.dev, Partition: f.partition, AccountID: f.accountID, TLS: f.tls, Adopt: f.adopt,
		ReadyFile: f.readyFile, Version: version, Clock: identity.SystemClock{},
		Log: server.NewLogger(config.Log, c.ErrOrStderr()), Out: c.OutOrStdout(), Reload: hup, Force: force,
	})
}

// load reads the configuration with the flags as its last overrides.
func (f *serveFlags) load() (server.Config, error) {
	return server.LoadConfig(f.config, os.Environ(),
		server.Flag{Name: "--listen", Key: "listen", Value: f.listen},
		server.Flag{Name: "--data", Key: "data", Value: f.data})
}
