package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

const (
	noIdentity = "because no identity-based policy allows the %s action"
	noResource = "because no resource-based policy allows the %s action"
	noSession  = "because no session policy allows the %s action"
	noBoundary = "because no permissions boundary allows the %s action"
	byIdentity = "with an explicit deny in an identity-based policy"
	byResource = "with an explicit deny in a resource-based policy"
)

// actor is a principal with its clients.
type actor struct {
	arn, key string
	s3       *s3.Client
	iam      *iam.Client
	sts      *sts.Client
}

// policyLab is a server with the bucket "lab" of the demo account and what
// makes principals there.
type policyLab struct {
	*Server
	t      *testing.T
	root   *actor
	second *actor // root of another account
}

func newPolicyLab(t *testing.T) *policyLab {
	s := Start(t)
	s.Apply(t, `accounts:
  - {id: "`+secondAccount+`", partition: "`+s.Partition+`", name: Second, root: {email: `+secondEmail+`, password: `+secondPassword+`}}
`)
	l := &policyLab{Server: s, t: t}
	l.root = l.actor(s.RootARN(), s.RootKeys())
	token := logIn(t, s.TokenURL("root-accounts"), "root-client", secondEmail, secondPassword)
	l.second = l.actor("arn:"+s.Partition+":iam::"+secondAccount+":root", s.AssumeRoot(t, secondAccount, token, 0))
	l.must(l.root.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("lab")}))
	for key, tagging := range map[string]string{
		"public/a": "", "secret/a": "", "home/alice/f": "", "home/bob/f": "", "red": "team=red", "blue": "team=blue", "plain": "",
		"slash": "team=red%2F..%2Fblue", "gone/1": "", "gone/2": "", "gone/3": "",
	} {
		l.check("put "+key, put("lab/"+key, "x-tagging", tagging).run(t.Context(), l.root.s3))
	}
	return l
}

func (l *policyLab) must(_ any, err error) {
	l.t.Helper()
	l.check("setup", err)
}

func (l *policyLab) check(what string, err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("%s: %v", what, err)
	}
}

func (l *policyLab) actor(arn string, k Keys) *actor {
	config := aws.Config{Region: l.Region, BaseEndpoint: aws.String(l.URL), Credentials: k.provider(), RetryMaxAttempts: 1}
	return &actor{arn, k.AccessKeyID, s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }), iam.NewFromConfig(config), sts.NewFromConfig(config)}
}

// in replaces what tests do not know beforehand.
func (l *policyLab) in(text string) string {
	return strings.NewReplacer("PARTITION", l.Partition, "ACCOUNT", l.AccountID, "OTHER", secondAccount).Replace(text)
}

// policyOf wraps statements.
func (l *policyLab) policyOf(statements ...string) *string {
	return aws.String(l.in(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`))
}

// user makes a user of the by's account with an inline policy of the
// statements, and tags given as "key=value".
func (l *policyLab) user(by *actor, name string, tags []string, statements ...string) *actor {
	l.t.Helper()
	ctx, in := l.t.Context(), &iam.CreateUserInput{UserName: aws.String(name)}
	for _, tag := range tags {
		k, v, _ := strings.Cut(tag, "=")
		in.Tags = append(in.Tags, iamtypes.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	made, err := by.iam.CreateUser(ctx, in)
	l.check("CreateUser", err)
	if len(statements) > 0 {
		l.must(by.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: in.UserName, PolicyName: aws.String("p"), PolicyDocument: l.policyOf(statements...)}))
	}
	key, err := by.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: in.UserName})
	l.check("CreateAccessKey", err)
	return l.actor(*made.User.Arn, Keys{AccessKeyID: *key.AccessKey.AccessKeyId, SecretAccessKey: *key.AccessKey.SecretAccessKey})
}

func (l *policyLab) bucketPolicy(statements ...string) {
	l.t.Helper()
	l.must(l.root.s3.PutBucketPolicy(l.t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("lab"), Policy: l.policyOf(statements...)}))
}

func (l *policyLab) noBucketPolicy() {
	l.t.Helper()
	l.must(l.root.s3.DeleteBucketPolicy(l.t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String("lab")}))
}

// s3Op is one call, and what a refusal of it names.
type s3Op struct {
	name, action, on string
	run              func(context.Context, *s3.Client) error
}

func splitPath(path string) (bucket, key *string) {
	b, k, _ := strings.Cut(path, "/")
	return aws.String(b), aws.String(k)
}

func get(path string) s3Op {
	b, k := splitPath(path)
	return s3Op{"get " + path, "s3:GetObject", path, func(ctx context.Context, c *s3.Client) error {
		out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: k})
		if err == nil {
			out.Body.Close()
		}
		return err
	}}
}

// put takes pairs: x-tagging, x-sse.
func put(path string, more ...string) s3Op {
	b, k := splitPath(path)
	return s3Op{"put " + path + strings.Join(more, " "), "s3:PutObject", path, func(ctx context.Context, c *s3.Client) error {
		in := &s3.PutObjectInput{Bucket: b, Key: k, Body: strings.NewReader(path)}
		for i := 0; i+1 < len(more); i += 2 {
			switch v := more[i+1]; {
			case v == "":
			case more[i] == "x-tagging":
				in.Tagging = aws.String(v)
			case more[i] == "x-sse":
				in.ServerSideEncryption = types.ServerSideEncryption(v)
			}
		}
		_, err := c.PutObject(ctx, in)
		return err
	}}
}

func remove(path string) s3Op {
	b, k := splitPath(path)
	return s3Op{"delete " + path, "s3:DeleteObject", path, func(ctx context.Context, c *s3.Client) error {
		_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: k})
		return err
	}}
}

// list lists by either version; prefix "-" is none.
func list(bucket, prefix string, v2 bool) s3Op {
	var p *string
	if prefix != "-" {
		p = aws.String(prefix)
	}
	return s3Op{fmt.Sprintf("list %s %q %v", bucket, prefix, v2), "s3:ListBucket", bucket, func(ctx context.Context, c *s3.Client) error {
		if v2 {
			_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: p})
			return err
		}
		_, err := c.ListObjects(ctx, &s3.ListObjectsInput{Bucket: aws.String(bucket), Prefix: p})
		return err
	}}
}

func copying(from, to string) s3Op {
	b, k := splitPath(to)
	return s3Op{"copy " + from + " to " + to, "s3:PutObject", to, func(ctx context.Context, c *s3.Client) error {
		_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: b, Key: k, CopySource: aws.String(from)})
		return err
	}}
}

// as is the operation refused by another action and resource than its own.
func (o s3Op) as(action, on string) s3Op {
	o.action, o.on = action, on
	return o
}

// s3Row is one call and how it ends: why is "" for what is allowed.
type s3Row struct {
	who *actor
	op  s3Op
	why string
	// statement is the Sid that the decoded message names.
	statement string
}

func (l *policyLab) rows(t *testing.T, rows []s3Row) {
	t.Helper()
	for _, r := range rows {
		err := r.op.run(t.Context(), r.who.s3)
		if r.why == "" {
			if err != nil {
				t.Errorf("%s by %s: %v, want it allowed", r.op.name, r.who.arn, err)
			}
			continue
		}
		why := r.why
		if strings.Contains(why, "%s") {
			why = fmt.Sprintf(why, r.op.action)
		}
		want := fmt.Sprintf(`User: %s is not authorized to perform: %s on resource: "arn:%s:s3:::%s" %s`, r.who.arn, r.op.action, l.Partition, r.op.on, why)
		var refused smithy.APIError
		if !errors.As(err, &refused) || refused.ErrorCode() != "AccessDenied" {
			t.Errorf("%s by %s: %v, want AccessDenied", r.op.name, r.who.arn, err)
			continue
		}
		said, message, encoded := strings.Cut(refused.ErrorMessage(), " Encoded authorization failure message: ")
		if said != want || !encoded {
			t.Errorf("%s:\ngot  %s\nwant %s", r.op.name, refused.ErrorMessage(), want)
			continue
		}
		l.decoded(t, r, message)
	}
}

// decoded opens the message as root of the caller's account and looks for the
// statement.
func (l *policyLab) decoded(t *testing.T, r s3Row, message string) {
	t.Helper()
	by := l.root
	if strings.Contains(r.who.arn, secondAccount) {
		by = l.second
	}
	out, err := by.sts.DecodeAuthorizationMessage(t.Context(), &sts.DecodeAuthorizationMessageInput{EncodedMessage: aws.String(message)})
	if err != nil {
		t.Errorf("%s: decoding: %v", r.op.name, err)
		return
	}
	if r.statement != "" && !strings.Contains(*out.DecodedMessage, `"`+r.statement+`"`) {
		t.Errorf("%s: the message does not name %s:\n%s", r.op.name, r.statement, *out.DecodedMessage)
	}
}
