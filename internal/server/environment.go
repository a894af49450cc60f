package server

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

const environmentPrefix = "DAYPASS_"

// Key is one configuration key.
type Key struct {
	// Path is as in the file: "audit.max_bytes".
	Path string
	// Variable overrides it: "DAYPASS_AUDIT_MAX_BYTES".
	Variable string
	value    reflect.Value
}

// Keys lists every configuration key, in the order of Config.
func Keys() []Key {
	c := DefaultConfig()
	return keysOf(reflect.ValueOf(&c).Elem(), "")
}

func keysOf(v reflect.Value, prefix string) []Key {
	var out []Key
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		path := prefix + name
		if v.Field(i).Kind() == reflect.Struct {
			out = append(out, keysOf(v.Field(i), path+".")...)
			continue
		}
		out = append(out, Key{path, variableOf(path), v.Field(i)})
	}
	return out
}

// variableOf is the variable that overrides a key.
func variableOf(path string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// applyOverrides overrides keys by variables, then by flags, and returns what
// gave each key that was overridden. An empty value counts as not set.
// Variables that name no key belong to others: clients have some too.
func (c *Config) applyOverrides(environ []string, flags []Flag) (origins map[string]string, err error) {
	keys := keysOf(reflect.ValueOf(c).Elem(), "")
	origins = map[string]string{}
	var wrong []string
	override := func(origin, text string, names func(Key) bool) {
		i := slices.IndexFunc(keys, names)
		if i < 0 || text == "" {
			return
		}
		if err := set(keys[i].value, text); err != nil {
			wrong = append(wrong, fmt.Sprintf("%s (for %s): %v", origin, keys[i].Path, err))
		}
		origins[keys[i].Path] = origin
	}
	for _, pair := range environ {
		name, text, _ := strings.Cut(pair, "=")
		override(name, text, func(k Key) bool { return k.Variable == name })
	}
	for _, f := range flags {
		override(f.Name, f.Value, func(k Key) bool { return k.Path == f.Key })
	}
	if len(wrong) > 0 {
		return nil, invalid(strings.Join(wrong, "\n"))
	}
	return origins, nil
}

func set(v reflect.Value, text string) error {
	switch v.Interface().(type) {
	case string:
		v.SetString(text)
	case []string:
		var list []string
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		v.Set(reflect.ValueOf(list))
	case bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(b)
	case time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration like 30s", text)
		}
		v.SetInt(int64(d))
	case int, int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		v.SetInt(n)
	default:
		return fmt.Errorf("is a list of mappings, which only the file can give")
	}
	return nil
}

// Default is the key's value without file and environment.
func (k Key) Default() string {
	switch v := k.value.Interface().(type) {
	case []string:
		return strings.Join(v, ",")
	case []UpstreamConfig, []RouteConfig:
		return ""
	default:
		return fmt.Sprint(v)
	}
}
