package policy

import (
	"testing"

	"daypass/internal/identity"
)

const (
	here  = "111122223333"
	there = "444455556666"
)

func parsed(t testing.TB, kind Kind, text string) *Policy {
	t.Helper()
	p, err := Parse(kind, text, Options{ID: kind.String(), ByName: true})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

func statements(t testing.TB, kind Kind, body string) *Policy {
	t.Helper()
	return parsed(t, kind, `{"Version":"2012-10-17","Statement":[`+body+`]}`)
}

const (
	allowGet  = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`
	allowPut  = `{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}`
	denyGet   = `{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}`
	bucketTo  = `"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`
	userARN   = "arn:aws:iam::" + here + ":user/ann"
	roleARN   = "arn:aws:iam::" + here + ":role/dev"
	sessARN   = "arn:aws:sts::" + here + ":assumed-role/dev/s1"
	fedARN    = "arn:aws:sts::" + here + ":federated-user/bob"
	googleARN = "arn:aws:iam::" + here + ":oidc-provider/idp.example.com"
)

var (
	user    = Principal{Kind: identity.IAMUser, ARN: userARN, Account: here, ID: "AIDA0000000000000001", UserID: "AIDA0000000000000001", Name: "ann"}
	session = Principal{Kind: identity.RoleSession, ARN: sessARN, OwnerARN: roleARN, Account: here, ID: "AROA0000000000000001", UserID: "AROA0000000000000001:s1"}
	fed     = Principal{Kind: identity.Federated, ARN: fedARN, OwnerARN: userARN, Account: here, ID: user.ID, UserID: here + ":bob"}
	root    = Principal{Kind: identity.RootUser, ARN: "arn:aws:iam::" + here + ":root", Account: here, ID: here, UserID: here}
	nobody  = Principal{}
	web     = Principal{Kind: identity.Federated, Provider: googleARN}
)

// The cases follow AWS's page on policy evaluation logic; those where Daypass
// is stricter say so.
func TestEvaluate(t *testing.T) {
	t.Parallel()
	to := func(principal string) string {
		return `{"Effect":"Allow","Principal":` + principal + `,` + bucketTo
	}
	aws := func(arn string) string { return to(`{"AWS":"` + arn + `"}`) }
	deny := func(principal string) string {
		return `{"Effect":"Deny",` + principal + `,` + bucketTo
	}
	for _, c := range []struct {
		name                                  string
		who                                   Principal
		owner                                 string
		identity, boundary, session, resource string
		want                                  Effect
		layer                                 Layer
	}{
		{"nothing", user, here, "", "", "", "", ImplicitDeny, IdentityLayer},
		{"identity allows", user, here, allowGet, "", "", "", Allow, IdentityLayer},
		{"identity allows another action", user, here, allowPut, "", "", "", ImplicitDeny, IdentityLayer},
		{"deny beats allow", user, here, allowGet + "," + denyGet, "", "", "", ExplicitDeny, IdentityLayer},
		{"deny before allow", user, here, denyGet + "," + allowGet, "", "", "", ExplicitDeny, IdentityLayer},

		{"boundary alone gives nothing", user, here, "", allowGet, "", "", ImplicitDeny, IdentityLayer},
		{"boundary and identity", user, here, allowGet, allowGet, "", "", Allow, IdentityLayer},
		{"outside the boundary", user, here, allowGet, allowPut, "", "", ImplicitDeny, BoundaryLayer},
		{"deny in the boundary", user, here, allowGet, denyGet, "", "", ExplicitDeny, BoundaryLayer},

		{"session policy alone gives nothing", session, here, "", "", allowGet, "", ImplicitDeny, IdentityLayer},
		{"session policy and identity", session, here, allowGet, "", allowGet, "", Allow, IdentityLayer},
		{"outside the session policy", session, here, allowGet, "", allowPut, "", ImplicitDeny, SessionLayer},
		{"deny in the session policy", session, here, allowGet, "", denyGet, "", ExplicitDeny, SessionLayer},
		{"boundary is named first", session, here, allowGet, allowPut, allowPut, "", ImplicitDeny, BoundaryLayer},

		{"resource names the user", user, here, "", "", "", aws(userARN), Allow, ResourceLayer},
		{"resource names the user, outside its boundary", user, here, "", allowPut, "", aws(userARN), Allow, ResourceLayer},
		{"resource names the user, boundary denies", user, here, "", denyGet, "", aws(userARN), ExplicitDeny, BoundaryLayer},
		{"resource names everyone", user, here, "", "", "", to(`"*"`), Allow, ResourceLayer},
		{"resource names everyone, outside the boundary", user, here, "", allowPut, "", to(`"*"`), ImplicitDeny, BoundaryLayer},
		{"resource names the account", user, here, "", "", "", aws(here), ImplicitDeny, IdentityLayer},
		{"resource names the account by ARN, identity allows", user, here, allowGet, "", "", aws("arn:aws:iam::" + here + ":root"), Allow, IdentityLayer},
		{"resource names another user", user, here, "", "", "", aws(userARN + "a"), ImplicitDeny, IdentityLayer},

		{"resource names the role", session, here, "", "", "", aws(roleARN), Allow, ResourceLayer},
		{"resource names the role, outside its boundary", session, here, "", allowPut, "", aws(roleARN), ImplicitDeny, BoundaryLayer},
		{"resource names the role, outside the session policy", session, here, "", "", allowPut, aws(roleARN), ImplicitDeny, SessionLayer},
		{"resource names the session", session, here, "", "", "", aws(sessARN), Allow, ResourceLayer},
		{"resource names the session, outside the boundary", session, here, "", allowPut, "", aws(sessARN), Allow, ResourceLayer},
		{"stricter: session policies always limit", session, here, "", "", allowPut, aws(sessARN), ImplicitDeny, SessionLayer},
		{"resource names another session", session, here, "", "", "", aws(sessARN + "1"), ImplicitDeny, IdentityLayer},

		{"federated user without session policy", fed, here, allowGet, "", "", "", ImplicitDeny, IdentityLayer},
		{"federated user with session policy", fed, here, allowGet, "", allowGet, "", Allow, IdentityLayer},
		{"federated user named by the resource", fed, here, "", "", "", aws(fedARN), Allow, ResourceLayer},
		{"federated user whose user is named", fed, here, "", "", "", aws(userARN), ImplicitDeny, IdentityLayer},
		{"federated user whose user is named, with session policy", fed, here, "", "", allowGet, aws(userARN), Allow, ResourceLayer},

		{"other account: identity only", user, there, allowGet, "", "", "", ImplicitDeny, ResourceLayer},
		{"other account: resource only", user, there, "", "", "", aws(userARN), ImplicitDeny, IdentityLayer},
		{"other account: both", user, there, allowGet, "", "", aws(userARN), Allow, ResourceLayer},
		{"other account: both, by account", user, there, allowGet, "", "", aws(here), Allow, ResourceLayer},
		{"other account: both, by everyone", user, there, allowGet, "", "", to(`"*"`), Allow, ResourceLayer},
		{"other account: outside the boundary", user, there, allowGet, allowPut, "", aws(userARN), ImplicitDeny, BoundaryLayer},
		{"other account: resource denies", user, there, allowGet, "", "", deny(`"Principal":"*"`), ExplicitDeny, ResourceLayer},
		{"nobody's resource", user, "", allowGet, "", "", "", ImplicitDeny, ResourceLayer},

		{"root", root, here, "", "", "", "", Allow, RootLayer},
		{"root and a bucket policy's deny", root, here, "", "", "", deny(`"Principal":"*"`), ExplicitDeny, ResourceLayer},
		{"root and a session policy", root, here, "", "", allowPut, "", ImplicitDeny, SessionLayer},
		{"root elsewhere", root, there, "", "", "", aws(here), ImplicitDeny, IdentityLayer},

		{"anonymous", nobody, here, allowGet, "", "", "", ImplicitDeny, ResourceLayer},
		{"anonymous, public bucket", nobody, here, "", "", "", to(`{"AWS":"*"}`), Allow, ResourceLayer},
		{"anonymous, bucket of an account", nobody, here, "", "", "", aws(here), ImplicitDeny, ResourceLayer},
		{"anonymous, public bucket that denies", nobody, here, "", "", "", to(`"*"`) + "," + deny(`"Principal":"*"`), ExplicitDeny, ResourceLayer},

		{"deny for the account", user, here, allowGet, "", "", deny(`"Principal":{"AWS":"` + here + `"}`), ExplicitDeny, ResourceLayer},
		{"deny for the role", session, here, allowGet, "", "", deny(`"Principal":{"AWS":"` + roleARN + `"}`), ExplicitDeny, ResourceLayer},
		{"deny for all but the user", user, here, allowGet, "", "", deny(`"NotPrincipal":{"AWS":"` + userARN + `"}`), Allow, IdentityLayer},
		{"deny for all but another user", user, here, allowGet, "", "", deny(`"NotPrincipal":{"AWS":["` + userARN + `a","` + here + `"]}`), ExplicitDeny, ResourceLayer},
		{"deny for all but the account, as root", root, here, "", "", "", deny(`"NotPrincipal":{"AWS":"` + here + `"}`), Allow, RootLayer},
		{"deny for all but a user, anonymous", nobody, here, "", "", "", to(`"*"`) + "," + deny(`"NotPrincipal":{"AWS":"`+userARN+`"}`), ExplicitDeny, ResourceLayer},
	} {
		set := new(Set)
		if c.identity != "" {
			set.Identity = []*Policy{statements(t, InlinePolicy, c.identity)}
		}
		if c.boundary != "" {
			set.Boundary = statements(t, BoundaryPolicy, c.boundary)
		}
		if c.session != "" {
			set.Session = []*Policy{statements(t, SessionPolicy, c.session)}
		}
		if c.resource != "" {
			set.Resource = statements(t, ResourcePolicy, c.resource)
		}
		r := &Request{Principal: c.who, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: c.owner}
		got := Evaluate(r, set)
		if got.Effect != c.want || got.Layer != c.layer {
			t.Errorf("%s: got %v by %v, want %v by %v", c.name, got.Effect, got.Layer, c.want, c.layer)
		}
		if (got.Statement == nil) != (c.want == ImplicitDeny || c.layer == RootLayer) {
			t.Errorf("%s: got statement %v", c.name, got.Statement)
		}
	}
}

func TestEvaluateTrust(t *testing.T) {
	t.Parallel()
	to := func(principal, action string) string {
		return `{"Effect":"Allow","Principal":` + principal + `,"Action":"` + action + `"}`
	}
	assume := `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"` + roleARN + `"}`
	for _, c := range []struct {
		name            string
		who             Principal
		owner, action   string
		identity, trust string
		want            Effect
		layer           Layer
	}{
		{"named user of the account", user, here, "sts:AssumeRole", "", to(`{"AWS":"`+userARN+`"}`, "sts:AssumeRole"), Allow, TrustLayer},
		{"account named, user without right", user, here, "sts:AssumeRole", "", to(`{"AWS":"`+here+`"}`, "sts:AssumeRole"), ImplicitDeny, IdentityLayer},
		{"account named, user with right", user, here, "sts:AssumeRole", assume, to(`{"AWS":"`+here+`"}`, "sts:AssumeRole"), Allow, TrustLayer},
		{"a right without trust", user, here, "sts:AssumeRole", assume, to(`{"AWS":"`+there+`"}`, "sts:AssumeRole"), ImplicitDeny, TrustLayer},
		{"other account: trust without right", user, there, "sts:AssumeRole", "", to(`{"AWS":"`+userARN+`"}`, "sts:AssumeRole"), ImplicitDeny, IdentityLayer},
		{"other account: both", user, there, "sts:AssumeRole", assume, to(`{"AWS":"`+here+`"}`, "sts:AssumeRole"), Allow, TrustLayer},
		{"root is bound by trust", root, here, "sts:AssumeRole", "", to(`{"AWS":"`+there+`"}`, "sts:AssumeRole"), ImplicitDeny, TrustLayer},
		{"web identity", web, here, "sts:AssumeRoleWithWebIdentity", "", to(`{"Federated":"`+googleARN+`"}`, "sts:AssumeRoleWithWebIdentity"), Allow, TrustLayer},
		{"web identity of another provider", web, here, "sts:AssumeRoleWithWebIdentity", "", to(`{"Federated":"`+googleARN+`x"}`, "sts:AssumeRoleWithWebIdentity"), ImplicitDeny, TrustLayer},
		{"everyone is no provider", web, here, "sts:AssumeRoleWithWebIdentity", "", to(`"*"`, "sts:*"), ImplicitDeny, TrustLayer},
		{"AssumeRole alone", web, here, "sts:AssumeRoleWithWebIdentity", "", to(`{"Federated":"`+googleARN+`"}`, "sts:AssumeRole"), ImplicitDeny, TrustLayer},
	} {
		set := &Set{Resource: statements(t, TrustPolicy, c.trust)}
		if c.identity != "" {
			set.Identity = []*Policy{statements(t, InlinePolicy, c.identity)}
		}
		got := Evaluate(&Request{Principal: c.who, Action: c.action, Resource: roleARN, ResourceAccount: c.owner}, set)
		if got.Effect != c.want || got.Layer != c.layer {
			t.Errorf("%s: got %v by %v, want %v by %v", c.name, got.Effect, got.Layer, c.want, c.layer)
		}
	}
}

func TestRootMendsItsBucketPolicy(t *testing.T) {
	t.Parallel()
	set := &Set{Resource: statements(t, ResourcePolicy, `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}`)}
	for action, want := range map[string]Effect{
		"s3:GetBucketPolicy": Allow, "s3:PutBucketPolicy": Allow, "s3:DeleteBucketPolicy": Allow,
		"s3:GetObject": ExplicitDeny, "s3:PutBucketAcl": ExplicitDeny,
	} {
		r := &Request{Principal: root, Action: action, Resource: "arn:aws:s3:::b", ResourceAccount: here}
		if got := Evaluate(r, set); got.Effect != want {
			t.Errorf("root, %s: got %v, want %v", action, got.Effect, want)
		}
		r.Principal = user
		if got := Evaluate(r, set); got.Effect != ExplicitDeny {
			t.Errorf("user, %s: got %v, want a deny", action, got.Effect)
		}
	}
	set.Session = []*Policy{statements(t, SessionPolicy, denyGet)}
	r := &Request{Principal: root, Action: "s3:GetBucketPolicy", Resource: "arn:aws:s3:::b", ResourceAccount: here}
	if got := Evaluate(r, set); got.Effect != ImplicitDeny || got.Layer != SessionLayer {
		t.Errorf("root with a session policy: got %v by %v", got.Effect, got.Layer)
	}
}

func TestBoundPrincipals(t *testing.T) {
	t.Parallel()
	const text = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":["` + userARN + `","` + sessARN + `"]},` + bucketTo + `}`
	bindings := map[string]string{userARN: user.ID, sessARN: session.UserID}
	recreated := user
	recreated.ID, recreated.UserID = "AIDA0000000000000002", "AIDA0000000000000002"
	for _, c := range []struct {
		name     string
		bindings map[string]string
		who      Principal
		want     bool
	}{
		{"the user", bindings, user, true},
		{"the session", bindings, session, true},
		{"a user of the same name", bindings, recreated, false},
		{"nothing bound", nil, user, false},
		{"nothing bound, caller without ID", nil, Principal{Kind: identity.IAMUser, ARN: userARN, Account: here}, false},
	} {
		p, err := Parse(ResourcePolicy, text, Options{Bindings: c.bindings})
		if err != nil {
			t.Fatal(err)
		}
		r := &Request{Principal: c.who, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: here}
		if got := Evaluate(r, &Set{Resource: p}).Allowed(); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		if got := p.Principals(); len(got) != 2 || got[0] != userARN || got[1] != sessARN {
			t.Errorf("got principals %q", got)
		}
	}
}

func TestUnreadableDenies(t *testing.T) {
	t.Parallel()
	r := &Request{Principal: user, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: here}
	good := []*Policy{statements(t, InlinePolicy, allowGet)}
	for name, set := range map[string]*Set{
		"identity":         {Identity: append(good, Load(InlinePolicy, "{", Options{}))},
		"nil element":      {Identity: append(good, nil)},
		"boundary":         {Identity: good, Boundary: Load(BoundaryPolicy, "", Options{})},
		"session":          {Identity: good, Session: []*Policy{Load(SessionPolicy, "[]", Options{})}},
		"resource":         {Identity: good, Resource: Load(ResourcePolicy, "null", Options{})},
		"wrong place":      {Identity: good, Resource: good[0]},
		"resource's place": {Identity: []*Policy{statements(t, ResourcePolicy, `{"Effect":"Allow","Principal":"*",`+bucketTo)}},
	} {
		if got := Evaluate(r, set); got.Effect != ExplicitDeny {
			t.Errorf("%s: got %v, want a deny", name, got.Effect)
		}
	}
	if got := Evaluate(&Request{Principal: user, ResourceAccount: here}, &Set{Identity: []*Policy{statements(t, InlinePolicy,
		`{"Effect":"Allow","NotAction":"s3:*","Resource":"*"}`)}}); got.Allowed() {
		t.Error("a request without action was allowed")
	}
}

func TestUnknownOperatorAtUse(t *testing.T) {
	t.Parallel()
	text := func(effect string) string {
		return `{"Version":"2012-10-17","Statement":[` + allowGet + `,{"Effect":"` + effect + `","Action":"s3:PutObject","Resource":"*","Condition":{"StringMatches":{"aws:username":"ann"}}}]}`
	}
	r := &Request{Principal: user, Action: "s3:PutObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: here}
	for effect, want := range map[string]Effect{"Allow": ImplicitDeny, "Deny": ExplicitDeny} {
		if _, err := Parse(InlinePolicy, text(effect), Options{}); identity.KindOf(err) != identity.KindMalformedPolicy {
			t.Errorf("written: got %v, want malformed-policy", err)
		}
		if got := Evaluate(r, &Set{Identity: []*Policy{Load(InlinePolicy, text(effect), Options{})}}); got.Effect != want {
			t.Errorf("%s: got %v, want %v", effect, got.Effect, want)
		}
	}
	r.Action = "s3:GetObject"
	if got := Evaluate(r, &Set{Identity: []*Policy{Load(InlinePolicy, text("Allow"), Options{})}}); !got.Allowed() {
		t.Errorf("the other statement: got %v, want allowed", got.Effect)
	}
}

func TestBecause(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]Decision{
		"": {Effect: Allow},
		"because no identity-based policy allows the s3:GetObject action": {Layer: IdentityLayer},
		"because no permissions boundary allows the s3:GetObject action":  {Layer: BoundaryLayer},
		"because no policy allows the s3:GetObject action":                {},
		"with an explicit deny in an identity-based policy":               {Effect: ExplicitDeny, Layer: IdentityLayer},
		"with an explicit deny in a resource-based policy":                {Effect: ExplicitDeny, Layer: ResourceLayer},
	} {
		if got := d.Because("s3:GetObject"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
