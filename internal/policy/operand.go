package policy

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// operand is one value of a condition, compiled for its operator; only the
// field of the operator's type is set.
type operand struct {
	written string
	text    pattern
	arn     arnPattern
	number  number
	date    time.Time
	truth   bool
	binary  string
	network netip.Prefix
}

// compileOperand fails for a value that the operator cannot compare with
// anything: such a condition would never, or always, hold.
func compileOperand(compare comparison, written string, vars patternMode) (operand, error) {
	o := operand{written: written}
	var err error
	ok := true
	switch compare {
	case stringEquals:
		o.text, err = compilePattern(written, vars)
	case stringEqualsIgnoreCase:
		o.text, err = compilePattern(written, vars|foldCase)
	case stringLike:
		o.text, err = compilePattern(written, vars|wildcards)
	case arnLike:
		if o.arn, err = compileARN(written, vars); err != nil {
			err = refused("The condition value %s", publicOf(err))
		}
	case numericEquals, numericLess, numericLessEquals, numericGreater, numericGreaterEquals:
		o.number, ok = parseNumber(written)
	case dateEquals, dateLess, dateLessEquals, dateGreater, dateGreaterEquals:
		o.date, ok = parseDate(written)
	case boolean, null:
		o.truth, ok = parseBool(written)
	case binaryEquals:
		o.binary, ok = parseBinary(written)
	case ipAddress:
		o.network, ok = parseNetwork(written)
	}
	if !ok {
		err = refused("The value %q does not fit the condition operator.", written)
	}
	return o, err
}

// vars are the variables of the operand.
func (o *operand) vars(compare comparison) []variable {
	if compare == arnLike {
		return o.arn.whole.vars
	}
	return o.text.vars
}

// reading is a value of the request, read as the operator's type; only the
// field of that type is set. fits is false when it is not of the type.
type reading struct {
	text   subject
	number number
	date   time.Time
	truth  bool
	ip     netip.Addr
	binary string
	fits   bool
}

func (x *reading) read(compare comparison, text string) {
	x.text.text, x.fits = text, true
	switch compare {
	case arnLike:
		x.text.split()
		x.fits = x.text.isARN
	case numericEquals, numericLess, numericLessEquals, numericGreater, numericGreaterEquals:
		x.number, x.fits = parseNumber(text)
	case dateEquals, dateLess, dateLessEquals, dateGreater, dateGreaterEquals:
		x.date, x.fits = parseDate(text)
	case boolean:
		x.truth, x.fits = parseBool(text)
	case binaryEquals:
		x.binary, x.fits = parseBinary(text)
	case ipAddress:
		ip, err := netip.ParseAddr(text)
		x.ip, x.fits = ip.Unmap().WithZone(""), err == nil
	}
}

// holds compares one value of the request.
func (c *condition) holds(o *operand, v *view, x *reading) bool {
	switch c.op.compare {
	case stringEquals, stringLike, stringEqualsIgnoreCase:
		return c.holdsText(o, v, x.text.text)
	case arnLike:
		return c.holdsARN(o, v, &x.text)
	}
	if !x.fits {
		return false
	}
	switch c.op.compare {
	case numericEquals, numericLess, numericLessEquals, numericGreater, numericGreaterEquals:
		return ordered(c.op.compare-numericEquals, x.number.compare(o.number))
	case dateEquals, dateLess, dateLessEquals, dateGreater, dateGreaterEquals:
		return ordered(c.op.compare-dateEquals, x.date.Compare(o.date))
	case boolean:
		return x.truth == o.truth
	case binaryEquals:
		return x.binary == o.binary
	case ipAddress:
		return o.network.Contains(x.ip)
	}
	return false
}

func (c *condition) holdsText(o *operand, v *view, value string) bool {
	var buffer [valuesOnStack]string
	var values []string
	if vars := o.text.vars; len(vars) > 0 {
		var state valueState
		if values, state = v.substitute(vars, buffer[:0]); state == valueMissing {
			return false
		}
	}
	// Where a doubt about case is left, the side that permits less.
	narrow := v.allow != c.op.negated
	if c.op.compare == stringEqualsIgnoreCase && !narrow {
		return o.text.matchesFolded(values, value)
	}
	return o.text.matches(values, value)
}

// holdsARN compares segment by segment, as AWS does in conditions.
func (c *condition) holdsARN(o *operand, v *view, s *subject) bool {
	var buffer [valuesOnStack]string
	var values []string
	if vars := o.arn.whole.vars; len(vars) > 0 {
		var state valueState
		if values, state = v.substitute(vars, buffer[:0]); state == valueMissing {
			return false
		}
	}
	return o.arn.matches(s, values, true)
}

// matchesFolded compares without regard to case in all of Unicode; the pattern
// has no wildcards.
func (p *pattern) matchesFolded(values []string, s string) bool {
	var whole strings.Builder
	for _, t := range p.tokens {
		if t.kind == substituted {
			whole.WriteString(values[t.index])
		} else {
			whole.WriteString(t.text)
		}
	}
	return strings.EqualFold(whole.String(), s)
}

// ordered reads an order (-1, 0, 1) as the comparisons are numbered: equals,
// less, less or equals, greater, greater or equals.
func ordered(which comparison, order int) bool {
	switch which {
	case 0:
		return order == 0
	case 1:
		return order < 0
	case 2:
		return order <= 0
	case 3:
		return order > 0
	}
	return order >= 0
}

// number is an integer where it can be, so that large ones keep all digits.
type number struct {
	integer int64
	float   float64
	whole   bool
}

func parseNumber(s string) (number, bool) {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return number{integer: i, float: float64(i), whole: true}, true
	}
	if s == "" || strings.Trim(s, "0123456789+-.eE") != "" {
		return number{}, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return number{float: f}, err == nil
}

func (n number) compare(other number) int {
	if n.whole && other.whole {
		switch {
		case n.integer < other.integer:
			return -1
		case n.integer > other.integer:
			return 1
		}
		return 0
	}
	switch {
	case n.float < other.float:
		return -1
	case n.float > other.float:
		return 1
	}
	return 0
}

var dateForms = []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01-02T15:04:05"}

// maxSeconds begins the year 10000, which no other form reaches; far beyond it
// time.Time wraps around and a late date would be an early one.
const maxSeconds = 253402300800

// parseDate reads the W3C forms of ISO 8601 and seconds since 1970.
func parseDate(s string) (time.Time, bool) {
	if n := digits(s); n == len(s) && n > 0 {
		seconds, err := strconv.ParseInt(s, 10, 64)
		return time.Unix(seconds, 0), err == nil && seconds < maxSeconds
	}
	if len(s) < len("2006-01-02") || len(s) > len(time.RFC3339Nano) {
		return time.Time{}, false
	}
	for _, form := range dateForms {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func parseBool(s string) (value, ok bool) {
	switch {
	case sameKey(s, "true"):
		return true, true
	case sameKey(s, "false"):
		return false, true
	}
	return false, false
}

// parseBinary takes one text for each value only: no line breaks, no stray bits.
func parseBinary(s string) (string, bool) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return string(b), err == nil && !strings.ContainsAny(s, "\r\n")
}

// parseNetwork reads a CIDR block or one address; bits beyond the mask are
// dropped, as AWS does, and IPv4 in IPv6 is IPv4.
func parseNetwork(s string) (netip.Prefix, bool) {
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, false
	}
	return p.Masked(), true
}
