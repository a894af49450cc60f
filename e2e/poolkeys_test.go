package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	idp "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// doorCodes are what S3, STS, IAM, the API and Cognito's administration answer;
// "" is success.
type doorCodes struct{ S3, STS, IAM, API, IDP string }

// signedDoor is one signed request to one service, and where its error code is.
type signedDoor struct {
	service, method, target, body string
	header                        http.Header
	code                          func(*http.Response, []byte) string
}

func envelopeCode(_ *http.Response, body []byte) string {
	var e struct {
		Code   string `xml:"Code"`       // S3
		Nested string `xml:"Error>Code"` // STS and IAM
	}
	if err := xml.Unmarshal(body, &e); err != nil {
		return err.Error()
	}
	return e.Code + e.Nested
}

func headerCode(r *http.Response, _ []byte) string {
	code, _, _ := strings.Cut(r.Header.Get("X-Amzn-Errortype"), ":")
	return code
}

func jsonCode(_ *http.Response, body []byte) string {
	var e struct {
		Type string `json:"__type"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return err.Error()
	}
	return e.Type
}

var form = http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}

var signedDoors = []signedDoor{
	{"s3", "GET", "/", "", nil, envelopeCode},
	{"sts", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15", form, envelopeCode},
	{"iam", "POST", "/", "Action=ListUsers&Version=2010-05-08", form, envelopeCode},
	{"execute-api", "GET", "/20190206/users/me", "", nil, headerCode},
	{"cognito-idp", "POST", "/", `{"MaxResults":1}`, http.Header{
		"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"AWSCognitoIdentityProviderService.ListUserPools"},
	}, jsonCode},
}

// ask signs a request for a door at a time and returns the code of its refusal.
func (d *signedDoor) ask(t *testing.T, base string, keys aws.Credentials, at time.Time) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), d.method, base+d.target, strings.NewReader(d.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range d.header {
		req.Header[name] = values
	}
	sum := sha256.Sum256([]byte(d.body))
	hash := hex.EncodeToString(sum[:])
	if d.service == "s3" {
		req.Header.Set("X-Amz-Content-Sha256", hash)
	}
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, req, hash, d.service, "ap-southeast-2", at); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK {
		return ""
	}
	if bytes.Contains(body, []byte(keys.SessionToken)) && keys.SessionToken != "" {
		t.Errorf("%s repeats the session token", d.service)
	}
	return d.code(resp, body)
}

// TestPoolKeysAtEveryDoor shows keys of an identity pool, right and wrong, to
// every service that takes signatures: each has its own words.
func TestPoolKeysAtEveryDoor(t *testing.T) {
	t.Parallel()
	s := StartWith(t, []string{"DAYPASS_STS_MIN_DURATION_SECONDS=1", "DAYPASS_STS_POOL_DURATION_SECONDS=20"})
	p := newGoPool(t, s)
	admin := iam.New(iam.Options{Region: s.Region, BaseEndpoint: &s.URL, Credentials: credentials.NewStaticCredentialsProvider(s.Root.AccessKeyID, s.Root.SecretAccessKey, "")})
	if _, err := admin.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{
		RoleName: aws.String("api_admin"), PolicyName: aws.String("lists"), PolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:ListUsers","cognito-idp:ListUserPools"],"Resource":"*"}}`),
	}); err != nil {
		t.Fatal(err)
	}
	tokens, err := p.logIn(s.Stax.AccessKey, s.Stax.SecretKey, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	good, err := p.keys(*tokens.IdToken)
	if err != nil {
		t.Fatal(err)
	}
	other, err := p.keys(*tokens.IdToken)
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*aws.Credentials)) aws.Credentials {
		k := good
		change(&k)
		return k
	}
	mismatch := doorCodes{"SignatureDoesNotMatch", "SignatureDoesNotMatch", "SignatureDoesNotMatch", "InvalidSignatureException", "InvalidSignatureException"}
	unknown := doorCodes{"InvalidAccessKeyId", "InvalidClientTokenId", "InvalidClientTokenId", "UnrecognizedClientException", "UnrecognizedClientException"}
	invalid := unknown
	invalid.S3 = "InvalidToken"
	skewed := mismatch
	skewed.S3 = "RequestTimeTooSkewed"
	expired := doorCodes{"ExpiredToken", "ExpiredToken", "ExpiredToken", "ExpiredTokenException", "ExpiredTokenException"}
	now := time.Now()
	show := func(name string, keys aws.Credentials, at time.Time, want doorCodes) {
		t.Helper()
		var got [5]string
		for i := range signedDoors {
			got[i] = signedDoors[i].ask(t, s.URL, keys, at)
		}
		if g := (doorCodes{got[0], got[1], got[2], got[3], got[4]}); g != want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, g, want)
		}
	}
	show("right", good, now, doorCodes{})
	show("flipped secret", with(func(k *aws.Credentials) { k.SecretAccessKey = altered(k.SecretAccessKey, 5) }), now, mismatch)
	show("no token", with(func(k *aws.Credentials) { k.SessionToken = "" }), now, unknown)
	show("another key's token", with(func(k *aws.Credentials) { k.SessionToken = other.SessionToken }), now, invalid)
	show("16 minutes late", good, now.Add(-16*time.Minute), skewed)
	show("16 minutes early", good, now.Add(16*time.Minute), skewed)

	if _, err := p.idp.RevokeToken(t.Context(), &idp.RevokeTokenInput{ClientId: &p.config.ApiAuth.UserPoolWebClientID, Token: tokens.RefreshToken}); err != nil {
		t.Fatal(err)
	}
	show("revoked", other, time.Now(), expired)

	if tokens, err = p.logIn(s.Stax.AccessKey, s.Stax.SecretKey, time.Now()); err != nil {
		t.Fatal(err)
	}
	if good, err = p.keys(*tokens.IdToken); err != nil {
		t.Fatal(err)
	}
	show("right again", good, time.Now(), doorCodes{})
	time.Sleep(time.Until(good.Expires) + 50*time.Millisecond)
	show("expired", good, time.Now(), expired)
}
