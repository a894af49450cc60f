package policy

import (
	"net/netip"
	"strings"
)

// fixing are the keys by which a statement for everyone means somebody, when
// it wants fixed values of them, in lower case (S3, "The meaning of public").
var fixing = map[string]bool{
	"aws:principalarn": true, "aws:principalaccount": true, "aws:principalorgid": true, "aws:principalorgpaths": true,
	"aws:sourceaccount": true, "aws:sourcearn": true, "aws:sourceowner": true, "aws:sourcevpc": true, "aws:sourcevpce": true,
	"aws:sourceip": true, "aws:userid": true,
	"s3:dataaccesspointaccount": true, "s3:dataaccesspointarn": true, "s3:x-amz-server-side-encryption-aws-kms-key-id": true,
}

// Public reports whether a resource policy allows anything to everyone, as S3
// understands it: by a statement with Allow whose Principal is "*" and which no
// condition narrows to fixed callers or networks. A policy that cannot be read
// allows nothing.
func (p *Policy) Public() bool {
	for i := range p.statements {
		if s := &p.statements[i]; s.Effect == Allow && s.forEveryone() && !s.narrowed() {
			return true
		}
	}
	return false
}

func (s *Statement) forEveryone() bool {
	if s.principals == nil {
		return false
	}
	if s.principals.not {
		return true
	}
	for i := range s.principals.entries {
		if s.principals.entries[i].kind == everyone {
			return true
		}
	}
	return false
}

func (s *Statement) narrowed() bool {
	for i := range s.conditions {
		if s.conditions[i].fixes() {
			return true
		}
	}
	return false
}

// fixes reports whether the condition holds only for values that are written
// out in it.
func (c *condition) fixes() bool {
	if !fixing[c.key] || c.op.negated || c.op.ifExists || c.op.quantifier == forAll {
		return false
	}
	for i := range c.operands {
		o, fixed := &c.operands[i], false
		switch c.op.compare {
		case stringEquals, stringEqualsIgnoreCase:
			fixed = !strings.Contains(o.written, "${")
		case stringLike, arnLike:
			text := o.written
			if c.key == "aws:userid" { // the sessions of one role
				if role, ok := strings.CutSuffix(text, ":*"); ok && isUniqueID(role) {
					text = role
				}
			}
			fixed = !strings.ContainsAny(text, "*?$")
		case ipAddress:
			fixed = isNarrow(o.network)
		}
		if !fixed {
			return false
		}
	}
	return true
}

// isNarrow reports whether a network is private or at most as wide as S3 lets
// one be that is not everybody.
func isNarrow(n netip.Prefix) bool {
	if n.Addr().Is4() {
		return n.Bits() >= 8
	}
	return n.Bits() >= 32 || n.Bits() >= 7 && n.Addr().IsPrivate()
}
