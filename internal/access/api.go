package access

import (
	"net/http"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
)

// Service is what a request was routed to. It fixes the rules by which its
// signature is checked and the namespace of its actions.
type Service struct {
	// Name is the signing name: s3, sts, iam, …
	Name string
	// S3 has its own path and payload rules.
	S3 bool
	// Presigned allows query-string authentication.
	Presigned bool
}

// The services that exist. S3 accepts presigned requests; STS does so for
// GetCallerIdentity only, which its dialect checks.
var (
	ServiceS3  = Service{Name: "s3", S3: true, Presigned: true}
	ServiceSTS = Service{Name: "sts", Presigned: true}
	ServiceIAM = Service{Name: "iam"}

	ServiceCognitoIDP      = Service{Name: "cognito-idp"}
	ServiceCognitoIdentity = Service{Name: "cognito-identity"}
	ServiceExecuteAPI      = Service{Name: "execute-api"}
)

// Authenticated is an accepted request.
type Authenticated struct {
	Caller identity.Caller
	// Signed is the parsed signature, which body readers need (payload mode,
	// hash, trailer); nil for anonymous requests and operators. Of a request with
	// a bearer token it has no more than the mechanism and what body readers need.
	Signed *sigv4.Signed
}

// Authenticate checks the signature of r under the rules of svc, in the order
// of the SigV4 contract: shape, time, key, signature, token, expiry and
// revocation. bodySHA256 is the hex hash of the body where the service hashes
// it itself (STS, IAM), "" for S3. At S3, and nowhere else, a bearer token of
// IBM's dialect may stand in its place; see checkBearer.
//
// Errors have the kinds "of signed requests" of package identity; for those
// Public is the S3 sentence and the detail "QueryMessage" the sentence of the
// query services. A request with no credential at all fails with
// KindMissingAuthentication.
func (a *Access) Authenticate(r *http.Request, svc Service, bodySHA256 string) (Authenticated, error) {
	return a.authenticate(r, svc, bodySHA256)
}

// AuthenticateForm is Authenticate for an upload to S3 by multipart/form-data,
// whose credential stands in its fields and whose policy, judged here too,
// says what may be uploaded to which bucket. It reads the body up to the file,
// which the form then yields. bucket is the one the request was routed to.
func (a *Access) AuthenticateForm(r *http.Request, bucket string) (Authenticated, *sigv4.PostForm, error) {
	return a.authenticateForm(r, bucket)
}

// Effect is the outcome of a decision.
type Effect string

// Effects.
const (
	Allow        Effect = "allow"
	ExplicitDeny Effect = "explicitDeny"
	ImplicitDeny Effect = "implicitDeny"
)

// Decision is allow, explicit deny or implicit deny, and why.
type Decision struct {
	Effect Effect
	// Statement names what decided: "operator", "root", the policy's ID, or ""
	// where nothing matched.
	Statement string
	// Err is nil when allowed, else an error of KindAccessDenied, or of
	// KindNoSuchBucket where the bucket has no owner, whose Public is AWS's
	// sentence.
	Err error
}

// Allowed reports whether the decision is Allow.
func (d Decision) Allowed() bool { return d.Effect == Allow }

// Resource is what an action is on.
type Resource struct {
	ARN string
	// Shown, when set, is named in a refusal in place of ARN: absent and
	// forbidden things answer alike.
	Shown string
	// AccountID owns the resource. For S3 leave it empty: the registry of
	// buckets says it.
	AccountID string
	// Bucket is set for S3 actions on a bucket or an object.
	Bucket string
	// Unrecorded leaves the event of a refusal to the caller, who records one.
	Unrecorded bool
	// Brief leaves the encoded message out of a refusal, for questions whose
	// answer nobody sees and for answers that hold many refusals.
	Brief bool
	// Keys are further condition keys of the request, such as s3:prefix, with
	// all their values. The map may be shared: it is read only.
	Keys map[string][]string
	// Later, when set, is asked for keys (in lower case) that Keys does not
	// have, when a policy reads them.
	Later func(key string) []string
}

func (r *Resource) shown() string {
	if r.Shown != "" {
		return r.Shown
	}
	return r.ARN
}

// Authorize decides whether the caller may perform an action ("s3:GetObject")
// on a resource.
func (a *Access) Authorize(c *identity.Caller, action string, res Resource) Decision {
	return a.authorize(c, action, res)
}
