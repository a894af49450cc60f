package issue_test

import (
	"testing"
	"time"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const unlockTask = "arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy"

func TestAssumeRoot(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ask := func(c *identity.Caller, target, task string, seconds int) (issue.AssumedRoot, error) {
		return o.Issuer.AssumeRoot(t.Context(), c, issue.AssumeRootRequest{TargetPrincipal: target, TaskPolicyARN: task, DurationSeconds: seconds})
	}
	_, err := ask(o.alice, stacktest.AccountB, unlockTask, 0)
	wantKind(t, "without the operator's grant", err, identity.KindAccessDenied)
	o.update(func(tx store.Tx) error {
		acc, err := store.Accounts.Get(tx, stacktest.AccountA)
		if err != nil {
			return err
		}
		v := *acc
		v.AssumeRootIn = []string{stacktest.AccountB, "gone", stacktest.AccountA}
		return store.Accounts.Put(tx, &v)
	})
	out, err := ask(o.alice, stacktest.AccountB, unlockTask, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := o.caller(out.Keys)
	if c.Kind != identity.RootUser || c.AccountID != stacktest.AccountB || c.ARN != rootB || out.Keys.Expiration.Sub(o.Clock.Now()) != 15*time.Minute {
		t.Errorf("the session: %+v", c)
	}
	if c.Lineage.Get(identity.LineageProof) != o.alice.AccessKeyID || c.Lineage.Get(identity.LineageAccount) != stacktest.AccountA {
		t.Errorf("lineage: %+v", c.Lineage)
	}
	for action, want := range map[string]bool{"s3:ListAllMyBuckets": true, "iam:GetUser": false, "iam:CreateAccessKey": false, "sts:GetFederationToken": false, "s3:GetObject": false} {
		if got := o.Access.Authorize(c, action, access.Resource{ARN: "*", AccountID: c.AccountID}).Allowed(); got != want {
			t.Errorf("the task allows %s: %v", action, got)
		}
	}
	_, err = o.Issuer.AccessKey(t.Context(), c, "")
	wantKind(t, "a long-term key by the task", err, identity.KindAccessDenied)
	_, err = o.assume(c, "arn:demo:iam::"+stacktest.AccountB+":role/x")
	wantKind(t, "a role by the task", err, identity.KindAccessDenied)
	audit, err := ask(o.alice, rootB, "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials", 60)
	if err != nil {
		t.Fatal(err)
	}
	auditor := o.caller(audit.Keys)
	for action, want := range map[string]bool{"iam:ListAccessKeys": true, "iam:DeleteAccessKey": false, "s3:ListAllMyBuckets": false} {
		if got := o.Access.Authorize(auditor, action, access.Resource{ARN: rootB, AccountID: auditor.AccountID}).Allowed(); got != want {
			t.Errorf("the audit allows %s: %v", action, got)
		}
	}
	for name, tt := range map[string]struct {
		by     *identity.Caller
		target string
	}{
		"an account that is not there": {o.alice, "gone"},
		"an account not granted":       {o.alice, "999999999999"},
		"its own account":              {o.alice, stacktest.AccountA},
		"another partition":            {o.alice, "arn:aws:iam::" + stacktest.AccountB + ":root"},
		"a user":                       {o.alice, "arn:demo:iam::" + stacktest.AccountB + ":user/carol"},
		"without rights":               {o.bob, stacktest.AccountB},
		"the other way round":          {o.carol, stacktest.AccountA},
		"an operator":                  {o.Operator(), stacktest.AccountB},
	} {
		_, err := ask(tt.by, tt.target, unlockTask, 0)
		wantKind(t, name, err, identity.KindAccessDenied)
		if tt.by == o.alice && tt.target[0] != 'a' {
			wantText(t, name, err, "is not authorized to perform: sts:AssumeRoot on resource: arn:aws:iam::"+tt.target+":root")
		}
	}
	for _, task := range []string{adminPolicy, unlockTask + "x", "root-task/S3UnlockBucketPolicy", ""} {
		_, err := ask(o.alice, stacktest.AccountB, task, 0)
		wantKind(t, "task "+task, err, identity.KindValidation)
	}
	_, err = ask(o.alice, stacktest.AccountB, unlockTask, 901)
	wantKind(t, "too long", err, identity.KindValidation)
	_, err = ask(o.alice, stacktest.AccountB, unlockTask, -1)
	wantKind(t, "negative", err, identity.KindValidation)
	// The account that was let in goes, and takes the sessions along.
	o.update(func(tx store.Tx) error {
		return o.Access.Revoke(tx, identity.Revocation{Kind: identity.LineageAccount, ID: stacktest.AccountA})
	})
	_, err = o.try(out.Keys)
	wantKind(t, "after the account that asked was ended", err, identity.KindExpiredToken)
}
