package e2e

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// TestS3Policies puts ten policies as they are written in practice on real
// principals and makes real calls.
func TestS3Policies(t *testing.T) {
	t.Parallel()
	l := newPolicyLab(t)
	for _, p := range []struct {
		name string
		rows func(*policyLab) []s3Row
	}{
		{"read only", readOnly},
		{"a prefix for each user", userPrefix},
		{"MFA required", mfaRequired},
		{"source address", sourceAddress},
		{"tags", tagBased},
		{"no unencrypted upload", unencrypted},
		{"another account", crossAccount},
		{"session policy", sessionPolicy},
		{"boundary", boundary},
		{"time window", timeWindow},
		{"both ends of a copy", copyEnds},
		{"existence", existence},
		{"signature and region", signature},
	} {
		t.Run(p.name, func(t *testing.T) {
			l.t = t
			l.rows(t, p.rows(l))
			l.noBucketPolicy()
		})
	}
	t.Run("many at once", func(t *testing.T) { l.t = t; deleteMany(t, l) })
	t.Run("presigned", func(t *testing.T) { l.t = t; presignedIsJudgedAtUse(t, l) })
	t.Run("multipart", func(t *testing.T) { l.t = t; partsAreJudged(t, l) })
}

func readOnly(l *policyLab) []s3Row {
	u := l.user(l.root, "reader", nil)
	l.must(l.root.iam.AttachUserPolicy(l.t.Context(), &iam.AttachUserPolicyInput{
		UserName: aws.String("reader"), PolicyArn: aws.String("arn:" + l.Partition + ":iam::aws:policy/AmazonS3ReadOnlyAccess"),
	}))
	return []s3Row{
		{u, get("lab/secret/a"), "", ""},
		{u, list("lab", "-", true), "", ""},
		{u, put("lab/public/b"), noIdentity, ""},
		{u, remove("lab/public/a"), noIdentity, ""},
	}
}

func userPrefix(l *policyLab) []s3Row {
	home := []string{
		`{"Sid":"OwnObjects","Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:PARTITION:s3:::lab/home/${aws:username}/*"}`,
		`{"Sid":"OwnListing","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:PARTITION:s3:::lab","Condition":{"StringLike":{"s3:prefix":["home/${aws:username}/","home/${aws:username}/*"]}}}`,
	}
	alice, bob := l.user(l.root, "alice", nil, home...), l.user(l.root, "bob", nil, home...)
	return []s3Row{
		{alice, put("lab/home/alice/g"), "", ""},
		{alice, get("lab/home/alice/f"), "", ""},
		{bob, get("lab/home/bob/f"), "", ""},
		{alice, get("lab/home/bob/f"), noIdentity, "OwnObjects"},
		{alice, put("lab/home/alice"), noIdentity, "OwnObjects"},
		{alice, get("lab/home/Alice/f"), noIdentity, "OwnObjects"},
		{alice, put("lab/home/alice2/f"), noIdentity, "OwnObjects"},
		{alice, list("lab", "home/alice/", true), "", ""},
		{alice, list("lab", "home/alice/x", false), "", ""},
		{alice, list("lab", "home/", true), noIdentity, "OwnListing"},
		{alice, list("lab", "home/", false), noIdentity, "OwnListing"},
		{alice, list("lab", "", true), noIdentity, "OwnListing"},
		{alice, list("lab", "-", true), noIdentity, "OwnListing"},
		{alice, list("lab", "home/alice", true), noIdentity, "OwnListing"},
		{alice, list("lab", "home/bob/", true), noIdentity, "OwnListing"},
	}
}

func mfaRequired(l *policyLab) []s3Row {
	u := l.user(l.root, "careful", nil,
		`{"Effect":"Allow","Action":["s3:*","sts:*"],"Resource":"*"}`,
		`{"Sid":"NeedMFA","Effect":"Deny","Action":"s3:DeleteObject","Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}`,
		`{"Sid":"FreshMFA","Effect":"Deny","Action":"s3:PutObject","Resource":"arn:PARTITION:s3:::lab/secret/*","Condition":{"Null":{"aws:MultiFactorAuthAge":"true"}}}`)
	out, err := u.sts.GetSessionToken(l.t.Context(), nil)
	l.check("GetSessionToken", err)
	session := l.actor(u.arn, Keys{*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken})
	return []s3Row{
		{u, get("lab/public/a"), "", ""},
		{session, get("lab/public/a"), "", ""},
		{session, put("lab/public/m"), "", ""},
		{session, remove("lab/public/m"), byIdentity, "NeedMFA"},
		{u, remove("lab/public/m"), byIdentity, "NeedMFA"}, // long-term keys have no such key: absent is not true
		{session, put("lab/secret/m"), byIdentity, "FreshMFA"},
		{u, put("lab/secret/m"), byIdentity, "FreshMFA"},
	}
}

func sourceAddress(l *policyLab) []s3Row {
	u := l.user(l.root, "office", nil,
		`{"Sid":"FromHere","Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":["127.0.0.0/8","::1/128"]}}}`,
		`{"Sid":"FromThere","Effect":"Allow","Action":"s3:PutObject","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}}`)
	l.bucketPolicy(`{"Sid":"NotFromHere","Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:PARTITION:s3:::lab/secret/*","Condition":{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}}`)
	return []s3Row{
		{u, get("lab/public/a"), "", ""},
		{u, put("lab/public/o"), noIdentity, "FromThere"},
		{u, get("lab/secret/a"), byResource, "NotFromHere"},
		{l.root, get("lab/secret/a"), byResource, "NotFromHere"},
	}
}

func tagBased(l *policyLab) []s3Row {
	statements := []string{
		`{"Sid":"OwnTeam","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:PARTITION:s3:::lab/*","Condition":{"StringEquals":{"s3:ExistingObjectTag/team":"${aws:PrincipalTag/team}"}}}`,
		`{"Sid":"Tagged","Effect":"Allow","Action":["s3:PutObject","s3:PutObjectTagging"],"Resource":"arn:PARTITION:s3:::lab/up/*","Condition":{"StringEquals":{"s3:RequestObjectTag/Team":"${aws:PrincipalTag/team}"}}}`,
		`{"Sid":"OwnFolder","Effect":"Allow","Action":"s3:*","Resource":"arn:PARTITION:s3:::lab/teams/${aws:PrincipalTag/team}/*"}`,
	}
	red := l.user(l.root, "red", []string{"team=red"}, statements...)
	none := l.user(l.root, "teamless", nil, statements...)
	climber := l.user(l.root, "climber", []string{"team=red/../blue"}, statements...)
	dotty := l.user(l.root, "dotty", []string{"team=.."}, statements...)
	return []s3Row{
		{red, get("lab/red"), "", ""},
		{red, get("lab/blue"), noIdentity, "OwnTeam"},
		{red, get("lab/plain"), noIdentity, "OwnTeam"},
		{red, get("lab/nothing-here"), noIdentity, "OwnTeam"},
		{none, get("lab/plain"), noIdentity, "OwnTeam"},
		{climber, get("lab/slash"), "", ""}, // equality takes it as it is
		{red, put("lab/up/a", "x-tagging", "team=red"), "", ""},
		{red, put("lab/up/a"), noIdentity, "Tagged"},
		{red, put("lab/up/a", "x-tagging", "team=blue"), noIdentity, "Tagged"},
		{red, put("lab/up/a", "x-tagging", "team=red&Team=blue"), noIdentity, "Tagged"},
		{red, put("lab/teams/red/a"), "", ""},
		{red, put("lab/teams/blue/a"), noIdentity, "OwnFolder"},
		{none, put("lab/teams/a"), noIdentity, "OwnFolder"},
		{climber, put("lab/teams/red"), noIdentity, "OwnFolder"},
		{climber, put("lab/teams/blue/a"), noIdentity, "OwnFolder"},
		{dotty, put("lab/teams/a"), noIdentity, "OwnFolder"},
	}
}

func unencrypted(l *policyLab) []s3Row {
	u := l.user(l.root, "uploader", nil, `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`)
	l.bucketPolicy(`{"Sid":"Encrypt","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:PARTITION:s3:::lab/*","Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption":"AES256"}}}`)
	return []s3Row{
		{u, get("lab/public/a"), "", ""},
		{u, put("lab/public/e", "x-sse", "AES256"), "", ""},
		{u, put("lab/public/e"), byResource, "Encrypt"},
		{u, copying("lab/public/a", "lab/public/e"), byResource, "Encrypt"},
		{u, put("lab/public/e", "x-sse", "aws:kms"), byResource, "Encrypt"},
		{u, inParts("lab/public/parts", "AES256"), "", ""},
		{u, inParts("lab/public/parts", ""), byResource, "Encrypt"},
	}
}

// inParts uploads a part and completes; only the beginning names encryption.
func inParts(path, sse string) s3Op {
	b, k := splitPath(path)
	return s3Op{"parts " + path + sse, "s3:PutObject", path, func(ctx context.Context, c *s3.Client) error {
		up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: k, ServerSideEncryption: types.ServerSideEncryption(sse)})
		if err != nil {
			return err
		}
		part, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: k, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x")})
		if err != nil {
			return err
		}
		_, err = c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: b, Key: k, UploadId: up.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32}}},
		})
		return err
	}}
}

func crossAccount(l *policyLab) []s3Row {
	all := `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`
	guest, limited := l.user(l.second, "guest", nil, all), l.user(l.second, "limited", nil)
	before := []s3Row{
		{guest, get("lab/public/a"), noResource, ""}, {l.second, get("lab/public/a"), noResource, ""}, {guest, list("lab", "-", true), noResource, ""},
	}
	l.rows(l.t, before)
	l.bucketPolicy(`{"Sid":"Partner","Effect":"Allow","Principal":{"AWS":"OTHER"},"Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:PARTITION:s3:::lab/public/*"}`,
		`{"Sid":"NoDrafts","Effect":"Deny","Principal":{"AWS":"arn:PARTITION:iam::OTHER:user/guest"},"Action":"s3:*","Resource":"arn:PARTITION:s3:::lab/public/draft/*"}`)
	own, err := guest.s3.ListBuckets(l.t.Context(), nil)
	if err != nil || len(own.Buckets) != 0 {
		l.t.Errorf("the guest lists %+v, %v", own, err)
	}
	if err := get("nobodys-bucket/x").run(l.t.Context(), guest.s3); apiCode(err) != "NoSuchBucket" {
		l.t.Errorf("nobody's bucket: %v", err)
	}
	if _, err := guest.s3.CreateBucket(l.t.Context(), &s3.CreateBucketInput{Bucket: aws.String("lab")}); apiCode(err) != "BucketAlreadyExists" {
		l.t.Errorf("taking the name: %v", err)
	}
	if _, err := guest.s3.GetBucketPolicy(l.t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String("lab")}); apiCode(err) != "AccessDenied" {
		l.t.Errorf("reading the policy: %v", err)
	}
	wrong := s3Op{name: "another owner expected", run: func(ctx context.Context, c *s3.Client) error {
		_, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("public/a"), ExpectedBucketOwner: aws.String(secondAccount)})
		return err
	}}
	if err := wrong.run(l.t.Context(), guest.s3); apiCode(err) != "AccessDenied" {
		l.t.Errorf("another owner expected: %v", err)
	}
	return []s3Row{
		{guest, get("lab/public/a"), "", ""},
		{guest, put("lab/public/g"), "", ""},
		{l.second, get("lab/public/a"), "", ""},
		{l.root, get("lab/public/g"), "", ""}, // what a guest wrote is the bucket owner's
		{guest, get("lab/secret/a"), noResource, ""},
		{guest, remove("lab/public/a"), noResource, ""},
		{guest, list("lab", "-", true), noResource, ""},
		{limited, get("lab/public/a"), noIdentity, ""},
		{guest, get("lab/public/draft/x"), byResource, ""},
	}
}

func sessionPolicy(l *policyLab) []s3Row {
	ctx := l.t.Context()
	u := l.user(l.root, "assumer", nil, `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`)
	role, err := l.root.iam.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName:                 aws.String("worker"),
		AssumeRolePolicyDocument: l.policyOf(`{"Effect":"Allow","Principal":{"AWS":"arn:PARTITION:iam::ACCOUNT:user/assumer"},"Action":"sts:AssumeRole"}`),
	})
	l.check("CreateRole", err)
	l.must(l.root.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: aws.String("worker"), PolicyName: aws.String("p"),
		PolicyDocument: l.policyOf(`{"Sid":"Work","Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:PARTITION:s3:::lab/public/*"}`),
	}))
	assume := func(name string, p *string) *actor {
		out, err := u.sts.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: role.Role.Arn, RoleSessionName: aws.String(name), Policy: p})
		l.check("AssumeRole", err)
		return l.actor(*out.AssumedRoleUser.Arn, Keys{*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken})
	}
	full := assume("full", nil)
	narrow := assume("narrow", l.policyOf(`{"Sid":"JustRead","Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`))
	l.bucketPolicy(`{"Sid":"Worker","Effect":"Allow","Principal":{"AWS":"arn:PARTITION:iam::ACCOUNT:role/worker"},"Action":["s3:ListBucket","s3:DeleteObject"],"Resource":["arn:PARTITION:s3:::lab","arn:PARTITION:s3:::lab/*"]}`)
	return []s3Row{
		{full, put("lab/public/s"), "", ""},
		{full, list("lab", "-", true), "", ""},
		{narrow, get("lab/public/a"), "", ""},
		{narrow, put("lab/public/s"), noSession, ""},
		{narrow, get("lab/secret/a"), noIdentity, "Work"},
		{narrow, list("lab", "-", true), noSession, ""},
		{narrow, remove("lab/public/s"), noSession, ""},
	}
}

func boundary(l *policyLab) []s3Row {
	ctx := l.t.Context()
	u := l.user(l.root, "bounded", nil, `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`)
	made, err := l.root.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{
		PolicyName:     aws.String("bound"),
		PolicyDocument: l.policyOf(`{"Sid":"AtMost","Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:PARTITION:s3:::lab","arn:PARTITION:s3:::lab/public/*"]}`),
	})
	l.check("CreatePolicy", err)
	l.must(l.root.iam.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: aws.String("bounded"), PermissionsBoundary: made.Policy.Arn}))
	l.bucketPolicy(`{"Sid":"ByName","Effect":"Allow","Principal":{"AWS":"arn:PARTITION:iam::ACCOUNT:user/bounded"},"Action":"s3:PutObject","Resource":"arn:PARTITION:s3:::lab/public/*"}`)
	return []s3Row{
		{u, get("lab/public/a"), "", ""},
		{u, list("lab", "-", true), "", ""},
		{u, get("lab/secret/a"), noBoundary, "AtMost"},
		{u, remove("lab/public/a"), noBoundary, ""},
		{u, put("lab/public/n"), "", ""}, // a bucket policy that names the user is not bounded, as in AWS
		{u, put("lab/secret/n"), noBoundary, ""},
	}
}

func timeWindow(l *policyLab) []s3Row {
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	window := func(sid, action string, from, to time.Duration) string {
		return `{"Sid":"` + sid + `","Effect":"Allow","Action":"` + action + `","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"` + at(from) + `"},"DateLessThan":{"aws:CurrentTime":"` + at(to) + `"}}}`
	}
	u := l.user(l.root, "shift", nil, window("Now", "s3:GetObject", -time.Hour, time.Hour), window("Past", "s3:PutObject", -2*time.Hour, -time.Hour),
		window("Later", "s3:DeleteObject", time.Hour, 2*time.Hour))
	return []s3Row{
		{u, get("lab/public/a"), "", ""}, {u, put("lab/public/t"), noIdentity, "Past"}, {u, remove("lab/public/a"), noIdentity, "Later"},
	}
}

func copyEnds(l *policyLab) []s3Row {
	u := l.user(l.root, "copier", nil,
		`{"Sid":"Source","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:PARTITION:s3:::lab/*"}`,
		`{"Sid":"NotSecret","Effect":"Deny","Action":"s3:GetObject","Resource":"arn:PARTITION:s3:::lab/secret/*"}`,
		`{"Sid":"Target","Effect":"Allow","Action":"s3:PutObject","Resource":"arn:PARTITION:s3:::lab/copies/*","Condition":{"StringLike":{"s3:x-amz-copy-source":["lab/public/*","lab/secret/*","lab/red"]}}}`)
	return []s3Row{
		{u, copying("lab/public/a", "lab/copies/a"), "", ""},
		{u, copying("/lab/public%2Fa", "lab/copies/b"), "", ""},
		{u, copying("lab/public/a", "lab/public/c"), noIdentity, "Target"},
		{u, copying("lab/plain", "lab/copies/c"), noIdentity, "Target"},
		{u, copying("lab/secret/a", "lab/copies/c").as("s3:GetObject", "lab/secret/a"), byIdentity, "NotSecret"},
		{u, copying("lab/red", "lab/copies/red").as("s3:GetObjectTagging", "lab/red"), noIdentity, ""}, // its tags would come along
		{u, put("lab/copies/d"), noIdentity, "Target"},
	}
}

// signature holds the calls that the registry of buckets judges too.
func signature(l *policyLab) []s3Row {
	u := l.user(l.root, "modern", nil,
		`{"Sid":"Signed","Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"s3:signatureversion":"AWS4-HMAC-SHA256"}}}`,
		`{"Sid":"Region","Effect":"Allow","Action":"s3:CreateBucket","Resource":"*","Condition":{"StringEquals":{"s3:locationconstraint":"eu-west-1"}}}`,
		`{"Sid":"Header","Effect":"Allow","Action":["s3:DeleteBucket","s3:PutBucketPolicy","s3:GetBucketPolicy","s3:ListAllMyBuckets"],"Resource":"*","Condition":{"StringEquals":{"s3:authType":"REST-HEADER"}}}`)
	bucket := aws.String("lab-of-modern")
	op := func(name, on string, run func(context.Context, *s3.Client) error) s3Op {
		return s3Op{name, "s3:" + name, on, run}
	}
	create := func(region types.BucketLocationConstraint) s3Op {
		return op("CreateBucket", *bucket, func(ctx context.Context, c *s3.Client) error {
			in := &s3.CreateBucketInput{Bucket: bucket}
			if region != "" {
				in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: region}
			}
			_, err := c.CreateBucket(ctx, in)
			return err
		})
	}
	own := l.policyOf(`{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"*"}`)
	return []s3Row{
		{u, create(""), noIdentity, "Region"},
		{u, create("us-west-2"), noIdentity, "Region"},
		{u, create("eu-west-1"), "", ""},
		{u, op("ListAllMyBuckets", "*", func(ctx context.Context, c *s3.Client) error { _, err := c.ListBuckets(ctx, nil); return err }), "", ""},
		{u, op("PutBucketPolicy", *bucket, func(ctx context.Context, c *s3.Client) error {
			_, err := c.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: own})
			return err
		}), "", ""},
		{u, op("GetBucketPolicyStatus", *bucket, func(ctx context.Context, c *s3.Client) error {
			_, err := c.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: bucket})
			return err
		}), noIdentity, ""},
		{u, op("DeleteBucket", *bucket, func(ctx context.Context, c *s3.Client) error {
			_, err := c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket})
			return err
		}), "", ""},
	}
}

func existence(l *policyLab) []s3Row {
	u := l.user(l.root, "prober", nil, `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`,
		`{"Sid":"Below","Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"StringLike":{"s3:prefix":"public/*"}}}`)
	if err := get("lab/nothing").run(l.t.Context(), l.root.s3); apiCode(err) != "NoSuchKey" {
		l.t.Errorf("who may list learns: %v", err)
	}
	return []s3Row{{u, get("lab/nothing").as("s3:ListBucket", "lab"), noIdentity, "Below"}, {u, get("lab/public/nothing").as("s3:ListBucket", "lab"), noIdentity, "Below"}}
}

func deleteMany(t *testing.T, l *policyLab) {
	u := l.user(l.root, "cleaner", nil, `{"Effect":"Allow","Action":"s3:DeleteObject","Resource":"arn:PARTITION:s3:::lab/gone/*"}`,
		`{"Sid":"Keep","Effect":"Deny","Action":"s3:DeleteObject","Resource":"arn:PARTITION:s3:::lab/gone/2"}`)
	var objects []types.ObjectIdentifier
	for _, k := range []string{"gone/1", "gone/2", "gone/3", "plain"} {
		objects = append(objects, types.ObjectIdentifier{Key: aws.String(k)})
	}
	out, err := u.s3.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("lab"), Delete: &types.Delete{Objects: objects}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range out.Deleted {
		got = append(got, "deleted "+*d.Key)
	}
	for _, e := range out.Errors {
		got = append(got, *e.Code+" "+*e.Key+" "+(*e.Message)[strings.Index(*e.Message, "arn:"+l.Partition+":s3"):])
	}
	want := l.in(`deleted gone/1|deleted gone/3|AccessDenied gone/2 arn:PARTITION:s3:::lab/gone/2" with an explicit deny in an identity-based policy|` +
		`AccessDenied plain arn:PARTITION:s3:::lab/plain" because no identity-based policy allows the s3:DeleteObject action`)
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

// presignedIsJudgedAtUse: a URL is worth what its signer may at the time.
func presignedIsJudgedAtUse(t *testing.T, l *policyLab) {
	u := l.user(l.root, "signer", nil, `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`)
	url, err := s3.NewPresignClient(u.s3).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lab"), Key: aws.String("public/a")})
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(want int, says string) {
		t.Helper()
		r, err := http.Get(url.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != want || !strings.Contains(string(body), says) {
			t.Errorf("%s %v\n%s\nwant %d %s", r.Status, err, body, want, says)
		}
	}
	fetch(200, "lab/public/a")
	l.bucketPolicy(`{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:PARTITION:s3:::lab/*","Condition":{"StringEquals":{"s3:authType":"REST-QUERY-STRING"}}}`)
	fetch(403, "with an explicit deny in a resource-based policy")
	l.rows(t, []s3Row{{u, get("lab/public/a"), "", ""}})
	l.noBucketPolicy()
	fetch(200, "lab/public/a")
	l.must(l.root.iam.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{
		UserName: aws.String("signer"), PolicyName: aws.String("p"),
		PolicyDocument: l.policyOf(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:PARTITION:s3:::lab/home/*"}`),
	}))
	fetch(403, "because no identity-based policy allows the s3:GetObject action")
}

func partsAreJudged(t *testing.T, l *policyLab) {
	ctx := t.Context()
	u := l.user(l.root, "parter", nil, `{"Effect":"Allow","Action":["s3:PutObject","s3:ListMultipartUploadParts"],"Resource":"arn:PARTITION:s3:::lab/parts/*"}`)
	bucket, key := aws.String("lab"), aws.String("parts/p")
	up, err := u.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	part := func() error {
		_, err := u.s3.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x")})
		return err
	}
	if err := part(); err != nil {
		t.Errorf("a part: %v", err)
	}
	abort := s3Op{"abort", "s3:AbortMultipartUpload", "lab/parts/p", func(ctx context.Context, c *s3.Client) error {
		_, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: key, UploadId: up.UploadId})
		return err
	}}
	l.rows(t, []s3Row{{u, abort, noIdentity, ""}})
	l.bucketPolicy(`{"Sid":"Frozen","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:PARTITION:s3:::lab/parts/*"}`)
	complete := func() error {
		_, err := u.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: bucket, Key: key, UploadId: up.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: aws.String(`"x"`)}}},
		})
		return err
	}
	for what, err := range map[string]error{"part": part(), "complete": complete()} {
		if apiCode(err) != "AccessDenied" {
			t.Errorf("%s, while frozen: %v", what, err)
		}
	}
	if out, err := u.s3.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: up.UploadId}); err != nil || len(out.Parts) != 1 {
		t.Errorf("parts: %+v, %v", out, err)
	}
	l.noBucketPolicy()
	l.rows(t, []s3Row{{l.root, abort, "", ""}})
}
