package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

const (
	roleRelay   = "relay"
	relayBuffer = 192 << 10
)

// relay passes the bytes of TCP connections to a unix socket and back, without
// a look at them. Nothing that stands before the object store as a process of
// its own can cost less: the gateway is measured beside it too.
func relay() error {
	path, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	endWithInput()
	for {
		client, err := l.Accept()
		if err != nil {
			return err
		}
		store, err := net.Dial("unix", strings.TrimSpace(path))
		if err != nil {
			return err
		}
		for _, way := range [][2]net.Conn{{client, store}, {store, client}} {
			go func() {
				// Hidden behind plain interfaces, or net would splice, which is slower here.
				_, _ = io.CopyBuffer(struct{ io.Writer }{way[0]}, struct{ io.Reader }{way[1]}, make([]byte, relayBuffer))
				client.Close()
				store.Close()
			}()
		}
	}
}
