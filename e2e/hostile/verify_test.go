package hostile

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
	"time"
)

// verify holds the server against what was acknowledged. full reads every
// object, not only the listing.
func (l *load) verify(full bool) {
	t, r := l.r.t, l.r
	t.Helper()
	for _, d := range l.denied {
		t.Errorf("a good request was refused: %s", d)
	}
	l.denied = nil
	l.verifyRefresh()
	l.verifyObjects(full)
	l.verifyBuckets()
	l.verifyUsers()
	if a := r.do(query("sts", l.session, "Action", "GetCallerIdentity")); a.status != 200 {
		t.Errorf("the session from before: %s", a)
	}
	l.verifyAudit()
}

func (l *load) verifyObjects(full bool) {
	t, r := l.r.t, l.r
	t.Helper()
	listed := r.list(l.session, loadBucket)
	for key := range listed {
		if _, ok := l.objects[key]; !ok {
			t.Errorf("listed, but nobody wrote it: %s", key)
		}
	}
	for key, contents := range l.objects {
		size, there := listed[key]
		if !there {
			if contents[0].acked {
				t.Errorf("acknowledged and gone: %s", key)
			} else {
				delete(l.objects, key)
			}
			continue
		}
		if !full && len(contents) == 1 && contents[0].acked && contents[0].size == size {
			continue
		}
		a := r.do(call{target: "/" + loadBucket + "/" + key, keys: l.session})
		sum := sha256Hex(string(a.body))
		i := slices.IndexFunc(contents, func(o object) bool { return o.sum == sum })
		if a.status != 200 || i < 0 || contents[i].size != size {
			t.Errorf("%s: %d bytes (listed %d) of no content that was written: status %d; intended %+v", key, len(a.body), size, a.status, contents)
			continue
		}
		// What is there now must stay.
		settled := contents[i]
		settled.acked = true
		l.objects[key] = []object{settled}
	}
}

// verifyBuckets: what was acknowledged is there, and what is in doubt can be
// made and unmade without help.
func (l *load) verifyBuckets() {
	t, r := l.r.t, l.r
	t.Helper()
	var list struct {
		Names []string `xml:"Buckets>Bucket>Name"`
	}
	a := r.must(call{target: "/", keys: l.session})
	if err := xml.Unmarshal(a.body, &list); err != nil {
		t.Fatal(err)
	}
	for name, acked := range l.buckets {
		if acked {
			if !slices.Contains(list.Names, name) {
				t.Errorf("bucket acknowledged and gone: %s", name)
			}
			continue
		}
		// A bucket that was being deleted is settled within a moment.
		var a answer
		eventually(t, 10*time.Second, "bucket "+name+" is settled", func() bool {
			a = r.do(call{method: "PUT", target: "/" + name, keys: l.session})
			return a.code() != "OperationAborted"
		})
		if a.status != 200 && a.code() != "BucketAlreadyOwnedByYou" {
			t.Errorf("bucket %s is stuck: creating: %s", name, a)
			continue
		}
		if a := r.do(call{method: "PUT", target: "/" + name + "/x", body: "x", keys: l.session}); a.status != 200 {
			t.Errorf("bucket %s is stuck: writing after %s", name, a)
		}
		r.do(call{method: "DELETE", target: "/" + name + "/x", keys: l.session})
		if a := r.do(call{method: "DELETE", target: "/" + name, keys: l.session}); a.status != 204 {
			t.Errorf("bucket %s is stuck: deleting: %s", name, a)
		}
		delete(l.buckets, name)
	}
	for _, name := range list.Names {
		if _, known := l.buckets[name]; !known && strings.HasPrefix(name, "load-") {
			if a := r.do(call{method: http.MethodHead, target: "/" + name, keys: l.session}); a.status == 200 {
				t.Errorf("bucket that was deleted is back: %s", name)
			}
		}
	}
}

func (l *load) verifyUsers() {
	t, r := l.r.t, l.r
	t.Helper()
	for name, acked := range l.users {
		a := r.do(query("iam", l.session, "Action", "GetUser", "UserName", name))
		switch {
		case acked && a.status != 200:
			t.Errorf("user acknowledged and gone: %s: %s", name, a)
		case !acked && a.status != 200 && a.code() != "NoSuchEntity":
			t.Errorf("user in doubt: %s: %s", name, a)
		}
		delete(l.users, name)
	}
	for _, k := range l.keys {
		if a := r.do(query("sts", k, "Action", "GetCallerIdentity")); a.status != 200 {
			t.Errorf("key acknowledged and of no use: %s", a)
		}
	}
	l.keys = nil
}
