package ibm_test

import (
	"context"
	"strings"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/wiretest"
)

const (
	userIAMID    = "IBMid-AIDAIOSFODNN7EXAMPLE"
	keyID        = "ApiKey-00000000-1111-4222-8333-444444444444"
	otherKeyID   = "ApiKey-55555555-1111-4222-8333-444444444444"
	serviceID    = "ServiceId-00000000-1111-4222-8333-444444444444"
	instanceID   = "00000000-1111-4222-8333-444444444444"
	randomOfTags = "0123456789abcdef0123456789abcdef"
)

// gate is a fake that accepts the token "good"; tokens named fail-KIND choose
// errors.
type gate struct{}

func (gate) IBMToken(_ context.Context, raw identity.Secret) (*identity.Caller, error) {
	if err := wiretest.Fault(raw.Reveal()); err != nil {
		return nil, err
	}
	if raw != "good" {
		return nil, identity.NewError(identity.KindInvalidBearer, "fake", "")
	}
	return &identity.Caller{Kind: identity.IAMUser, AccountID: account, PrincipalID: "AIDAIOSFODNN7EXAMPLE", Name: "testuser"}, nil
}

func key(id string) identity.APIKey {
	return identity.APIKey{
		ID: id, AccountID: account, UserID: "AIDAIOSFODNN7EXAMPLE", Name: "ci", Description: "for the pipeline", CreatedBy: userIAMID,
		WhenLeaked: identity.LeakedDisable, CreatedAt: made, ModifiedAt: made, ExpiresAt: made.Add(time.Hour),
		Tag:     identity.EntityTag{N: 1, Random: randomOfTags},
		History: []identity.Changed{{At: made, IAMID: userIAMID, AccountID: account, Action: "CREATE", Message: "The API key was created."}},
	}
}

func (issuer) IBMSessionKeys(_ context.Context, c *identity.Caller, seconds int) (issue.IBMKeys, error) {
	if seconds > 3600 {
		return issue.IBMKeys{}, identity.NewError(identity.KindValidation, "test", "That is too long.")
	}
	return issue.IBMKeys{
		Keys: identity.SessionKeys{AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "a-secret", SessionToken: "a-session-token", Expiration: made.Add(time.Hour)},
		ARN:  "arn:aws:iam::" + c.AccountID + ":user/alice", AccountID: c.AccountID, UserID: "AIDAIOSFODNN7EXAMPLE",
	}, nil
}

func (issuer) IBMLogout(_ context.Context, _ *identity.Caller, id string) error {
	return wiretest.Fault(id)
}

func (issuer) NewIBMAPIKey(_ context.Context, _ *identity.Caller, in issue.NewIBMKey) (issue.CreatedIBMKey, error) {
	if err := wiretest.Fault(in.Name); err != nil {
		return issue.CreatedIBMKey{}, err
	}
	k := key(keyID)
	k.Name, k.Description, k.Locked, k.Disabled, k.ExpiresAt, k.SupportSessions = in.Name, in.Description, in.Locked, in.Disabled, in.ExpiresAt, in.SupportSessions
	if in.WhenLeaked != "" {
		k.WhenLeaked = in.WhenLeaked
	}
	k.UserID, _ = identity.UserOfIAMID(in.IAMID)
	return issue.CreatedIBMKey{APIKey: k, Text: apiKey}, k.Check()
}

// core is a fake of directory that knows two API keys and one service ID. What
// it was given shows in its answers; IDs named fail-KIND choose errors.
type core struct{}

func known(id string, ids ...string) error {
	if err := wiretest.Fault(id); err != nil {
		return err
	}
	for _, k := range ids {
		if k == id {
			return nil
		}
	}
	return identity.NewError(identity.KindNotFound, "fake", "")
}

func (core) IBMAPIKeys(_ context.Context, _ *identity.Caller, f directory.IBMKeyFilter, p directory.Page) (directory.Listing[identity.APIKey], error) {
	var out directory.Listing[identity.APIKey]
	first, second := key(keyID), key(otherKeyID)
	second.Name, second.UserID = "other/"+f.Type+"/"+f.Sort.By, strings.TrimPrefix(f.IAMID, "IBMid-")
	second.Disabled, second.Locked = f.Account, f.Sort.Descending
	switch {
	case p.Marker == "" && p.MaxItems == 1:
		return directory.Listing[identity.APIKey]{Items: []identity.APIKey{first}, Next: "a-marker_"}, nil
	case p.Marker == "a-marker_":
		out.Items = []identity.APIKey{second}
	case p.Marker != "":
		return out, identity.NewError(identity.KindValidation, "fake", "Invalid Marker.")
	default:
		out.Items = []identity.APIKey{first, second}
	}
	return out, nil
}

func (core) IBMAPIKey(_ context.Context, _ *identity.Caller, id string) (identity.APIKey, error) {
	return key(id), known(id, keyID, otherKeyID)
}

func (core) IBMAPIKeyActivity(_ context.Context, _ *identity.Caller, id string) (identity.Use, error) {
	return identity.Use{ID: id, At: made, Count: 7}, known(id, keyID, otherKeyID)
}

func (core) IBMAPIKeyDetails(_ context.Context, _ *identity.Caller, text identity.Secret) (identity.APIKey, error) {
	return key(keyID), known(text.Reveal(), apiKey)
}

func (core) ReportLeaked(_ context.Context, _ *identity.Caller, text identity.Secret) (identity.APIKey, error) {
	k := key(keyID)
	k.Disabled = true
	return k, known(text.Reveal(), apiKey)
}

func (core) UpdateIBMAPIKey(_ context.Context, _ *identity.Caller, id, ifMatch string, in directory.IBMKeyChange) (identity.APIKey, error) {
	k := key(id)
	if ifMatch != "*" && ifMatch != k.Tag.String() {
		return k, identity.NewError(identity.KindConflict, "fake", "")
	}
	k.Tag.N++
	set(&k.Name, in.Name)
	set(&k.Description, in.Description)
	set(&k.WhenLeaked, in.WhenLeaked)
	set(&k.SupportSessions, in.SupportSessions)
	set(&k.ExpiresAt, in.ExpiresAt)
	return k, known(id, keyID)
}

func set[T any](have, want *T) {
	if want != nil {
		*have = *want
	}
}

func (core) DeleteIBMAPIKey(_ context.Context, _ *identity.Caller, id string) error {
	return known(id, keyID)
}

func (core) LockIBMAPIKey(_ context.Context, _ *identity.Caller, id string, _ bool) error {
	return known(id, keyID)
}

func (core) DisableIBMAPIKey(_ context.Context, _ *identity.Caller, id string, _ bool) error {
	return known(id, keyID)
}

func service(id string) identity.User {
	return identity.User{
		ID: "iam-" + id, AccountID: account, Name: id, CreatedAt: made, ModifiedAt: made, Local: true,
		ServiceID: &identity.ServiceIdentity{
			Name: "deployer", Description: "deploys", GroupID: "a-group", CreatedBy: userIAMID, Tag: identity.EntityTag{N: 1, Random: randomOfTags},
			History: []identity.Changed{{At: made, IAMID: userIAMID, AccountID: account, Action: "CREATE", Message: "The service ID was created."}},
		},
	}
}

func (core) ServiceIDs(_ context.Context, _ *identity.Caller, f directory.ServiceIDFilter, _ directory.Page) (directory.Listing[identity.User], error) {
	u := service(serviceID)
	u.ServiceID.Description = f.Name + "/" + f.Sort.By
	return directory.Listing[identity.User]{Items: []identity.User{u}}, nil
}

func (core) ServiceID(_ context.Context, _ *identity.Caller, id string) (identity.User, error) {
	return service(id), known(id, serviceID)
}

func (core) CreateServiceID(_ context.Context, _ *identity.Caller, in directory.NewServiceID) (identity.User, error) {
	u := service(serviceID)
	s := u.ServiceID
	s.Name, s.Description, s.GroupID, s.InstanceCRNs, s.Locked = in.Name, in.Description, in.GroupID, in.InstanceCRNs, in.Locked
	return u, wiretest.Fault(in.Name)
}

func (core) UpdateServiceID(_ context.Context, _ *identity.Caller, id, ifMatch string, in directory.ServiceIDChange) (identity.User, error) {
	u := service(id)
	s := u.ServiceID
	if ifMatch != "*" && ifMatch != s.Tag.String() {
		return u, identity.NewError(identity.KindConflict, "fake", "")
	}
	s.Tag.N++
	set(&s.Name, in.Name)
	set(&s.Description, in.Description)
	if in.InstanceCRNs != nil {
		s.InstanceCRNs = in.InstanceCRNs
	}
	return u, known(id, serviceID)
}

func (core) DeleteServiceID(_ context.Context, _ *identity.Caller, id string) error {
	return known(id, serviceID)
}

func (core) LockServiceID(_ context.Context, _ *identity.Caller, id string, _ bool) error {
	return known(id, serviceID)
}

func (core) ResourceGroups(context.Context, *identity.Caller) ([]identity.ResourceGroup, error) {
	return []identity.ResourceGroup{
		{ID: "0123456789abcdef0123456789abcdef", Name: "Default", Default: true}, {ID: "fedcba9876543210fedcba9876543210", Name: "other"},
	}, nil
}

func (core) Instances(context.Context, *identity.Caller) ([]identity.ServiceInstance, error) {
	return []identity.ServiceInstance{
		{ID: instanceID, Name: "kms-demo", Service: "kms", Region: "us-south", ResourceGroupID: "0123456789abcdef0123456789abcdef"},
		{ID: "11111111-1111-4222-8333-444444444444", Name: "other", Service: "hs-crypto", Region: "eu-de", ResourceGroupID: "fedcba9876543210fedcba9876543210"},
	}, nil
}

func (core) CreateInstance(_ context.Context, _ *identity.Caller, in directory.NewInstance) (identity.ServiceInstance, error) {
	i := identity.ServiceInstance{
		ID: "22222222-1111-4222-8333-444444444444", Name: in.Name, Service: in.Service, Plan: in.Plan, Region: in.Region, ResourceGroupID: in.ResourceGroupID,
		CreatedBy: "IBMid-AIDAEXAMPLE", CreatedAt: key(keyID).CreatedAt,
	}
	return i, i.Check([]string{"us-south", "eu-de"})
}

func (core) DeleteInstance(_ context.Context, _ *identity.Caller, id string) error {
	return known(id, instanceID)
}

func (core) IBMAccountSettings(_ context.Context, _ *identity.Caller, id string) (identity.IBMSettings, error) {
	return identity.IBMSettings{RefreshTokenSeconds: 86400, History: key(keyID).History}, known(id, account)
}

func (core) UpdateIBMAccountSettings(_ context.Context, _ *identity.Caller, id, ifMatch string, in directory.IBMSettingsChange) (identity.IBMSettings, error) {
	var s identity.IBMSettings
	if tag := s.EntityTag(); ifMatch != "*" && ifMatch != tag.String() {
		return s, identity.NewError(identity.KindConflict, "fake", "")
	}
	s.Tag = identity.EntityTag{N: 1, Random: randomOfTags}
	set(&s.AccessTokenSeconds, in.AccessTokenSeconds)
	set(&s.RefreshTokenSeconds, in.RefreshTokenSeconds)
	if err := s.Check(); err != nil {
		return s, err
	}
	return s, known(id, account)
}
