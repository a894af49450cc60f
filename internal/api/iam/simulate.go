package iam

import (
	"context"
	"strconv"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// Simulations judge policies without anything being done.
type Simulations interface {
	Simulate(ctx context.Context, c *identity.Caller, in directory.Simulation) (directory.Listing[directory.Simulated], error)
	ContextKeys(ctx context.Context, c *identity.Caller, source string, documents []string) ([]string, error)
}

var simulationActions = map[string]action{
	"GetContextKeysForCustomPolicy":    (*Handler).getContextKeysForCustomPolicy,
	"GetContextKeysForPrincipalPolicy": (*Handler).getContextKeysForPrincipalPolicy,
	"SimulateCustomPolicy":             (*Handler).simulateCustomPolicy,
	"SimulatePrincipalPolicy":          (*Handler).simulatePrincipalPolicy,
}

// Bounds of lists; the API's model has none.
const (
	maxSimulatedActions   = 1000
	maxSimulatedResources = 1000
	maxContextEntries     = 200
	maxContextValues      = 200
	maxDocuments          = 50
)

func (h *Handler) simulateCustomPolicy(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	s := in.simulation()
	s.Policies = in.documents("PolicyInputList", true)
	return h.simulate(c, &in, s)
}

func (h *Handler) simulatePrincipalPolicy(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	source, _ := in.required("PolicySourceArn", 20, 2048)
	s := in.simulation()
	s.Source, s.Policies = source, in.documents("PolicyInputList", false)
	return h.simulate(c, &in, s)
}

func (h *Handler) simulate(c *call, in *fields, s directory.Simulation) (func(*awswire.XML), error) {
	if in.err != nil {
		return nil, in.err
	}
	list, err := h.directory.Simulate(c.ctx, c.caller, s)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("EvaluationResults")
		for i := range list.Items {
			writeSimulated(x, &list.Items[i])
		}
		x.Close("EvaluationResults")
		writePaging(x, list.Next)
	}, nil
}

func writeSimulated(x *awswire.XML, s *directory.Simulated) {
	x.Open("member")
	x.Elem("EvalActionName", s.Action)
	x.Elem("EvalResourceName", s.Resource)
	x.Elem("EvalDecision", s.Decision)
	x.Open("MatchedStatements")
	for _, m := range s.Matched {
		x.Open("member")
		x.Elem("SourcePolicyId", m.PolicyID)
		x.Elem("SourcePolicyType", m.PolicyType)
		writePosition(x, "StartPosition", m.StartLine, m.StartColumn)
		writePosition(x, "EndPosition", m.EndLine, m.EndColumn)
		x.Close("member")
	}
	x.Close("MatchedStatements")
	x.List("MissingContextValues", s.Missing)
	if s.Bounded {
		x.Open("PermissionsBoundaryDecisionDetail")
		x.Bool("AllowedByPermissionsBoundary", s.Within)
		x.Close("PermissionsBoundaryDecisionDetail")
	}
	x.Close("member")
}

func writePosition(x *awswire.XML, name string, line, column int) {
	x.Open(name)
	x.Int("Line", int64(line))
	x.Int("Column", int64(column))
	x.Close(name)
}

func (h *Handler) getContextKeysForCustomPolicy(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	documents := in.documents("PolicyInputList", true)
	return h.contextKeys(c, &in, "", documents)
}

func (h *Handler) getContextKeysForPrincipalPolicy(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	source, _ := in.required("PolicySourceArn", 20, 2048)
	documents := in.documents("PolicyInputList", false)
	return h.contextKeys(c, &in, source, documents)
}

func (h *Handler) contextKeys(c *call, in *fields, source string, documents []string) (func(*awswire.XML), error) {
	if in.err != nil {
		return nil, in.err
	}
	keys, err := h.directory.ContextKeys(c.ctx, c.caller, source, documents)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) { x.List("ContextKeyNames", keys) }, nil
}

// simulation reads what both kinds of simulation have.
func (in *fields) simulation() directory.Simulation {
	s := directory.Simulation{
		Actions:    in.texts("ActionNames", maxSimulatedActions, 3, 128),
		Boundaries: in.documents("PermissionsBoundaryPolicyInputList", false),
		Resources:  in.texts("ResourceArns", maxSimulatedResources, 1, 2048),
		Context:    in.contextEntries(),
		Page:       in.page(),
	}
	if len(s.Actions) == 0 {
		in.fail(awswire.MissingParameter("ActionNames"))
	}
	s.ResourcePolicy, _ = in.optional("ResourcePolicy", 1, maxDocument)
	s.ResourceOwner, _ = in.optional("ResourceOwner", 1, 2048)
	s.CallerARN, _ = in.optional("CallerArn", 1, 2048)
	// ResourceHandlingOption tells scenarios of one service of AWS's apart.
	in.optional("ResourceHandlingOption", 1, 64)
	return s
}

// texts reads a list of scalars of bounded length.
func (in *fields) texts(name string, limit, least, most int) []string {
	list, err := in.form.List(name, limit)
	if err != nil {
		in.fail(err)
	}
	for i, text := range list {
		in.length(name+"."+strconv.Itoa(i+1)+".member", text, least, most)
	}
	return list
}

func (in *fields) documents(name string, required bool) []string {
	list := in.texts(name, maxDocuments, 1, maxDocument)
	if required && len(list) == 0 {
		in.fail(awswire.MissingParameter(name))
	}
	return list
}

func (in *fields) contextEntries() map[string][]string {
	const name = "ContextEntries"
	members, err := in.form.Structs(name, maxContextEntries)
	if err != nil {
		in.fail(err)
		return nil
	}
	entries := make(map[string][]string, len(members))
	for i, m := range members {
		field := name + "." + strconv.Itoa(i+1) + ".member."
		key, sent := m.Lookup("ContextKeyName")
		if !sent {
			in.fail(awswire.Constraint(field+"contextKeyName", "", "Member must not be null"))
			return nil
		}
		in.length(field+"contextKeyName", key, 5, 256)
		values, err := m.List("ContextKeyValues", maxContextValues)
		if err != nil {
			in.fail(err)
			return nil
		}
		entries[key] = values
	}
	return entries
}
