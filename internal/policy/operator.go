package policy

import "strings"

// comparison is what a condition operator compares and how, without its
// negation and its suffixes.
type comparison uint8

const (
	unknownOperator comparison = iota // matches no Allow and every Deny
	stringEquals
	stringEqualsIgnoreCase
	stringLike
	numericEquals
	numericLess
	numericLessEquals
	numericGreater
	numericGreaterEquals
	dateEquals
	dateLess
	dateLessEquals
	dateGreater
	dateGreaterEquals
	boolean
	binaryEquals
	ipAddress
	arnLike
	null
)

func (c comparison) isDate() bool { return dateEquals <= c && c <= dateGreaterEquals }

type quantifier uint8

const (
	single    quantifier = iota
	forAll               // ForAllValues:
	forAny               // ForAnyValue:
	ifExists  = "IfExists"
	allPrefix = "ForAllValues:"
	anyPrefix = "ForAnyValue:"
)

// operator is a condition operator taken apart.
type operator struct {
	compare    comparison
	negated    bool
	ifExists   bool
	quantifier quantifier
}

// operators are the names of the language. ArnEquals and ArnLike mean the same.
var operators = map[string]operator{
	"StringEquals":              {compare: stringEquals},
	"StringNotEquals":           {compare: stringEquals, negated: true},
	"StringEqualsIgnoreCase":    {compare: stringEqualsIgnoreCase},
	"StringNotEqualsIgnoreCase": {compare: stringEqualsIgnoreCase, negated: true},
	"StringLike":                {compare: stringLike},
	"StringNotLike":             {compare: stringLike, negated: true},
	"NumericEquals":             {compare: numericEquals},
	"NumericNotEquals":          {compare: numericEquals, negated: true},
	"NumericLessThan":           {compare: numericLess},
	"NumericLessThanEquals":     {compare: numericLessEquals},
	"NumericGreaterThan":        {compare: numericGreater},
	"NumericGreaterThanEquals":  {compare: numericGreaterEquals},
	"DateEquals":                {compare: dateEquals},
	"DateNotEquals":             {compare: dateEquals, negated: true},
	"DateLessThan":              {compare: dateLess},
	"DateLessThanEquals":        {compare: dateLessEquals},
	"DateGreaterThan":           {compare: dateGreater},
	"DateGreaterThanEquals":     {compare: dateGreaterEquals},
	"Bool":                      {compare: boolean},
	"BinaryEquals":              {compare: binaryEquals},
	"IpAddress":                 {compare: ipAddress},
	"NotIpAddress":              {compare: ipAddress, negated: true},
	"ArnEquals":                 {compare: arnLike},
	"ArnNotEquals":              {compare: arnLike, negated: true},
	"ArnLike":                   {compare: arnLike},
	"ArnNotLike":                {compare: arnLike, negated: true},
	"Null":                      {compare: null},
}

// parseOperator takes "ForAnyValue:StringNotLikeIfExists" apart. Case counts.
func parseOperator(name string) (operator, bool) {
	base, q := name, single
	if rest, ok := strings.CutPrefix(name, allPrefix); ok {
		base, q = rest, forAll
	} else if rest, ok := strings.CutPrefix(name, anyPrefix); ok {
		base, q = rest, forAny
	}
	base, exists := strings.CutSuffix(base, ifExists)
	op, ok := operators[base]
	if !ok || (op.compare == null && (exists || q != single)) {
		return operator{}, false
	}
	op.quantifier, op.ifExists = q, exists
	return op, true
}
