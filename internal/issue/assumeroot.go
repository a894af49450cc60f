package issue

import (
	"context"
	"slices"
	"strings"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/token"
)

const (
	assumeRootAction = "sts:AssumeRoot"
	maxRootTaskLife  = 900 // seconds
)

// rootTasks are what a session of AssumeRoot may do, by the names of AWS's
// policies (arn:aws:iam::aws:policy/root-task/…): with the root user alone, and
// with anything of the account. The document travels in the token: these are no
// policies to attach.
var rootTasks = map[string]struct{ root, any string }{
	"IAMAuditRootUserCredentials": {
		root: `"iam:GetUser","iam:GetLoginProfile","iam:ListAccessKeys","iam:ListMFADevices","iam:ListSigningCertificates","iam:GetAccessKeyLastUsed"`,
		any:  `"iam:GetAccountSummary"`,
	},
	"IAMCreateRootUserPassword": {root: `"iam:GetLoginProfile","iam:CreateLoginProfile"`},
	"IAMDeleteRootUserCredentials": {
		root: `"iam:GetUser","iam:GetLoginProfile","iam:DeleteLoginProfile","iam:ListAccessKeys","iam:DeleteAccessKey","iam:ListMFADevices",` +
			`"iam:DeactivateMFADevice","iam:ListSigningCertificates","iam:DeleteSigningCertificate","iam:GetAccessKeyLastUsed"`,
		any: `"iam:DeleteVirtualMFADevice"`, // which takes none from a user
	},
	"S3UnlockBucketPolicy": {any: `"s3:GetBucketPolicy","s3:PutBucketPolicy","s3:DeleteBucketPolicy","s3:ListAllMyBuckets"`},
	"SQSUnlockQueuePolicy": {any: `"sqs:SetQueueAttributes","sqs:GetQueueAttributes","sqs:ListQueues","sqs:GetQueueUrl"`},
}

// rootTask is the policy of a task for the root user of this ARN; "" when there
// is no such task.
func rootTask(name, root string) string {
	var statements []string
	for _, s := range [][2]string{{rootTasks[name].root, root}, {rootTasks[name].any, "*"}} {
		if s[0] != "" {
			statements = append(statements, `{"Effect":"Allow","Action":[`+s[0]+`],"Resource":"`+s[1]+`"}`)
		}
	}
	if statements == nil {
		return ""
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// AssumeRootRequest is AssumeRoot.
type AssumeRootRequest struct {
	// TargetPrincipal is the account: its ID or the ARN of its root user.
	TargetPrincipal string
	TaskPolicyARN   string
	// DurationSeconds is 0 when not given.
	DurationSeconds int
}

// AssumedRoot is its answer.
type AssumedRoot struct {
	Keys           identity.SessionKeys
	SourceIdentity string // "" when not set
}

// AssumeRoot gives a caller of one account session keys of another account's
// root user, for one task and a quarter of an hour (STS AssumeRoot): where the
// operator lets that account, and its own policies that caller. A root log-in
// that is switched off does not stand in the way. KindAccessDenied in the same
// words for absent, foreign and forbidden accounts; KindValidation.
func (i *Issuer) AssumeRoot(ctx context.Context, c *identity.Caller, r AssumeRootRequest) (AssumedRoot, error) {
	ev := audit.Change(c, stsSource, "AssumeRoot", map[string]string{"targetPrincipal": r.TargetPrincipal, "taskPolicyArn": r.TaskPolicyARN})
	out, err := i.assumeRoot(ctx, c, r, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) assumeRoot(ctx context.Context, c *identity.Caller, r AssumeRootRequest, ev *audit.Event) (AssumedRoot, error) {
	var out AssumedRoot
	// 1 prove
	s, err := i.signer(ctx, c, MFAProof{})
	if err != nil {
		return out, err
	}
	// 2 permit
	m, err := i.permitAssumeRoot(s, r)
	if err != nil {
		return out, err
	}
	// 3 bound the lifetime
	asked := orDefault(r.DurationSeconds, maxRootTaskLife)
	if asked < 0 {
		return out, durationError(asked, "greater than or equal to %d", 0)
	}
	if asked > maxRootTaskLife {
		return out, durationError(asked, "less than or equal to %d", maxRootTaskLife)
	}
	// 4 mint, 5 record
	out.SourceIdentity = m.claims.SourceIdentity
	if out.Keys, _, err = i.mint(ctx, m, time.Duration(asked)*time.Second, ev, map[string]any{"assumedRootArn": m.arn}); err != nil {
		return AssumedRoot{}, err
	}
	return out, nil
}

func (i *Issuer) permitAssumeRoot(s *signer, r AssumeRootRequest) (*session, error) {
	snap := i.db.Snapshot()
	own, err := store.Accounts.Get(snap, s.AccountID)
	if err != nil {
		return nil, err
	}
	id := r.TargetPrincipal
	if arn, ok := identity.ParseARN(id); ok && arn.Service == "iam" && arn.Region == "" && arn.Resource == "root" {
		id = arn.Account
	}
	acc := &identity.Account{ID: id, Partition: s.Partition} // as absent ones are named
	granted := slices.Contains(own.AssumeRootIn, id) && id != own.ID
	if granted {
		if acc, err = store.Accounts.Get(snap, id); identity.KindOf(err) == identity.KindNotFound {
			acc, granted, err = &identity.Account{ID: id, Partition: s.Partition}, false, nil
		}
		if err != nil {
			return nil, err
		}
	}
	root := identity.RootARN(acc.Partition, acc.ID)
	named := r.TargetPrincipal == id || r.TargetPrincipal == root
	keys := map[string][]string{"sts:TaskPolicyArn": {r.TaskPolicyARN}}
	d := i.access.Authorize(s.Caller, assumeRootAction, access.Resource{ARN: root, AccountID: s.AccountID, Keys: keys, Unrecorded: true})
	if d.Err != nil && identity.KindOf(d.Err) != identity.KindAccessDenied {
		return nil, d.Err
	}
	if !d.Allowed() || !granted || !named || acc.Disabled {
		return nil, i.forbidden(s.Caller, assumeRootAction, root, d.Err)
	}
	arn, _ := identity.ParseARN(r.TaskPolicyARN)
	name, _ := strings.CutPrefix(arn.Resource, "policy/root-task/")
	document := rootTask(name, root)
	if document == "" || arn.Service != "iam" || arn.Account != "aws" || arn.Region != "" || !strings.HasPrefix(arn.Resource, "policy/root-task/") {
		return nil, identity.NewError(identity.KindValidation, "issue.assumeroot", "There is no task policy "+bounded(r.TaskPolicyARN)+".")
	}
	m := &session{arn: root, proof: s.proof(), claims: token.SessionClaims{
		Kind: identity.RootUser, AccountID: acc.ID, Partition: acc.Partition, PrincipalID: acc.ID, SourceIdentity: s.SourceIdentity,
		Policy: document, Position: s.pos,
	}}
	m.claims.Lineage, err = s.Descend(acc.ID)
	return m, err
}
