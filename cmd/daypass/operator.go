package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"daypass/internal/api/admin"
	"daypass/internal/server"
)

// operatorFlags say which server an operator's verb speaks to.
type operatorFlags struct{ data, socket string }

func (f *operatorFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.data, "data", "", "data `directory` of the running server (default $DAYPASS_DATA, then "+server.DefaultConfig().Data+")")
	c.Flags().StringVar(&f.socket, "socket", "", "`path` of the server's socket (default DATA/"+admin.SocketName+")")
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if f.data != "" && f.socket != "" {
			return &usageError{c.CommandPath(), errors.New("give either --data or --socket")}
		}
		return nil
	}
}

func (f *operatorFlags) client() *admin.Client {
	if f.socket != "" {
		return admin.NewClient(f.socket)
	}
	data := f.data
	if data == "" {
		data = os.Getenv("DAYPASS_DATA")
	}
	if data == "" {
		data = server.DefaultConfig().Data
	}
	return admin.NewClient(admin.SocketIn(data))
}

// completes makes the one argument of c complete with what list finds at the
// running server; without one there is nothing to offer.
func (f *operatorFlags) completes(c *cobra.Command, list func(context.Context, *admin.Client) ([]string, error)) {
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), completionTimeout)
		defer cancel()
		names, err := list(ctx, f.client())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completionTimeout is how long somebody waits for a completion.
const completionTimeout = 2 * time.Second
