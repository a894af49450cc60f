package s3

import (
	"testing"

	"daypass/internal/identity"
)

func TestParseCopySource(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		want CopySource
		out  string
	}{
		{"photos/a", CopySource{"photos", "a", ""}, "photos/a"},
		{"/photos/a%20b/c", CopySource{"photos", "a b/c", ""}, "photos/a%20b/c"},
		{"photos/a+b%2Bc", CopySource{"photos", "a b+c", ""}, "photos/a%20b%2Bc"},
		{"photos%2Fa%2Fb", CopySource{"photos", "a/b", ""}, "photos/a/b"},
		{"photos/a?versionId=v%2F1", CopySource{"photos", "a", "v/1"}, "photos/a?versionId=v%2F1"},
		{"photos/a%3FversionId=1", CopySource{"photos", "a?versionId=1", ""}, "photos/a%3FversionId%3D1"},
		{"photos//a", CopySource{"photos", "/a", ""}, "photos//a"},
	}
	for _, tt := range tests {
		got, err := ParseCopySource(tt.in)
		if err != nil || got != tt.want || got.String() != tt.out {
			t.Errorf("%q: %+v, %q, %v", tt.in, got, got.String(), err)
		}
	}
	for _, in := range []string{"", "/", "photos", "photos/", "/photos/", "//a", "photos/%zz", "photos/%00", "photos/a?acl", "photos/a?versionId=", "photos/a?versionId=1&acl", "photos/a?versionId=1?x=2"} {
		if got, err := ParseCopySource(in); identity.KindOf(err) != identity.KindInvalidKey {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
	if _, err := ParseCopySource("arn:aws:s3:us-east-1:1:accesspoint/x/object/k"); identity.KindOf(err) != identity.KindNotImplemented {
		t.Errorf("ARN: %v", err)
	}
}

func FuzzCopySource(f *testing.F) {
	for _, s := range []string{"photos/a", "/photos/a%20b?versionId=1", "photos%2Fa", "a/b?x", "%", "+/+"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseCopySource(s)
		if err != nil {
			return
		}
		again, err := ParseCopySource(got.String())
		if err != nil || again != got {
			t.Fatalf("%q: %+v is forwarded as %q, which reads as %+v, %v", s, got, got.String(), again, err)
		}
	})
}
