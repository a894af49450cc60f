package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	binaryName = "daypass-objectstore"
	// maxSocketPath fits sun_path on every system, with the final NUL.
	maxSocketPath = 100
	// longestSocketName is room for "/s" and a child's number.
	longestSocketName = len("/s1000000000")
)

// findBinary returns explicit when given, else the binary beside this
// executable (also beside what a link to it points at), else the one on PATH.
func findBinary(explicit string) (string, error) {
	if explicit != "" {
		return exec.LookPath(explicit)
	}
	if self, err := os.Executable(); err == nil {
		places := []string{self}
		if target, err := filepath.EvalSymlinks(self); err == nil {
			places = append(places, target)
		}
		for _, p := range places {
			if found, err := exec.LookPath(filepath.Join(filepath.Dir(p), binaryName)); err == nil {
				return found, nil
			}
		}
	}
	found, err := exec.LookPath(binaryName)
	if err != nil {
		return "", fmt.Errorf("%s is neither beside this executable nor on PATH: %w", binaryName, err)
	}
	return found, nil
}

// makeSocketDir makes a directory that only this user can enter, with a path
// short enough for a socket in it. A data directory is no place for it: its
// path may be of any length. Directories that killed processes left for the
// same root are removed.
func makeSocketDir(explicit, root string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(root))
	prefix := "daypass-" + hex.EncodeToString(sum[:4]) + "-"
	places := []string{explicit}
	if explicit == "" {
		places = []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir(), "/tmp"}
	}
	var errs []error
	for _, place := range places {
		if place == "" {
			continue
		}
		place, err := filepath.Abs(place)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		removeDead(place, prefix)
		dir, err := os.MkdirTemp(place, prefix)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if len(dir)+longestSocketName <= maxSocketPath {
			return dir, nil
		}
		os.Remove(dir)
		errs = append(errs, fmt.Errorf("%s is too long for a socket's path", place))
	}
	return "", fmt.Errorf("no place for the object store's socket: %w", errors.Join(errs...))
}

// removeDead removes the directories with a prefix in whose sockets nobody
// listens.
func removeDead(place, prefix string) {
	entries, err := os.ReadDir(place)
	if err != nil {
		return
	}
	for _, e := range entries {
		if dir := filepath.Join(place, e.Name()); e.IsDir() && strings.HasPrefix(e.Name(), prefix) && !listening(dir) {
			os.RemoveAll(dir)
		}
	}
}

func listening(dir string) bool {
	sockets, err := os.ReadDir(dir)
	if err != nil {
		return true // not ours to judge
	}
	for _, s := range sockets {
		conn, err := net.Dial("unix", filepath.Join(dir, s.Name()))
		if err == nil {
			conn.Close()
			return true
		}
	}
	return false
}
