package server

import (
	"context"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"daypass/internal/identity"
)

// filesPoll is how often files that may change are looked at.
const filesPoll = 5 * time.Second

// watchFiles calls every reload at each tick and, with force, at every value of
// hup, until ctx ends.
func watchFiles(ctx context.Context, tick <-chan time.Time, hup <-chan os.Signal, reloads ...func(force bool)) {
	for {
		force := false
		select {
		case <-ctx.Done():
			return
		case <-tick:
		case <-hup:
			force = true
		}
		for _, reload := range reloads {
			reload(force)
		}
	}
}

// reloadable are the keys that take effect without a restart.
var reloadable = []string{"upstreams", "s3.routes", "s3.default_upstream"}

// configFile is the configuration file of a running server.
type configFile struct {
	path string
	// load reads and judges the whole configuration anew; nil cannot.
	load func() (Config, error)
	// started is what the server was started with.
	started   Config
	upstreams *upstreams
	log       *slog.Logger

	stamp string
	// said holds the last lines, which are not repeated at every look.
	said map[string]string
}

func newConfigFile(path string, load func() (Config, error), started Config, u *upstreams, log *slog.Logger) *configFile {
	return &configFile{path: path, load: load, started: started, upstreams: u, log: log, stamp: stampOf(path), said: map[string]string{}}
}

// reload reads the file again if it changed, or anyway with force, and puts its
// upstreams and routes into use. A file that is not fit changes nothing and is
// tried again at the next call. Then the files that upstreams name are looked at.
func (f *configFile) reload(force bool) {
	if stamp := stampOf(f.path); f.load != nil && (force || stamp != f.stamp) {
		if f.reread(force) {
			f.stamp = stamp
		}
	}
	f.say("files", "files of upstreams were not reloaded; what was read before stays in use", f.upstreams.refresh(force))
}

func (f *configFile) reread(force bool) bool {
	next, err := f.load()
	if err == nil {
		err = f.upstreams.apply(&next)
	}
	if force {
		clear(f.said)
	}
	f.say("config", "the configuration was not reloaded; the old one stays in use", err)
	if err != nil {
		return false
	}
	f.log.Info("upstreams and routes were reloaded", "file", f.path, "upstreams", len(next.Upstreams), "routes", len(next.S3.Routes), "default_upstream", next.S3.DefaultUpstream)
	if keys := strings.Join(changedKeys(f.started, next), ", "); keys != f.said["restart"] {
		f.said["restart"] = keys
		if keys != "" {
			f.log.Warn("restart needed: " + keys)
		}
	}
	return true
}

// say logs an error unless it is the one that was said last.
func (f *configFile) say(about, message string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
		if e := identity.AsError(err); e.Public != "" {
			text = e.Public
		}
	}
	if text == f.said[about] {
		return
	}
	f.said[about] = text
	if text != "" {
		f.log.Error(message, "error", text)
	}
}

// changedKeys are the keys that differ and take effect only at a start.
func changedKeys(a, b Config) []string {
	of, next := keysOf(reflect.ValueOf(&a).Elem(), ""), keysOf(reflect.ValueOf(&b).Elem(), "")
	var out []string
	for i := range of {
		same := reflect.DeepEqual(of[i].value.Interface(), next[i].value.Interface())
		if !same && !slices.Contains(reloadable, of[i].Path) {
			out = append(out, of[i].Path)
		}
	}
	return out
}
