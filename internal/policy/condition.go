package policy

import (
	"strings"
	"time"
)

// condition is one operator with one key: all of a statement's must hold.
type condition struct {
	op       operator
	name     string // operator as written
	key      string // lower case
	written  string // key as written
	operands []operand
	clock    bool // compares dates with the time of the request
}

func compileConditions(raw []rawCondition, vars patternMode, writing bool) ([]condition, error) {
	var out []condition
	seen := map[string]bool{}
	for _, r := range raw {
		op, ok := parseOperator(r.operator)
		if !ok && writing {
			return nil, refused("Invalid Condition type : %s.", r.operator)
		}
		if r.values == nil {
			if writing {
				return nil, refused("The Condition type %s has no key.", r.operator)
			}
			out = append(out, condition{name: r.operator})
			continue
		}
		c := condition{op: op, name: r.operator, key: lowered(r.key), written: r.key}
		c.clock = op.compare.isDate() && (c.key == "aws:currenttime" || c.key == "aws:epochtime")
		if err := checkKey(r.key); err != nil {
			return nil, err
		}
		if seen[r.operator+" "+c.key] {
			return nil, refused("The condition key %s occurs twice under %s.", r.key, r.operator)
		}
		seen[r.operator+" "+c.key] = true
		if len(r.values) == 0 {
			return nil, refused("The condition key %s has no value.", r.key)
		}
		for _, written := range r.values {
			o, err := compileOperand(op.compare, written, vars)
			if err != nil {
				return nil, err
			}
			c.operands = append(c.operands, o)
		}
		out = append(out, c)
	}
	return out, nil
}

func checkKey(key string) error {
	if prefix, name, ok := strings.Cut(key, ":"); !ok || prefix == "" || name == "" {
		return refused("Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
	}
	if len(key) > 512 || strings.ContainsAny(key, "${}*?\"'\r\n\t") {
		return refused("The condition key %q is not valid.", key)
	}
	return nil
}

// met reports whether the condition holds for the request, as AWS defines it.
//
// A key without a value: a positive comparison fails, a negated one holds,
// IfExists and ForAllValues hold, ForAnyValue fails; ForAnyValue with IfExists,
// of which AWS says both, fails in an Allow and holds in a Deny. Several values
// without ForAllValues or ForAnyValue, which AWS leaves open: an Allow wants all
// of them to match, a Deny any. A value that is not of the operator's type never
// helps an Allow.
func (c *condition) met(v *view) bool {
	if c.op.compare == unknownOperator { // or one without key
		return !v.allow
	}
	if c.clock && !v.req.Time.IsZero() {
		return c.metNow(v.req.Time.Truncate(time.Second))
	}
	values := v.lookup(c.key)
	n := values.Len()
	switch {
	case c.op.compare == null:
		return c.anyTruth(n == 0)
	case n == 0:
		return c.metWithout(v)
	case c.op.quantifier == forAll && !v.allow && allEmpty(values):
		return true
	}
	all := c.op.quantifier == forAll || (c.op.quantifier == single && v.allow)
	for i := range n {
		if c.metBy(v, values.At(i)) != all {
			return !all
		}
	}
	return all
}

// metNow saves writing the time down and reading it again.
func (c *condition) metNow(now time.Time) bool {
	for i := range c.operands {
		if ordered(c.op.compare-dateEquals, now.Compare(c.operands[i].date)) {
			return !c.op.negated
		}
	}
	return c.op.negated
}

func (c *condition) metWithout(v *view) bool {
	switch {
	case c.op.quantifier == forAny:
		return c.op.ifExists && !v.allow
	case c.op.quantifier == forAll || c.op.ifExists:
		return true
	}
	return c.op.negated && !(v.allow && c.missingValue(v))
}

// metBy judges one value: a positive comparison wants one operand to match, a
// negated one none.
func (c *condition) metBy(v *view, text string) bool {
	var x reading
	x.read(c.op.compare, text)
	if !x.fits && v.allow {
		return false
	}
	for i := range c.operands {
		if c.holds(&c.operands[i], v, &x) {
			return !c.op.negated
		}
	}
	return c.op.negated && !(v.allow && c.missingValue(v))
}

// missingValue reports whether a variable of the condition has no value. In a
// negated comparison it would exclude nothing; an Allow must not gain by that.
func (c *condition) missingValue(v *view) bool {
	for i := range c.operands {
		for j := range c.operands[i].vars(c.op.compare) {
			if !v.has(&c.operands[i].vars(c.op.compare)[j]) {
				return true
			}
		}
	}
	return false
}

func (c *condition) anyTruth(truth bool) bool {
	for i := range c.operands {
		if c.operands[i].truth == truth {
			return true
		}
	}
	return false
}

func allEmpty(values Values) bool {
	for i := range values.Len() {
		if values.At(i) != "" {
			return false
		}
	}
	return true
}
