package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// roleVariable makes this program play a part of its own bench.
const (
	roleVariable = "DAYPASS_BENCH_ROLE"
	roleHello    = "hello"
)

const patience = 20 * time.Second

// defaultServer is the name of the server in its default configuration.
const defaultServer = "default"

// play is a child: a role, tuned as the server tunes itself.
func play(role string) error {
	debug.SetGCPercent(400)
	switch role {
	case roleHello:
		return hello()
	case roleRelay:
		return relay()
	case roleProxy:
		return proxy()
	case roleCheck:
		return check()
	}
	return errors.New("unknown role")
}

// hello is the empty handler.
func hello() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	endWithInput()
	return http.Serve(l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
}

// endWithInput ends the process when standard input does.
func endWithInput() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
}

// process is a child that ends when its standard input closes.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	at    target
}

// startRole starts this program in a role that gets one line to read.
func startRole(role, line string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	return startProcess(cmd, line, func(line string) target { return target{"tcp", line} })
}

// startProcess gives the child one line on standard input and waits for the
// first line on its standard output.
func startProcess(cmd *exec.Cmd, line string, where func(string) target) (*process, error) {
	cmd.Stderr = os.Stderr
	p := &process{cmd: cmd}
	var err error
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if line != "" {
		if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
			return nil, err
		}
	}
	first, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.end()
		return nil, fmt.Errorf("%s said nothing: %w", cmd.Path, err)
	}
	p.at = where(strings.TrimSpace(first))
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) end() {
	p.stdin.Close()
	_ = p.cmd.Wait()
}

// server is a daypass with a data directory of its own.
type server struct {
	cmd   *exec.Cmd
	data  string
	ready readyFile
	at    target
	tls   target // with --tls
	// toReady is the time from the start of the process to its ready file.
	toReady time.Duration
	log     *os.File
}

// readyFile is what the bench needs of it.
type readyFile struct {
	URL       string `json:"url"`
	AdminURL  string `json:"admin_url"`
	TLSURL    string `json:"tls_url"`
	Region    string `json:"region"`
	Partition string `json:"partition"`
	AccountID string `json:"account_id"`
	Root      struct {
		Email     string `json:"email"`
		Password  string `json:"password"`
		AccessKey string `json:"access_key_id"`
		SecretKey string `json:"secret_access_key"`
	} `json:"root"`
	Realms map[string]struct {
		Username string `json:"username"`
		Password string `json:"password"`
	} `json:"realms"`
	Stax struct {
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
	} `json:"stax"`
	IBM struct {
		APIKey     string `json:"api_key"`
		InstanceID string `json:"instance_id"`
		StorageID  string `json:"storage_id"`
	} `json:"ibm"`
}

// startServer starts a daypass with the demo site on the data directory of that
// name. The one of the gateway speaks TLS too.
func startServer(b *bench, name string, env ...string) (*server, error) {
	flags := []string{"--dev"}
	if name == defaultServer {
		flags = append(flags, "--tls")
	}
	return serve(b, name, flags, env...)
}

// serve starts a daypass on the data directory of that name. Its log goes to a
// file, as under a service manager; NAME.yaml in the bench's directory configures
// it, where there is one.
func serve(b *bench, name string, flags []string, env ...string) (*server, error) {
	s := &server{data: filepath.Join(b.dir, name)}
	ready := filepath.Join(b.dir, name+".ready")
	_ = os.Remove(ready)
	var err error
	if s.log, err = os.OpenFile(filepath.Join(b.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	s.cmd = exec.Command(filepath.Join(b.bin, "daypass"), append([]string{"serve", "--listen", "127.0.0.1:0", "--data", s.data, "--ready-file", ready}, flags...)...)
	if config := filepath.Join(b.dir, name+".yaml"); exists(config) {
		s.cmd.Args = append(s.cmd.Args, "--config", config)
	}
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stderr = s.log
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for {
		text, err := os.ReadFile(ready)
		if err == nil {
			s.toReady = time.Since(began)
			s.at.network = "tcp"
			if err = json.Unmarshal(text, &s.ready); err == nil {
				s.at.address = strings.TrimPrefix(s.ready.URL, "http://")
				s.tls = target{networkTLS, strings.TrimPrefix(s.ready.TLSURL, "https://")}
			}
			return s, err
		}
		if time.Since(began) > patience {
			s.end()
			text, _ := os.ReadFile(s.log.Name())
			return nil, fmt.Errorf("%s is not ready after %s: %s", s.cmd.Path, patience, text)
		}
		time.Sleep(500 * time.Microsecond)
	}
}

// apply brings a site file into force.
func (s *server) apply(b *bench, site string) error {
	cmd := exec.Command(filepath.Join(b.bin, "daypass"), "apply", "-f", "-", "--data", s.data)
	cmd.Stdin = strings.NewReader(site)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("daypass apply: %w\n%s", err, out)
	}
	return nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func (s *server) pid() int { return s.cmd.Process.Pid }

func (s *server) end() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
	s.log.Close()
}

// child is the process ID of the object store.
func (s *server) child() (int, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.pid()))
	if err != nil {
		return 0, err
	}
	for _, t := range tasks {
		text, err := os.ReadFile(t)
		if f := strings.Fields(string(text)); err == nil && len(f) > 0 {
			return strconv.Atoi(f[0])
		}
	}
	return 0, errors.New("the server has no child")
}

// directStore is the object store, started without a daypass before it.
type directStore struct {
	*process
	accessKey, secretKey string
}

func startStore(b *bench) (*directStore, error) {
	dir := filepath.Join(b.dir, "direct")
	socket := filepath.Join(b.dir, "direct.sock")
	s := &directStore{accessKey: "AKIABENCHBENCHBENCHX", secretKey: "bench-bench-bench-bench-bench-bench-bench"}
	line, err := json.Marshal(map[string]string{"access_key_id": s.accessKey, "secret_access_key": s.secretKey})
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(b.bin, "daypass-objectstore"), "--socket", socket, "--root", dir)
	s.process, err = startProcess(cmd, string(line), func(string) target { return target{"unix", socket} })
	return s, err
}

// cpuOf is the CPU time that all threads of a process have used, user and
// system. It reads the process's own clock, which is exact: /proc counts in
// steps of 10 ms.
func cpuOf(pid int) (time.Duration, error) {
	const clockSched = 2 // of clock_getcpuclockid(3)
	var t syscall.Timespec
	_, _, failed := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(^pid<<3|clockSched), uintptr(unsafe.Pointer(&t)), 0)
	if failed != 0 {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, failed)
	}
	return time.Duration(t.Nano()), nil
}

// allocations is how many objects the server allocates per operation of l.
func (s *server) allocations(l *load) (float64, error) {
	before, err := s.mallocs()
	if err != nil {
		return 0, err
	}
	out, err := l.run()
	if err != nil {
		return 0, err
	}
	after, err := s.mallocs()
	return (after - before) / float64(out.n), err
}

func (s *server) mallocs() (float64, error) {
	resp, err := http.Get(s.ready.AdminURL + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "go_memstats_mallocs_total "); ok {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, errors.New("the metrics tell nothing of allocations")
}

// memoryOf returns a process's resident memory, whole and without files, MiB.
func memoryOf(pid int) (all, anonymous float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		f := strings.Fields(rest)
		if name != "VmRSS" && name != "RssAnon" || len(f) == 0 {
			continue
		}
		kib, err := strconv.ParseFloat(f[0], 64)
		if err != nil {
			return 0, 0, err
		}
		if name == "VmRSS" {
			all = kib / 1024
		} else {
			anonymous = kib / 1024
		}
	}
	return all, anonymous, nil
}
