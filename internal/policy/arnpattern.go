package policy

import "strings"

// arnSegments is the number of parts of an ARN; the last holds colons freely.
const arnSegments = 6

// arnPattern is an ARN with wildcards. It is read in two ways. Strictly, each
// of the six segments is matched on its own, so that "*" does not reach across
// a colon; only an ARN cut short, whose last character is "*", reaches to the
// end. Loosely, "*" reaches across colons. AWS lets a "*" at the end of a
// segment do so; where the two readings differ, the caller takes the one that
// permits less. A CRN (IBM Cloud) is read alike, all from its sixth segment on
// as the last.
type arnPattern struct {
	whole    pattern
	segments []pattern
	// plain is set when both readings are the same; segments are then not kept.
	plain bool
	// partition is spelt out in the pattern, or "".
	partition string
}

// compileARN compiles "*", an ARN or a CRN. It fails for what is neither.
func compileARN(text string, mode patternMode) (arnPattern, error) {
	whole, err := compilePattern(text, mode|wildcards)
	p := arnPattern{whole: whole}
	if err != nil {
		return p, err
	}
	if text == "*" {
		p.plain = true
		return p, nil
	}
	parts := splitARN(text, mode)
	last := parts[len(parts)-1]
	if parts[0] != "arn" && parts[0] != "crn" || len(parts) < 2 || (len(parts) < arnSegments && !strings.HasSuffix(last, "*")) || last == "" {
		return p, refused("%s must be in ARN format or \"*\".", text)
	}
	p.plain = true
	for i, part := range parts {
		segment, err := compilePattern(part, mode|wildcards)
		if err != nil {
			return p, err
		}
		p.segments = append(p.segments, segment)
		if i < len(parts)-1 && (len(segment.tokens) > 1 || (len(segment.tokens) == 1 && segment.tokens[0].kind != literalText)) {
			p.plain = false
		}
	}
	if parts[0] == "arn" && p.segments[1].shape == exact {
		p.partition = p.segments[1].first
	}
	if p.plain {
		p.segments = nil
	}
	return p, nil
}

// splitARN cuts at the first five colons that stand outside of variables.
func splitARN(text string, mode patternMode) []string {
	var parts []string
	start, depth := 0, 0
	for i := 0; i < len(text) && len(parts) < arnSegments-1; i++ {
		switch {
		case mode&variables != 0 && strings.HasPrefix(text[i:], "${"):
			depth = 1
		case text[i] == '}':
			depth = 0
		case text[i] == ':' && depth == 0:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

// subject is a text to be matched by ARN patterns, with its first five colons.
// split finds them when a pattern first asks.
type subject struct {
	text   string
	colons [arnSegments - 1]int
	known  bool
	isARN  bool
}

func (s *subject) split() {
	s.known = true
	from := 0
	for i := range s.colons {
		n := strings.IndexByte(s.text[from:], ':')
		if n < 0 {
			return
		}
		s.colons[i] = from + n
		from += n + 1
	}
	s.isARN = strings.HasPrefix(s.text, "arn:") || strings.HasPrefix(s.text, "crn:")
}

// segment returns part i; with rest everything from part i on.
func (s *subject) segment(i int, rest bool) string {
	start := 0
	if i > 0 {
		start = s.colons[i-1] + 1
	}
	if rest || i == arnSegments-1 {
		return s.text[start:]
	}
	return s.text[start:s.colons[i]]
}

// matches takes the strict or the loose reading. values are those of whole's
// variables, in order.
func (p *arnPattern) matches(s *subject, values []string, strict bool) bool {
	if p.plain || !strict {
		return p.whole.matches(values, s.text)
	}
	if !s.known {
		s.split()
	}
	if !s.isARN {
		return false
	}
	for i := range p.segments {
		g := &p.segments[i]
		if !g.matches(values, s.segment(i, i == len(p.segments)-1)) {
			return false
		}
		values = values[len(g.vars):]
	}
	return true
}
