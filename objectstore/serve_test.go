package objectstore

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestPrepareRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tt := range []struct{ name, socket, root, meta string }{
		{"no socket", "", "root", "meta"},
		{"no root", "s", "", "meta"},
		{"no meta", "s", "root", ""},
		{"meta in root", "s", "root", "root/meta"},
		{"root in meta", "s", "meta/root", "meta"},
		{"the same", "s", "root", "root/."},
		{"meta named after root", "s", "root", "root-meta"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := func(p string) string {
				if p == "" {
					return ""
				}
				return filepath.Join(dir, p)
			}
			_, err := Config{Socket: in(tt.socket), Root: in(tt.root), Meta: in(tt.meta)}.prepare()
			if err == nil {
				t.Error("got no error")
			}
		})
	}
}

func TestPrepareMakesDirectories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, err := Config{Socket: filepath.Join(dir, "s"), Root: filepath.Join(dir, "a", "root"), Meta: filepath.Join(dir, "b", "meta")}.prepare()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{c.Root, c.Meta, filepath.Join(c.Meta, "versions")} {
		fi, err := os.Stat(d)
		if err != nil {
			t.Fatal(err)
		}
		if got := fi.Mode().Perm(); got != 0o700 {
			t.Errorf("%s: got mode %o, want 700", d, got)
		}
	}
}

func TestRemoveStaleSocket(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	if err := removeStaleSocket(path); err != nil {
		t.Errorf("nothing there: got error %v", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if err := removeStaleSocket(path); err == nil {
		t.Error("a socket in use: got no error")
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if err := removeStaleSocket(path); err != nil {
		t.Errorf("a stale socket: got error %v", err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the stale socket is still there: %v", err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := removeStaleSocket(path); err == nil {
		t.Error("a plain file: got no error")
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the plain file is gone: %v", err)
	}
}

// A store begun with metadata in files must not forget them because the file
// system under it has learned attributes since.
func TestMetadataStoreStaysWithFiles(t *testing.T) {
	t.Parallel()
	root, meta := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(meta, "sidecar"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, got, err := metadataStore(root, meta); got != "sidecar" || err != nil {
		t.Errorf("got %q, %v, want sidecar", got, err)
	}
	want := "sidecar"
	if xattrWorks(root) {
		want = "xattr"
	}
	if _, got, err := metadataStore(root, t.TempDir()); got != want || err != nil {
		t.Errorf("got %q, %v, want %s", got, err, want)
	}
	if xattrWorks(filepath.Join(root, "missing")) {
		t.Error("attributes work on a directory that does not exist")
	}
}
