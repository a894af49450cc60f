package upstream

import "testing"

func TestSet(t *testing.T) {
	t.Parallel()
	own, ceph, logs := &S3{Name: "embedded"}, &S3{Name: "ceph"}, &S3{Name: "logs"}
	members := []Member{{S3: own}, {S3: ceph, STS: &STS{Name: "ceph"}}, {S3: logs}}
	routes := []Route{
		{Bucket: "logs-exact", Upstream: "ceph"},
		{Prefix: "logs-", Upstream: "logs"},
		{Account: "1", Upstream: "ceph"},
		{Bucket: "late", Upstream: "logs"},
	}
	s, err := NewSet(members, routes, "embedded")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		account, bucket string
		want            *S3
	}{
		{"2", "photos", own},
		{"2", "logs-exact", ceph},
		{"2", "logs-a", logs},
		{"2", "logs", own},
		{"1", "photos", ceph},
		{"1", "logs-a", logs},
		{"1", "late", ceph},
		{"2", "late", logs},
		{"", "photos", own},
	} {
		if got, ok := s.ForNew(tt.account, tt.bucket); !ok || got != tt.want {
			t.Errorf("ForNew(%q, %q) = %v, want %s", tt.account, tt.bucket, got, tt.want.Name)
		}
	}
	if got, ok := s.ByName("logs"); !ok || got != logs {
		t.Errorf("ByName: %v %v", got, ok)
	}
	if got, ok := s.ByName("none"); ok || got != nil {
		t.Errorf("ByName of none: %v %v", got, ok)
	}
	if got, ok := s.STS("ceph"); !ok || got.Name != "ceph" {
		t.Errorf("STS: %v %v", got, ok)
	}
	if _, ok := s.STS("logs"); ok {
		t.Error("an STS that is not there")
	}
	for name, err := range map[string]error{
		"twice":    s.Replace([]Member{{S3: own}, {S3: own}}, nil, "embedded"),
		"route":    s.Replace([]Member{{S3: own}}, routes, "embedded"),
		"fallback": s.Replace([]Member{{S3: own}}, nil, "ceph"),
		"nameless": s.Replace([]Member{{}}, nil, ""),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if len(s.All()) != 3 {
		t.Error("a refused change changed something")
	}
	if err := s.Replace([]Member{{S3: ceph}}, nil, "ceph"); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.ByName("embedded"); ok || len(s.All()) != 1 {
		t.Error("the old one is still there")
	}
}
