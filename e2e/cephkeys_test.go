package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// wireKeys are keys under me/, each with ways to write its path.
var wireKeys = map[string][]string{
	"me/../you/secret":       {"me/../you/secret", "me/%2E%2E/you/secret", "me%2F..%2Fyou%2Fsecret", "me/..%2fyou/secret"},
	"me/../../keys-other/me": {"me/../../keys-other/me", "me/%2e%2e/%2e%2e/keys-other/me"},
	"me//a":                  {"me//a", "me/%2Fa", "me%2F%2Fa"},
	"me/./a":                 {"me/./a", "me/%2E/a"},
	"me/a/.":                 {"me/a/.", "me/a/%2e"},
	"me/a/..":                {"me/a/.."},
	"me/a":                   {"me/a", "%6De/%61"},
	"me/a/":                  {"me/a/", "me/a%2F"},
	"me/a//":                 {"me/a//"},
	"me/a%2Fb":               {"me/a%252Fb"},
	"me/100%":                {"me/100%25"},
	"me/%41":                 {"me/%2541"},
	"me/a+b":                 {"me/a+b", "me/a%2Bb"},
	"me/a b":                 {"me/a%20b"},
	"me/ ":                   {"me/%20"},
	"me/?versions":           {"me/%3Fversions"},
	"me/#&=;,:@$'()*!\\":     {"me/%23%26%3D%3B%2C%3A%40%24%27%28%29%2A%21%5C"},
	"me/ü":                   {"me/%C3%BC", "me/%c3%bc"},
	"me/u\u0308":             {"me/u%CC%88"},
	"me/漢字/🙂":                {"me/%E6%BC%A2%E5%AD%97/%F0%9F%99%82"},
	"me/A":                   {"me/A"},
}

// TestKeysInCeph writes keys as clients do, over the wire with the keys of a
// session that may only do what is under me/, and looks for them in Ceph with
// its own keys: each is the one object of just that name, and none is another's.
func TestKeysInCeph(t *testing.T) {
	t.Parallel()
	needPython(t, "boto3")
	c := StartCeph(t)
	s := Start(t, WithCeph(t, c, "s3: {default_upstream: ceph}\n")...)
	root, direct := s.s3(s.RootSession(t)), c.S3(c.Keys())
	const bucket, other = "keys-in-ceph", "keys-other"
	kept := map[string][]string{bucket: {"b", "you/secret"}, other: {"me", "you/secret"}}
	for name, keys := range kept {
		if _, err := root.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(name)}); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			store(t, root, name, key, "kept")
		}
	}
	realm := s.Realms["shasta"]
	me := createdSession(must(t, s.NewClient(t), Call{Service: "sts", Call: "assume_role_with_web_identity", With: map[string]any{
		"RoleArn": s.roleARN("shasta-admin"), "RoleSessionName": "me", "Policy": allow("s3:*", "arn:"+s.Partition+":s3:::"+bucket+"/me/*"),
		"WebIdentityToken": logIn(t, s.TokenURL("shasta"), realm.ClientID, realm.Username, realm.Password),
	}})[0])
	send := func(method, path, body, source string) (int, string) {
		t.Helper()
		return signed(t, s, me, method, "/"+bucket+"/"+path, body, source)
	}

	for _, path := range []string{
		"you/secret", "you%2Fsecret", "./you/secret", "%2E/you/secret", "/you/secret", "%2Fyou/secret", "x/../you/secret", "x/../me/a", "./me/a", "/me/a", "ME/a",
		"../" + other + "/you/secret", "%2E%2E/" + other + "/you/secret", "..%2F" + other + "%2Fyou%2Fsecret",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			if status, code := send(method, path, "", ""); status != 403 || code != "AccessDenied" {
				t.Errorf("%s %s: %d %s", method, path, status, code)
			}
		}
		if status, code := send(http.MethodPut, "me/stolen", "", bucket+"/"+path); status != 403 || code != "AccessDenied" {
			t.Errorf("copy of %s: %d %s", path, status, code)
		}
	}
	for key, paths := range wireKeys {
		for _, path := range paths {
			if status, _ := send(http.MethodGet, path, "", ""); status != 403 {
				t.Errorf("GET %s, which is not there: %d", path, status)
			}
			if status, code := send(http.MethodPut, path, path, ""); status != 200 {
				t.Errorf("PUT %s: %d %s", path, status, code)
			}
			hasKeys(t, direct, bucket, append(slices.Clone(kept[bucket]), key)...)
			if got, err := load(t, direct, bucket, key); got != path || err != nil {
				t.Errorf("what was put as %s is in Ceph %q, %v", path, got, err)
			}
			for _, again := range paths {
				if status, code := send(http.MethodGet, again, "", ""); status != 200 {
					t.Errorf("GET %s of %s: %d %s", again, path, status, code)
				}
				// In this header a plus is a blank, unlike in a path.
				source := bucket + "/" + strings.ReplaceAll(again, "+", "%2B")
				if status, code := send(http.MethodPut, "me/copied", "", source); status != 200 {
					t.Errorf("copy of %s: %d %s", again, status, code)
				}
			}
			if got, err := load(t, direct, bucket, "me/copied"); got != path || err != nil {
				t.Errorf("what was copied of %s is in Ceph %q, %v", path, got, err)
			}
			for _, gone := range []string{"me/copied", path} {
				if status, code := send(http.MethodDelete, gone, "", ""); status != 204 {
					t.Errorf("DELETE %s: %d %s", gone, status, code)
				}
			}
			hasKeys(t, direct, bucket, kept[bucket]...)
		}
	}
	for name, keys := range kept {
		hasKeys(t, direct, name, keys...)
		for _, key := range keys {
			if got, err := load(t, direct, name, key); got != "kept" || err != nil {
				t.Errorf("%s in %s is now %q, %v", key, name, got, err)
			}
		}
	}
}

// createdSession are the keys in an answer of STS.
func createdSession(a Answer) Keys {
	k := a.Answer["Credentials"].(map[string]any)
	return Keys{AccessKeyID: k["AccessKeyId"].(string), SecretAccessKey: k["SecretAccessKey"].(string), SessionToken: k["SessionToken"].(string)}
}

// hasKeys looks whether a bucket has these keys and no others.
func hasKeys(t *testing.T, c *s3.Client, bucket string, want ...string) {
	t.Helper()
	list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range list.Contents {
		got = append(got, *o.Key)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("%s holds %q, want %q", bucket, got, want)
	}
}
