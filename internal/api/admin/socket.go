package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// SocketName is the socket's name in the data directory.
const SocketName = "admin.sock"

// maxSocketPath fits sun_path everywhere, with its final NUL.
const maxSocketPath = 100

// Listen makes the socket at path with mode 0600. The caller holds the lock of
// the data directory, so a socket that is still there is a dead one's.
func Listen(path string) (net.Listener, error) {
	short, dir, err := shorten(path)
	if err != nil {
		return nil, err
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&fs.ModeSocket == 0 {
			return nil, fmt.Errorf("%s is there and is not a socket: move it away", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", short)
	if err != nil {
		closeDir(dir)
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		closeDir(dir)
		return nil, err
	}
	// The directory stays open: the listener removes the socket through it.
	return &listener{l, dir}, nil
}

type listener struct {
	net.Listener
	dir *os.File
}

func (l *listener) Close() error {
	err := l.Listener.Close()
	closeDir(l.dir)
	return err
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	short, dir, err := shorten(path)
	if err != nil {
		return nil, err
	}
	defer closeDir(dir)
	return new(net.Dialer).DialContext(ctx, "unix", short)
}

// shorten gives a long path a short name: on Linux through the open directory.
func shorten(path string) (string, *os.File, error) {
	if len(path) <= maxSocketPath {
		return path, nil, nil
	}
	if runtime.GOOS != "linux" {
		return "", nil, fmt.Errorf("%s is too long for a socket's path: use a data directory with a path of at most %d characters", path, maxSocketPath-len(SocketName)-1)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), dir, nil
}

func closeDir(dir *os.File) {
	if dir != nil {
		dir.Close()
	}
}

// hint says what to do when nobody answers.
func hint(path string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no socket " + path + ": start the server (daypass serve), or name its data directory with --data"
	case errors.Is(err, fs.ErrPermission):
		return path + " belongs to another user: run this as the user that runs the server"
	case strings.Contains(err.Error(), "refused"):
		return "nobody answers at " + path + ": start the server (daypass serve)"
	}
	return err.Error()
}
