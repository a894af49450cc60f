package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"daypass/internal/identity"
	"daypass/internal/policy"
)

// explainFlags are the policies and the request to be judged on this machine.
type explainFlags struct {
	policies, sessions        []string
	boundary, resource, trust string
	principal, action, on     string
	owner, at                 string
	context                   []string
	asJSON                    bool
}

func newExplain() *cobra.Command {
	var f explainFlags
	var who clientFlags
	c := &cobra.Command{
		Use:   "explain [MESSAGE | -]",
		Short: "Say why an action was denied, or what policies would say",
		Long: `With a MESSAGE: opens the encoded message at the end of a refusal, as clients
print it, with the profile's keys, and says which statement decided, or which
came nearest, and what would have to change. Messages can be opened for a day,
in the account of who was refused, with sts:DecodeAuthorizationMessage.

Without one: judges an action by policy files on this machine, with the engine
that the server decides with. Nothing is sent anywhere. Exit status: 0 when the
action is allowed, 4 when it is denied.`,
		Example: `  aws s3 cp cat.jpg s3://photos/ 2>&1 | daypass explain -
  daypass explain 'User: … Encoded authorization failure message: AQAAAA…'
  daypass explain --policy reader.json --action s3:PutObject --resource arn:aws:s3:::photos/cat.jpg
  daypass explain --policy p.json --boundary b.json --action iam:CreateUser
  daypass explain --policy p.json --action s3:GetObject --resource arn:aws:s3:::b/k \
      --principal arn:aws:iam::123456789012:user/ann --context aws:SourceIp=192.0.2.7
  daypass explain --trust-policy t.json --action sts:AssumeRole --principal arn:aws:iam::123456789012:root`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("%q is one argument too many: put the MESSAGE into quotes", args[1])
			}
			return f.check(args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				return explainMessage(c, &who, args[0], f.asJSON)
			}
			r, err := f.request()
			if err != nil {
				return &usageError{c.CommandPath(), err}
			}
			set, err := f.set()
			if err != nil {
				return err
			}
			e := policy.Explain(r, set)
			if f.asJSON {
				err = printJSON(c.OutOrStdout(), e)
			} else {
				err = writeExplanation(c.OutOrStdout(), r, e)
			}
			if err == nil && !e.Decision.Allowed() {
				return errDenied
			}
			return err
		},
	}
	who.add(c)
	flags := c.Flags()
	flags.StringArrayVar(&f.policies, "policy", nil, "`file` of a policy of the principal; may be given again")
	flags.StringVar(&f.boundary, "boundary", "", "`file` of its permissions boundary")
	flags.StringArrayVar(&f.sessions, "session-policy", nil, "`file` of a session policy; may be given again")
	flags.StringVar(&f.resource, "resource-policy", "", "`file` of the resource's policy, such as a bucket policy")
	flags.StringVar(&f.trust, "trust-policy", "", "`file` of the trust policy of the role that is asked for")
	flags.StringVar(&f.action, "action", "", "`action`, such as s3:GetObject")
	flags.StringVar(&f.on, "resource", "*", "`ARN` of the resource")
	flags.StringVar(&f.principal, "principal", "", "`ARN` of who asks: a user, a role's session, a root user or a provider")
	flags.StringVar(&f.owner, "resource-account", "", "account `ID` that owns the resource (default: the principal's)")
	flags.StringArrayVar(&f.context, "context", nil, "condition key as `KEY=VALUE`; may be given again, the same key too")
	flags.StringVar(&f.at, "at", "", "`time` of the request, as 2026-01-02T03:04:05Z (default: now)")
	flags.BoolVar(&f.asJSON, "json", false, "print the explanation as JSON")
	return c
}

// errDenied ends the command with its status; what was denied is printed.
var errDenied = &identity.Error{Kind: identity.KindAccessDenied, Op: "explain", Public: "denied"}

// check looks for what cannot be judged: a message with policies beside it, an
// action that is none, no policy at all.
func (f *explainFlags) check(args []string) error {
	files := len(f.policies) + len(f.sessions) + len(f.boundary) + len(f.resource) + len(f.trust)
	service, name, _ := strings.Cut(f.action, ":")
	switch {
	case len(args) == 1 && (f.action != "" || files > 0):
		return errors.New("give either a MESSAGE, or an --action with policy files")
	case len(args) == 1:
		return nil
	case f.action == "":
		return errors.New("paste a MESSAGE, or name the --action, such as s3:GetObject")
	case service == "" || name == "":
		return fmt.Errorf("--action: %q is not SERVICE:ACTION, such as s3:GetObject", f.action)
	case files == 0:
		return errors.New("name the file of at least one policy: --policy, --session-policy, --boundary, --resource-policy or --trust-policy")
	case f.resource != "" && f.trust != "":
		return errors.New("give either --resource-policy or --trust-policy")
	}
	return nil
}

// request reads the flags that say what is asked.
func (f *explainFlags) request() (*policy.Request, error) {
	r := &policy.Request{Action: f.action, Resource: f.on, Time: time.Now()}
	if f.at != "" {
		at, err := time.Parse(time.RFC3339, f.at)
		if err != nil {
			return nil, fmt.Errorf("--at: %q is not a time such as 2026-01-02T03:04:05Z", f.at)
		}
		r.Time = at
	}
	keys := policy.Keys{}
	for _, entry := range f.context {
		key, value, ok := strings.Cut(entry, "=")
		if !ok || !strings.Contains(key, ":") {
			return nil, fmt.Errorf("--context: %q is not KEY=VALUE with a key such as aws:SourceIp", entry)
		}
		keys.Set(key, append(keys[strings.ToLower(key)], value)...)
	}
	r.Context = keys
	return r, f.askedBy(r)
}

// askedBy reads the principal from its ARN.
func (f *explainFlags) askedBy(r *policy.Request) error {
	p := &r.Principal
	r.ResourceAccount = f.owner
	if f.principal == "" { // somebody of the resource's account
		if r.ResourceAccount == "" {
			r.ResourceAccount = "000000000000"
		}
		p.Kind, p.Account = identity.IAMUser, r.ResourceAccount
		return nil
	}
	arn, ok := identity.ParseARN(f.principal)
	if !ok {
		return fmt.Errorf("--principal: %q is not an ARN", f.principal)
	}
	p.ARN, p.Account = f.principal, arn.Account
	kind, name, _ := strings.Cut(arn.Resource, "/")
	switch arn.Service + ":" + kind {
	case "iam:root":
		p.Kind, p.ID, p.UserID = identity.RootUser, arn.Account, arn.Account
	case "iam:user":
		p.Kind, p.Name = identity.IAMUser, name[strings.LastIndexByte(name, '/')+1:]
	case "sts:assumed-role":
		role, _, _ := strings.Cut(name, "/")
		p.Kind, p.OwnerARN = identity.RoleSession, identity.RoleARN(arn.Partition, arn.Account, "/", role)
	case "iam:role":
		p.Kind, p.OwnerARN = identity.RoleSession, f.principal
	case "iam:oidc-provider", "iam:saml-provider":
		p.Kind, p.Provider, p.Account = identity.Federated, f.principal, ""
	default:
		return fmt.Errorf("--principal: %q is no user, role, session, root user or provider", f.principal)
	}
	if r.ResourceAccount == "" {
		r.ResourceAccount = arn.Account
	}
	return nil
}

func (f *explainFlags) set() (*policy.Set, error) {
	var set policy.Set
	for _, part := range []struct {
		flag  string
		kind  policy.Kind
		files []string
		put   func(*policy.Policy)
	}{
		{"--policy", policy.ManagedPolicy, f.policies, func(p *policy.Policy) { set.Identity = append(set.Identity, p) }},
		{"--session-policy", policy.SessionPolicy, f.sessions, func(p *policy.Policy) { set.Session = append(set.Session, p) }},
		{"--boundary", policy.BoundaryPolicy, one(f.boundary), func(p *policy.Policy) { set.Boundary = p }},
		{"--resource-policy", policy.ResourcePolicy, one(f.resource), func(p *policy.Policy) { set.Resource = p }},
		{"--trust-policy", policy.TrustPolicy, one(f.trust), func(p *policy.Policy) { set.Resource = p }},
	} {
		for _, file := range part.files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", part.flag, err)
			}
			p, err := policy.Parse(part.kind, string(text), policy.Options{ID: file, ByName: true})
			if err != nil {
				return nil, fmt.Errorf("%s: %s", file, describe(err))
			}
			part.put(p)
		}
	}
	return &set, nil
}

func one(file string) []string {
	if file == "" {
		return nil
	}
	return []string{file}
}

// writeExplanation is for people; --json is for programs.
func writeExplanation(w io.Writer, r *policy.Request, e policy.Explanation) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	switch {
	case e.Decision.Allowed():
		line("ALLOWED  %s on %s", r.Action, r.Resource)
	default:
		line("DENIED   %s on %s, %s", r.Action, r.Resource, e.Decision.Because(r.Action))
	}
	writeFindings(line, &e)
	if hint := e.Hint(); hint != "" {
		line("\n%s", hint)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeFindings(line func(string, ...any), e *policy.Explanation) {
	if e.Deciding != nil {
		line("")
		writeFinding(line, "decided by", e.Deciding)
	}
	for i := range e.Misses {
		line("")
		writeFinding(line, "came near", &e.Misses[i])
	}
	if len(e.Context)+len(e.Missing) > 0 {
		line("\nthe policies read of the request:")
	}
	for _, v := range e.Context {
		line("  %s = %s", v.Key, strings.Join(v.Values, ", "))
	}
	for _, key := range e.Missing {
		line("  %s has no value", key)
	}
}

func writeFinding(line func(string, ...any), what string, f *policy.Finding) {
	name := fmt.Sprintf("statement %d", f.Index+1)
	if f.Sid != "" {
		name += " (" + f.Sid + ")"
	}
	line("%s: %s of %s, line %d; %s", what, name, f.Policy, f.Start.Line, f.Layer)
	if f.Principal {
		line("  the principal is another")
	}
	if f.Resource {
		line("  the resource is another")
	}
	if f.Issuer {
		line("  left out of account: it would trust all customers of a shared issuer")
	}
	for _, c := range f.Conditions {
		got := strings.Join(c.Got, ", ")
		if c.Missing {
			got = "no value"
		}
		line("  not met: %s %s wants %s, got %s", c.Operator, c.Key, strings.Join(c.Wanted, " or "), got)
	}
	if text := json.RawMessage(f.Source); len(text) <= 1000 {
		line("    %s", strings.ReplaceAll(string(text), "\n", "\n    "))
	}
}
