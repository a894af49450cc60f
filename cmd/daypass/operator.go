package main

import (
	"errors"
	"os"

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
