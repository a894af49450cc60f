package policydiff

import (
	"encoding/base64"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// compared is a condition on its way to the other engine.
type compared struct {
	allow, negated, exists bool
	quantifier, base       string
	wanted                 []string
	pieces                 []pieces // of wanted, for ARNs
	got                    []string
}

func (c *compared) operator() string {
	name := c.quantifier + c.base
	if c.exists {
		name += "IfExists"
	}
	return name
}

func takeApart(c condition, allow bool) compared {
	out := compared{allow: allow, base: c.operator, wanted: slices.Clone(c.values)}
	for _, q := range []string{"ForAllValues:", "ForAnyValue:"} {
		if rest, ok := strings.CutPrefix(out.base, q); ok {
			out.quantifier, out.base = q, rest
		}
	}
	out.base, out.exists = strings.CutSuffix(out.base, "IfExists")
	out.negated = strings.Contains(out.base, "Not")
	return out
}

func (t *translation) condition(raw condition, allow, vars bool) condition {
	c := takeApart(raw, allow)
	c.got = slices.Clone(t.keys[strings.ToLower(raw.key)])
	if c.base == "Null" {
		return t.ask(&c)
	}
	missing := t.operands(&c, vars)
	if len(c.got) == 0 {
		switch {
		case c.quantifier == "ForAnyValue:" && (c.negated || c.exists):
			t.use(ruleAnyMissing)
			return t.constant(c.exists && !allow)
		case c.quantifier == "" && !c.exists && c.negated && allow && missing:
			return t.constant(false)
		}
		return t.ask(&c)
	}
	if c.quantifier == "ForAllValues:" && !allow && strings.Join(c.got, "") == "" {
		t.use(ruleAllEmpty)
		return t.constant(true)
	}
	if allow && c.negated && missing {
		return t.constant(false)
	}
	if c.quantifier == "" && len(c.got) > 1 && allow != c.negated {
		t.use(ruleSeveral)
		c.quantifier = "ForAllValues:"
		if !allow {
			c.quantifier = "ForAnyValue:"
		}
	}
	if !t.values(&c) {
		return t.constant(false)
	}
	return t.ask(&c)
}

// ask gives the condition a key of its own.
func (t *translation) ask(c *compared) condition {
	t.conds++
	key := t.rename(t.conds)
	if len(c.got) > 0 {
		t.out[key] = c.got
	}
	return condition{c.operator(), key, c.wanted}
}

func (c *compared) isText() bool { return strings.HasPrefix(c.base, "String") }
func (c *compared) isARN() bool  { return strings.HasPrefix(c.base, "Arn") }

// operands replaces variables; an operand whose variable has no value equals
// nothing.
func (t *translation) operands(c *compared, vars bool) (missing bool) {
	if !c.isText() && !c.isARN() {
		return false
	}
	wildcards := c.isARN() || strings.HasSuffix(c.base, "Like")
	for i, w := range c.wanted {
		x := t.expand(w, vars, wildcards)
		switch {
		case x.missing:
			missing = true
			c.wanted[i] = never
		case wildcards:
			for _, g := range c.got {
				t.wildcards(x, g)
			}
			c.wanted[i] = x.encoded()
		default:
			c.wanted[i] = x.plain()
		}
		c.pieces = append(c.pieces, x)
	}
	if wildcards && c.isText() {
		for i, g := range c.got {
			c.got[i] = literals.Replace(g)
		}
	}
	return missing
}

// segments hides values that match only when "*" reaches across a colon.
func (t *translation) segments(c *compared) {
	for i, g := range c.got {
		loose, strict := false, false
		for _, x := range c.pieces {
			loose = loose || (!x.missing && x.matches(g, false))
			strict = strict || (!x.missing && x.matches(g, true))
		}
		if loose && !strict {
			t.use(ruleSegments)
			c.got[i] = "arn" + strings.Repeat(":"+never, 5)
		}
	}
}

// values brings what the request holds into the other engine's forms. It
// reports false when the condition can no longer be met.
func (t *translation) values(c *compared) bool {
	t.forms(c)
	if c.isARN() {
		t.segments(c)
	}
	if strings.HasSuffix(c.base, "IgnoreCase") {
		t.letters(c)
	}
	if c.isText() {
		return true
	}
	// In an Allow, a value of another type is never on the caller's side.
	if !c.allow {
		return true
	}
	var rest []string
	for _, g := range c.got {
		if c.fits(g) {
			rest = append(rest, g)
		}
	}
	if len(rest) == len(c.got) {
		return true
	}
	t.use(ruleOtherType)
	if c.quantifier != "ForAnyValue:" || len(rest) == 0 {
		return false
	}
	c.got = rest
	return true
}

var (
	decimal  = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)
	seconds  = regexp.MustCompile(`^[0-9]{1,11}$`) // to the year 5138
	isoDate  = regexp.MustCompile(`^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$`)
	unfit    = "unfit"
	largeInt = regexp.MustCompile(`^[+-]?[0-9]{16,}$`)
)

// fits reports whether a value, in the form that it has here, is of the type.
func (c *compared) fits(g string) bool {
	switch {
	case c.isARN():
		return strings.HasPrefix(g, "arn:") && strings.Count(g, ":") >= 5
	case c.base == "BinaryEquals":
		_, err := base64.StdEncoding.Strict().DecodeString(g)
		return err == nil && !strings.ContainsAny(g, "\r\n")
	case strings.HasSuffix(c.base, "IpAddress"):
		_, err := netip.ParseAddr(g)
		return err == nil
	}
	return g != unfit
}

// forms writes numbers, dates, booleans and addresses the way that both read.
func (t *translation) forms(c *compared) {
	rewrite := func(r rule, form func(string) string) {
		for _, list := range [][]string{c.wanted, c.got} {
			for i, s := range list {
				if f := form(s); f != s {
					list[i] = f
					t.use(r)
				}
			}
		}
	}
	switch {
	case strings.HasPrefix(c.base, "Numeric"):
		rewrite(ruleNumberForm, func(s string) string {
			if !decimal.MatchString(s) {
				return unfit
			}
			return s
		})
		t.ranks(c)
	case strings.HasPrefix(c.base, "Date"):
		rewrite(ruleDateForm, dateForm)
	case c.base == "Bool":
		rewrite(ruleBoolForm, func(s string) string {
			if m := strings.ToLower(s); m == "true" || m == "false" {
				return m
			}
			return unfit
		})
	case strings.HasSuffix(c.base, "IpAddress"):
		rewrite(ruleMapped, func(s string) string {
			ip, err := netip.ParseAddr(s)
			if err != nil || (ip.Zone() == "" && !ip.Is4In6()) {
				return s
			}
			return ip.WithZone("").Unmap().String()
		})
	}
}

func dateForm(s string) string {
	switch {
	case seconds.MatchString(s):
		return s
	case !isoDate.MatchString(s):
		return unfit
	case len(s) == len("2006-01-02"):
		return s + "T00:00:00Z"
	case strings.Count(s, ":") == 1 && strings.HasSuffix(s, "Z"):
		return strings.TrimSuffix(s, "Z") + ":00Z"
	case !strings.HasSuffix(s, "Z") && !strings.Contains(s[10:], "+") && !strings.Contains(s[10:], "-"):
		return s + "Z"
	}
	if _, err := time.Parse(time.RFC3339, s); err != nil {
		return unfit
	}
	return s
}

// ranks puts places in an order in the stead of integers that a floating-point
// number cannot hold.
func (t *translation) ranks(c *compared) {
	all := append(slices.Clone(c.wanted), c.got...)
	if !slices.ContainsFunc(all, largeInt.MatchString) {
		return
	}
	t.use(ruleBigNumber)
	var order []*big.Rat
	for _, s := range all {
		if r, ok := new(big.Rat).SetString(s); ok && s != unfit {
			order = append(order, r)
		}
	}
	slices.SortFunc(order, (*big.Rat).Cmp)
	order = slices.CompactFunc(order, func(a, b *big.Rat) bool { return a.Cmp(b) == 0 })
	for _, list := range [][]string{c.wanted, c.got} {
		for i, s := range list {
			if r, ok := new(big.Rat).SetString(s); ok && s != unfit {
				n, _ := slices.BinarySearchFunc(order, r, (*big.Rat).Cmp)
				list[i] = strconv.Itoa(n)
			}
		}
	}
}

// letters hides values that equal an operand only by the case of letters
// beyond ASCII, where that would permit more.
func (t *translation) letters(c *compared) {
	for i, g := range c.got {
		folded, ascii := false, false
		for _, w := range c.wanted {
			folded = folded || strings.EqualFold(w, g)
			ascii = ascii || lowerASCII(w) == lowerASCII(g)
		}
		if folded && !ascii && c.allow != c.negated {
			t.use(ruleLetterCase)
			c.got[i] = never + "x"
		}
	}
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
