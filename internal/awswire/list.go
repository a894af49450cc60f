package awswire

import (
	"strconv"
	"strings"
)

// List returns the values of a list of scalars, "Name.member.1=…&Name.member.2=…",
// in order; nil when none was sent. "Name=" is an empty list, as some clients
// write one. More than limit members, numbers that do not run from 1 without a
// gap, and members that are not scalars are KindValidation.
func (f *Form) List(name string, limit int) ([]string, error) {
	n, err := f.members(name, limit, false)
	if n == 0 || err != nil {
		return nil, err
	}
	out := make([]string, n)
	for i := range out {
		out[i] = f.String(memberName(name, i+1))
	}
	return out, nil
}

// Structs returns the members of a list of structures,
// "Name.member.1.Key=…&Name.member.1.Value=…", in order; nil when none was
// sent. The same lists are refused as by List; which fields a member must have
// is the caller's to say.
func (f *Form) Structs(name string, limit int) ([]Member, error) {
	n, err := f.members(name, limit, true)
	if n == 0 || err != nil {
		return nil, err
	}
	out := make([]Member, n)
	for i := range out {
		out[i] = Member{form: f, prefix: memberName(name, i+1) + "."}
	}
	return out, nil
}

// Member is one structure of a list.
type Member struct {
	form   *Form
	prefix string
}

// Lookup returns the value of a field and whether it was sent.
func (m Member) Lookup(field string) (string, bool) { return m.form.Lookup(m.prefix + field) }

// String returns the value of a field, "" when absent.
func (m Member) String(field string) string { return m.form.String(m.prefix + field) }

// Required returns the value of a field, or KindMissingParameter naming it in
// full ("Tags.member.1.Key") when it is absent or empty.
func (m Member) Required(field string) (string, error) { return m.form.Required(m.prefix + field) }

// List returns a list of scalars inside the member, as Form.List.
func (m Member) List(field string, limit int) ([]string, error) {
	return m.form.List(m.prefix+field, limit)
}

func memberName(name string, n int) string {
	return name + ".member." + strconv.Itoa(n)
}

// members counts the members of a list and checks that their numbers are 1..n.
func (f *Form) members(name string, limit int, structs bool) (int, error) {
	prefix := name + ".member."
	var seen map[int]struct{}
	highest := 0
	for i := range f.pairs {
		rest, ok := strings.CutPrefix(f.pairs[i].name, prefix)
		if !ok {
			continue
		}
		number, field, dotted := strings.Cut(rest, ".")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || strconv.Itoa(n) != number || dotted != structs || structs && field == "" {
			return 0, Constraint(name, "", "Member must be a list")
		}
		if n > limit {
			return 0, Constraint(name, "", "Member must have length less than or equal to "+strconv.Itoa(limit))
		}
		if seen == nil {
			seen = make(map[int]struct{})
		}
		seen[n] = struct{}{}
		highest = max(highest, n)
	}
	if highest != len(seen) {
		return 0, Constraint(name, "", "Members must be numbered from 1 without a gap")
	}
	if v, sent := f.Lookup(name); sent && (v != "" || highest > 0) {
		return 0, Constraint(name, "", "Member must be a list")
	}
	return highest, nil
}
