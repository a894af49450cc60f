package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// ceph is a Ceph object gateway that a script starts: S3 and STS on one
// endpoint, objects in memory.
type ceph struct {
	*process
	gateway, osd int    // process IDs
	Endpoint     string `json:"endpoint"`
	AccessKey    string `json:"access_key_id"`
	SecretKey    string `json:"secret_access_key"`
	RoleARN      string `json:"role_arn"`
	dir          string
}

// errNoCeph says why this machine cannot have one.
type errNoCeph string

func (e errNoCeph) Error() string { return "skipped: " + string(e) }

func startCeph(b *bench) (*ceph, error) {
	script := filepath.Join(b.root, "scripts", "ceph.sh")
	lacking, err := exec.Command(script, "missing").Output()
	if err != nil {
		return nil, err
	}
	if text := strings.TrimSpace(string(lacking)); text != "" {
		return nil, errNoCeph(text + " not installed")
	}
	if os.Getuid() != 0 {
		return nil, errNoCeph("starting Ceph needs root")
	}
	c := &ceph{dir: filepath.Join(b.dir, "ceph")}
	if c.process, err = startProcess(exec.Command(script, "run", c.dir), "", func(file string) target { return target{address: file} }); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(c.at.address)
	if err == nil {
		err = json.Unmarshal(text, c)
	}
	c.at = target{"tcp", strings.TrimPrefix(c.Endpoint, "http://")}
	var err1, err2 error
	c.gateway, err1 = c.pidOf("client.rgw.a")
	c.osd, err2 = c.pidOf("osd.0")
	if err := errors.Join(err, err1, err2); err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

func (c *ceph) pidOf(name string) (int, error) {
	text, err := os.ReadFile(filepath.Join(c.dir, "run", name+".pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// config is a server's configuration file that sends all buckets there.
func (c *ceph) config(file string) error {
	secret := filepath.Join(c.dir, "secret")
	err := os.WriteFile(secret, []byte(c.SecretKey), 0o600)
	return errors.Join(err, os.WriteFile(file, fmt.Appendf(nil, `upstreams:
  - {name: ceph, endpoint: %q, access_key_id: %q, secret_key_file: %q, mode: plain}
s3: {default_upstream: ceph}
`, c.Endpoint, c.AccessKey, secret), 0o600))
}

// rgw measures Daypass before Ceph's object gateway, and beside it.
func (b *bench) rgw() error {
	c, err := startCeph(b)
	var none errNoCeph
	if errors.As(err, &none) {
		fmt.Fprintln(os.Stderr, "bench: rgw", none)
		return nil
	}
	if err != nil {
		return err
	}
	defer c.end()
	if err := c.config(filepath.Join(b.dir, "rgw.yaml")); err != nil {
		return err
	}
	s, err := startServer(b, "rgw")
	if err != nil {
		return err
	}
	defer s.end()
	return errors.Join(b.rgwObjects(c, s), b.rgwKeys(c, s), b.rgwBroker(c, s))
}

// rgwObjects measures objects by way of the server and directly.
func (b *bench) rgwObjects(c *ceph, s *server) error {
	own, err := s.sessionKeys()
	if err != nil {
		return err
	}
	theirs := keys{AccessKeyID: c.AccessKey, SecretAccessKey: c.SecretKey}
	both := func(conns int, method, path string, size int) ([]*load, error) {
		var body []byte
		if method == "PUT" {
			body = bytes.Repeat([]byte("0123456789abcdef"), size/16)
		}
		behind, err1 := signed(s.at, own, "s3", method, path, body, "", nil)
		alone, err2 := signed(c.at, theirs, "s3", method, path, body, "", nil)
		by := b.loadOn(s, conns, behind)
		by.pids = append(by.pids, c.gateway, c.osd)
		return []*load{by, {at: c.at, conns: conns, requests: [][]byte{alone}, duration: b.duration, pids: []int{c.gateway, c.osd}}}, errors.Join(err1, err2)
	}
	for _, step := range []struct {
		path string
		size int
	}{{"/" + bucket, 0}, {small, smallBody}, {large, largeBody}} {
		loads, err := both(1, "PUT", step.path, step.size)
		if err != nil {
			return err
		}
		loads[through].once = true
		if _, err := loads[through].run(); err != nil {
			return fmt.Errorf("PUT %s: %w", step.path, err)
		}
	}
	b.report.heading("Gateway before Ceph's object gateway (directly = the same requests to Ceph, past the gateway)")
	for _, size := range []struct {
		name, path string
		bytes      int
	}{{"4 KiB", small, smallBody}, {"16 MiB", large, largeBody}} {
		for _, method := range []string{"GET", "PUT"} {
			for _, conns := range []int{1, 16} {
				loads, err := both(conns, method, size.path, size.bytes)
				if err != nil {
					return err
				}
				if size.bytes == largeBody {
					loads[through].duration, loads[direct].duration = 2*b.duration, 2*b.duration
				}
				all, err := b.turns(loads...)
				if err != nil {
					return fmt.Errorf("%s %s: %w", method, size.name, err)
				}
				b.rgwRow(fmt.Sprintf("%s %s, %d connections", method, size.name, conns), all, size.bytes)
			}
		}
	}
	return nil
}

// rgwRow adds one comparison: requests per second, of large bodies MiB/s.
func (b *bench) rgwRow(name string, all rounds, size int) {
	speed := func(i int) string {
		if size == largeBody {
			return fmt.Sprintf("%.0f MiB/s", all.median(i, rate)*largeBody/(1<<20))
		}
		return fmt.Sprintf("%.0f/s", all.median(i, rate))
	}
	cpu := func(i int, figure func(*outcome) float64) string { return short(duration(all.median(i, figure))) }
	latency := func(i int) string { return short(duration(all.median(i, half))) }
	b.report.add(name, speed(through), "directly "+speed(direct), fmt.Sprintf("%.2f ×", all.ratio(through, direct, rate)), "", "")
	b.report.add("  latency; CPU of the server, of Ceph's gateway", latency(through)+"; "+cpu(through, cpuFirst)+", "+cpu(through, cpuSecond),
		"directly "+latency(direct)+"; "+cpu(direct, cpuFirst), "", "", "")
}
