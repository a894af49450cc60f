package objectstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

const (
	// maxCopyBytes is the largest source of a CopyObject, as in AWS. The
	// backend's zero value means "nothing may be copied".
	maxCopyBytes = 5 << 30
	// ioBufferBytes is held by every upload and copy in flight.
	ioBufferBytes  = 256 << 10
	maxConnections = 1024
	maxRequests    = 512
	maxParts       = 10000
)

// Config says what to serve and where. Nothing in it has a default but Region.
type Config struct {
	// Socket is the path of the unix socket, made with mode 0600. A socket
	// nobody listens on any more is replaced; anything else is an error.
	Socket string
	// Root holds the buckets, Meta what must not lie among them. Both are
	// made (0700) when missing; neither may contain the other.
	Root, Meta string
	// Region is what the store calls itself; requests may name any.
	Region string
	// AccessKeyID and SecretAccessKey are the only key pair that is accepted.
	AccessKeyID, SecretAccessKey string
	// OnReady is called once, when the socket accepts connections, with the
	// kind of metadata store in use: "xattr" or "sidecar".
	OnReady func(metadata string)
}

// Serve runs the store until ctx ends, finishing requests in flight for up to
// ten seconds. It changes the process's working directory and can be called
// once per process.
func Serve(ctx context.Context, c Config) error {
	c, err := c.prepare()
	if err != nil {
		return err
	}
	storer, kind, err := metadataStore(c.Root, c.Meta)
	if err != nil {
		return err
	}
	opts := posix.PosixOpts{
		VersioningDir:       filepath.Join(c.Meta, "versions"),
		ValidateBucketNames: true,
		CopyObjectThreshold: maxCopyBytes,
		IOBufferSize:        ioBufferBytes,
	}
	if kind == "sidecar" {
		opts.SideCarDir = filepath.Join(c.Meta, "sidecar")
	}
	opts.SetNewDirPerm(0o700)
	opts.SetNewFilePerm(0o600)
	be, err := posix.New(c.Root, storer, opts)
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	err = embedgw.RunVersityGW(ctx, safeBackend{be}, &embedgw.Config{
		RootUserAccess:    c.AccessKeyID,
		RootUserSecret:    c.SecretAccessKey,
		Region:            c.Region,
		Ports:             []string{c.Socket},
		SocketPerm:        "0600",
		Quiet:             true,
		KeepAlive:         true,
		MaxConnections:    maxConnections,
		MaxRequests:       maxRequests,
		MultipartMaxParts: maxParts,
		DisableACLs:       true,
		S3Options:         []s3api.Option{s3api.WithOnListen(func() { c.OnReady(kind) })},
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// prepare makes every path absolute (the backend changes the working
// directory), makes the directories and clears the way for the socket.
func (c Config) prepare() (Config, error) {
	if c.Socket == "" || c.Root == "" || c.Meta == "" {
		return c, errors.New("socket, root and meta must all be given")
	}
	for _, p := range []*string{&c.Socket, &c.Root, &c.Meta} {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return c, err
		}
		*p = abs
	}
	// The backend compares sidecar and root as strings, without a separator.
	if within(c.Root, c.Meta) || within(c.Meta, c.Root) || strings.HasPrefix(c.Meta, c.Root) {
		return c, fmt.Errorf("meta directory %s and root directory %s: neither may contain the other, nor may meta's name begin with root's", c.Meta, c.Root)
	}
	for _, dir := range []string{c.Root, c.Meta, filepath.Join(c.Meta, "versions")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return c, err
		}
	}
	return c, removeStaleSocket(c.Socket)
}

func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// removeStaleSocket removes a socket that nobody answers on.
func removeStaleSocket(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		conn.Close()
		return fmt.Errorf("another process listens on %s", path)
	}
	return os.Remove(path)
}

// metadataStore picks extended attributes where root's file system keeps them,
// and files below meta otherwise. A store begun with files stays with them.
func metadataStore(root, metaDir string) (meta.MetadataStorer, string, error) {
	sidecar := filepath.Join(metaDir, "sidecar")
	if _, err := os.Lstat(sidecar); errors.Is(err, os.ErrNotExist) && xattrWorks(root) {
		return meta.XattrMeta{}, "xattr", nil
	}
	if err := os.MkdirAll(sidecar, 0o700); err != nil {
		return nil, "", err
	}
	s, err := meta.NewSideCar(sidecar)
	return s, "sidecar", err
}

// xattrWorks writes an attribute too: reading alone succeeds on file systems
// that refuse to store one.
func xattrWorks(root string) bool {
	x := meta.XattrMeta{}
	const probe = "daypass-probe"
	if x.Test(root) != nil || x.StoreAttribute(nil, root, "", probe, []byte("1")) != nil {
		return false
	}
	return x.DeleteAttribute(root, "", probe) == nil
}
