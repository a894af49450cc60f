package probe

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"daypass/internal/upstream"
)

// keyTrials decide the key_semantics of the upstream.
var keyTrials = []trial{
	{id: "keys-apart", what: "different keys are different objects (a//b, ./a, x/../a)", needs: "get", needed: true, means: "with key_semantics: opaque a policy on a prefix can be got around", try: tryAliases},
	{id: "keys-odd", what: "keys with blanks, plus signs, %2F, unicode, quotes", needs: "get list-v2", means: "such keys cannot be used", try: tryOddKeys},
	{id: "keys-case", what: "keys that differ in case only are different", needs: "get", needed: true, means: "a policy on a key can be got around in another case; no setting prevents it", try: tryCase},
	{id: "keys-trailing", what: "keys that end in a slash hold bytes", needs: "get", means: "folder markers with content cannot be stored", try: tryTrailing},
	{id: "keys-nested", what: "an object beside objects below it (dir, dir/x)", needs: "get", means: "of an object and a folder of the same name only one can be stored", try: tryNested},
	{id: "keys-long", what: "keys of 1024 bytes", needs: "get", means: "long keys are refused", try: tryLong},
}

// tryAliases looks whether a store takes two keys for one. None of the odd ones
// leads out of the scratch bucket, even where a store resolves it.
func tryAliases(r *run) outcome {
	const base = "alias/x"
	var alias, refused, lost []string
	for _, odd := range []string{"alias//x", "alias/./x", "./alias/x", "alias/y/../x", "../" + r.bucket + "/alias/x", "/alias/x"} {
		shown := strings.ReplaceAll(odd, r.bucket, "BUCKET")
		if a := r.put(base, []byte("base"), nil); !a.ok() {
			return fails("it cannot be told: " + a.said())
		}
		before := r.get(odd)
		if before.ok() && string(before.body) == "base" {
			alias = append(alias, shown)
			continue
		}
		a := r.put(odd, []byte("odd"), nil)
		after := r.get(base)
		switch {
		case !before.refused() || !after.ok() || !a.ok() && !a.refused():
			return fails("it cannot be told for " + shown + ": " + before.said() + ", " + a.said() + ", " + after.said())
		case string(after.body) != "base":
			alias = append(alias, shown)
		case !a.ok():
			refused = append(refused, shown+" ("+a.said()+")")
		case !r.has(odd, []byte("odd")):
			lost = append(lost, shown)
		}
	}
	paths := r.S3.KeySemantics == upstream.KeysArePaths
	switch {
	case len(alias) > 0 && paths:
		return works("it takes for alias/x: " + strings.Join(alias, ", ") + "; the gate refuses such keys")
	case len(alias) > 0:
		r.advise("key_semantics", string(upstream.KeysArePaths), "it takes different keys for one object: "+strings.Join(alias, ", "), true)
		return fails("it takes for alias/x: " + strings.Join(alias, ", "))
	case len(lost) > 0 && !paths:
		r.advise("key_semantics", string(upstream.KeysArePaths), "it accepts keys that it does not give back: "+strings.Join(lost, ", "), false)
		return differs("accepted and lost: "+strings.Join(lost, ", "), "what is stored under such keys is gone")
	case len(refused) > 0:
		return differs("refused: "+strings.Join(refused, ", "), "such keys cannot be used")
	case paths:
		r.advise("key_semantics", string(upstream.KeysAreOpaque), "it keeps such keys apart, and the gate need not refuse them", false)
	}
	return works("")
}

var oddKeys = []string{
	"odd/a b", "odd/a+b", "odd/a%2Fb", "odd/a%b", "odd/grün/日本/🗝", "odd/q?x=1&y=2#z", "odd/semi;colon=,:@", "odd/\"quotes'<>", "odd/back\\slash",
	"odd/~tilde!*()", "odd/.hidden", "odd/dots...", "odd/ leading", "odd/trailing ",
}

func tryOddKeys(r *run) outcome {
	bad := map[string]string{}
	for _, key := range oddKeys {
		if a := r.put(key, []byte(key), nil); !a.ok() {
			bad[key] = a.said()
		} else if !r.has(key, []byte(key)) {
			bad[key] = "lost"
		}
	}
	listed, said := r.listKeys("list-type=2&", "odd/", "1000")
	if said != "" {
		return fails("list: " + said)
	}
	var out []string
	for _, key := range oddKeys {
		if bad[key] == "" && !slices.Contains(listed, key) {
			bad[key] = "not listed as it is"
		}
		if bad[key] != "" {
			out = append(out, fmt.Sprintf("%s (%s)", key, bad[key]))
		}
	}
	switch {
	case len(out) == len(oddKeys):
		return fails(strings.Join(out, ", "))
	case len(out) > 0:
		return differs("not: "+strings.Join(out, ", "), "such keys cannot be used")
	}
	return works("")
}

// unescape reads a key of a listing with encoding-type=url.
func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

func tryCase(r *run) outcome {
	if a := r.put("case/upper", []byte("lower"), nil); !a.ok() {
		return fails("it cannot be told: " + a.said())
	}
	switch a := r.get("case/UPPER"); {
	case a.ok():
		return fails("it takes them for one")
	case !a.refused():
		return fails("it cannot be told: " + a.said())
	}
	return works("")
}

func tryTrailing(r *run) outcome {
	if a := r.put("trailing/", []byte("bytes"), nil); !a.ok() {
		if b := r.put("trailing/", nil, nil); b.ok() {
			return differs("with bytes: "+a.said(), "empty folder markers work")
		}
		return fails(a.said())
	}
	if a := r.get("trailing/"); string(a.body) != "bytes" {
		return fails("it does not come back: " + a.said())
	}
	if a := r.get("trailing"); a.ok() {
		return fails("it is there without its slash too")
	}
	return works("")
}

func tryNested(r *run) outcome {
	r.put("nested", []byte("above"), nil)
	a := r.put("nested/x", []byte("below"), nil)
	if !a.ok() {
		return fails(a.said())
	}
	if !r.has("nested", []byte("above")) || !r.has("nested/x", []byte("below")) {
		return fails("one of the two is lost")
	}
	return works("")
}

func tryLong(r *run) outcome {
	flat := "long/" + strings.Repeat("k", 1019)
	if a := r.put(flat, []byte("long"), nil); a.ok() && r.has(flat, []byte("long")) {
		return works("")
	}
	deep := "long" + strings.Repeat("/"+strings.Repeat("d", 199), 5)
	if a := r.put(deep, []byte("deep"), nil); !a.ok() {
		return fails(a.said())
	}
	return differs("between slashes fewer", "long names of files are refused")
}
