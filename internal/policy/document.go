package policy

// document is the JSON of a policy, read but not understood.
type document struct {
	version    string
	id         string
	statements []rawStatement
}

// rawStatement keeps nil for an absent element and an empty list for an empty
// one.
type rawStatement struct {
	start, end                 int
	sid                        string
	effect                     string
	principal, notPrincipal    *rawPrincipal
	actions, notActions        []string
	resources, notResources    []string
	conditions                 []rawCondition
	hasCondition, hasPrincipal bool
}

type rawPrincipal struct {
	anyone  bool // "*" alone
	entries []rawPrincipalEntry
}

type rawPrincipalEntry struct{ kind, value string }

// rawCondition without key is an operator with an empty object.
type rawCondition struct {
	operator, key string
	values        []string
}

// readDocument reads JSON of the shape of a policy. Every member that it does
// not know, or that occurs twice, is an error.
func readDocument(text string) (*document, error) {
	r := &reader{s: text}
	doc := new(document)
	statements := false
	err := r.object(func(name string) (err error) {
		switch name {
		case "Version":
			doc.version, err = r.text()
			if err == nil && doc.version != version2008 && doc.version != version2012 {
				err = refused("The policy must contain a valid version string.")
			}
		case "Id":
			doc.id, err = r.text()
		case "Statement":
			statements = true
			_, err = r.oneOrMany(func() error {
				s, err := r.statement()
				doc.statements = append(doc.statements, s)
				return err
			})
		default:
			err = r.syntax("the member %q is unknown", name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if r.peek(); r.i != len(r.s) {
		return nil, r.syntax("text after the end")
	}
	if !statements || len(doc.statements) == 0 {
		return nil, refused("Syntax errors in policy: a policy needs at least one Statement.")
	}
	return doc, nil
}

func (r *reader) statement() (rawStatement, error) {
	s := rawStatement{start: r.i}
	err := r.object(func(name string) (err error) {
		switch name {
		case "Sid":
			s.sid, err = r.text()
		case "Effect":
			s.effect, err = r.text()
		case "Principal":
			s.hasPrincipal = true
			s.principal, err = r.principal()
		case "NotPrincipal":
			s.hasPrincipal = true
			s.notPrincipal, err = r.principal()
		case "Action":
			s.actions, err = r.texts()
		case "NotAction":
			s.notActions, err = r.texts()
		case "Resource":
			s.resources, err = r.texts()
		case "NotResource":
			s.notResources, err = r.texts()
		case "Condition":
			s.hasCondition = true
			s.conditions, err = r.conditions()
		default:
			err = r.syntax("the member %q is unknown", name)
		}
		return err
	})
	s.end = r.i
	return s, err
}

func (r *reader) principal() (*rawPrincipal, error) {
	p := new(rawPrincipal)
	if r.peek() == '"' {
		text, err := r.text()
		if err == nil && text != "*" {
			err = refused("Invalid principal in policy: %q", text)
		}
		p.anyone = true
		return p, err
	}
	err := r.object(func(kind string) error {
		values, err := r.texts()
		for _, v := range values {
			p.entries = append(p.entries, rawPrincipalEntry{kind, v})
		}
		return err
	})
	return p, err
}

func (r *reader) conditions() ([]rawCondition, error) {
	var out []rawCondition
	err := r.object(func(operator string) error {
		before := len(out)
		err := r.object(func(key string) error {
			values, err := r.scalars()
			out = append(out, rawCondition{operator, key, values})
			return err
		})
		if len(out) == before {
			out = append(out, rawCondition{operator: operator})
		}
		return err
	})
	return out, err
}
