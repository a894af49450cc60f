package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/ibm-cos-sdk-go/aws"
	"github.com/IBM/ibm-cos-sdk-go/service/s3"
)

// ibmGrants is what testdata/ibmpolicies.mjs writes.
type ibmGrants struct {
	IAMID                                                        string
	SystemRoles, KMSRoles                                        []string
	Created, Deleted, SecondDeleted                              int
	Made, Read, Replaced                                         ibmPolicy
	Second, SecondRead, SecondReplaced                           ibmPolicy
	ETag                                                         string
	Before, Lists, Makes, Grants, MadeByEditor, Stale, Again     ibmRefusal
	Rule, Authorization, Attribute, UnknownRole, Foreign, Filter ibmRefusal
	After, Gone, Nobody                                          ibmRefusal
	Listed                                                       []ibmPolicy
	Paged                                                        []string
}

type ibmRefusal struct {
	Status        int
	Message, Code string
}

// ibmPolicy is an access policy in either shape.
type ibmPolicy struct {
	ID, Type, Description, Href, State string
	CreatedBy                          string `json:"created_by_id"`
	Subjects, Resources                []struct{ Attributes []ibmAttribute }
	Roles                              []ibmRole
	Subject, Resource                  struct{ Attributes []ibmAttribute }
	Control                            struct{ Grant struct{ Roles []ibmRole } }
}

type ibmAttribute struct{ Name, Key, Value, Operator string }

type ibmRole struct {
	ID   string `json:"role_id"`
	Name string `json:"display_name"`
}

// TestIBMPolicies gives and takes roles with IBM's client for JavaScript.
func TestIBMPolicies(t *testing.T) {
	t.Parallel()
	node, modules := needNode(t, "@ibm-cloud/platform-services")
	s := Start(t)
	asked, err := json.Marshal(map[string]string{"endpoint": s.URL, "apikey": s.IBM.APIKey, "account": s.AccountID})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "testdata/ibmpolicies.mjs")
	cmd.Env = append(os.Environ(), "NODE_MODULES="+modules)
	cmd.Stdin = strings.NewReader(string(asked))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	got := decode[ibmGrants](t, string(output))
	checkIBMGrants(t, s, &got)
	for what, c := range map[string]struct {
		got        ibmRefusal
		status     int
		code, text string
	}{
		"listing without a role": {got.Before, 403, "forbidden", ""}, "a viewer's listing": {got.Lists, 0, "", ""},
		"a viewer's service ID": {got.Makes, 403, "forbidden", ""}, "a viewer's policy": {got.Grants, 403, "insufficent_permissions", ""},
		"an editor's service ID": {got.MadeByEditor, 0, "", ""}, "a stale version": {got.Stale, 409, "policy_conflict_error", "entity_tag"},
		"the same policy again": {got.Again, 409, "policy_conflict_error", "the same roles"}, "a rule": {got.Rule, 400, "invalid_body", "'rule'"},
		"another type": {got.Authorization, 400, "invalid_body", "'access'"}, "an unknown attribute": {got.Attribute, 400, "invalid_body", "color"},
		"an unknown role": {got.UnknownRole, 400, "invalid_body", "role_id"}, "another account": {got.Foreign, 403, "insufficent_permissions", ""},
		"a filter that is not served": {got.Filter, 501, "request_not_processed", "tag_name"}, "listing afterwards": {got.After, 403, "forbidden", ""},
		"reading it afterwards": {got.Gone, 404, "policy_not_found", "cannot be found"}, "a policy of nobody": {got.Nobody, 404, "not_found", "cannot be found"},
	} {
		if c.got.Status != c.status || c.got.Code != c.code || !strings.Contains(c.got.Message, c.text) {
			t.Errorf("%s: %+v, want %d %s with %q", what, c.got, c.status, c.code, c.text)
		}
	}
}

func checkIBMGrants(t *testing.T, s *Server, got *ibmGrants) {
	t.Helper()
	if !slices.Equal(got.SystemRoles, []string{"Viewer", "Operator", "Editor", "Administrator"}) ||
		!slices.Equal(got.KMSRoles, []string{"Reader", "ReaderPlus", "Writer", "Manager", "KeyPurge"}) {
		t.Errorf("roles: %v, of key management %v", got.SystemRoles, got.KMSRoles)
	}
	p := got.Made
	if got.Created != 201 || p.Type != "access" || p.State != "active" || p.Description != "by the SDK" || p.Href != s.URL+"/v1/policies/"+p.ID ||
		!strings.HasPrefix(p.CreatedBy, "IBMid-") || len(p.Subjects) != 1 || p.Subjects[0].Attributes[0].Value != got.IAMID ||
		len(p.Roles) != 1 || p.Roles[0].ID != "crn:v1:bluemix:public:iam::::role:Viewer" || p.Roles[0].Name != "Viewer" ||
		len(p.Resources) != 1 || p.Resources[0].Attributes[1] != (ibmAttribute{Name: "serviceName", Value: "iam-identity", Operator: "stringEquals"}) {
		t.Errorf("a new policy: %d %+v", got.Created, p)
	}
	if got.Read.ID != p.ID || !strings.HasPrefix(got.ETag, "1-") || got.Replaced.ID != p.ID || got.Replaced.Roles[0].Name != "Editor" || got.Replaced.Description != "" {
		t.Errorf("read: %+v, ETag %s; replaced: %+v", got.Read, got.ETag, got.Replaced)
	}
	for what, p := range map[string]ibmPolicy{"made": got.Second, "read": got.SecondRead, "replaced": got.SecondReplaced} {
		role := map[bool]string{true: "Operator", false: "Viewer"}[what == "replaced"]
		if p.ID != got.Second.ID || p.Subject.Attributes[0].Value != got.IAMID || p.Resource.Attributes[1].Key != "serviceName" || p.State != "active" ||
			len(p.Control.Grant.Roles) != 1 || p.Control.Grant.Roles[0].ID != "crn:v1:bluemix:public:iam::::role:"+role {
			t.Errorf("the newer shape, %s: %+v", what, p)
		}
	}
	if l := got.Listed; len(l) != 2 || l[0].ID != got.Made.ID || l[1].ID != got.Second.ID {
		t.Errorf("listed: %+v", l)
	}
	slices.Sort(got.Paged)
	if want := []string{got.Made.ID, got.Second.ID}; len(got.Paged) != 2 || !slices.Contains(want, got.Paged[0]) || !slices.Contains(want, got.Paged[1]) || got.Paged[0] == got.Paged[1] {
		t.Errorf("page by page: %v, want %v", got.Paged, want)
	}
	if got.Deleted != 204 || got.SecondDeleted != 204 {
		t.Errorf("deleted: %d, %d", got.Deleted, got.SecondDeleted)
	}
}

// TestIBMPolicyIsExplained gives a service ID a role on one bucket, and lets
// `daypass explain` say which policy came nearest to allowing what it may not.
func TestIBMPolicyIsExplained(t *testing.T) {
	t.Parallel()
	s := Start(t)
	admin := newPerson(t, s)
	owner := s.cosClient(t, s.IBM.APIKey, s.IBM.StorageID)
	for _, bucket := range []string{"granted", "kept"} {
		if _, err := owner.CreateBucket(&s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
			t.Fatal(err)
		}
	}
	s.logIn(admin)
	token := s.ibmToken(t, "grant_type", "urn:ibm:params:oauth:grant-type:apikey", "apikey", s.IBM.APIKey).AccessToken
	made := ibmCall[struct {
		IAMID  string `json:"iam_id"`
		APIKey struct{ APIKey string }
	}](t, s, token, "/v1/serviceids/", map[string]any{"account_id": s.AccountID, "name": "reader", "apikey": map[string]string{"name": "k"}})
	attributes := []map[string]string{
		{"name": "accountId", "value": s.AccountID},
		{"name": "serviceName", "value": "cloud-object-storage"},
		{"name": "serviceInstance", "value": s.IBM.StorageID},
		{"name": "resourceType", "value": "bucket"},
		{"name": "resource", "value": "granted"},
	}
	given := ibmCall[ibmPolicy](t, s, token, "/v1/policies", map[string]any{
		"type": "access", "subjects": []any{map[string]any{"attributes": []any{map[string]string{"name": "iam_id", "value": made.IAMID}}}},
		"roles":     []any{map[string]string{"role_id": "crn:v1:bluemix:public:iam::::serviceRole:Reader"}},
		"resources": []any{map[string]any{"attributes": attributes}},
	})
	reader := s.cosClient(t, made.APIKey.APIKey, s.IBM.StorageID)
	if _, err := reader.ListObjects(&s3.ListObjectsInput{Bucket: aws.String("granted")}); err != nil {
		t.Errorf("a reader lists its bucket: %v", err)
	}
	if _, err := reader.PutObject(&s3.PutObjectInput{Bucket: aws.String("granted"), Key: aws.String("k"), Body: strings.NewReader("x")}); err == nil {
		t.Error("a reader writes")
	}
	_, err := reader.ListObjects(&s3.ListObjectsInput{Bucket: aws.String("kept")})
	if err == nil {
		t.Fatal("a reader of one bucket lists another")
	}
	said := admin.OK(s.binary, "explain", err.Error())
	if !strings.Contains(said, "/ibm-"+given.ID) || !strings.Contains(said, "ReaderOncloudobjectstorage") {
		t.Errorf("daypass explain does not name the policy %s:\n%s", given.ID, said)
	}
}

// ibmCall posts to an API of IBM's dialect.
func ibmCall[T any](t *testing.T, s *Server, token, path string, body any) T {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	out, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %v, %s: %s", path, err, answer.Status, out)
	}
	return decode[T](t, string(out))
}
