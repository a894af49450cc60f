package embedded

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"daypass/internal/identity"
)

func TestFindBinary(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, binaryName)
	t.Setenv("PATH", dir)
	if _, err := findBinary(""); err == nil {
		t.Error("got a binary from an empty directory")
	}
	if err := os.WriteFile(binary, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := findBinary(""); err == nil {
		t.Error("got a binary that may not be executed")
	}
	if err := os.Chmod(binary, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, explicit := range []string{"", binary} {
		if got, err := findBinary(explicit); got != binary || err != nil {
			t.Errorf("findBinary(%q): got %q, %v, want %q", explicit, got, err, binary)
		}
	}
	_, err := Start(Config{Root: dir, Binary: filepath.Join(dir, "missing")})
	if got := identity.KindOf(err); got != identity.KindInternal {
		t.Errorf("Start without a binary: got kind %q, want %q", got, identity.KindInternal)
	}
}

func TestMakeSocketDir(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 25))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	if dir, err := makeSocketDir(long, "root"); err == nil {
		t.Errorf("got %q below a directory that is too long", dir)
	}
	if left, err := os.ReadDir(long); err != nil || len(left) != 0 {
		t.Errorf("got %v left behind, error %v", left, err)
	}
	short, err := os.MkdirTemp("/tmp", "s")
	if err != nil {
		t.Skip(err)
	}
	defer os.RemoveAll(short)
	t.Setenv("XDG_RUNTIME_DIR", long)
	t.Setenv("TMPDIR", short)
	dir, err := makeSocketDir("", "root")
	if err != nil {
		t.Fatal(err)
	}
	if got := filepath.Dir(dir); got != short {
		t.Errorf("got a directory in %q, want %q, the first place that is short enough", got, short)
	}
	fi, err := os.Stat(dir)
	if err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("got mode %v, error %v, want 0700", fi.Mode(), err)
	}
}

func TestLineWriter(t *testing.T) {
	t.Parallel()
	var got []string
	w := &lineWriter{line: func(line string) { got = append(got, line) }}
	for _, p := range []string{"one\ntw", "o\n\n \n", "a\x1b[31mb\xffc\r\n", strings.Repeat("x", 3*maxLogLine) + "\nlast"} {
		if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
			t.Errorf("Write: got %d, %v, want %d", n, err, len(p))
		}
	}
	w.flush()
	want := []string{"one", "two", "a [31mb\uFFFDc", strings.Repeat("x", maxLogLine), "last"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestChildEnvironment(t *testing.T) {
	t.Setenv("DAYPASS_ROOT_KEY", "secret")
	t.Setenv("TZ", "UTC")
	got := childEnvironment()
	if !slices.Contains(got, "TZ=UTC") {
		t.Errorf("got %q, want TZ in it", got)
	}
	for _, v := range got {
		if strings.Contains(v, "secret") || strings.HasPrefix(v, "PATH=") {
			t.Errorf("the child gets %q", v)
		}
	}
}

func TestDeadSocketDirectoriesAreRemoved(t *testing.T) {
	place, err := os.MkdirTemp("", "s") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(place) })
	listen := func(dir string) net.Listener {
		t.Helper()
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s1"), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		return l
	}
	fresh := func(root string) string {
		t.Helper()
		dir, err := makeSocketDir(place, root)
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	dead, other := fresh("root"), fresh("other root")
	listen(dead).Close()
	listen(other).Close()
	live := fresh("root")
	defer listen(live).Close()
	fresh("root")
	for dir, want := range map[string]bool{dead: false, other: true, live: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s: %v, want there %v", dir, err, want)
		}
	}
}
