package issue_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/sigv4"
	"daypass/internal/stacktest"
)

const (
	storageID = "11111111-2222-4333-8444-555555555555"
	kmsID     = "66666666-7777-4888-8999-000000000000"
	storage   = "crn:v1:bluemix:public:cloud-object-storage:global:a/" + stacktest.AccountA + ":" + storageID + "::"
)

// withStorage gives IBM's dialect an instance of object storage and one of key
// management.
func withStorage() stacktest.Option {
	return stacktest.WithSite(func(spec *directory.SiteSpec) {
		spec.IBM.Instances = []directory.InstanceSpec{
			{ID: storageID, Name: "cos", Service: identity.ObjectStorage, Region: identity.GlobalRegion},
			{ID: kmsID, Name: "kms", Service: "kms", Region: "us-south"},
		}
	})
}

// atS3 shows a bearer token and instances to the S3 gateway's door.
func (c *cloud) atS3(service access.Service, token identity.Secret, instances ...string) (access.Authenticated, error) {
	r := httptest.NewRequestWithContext(c.t.Context(), http.MethodGet, "http://127.0.0.1:8080/bucket/key", nil)
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	for _, i := range instances {
		r.Header.Add("ibm-service-instance-id", i)
	}
	return c.Access.Authenticate(r, service, sigv4.EmptySHA256)
}

// TestIBMTokenAtS3: the bearer is who logged in, and needs an object storage
// instance of its own account; what is refused is refused alike.
func TestIBMTokenAtS3(t *testing.T) {
	t.Parallel()
	c := newCloud(t, withStorage(), stacktest.WithPools())
	robot, person := c.serviceKey(issue.NewIBMKey{}), c.userKey(stacktest.TestUser)
	byPassword, err := c.password(stacktest.TestUser, stacktest.TestPassword, "")
	c.check(err)
	for name, v := range map[string]struct {
		token    identity.Secret
		instance string
		user     string
	}{
		"service ID, UUID":   {c.mustLogIn(robot.Text).Access, storageID, robot.UserID},
		"service ID, CRN":    {c.mustLogIn(robot.Text).Access, storage, robot.UserID},
		"person by API key":  {c.mustLogIn(person.Text).Access, storageID, person.UserID},
		"person by password": {byPassword.Access, storage, person.UserID},
	} {
		got, err := c.atS3(access.ServiceS3, v.token, v.instance)
		if err != nil || got.Caller.PrincipalID != v.user || got.Caller.AccountID != stacktest.AccountA || got.Caller.AccessKeyID != "" {
			t.Errorf("%s: %v, %+v", name, err, got.Caller)
		}
		if got.Signed == nil || got.Signed.Mechanism != sigv4.MechanismBearer || got.Signed.PayloadMode != sigv4.PayloadUnsigned {
			t.Errorf("%s: %+v", name, got.Signed)
		}
	}
	good := c.mustLogIn(robot.Text)
	realm := shastaLogin(t, c.Stack)
	pool, err := poolPassword(t, c.Stack, stacktest.TestUser, stacktest.TestPassword)
	c.check(err)
	for name, v := range map[string]struct {
		token     identity.Secret
		instances []string
	}{
		"no instance":             {good.Access, nil},
		"an empty one":            {good.Access, []string{""}},
		"one twice":               {good.Access, []string{storageID, storageID}},
		"an unknown one":          {good.Access, []string{"00000000-0000-4000-8000-000000000000"}},
		"one of another service":  {good.Access, []string{kmsID}},
		"of another account":      {good.Access, []string{"crn:v1:bluemix:public:cloud-object-storage:global:a/" + stacktest.AccountB + ":" + storageID + "::"}},
		"more than the CRN":       {good.Access, []string{storage + "bucket:photos"}},
		"refresh token":           {good.Refresh, []string{storageID}},
		"API key":                 {robot.Text, []string{storageID}},
		"no token":                {"", []string{storageID}},
		"bent":                    {flipped(good.Access), []string{storageID}},
		"unsigned":                {unsign(good.Access), []string{storageID}},
		"realm's access token":    {realm.AccessToken, []string{storageID}},
		"realm's refresh token":   {realm.RefreshToken, []string{storageID}},
		"pool's access token":     {pool.Tokens.Access, []string{storageID}},
		"pool's ID token":         {pool.Tokens.ID, []string{storageID}},
		"pool's refresh token":    {pool.Tokens.Refresh, []string{storageID}},
		"foreign and no instance": {realm.AccessToken, nil},
	} {
		_, err := c.atS3(access.ServiceS3, v.token, v.instances...)
		if e := identity.AsError(err); e == nil || e.Kind != identity.KindAccessDenied || e.Public != "" {
			t.Errorf("%s: %v, want access-denied without a word", name, err)
		}
	}
	for _, service := range []access.Service{access.ServiceSTS, access.ServiceIAM, access.ServiceExecuteAPI, access.ServiceCognitoIDP, access.ServiceCognitoIdentity} {
		if got, err := c.atS3(service, good.Access, storageID); err == nil {
			t.Errorf("%s accepts the bearer as %s", service.Name, got.Caller.ARN)
		}
	}
	c.check(c.Directory.DeleteIBMAPIKey(t.Context(), c.root, robot.ID))
	_, err = c.atS3(access.ServiceS3, good.Access, storageID)
	wantKind(t, "after its key was deleted", err, identity.KindAccessDenied)
}

// TestIBMTokenAtS3OfNobody: without the dialect, or without an instance, there is
// no such door.
func TestIBMTokenAtS3OfNobody(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	token := c.mustLogIn(c.serviceKey(issue.NewIBMKey{}).Text).Access
	_, err := c.atS3(access.ServiceS3, token, storageID)
	wantKind(t, "no instance in the site", err, identity.KindAccessDenied)
	without := &cloud{Stack: stacktest.New(t), t: t}
	_, err = without.atS3(access.ServiceS3, token, storageID)
	wantKind(t, "no dialect", err, identity.KindAccessDenied)
}
