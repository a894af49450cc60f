// Command daypass-objectstore serves the embedded S3 store on a unix socket.
//
//	daypass-objectstore --socket PATH --root DIR [--meta DIR] [--region NAME]
//
// It is started by daypass, not by people. On standard input it expects one
// line of JSON, {"access_key_id":"…","secret_access_key":"…"}: the only key
// pair it will accept. It prints one line of JSON on standard output when the
// socket accepts connections, {"ready":true,"metadata":"xattr","pid":123}, and
// ends when standard input closes, when its parent dies, or on SIGTERM.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	objectstore "daypass/objectstore"
)

const (
	// The live heap is a few MB and uploads hold 256 KiB each, so a lazy
	// collector costs little memory; the limit keeps a burst within bounds.
	gcPercent   = 200
	memoryLimit = 384 << 20

	maxKeyLine = 4096
	// stopLimit is for requests in flight when the store is told to stop.
	stopLimit = 12 * time.Second
)

func init() {
	// The parent-death signal belongs to the thread that asked for it, so the
	// main goroutine must stay on the main thread.
	runtime.LockOSThread()
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "daypass-objectstore:", err)
		os.Exit(1)
	}
}

type keyLine struct {
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
}

type readyLine struct {
	Ready    bool   `json:"ready"`
	Metadata string `json:"metadata"`
	PID      int    `json:"pid"`
}

func run(args []string, stdin io.Reader, stdout io.Writer) error {
	var c objectstore.Config
	flags := flag.NewFlagSet("daypass-objectstore", flag.ContinueOnError)
	flags.StringVar(&c.Socket, "socket", "", "`path` of the unix socket to listen on")
	flags.StringVar(&c.Root, "root", "", "`directory` of the buckets")
	flags.StringVar(&c.Meta, "meta", "", "`directory` for versions and metadata files (default: beside root, named meta-<root>)")
	flags.StringVar(&c.Region, "region", "us-east-1", "region the store calls itself")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if c.Meta == "" && c.Root != "" {
		root, err := filepath.Abs(c.Root)
		if err != nil {
			return err
		}
		c.Meta = filepath.Join(filepath.Dir(root), "meta-"+filepath.Base(root))
	}
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
	if err := dieWithParent(); err != nil {
		return fmt.Errorf("ask for the parent-death signal: %w", err)
	}
	// The store's libraries chat on os.Stdout, which here is for one line;
	// what matters they write to standard error.
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	os.Stdout = nowhere

	in := bufio.NewReaderSize(stdin, maxKeyLine)
	keys, err := readKeys(in)
	if err != nil {
		return err
	}
	c.AccessKeyID, c.SecretAccessKey = keys.AccessKeyID, keys.SecretAccessKey
	c.OnReady = func(metadata string) {
		json.NewEncoder(stdout).Encode(readyLine{Ready: true, Metadata: metadata, PID: os.Getpid()})
	}

	// A terminal sends these to the whole group; when to end is the parent's say.
	signal.Ignore(os.Interrupt, syscall.SIGHUP)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		io.Copy(io.Discard, in)
		stop()
	}()
	context.AfterFunc(ctx, func() {
		time.AfterFunc(stopLimit, func() { os.Exit(1) })
	})
	return objectstore.Serve(ctx, c)
}

func readKeys(in *bufio.Reader) (keyLine, error) {
	var k keyLine
	line, err := in.ReadSlice('\n')
	if err != nil {
		// The line is a secret: it appears in no error.
		return k, errors.New("read the key pair: no line on standard input")
	}
	if err := json.Unmarshal(line, &k); err != nil || k.AccessKeyID == "" || k.SecretAccessKey == "" {
		return k, errors.New("read the key pair: malformed line on standard input")
	}
	return k, nil
}
