package hostile

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"daypass/internal/sigv4"
)

// load is what writers did to a server: what was acknowledged, and what was
// sent but never answered, so that it may or may not have happened.
type load struct {
	r       *rig
	session keys // of root, made before anything was killed

	mu      sync.Mutex
	objects map[string][]object // by key: the last acknowledged first, then the doubtful ones after it
	buckets map[string]bool     // true: acknowledged; false: in doubt, created or deleted
	users   map[string]bool     // same
	keys    []keys              // long-term, acknowledged
	issued  []string            // what the audit log must name
	denied  []string            // answers that should not have been
	count   map[string]int      // acknowledged operations

	// Of the writer that refreshes: its tokens, the refresh token before and
	// when that was used, and since when the next one is being tried.
	tokens      tokenSet
	before      string
	used, tried time.Time
}

// object is one intended content of a key; acked when a 200 came back.
type object struct {
	sum   string
	size  int64
	acked bool
}

const loadBucket = "load"

func newLoad(r *rig) *load {
	l := &load{
		r: r, session: r.rootSession(), objects: map[string][]object{}, buckets: map[string]bool{}, users: map[string]bool{},
		count: map[string]int{},
	}
	r.must(call{method: "PUT", target: "/" + loadBucket, keys: l.session})
	return l
}

// run writes until stop is closed.
func (l *load) run(seed uint64, round int, stop <-chan struct{}) {
	var all sync.WaitGroup
	for n, writer := range []func(*rand.Rand, string) bool{
		l.putNew, l.putNew, l.putAgain, l.putParts, l.makeBucket, l.makeUser, l.makeUser, l.refresh,
	} {
		random := rand.New(rand.NewPCG(seed, uint64(n)))
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if !writer(random, fmt.Sprintf("r%d-w%d-%d", round, n, i)) {
					select {
					case <-stop:
						return
					case <-time.After(20 * time.Millisecond):
					}
				}
			}
		})
	}
	all.Wait()
}

// outcome sorts an answer: done, refused for now or unanswered. Any other
// refusal is wrong, for what these writers send is good.
func (l *load) outcome(what string, a answer, err error, also ...string) (acked bool) {
	switch {
	case err != nil || a.status >= 500:
		return false
	case a.status < 300, slices.Contains(also, a.code()):
		l.mu.Lock()
		l.count[strings.SplitN(what, " ", 2)[0]]++
		l.mu.Unlock()
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.denied = append(l.denied, what+": "+a.String())
	return false
}

// noise is a body of random size, 0 to 2 MiB, small ones more often.
func noise(random *rand.Rand) string {
	n := random.IntN([]int{1, 100, 10 << 10, 200 << 10, 2 << 20}[random.IntN(5)])
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return string(b)
}

// intend notes a content before it is sent.
func (l *load) intend(key, body string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.objects[key] = append(l.objects[key], object{sum: sha256Hex(body), size: int64(len(body))})
}

// ack makes the content noted last the one that counts.
func (l *load) ack(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.objects[key]
	last := o[len(o)-1]
	last.acked = true
	l.objects[key] = []object{last}
}

func (l *load) putNew(random *rand.Rand, id string) bool {
	return l.put(random, "new/"+id)
}

// putAgain writes the same few keys over and over.
func (l *load) putAgain(random *rand.Rand, _ string) bool {
	return l.put(random, fmt.Sprintf("again/%d", random.IntN(4)))
}

func (l *load) put(random *rand.Rand, key string) bool {
	body := noise(random)
	c := call{method: "PUT", target: "/" + loadBucket + "/" + key, keys: l.session, body: body}
	switch random.IntN(4) {
	case 0: // 64-hex
	case 1:
		c.payload = sigv4.UnsignedPayload
	case 2:
		c.presign = time.Minute
	case 3:
		c = framed(c)
	}
	l.intend(key, body)
	a, err := l.r.try(c)
	if !l.outcome("put "+key, a, err) {
		return false
	}
	l.ack(key)
	return true
}

// framed sends a call's body with a checksum trailer.
func framed(c call) call {
	text, err := io.ReadAll(sigv4.NewFramer(strings.NewReader(c.body), int64(len(c.body)), sigv4.CRC32))
	if err != nil {
		panic(err)
	}
	c.header = append(c.header, [][2]string{
		{"X-Amz-Trailer", "x-amz-checksum-crc32"}, {"X-Amz-Decoded-Content-Length", fmt.Sprint(len(c.body))}, {"Content-Encoding", "aws-chunked"},
	}...)
	c.payload, c.body = "STREAMING-UNSIGNED-PAYLOAD-TRAILER", string(text)
	return c
}

// putParts uploads one or two parts and completes them.
func (l *load) putParts(random *rand.Rand, id string) bool {
	key := "parts/" + id
	target := "/" + loadBucket + "/" + key
	bodies := []string{noise(random)}
	if random.IntN(8) == 0 {
		bodies = []string{strings.Repeat(id, 5<<20/len(id)+1), bodies[0]}
	}
	a, err := l.r.try(call{method: "POST", target: target + "?uploads", keys: l.session})
	if !l.outcome("parts-begin "+key, a, err) {
		return false
	}
	upload := a.between("UploadId")
	var done strings.Builder
	for i, body := range bodies {
		c := call{method: "PUT", target: fmt.Sprintf("%s?partNumber=%d&uploadId=%s", target, i+1, upload), keys: l.session, body: body}
		if random.IntN(2) == 0 {
			c.payload = sigv4.UnsignedPayload
		}
		if a, err = l.r.try(c); !l.outcome("part "+key, a, err) {
			return false
		}
		fmt.Fprintf(&done, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, strings.ReplaceAll(a.header.Get("Etag"), `"`, "&quot;"))
	}
	l.intend(key, strings.Join(bodies, ""))
	a, err = l.r.try(call{
		method: "POST", target: target + "?uploadId=" + upload, keys: l.session,
		body: "<CompleteMultipartUpload>" + done.String() + "</CompleteMultipartUpload>",
	})
	if !l.outcome("parts-end "+key, a, err) {
		return false
	}
	l.ack(key)
	return true
}

// makeBucket creates a bucket and deletes every other one again.
func (l *load) makeBucket(random *rand.Rand, id string) bool {
	name := "load-" + id
	set := func(state, known bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if known {
			l.buckets[name] = state
		} else {
			delete(l.buckets, name)
		}
	}
	set(false, true)
	a, err := l.r.try(call{method: "PUT", target: "/" + name, keys: l.session})
	if !l.outcome("bucket "+name, a, err) {
		return false
	}
	set(true, true)
	if random.IntN(2) == 0 {
		return true
	}
	set(false, true)
	a, err = l.r.try(call{method: "DELETE", target: "/" + name, keys: l.session})
	if !l.outcome("bucket-delete "+name, a, err) {
		return false
	}
	set(false, false)
	return true
}

// makeUser creates a user and one or two keys.
func (l *load) makeUser(random *rand.Rand, id string) bool {
	l.mu.Lock()
	l.users[id] = false
	l.mu.Unlock()
	a, err := l.r.try(query("iam", l.session, "Action", "CreateUser", "UserName", id))
	if !l.outcome("user "+id, a, err) {
		return false
	}
	l.mu.Lock()
	l.users[id] = true
	l.mu.Unlock()
	for range 1 + random.IntN(2) {
		a, err := l.r.try(query("iam", l.session, "Action", "CreateAccessKey", "UserName", id))
		if !l.outcome("key "+id, a, err) {
			return false
		}
		k := keysOf(a)
		l.mu.Lock()
		l.keys = append(l.keys, k)
		l.issued = append(l.issued, k.AccessKeyID, sha256Hex(k.SecretAccessKey))
		l.mu.Unlock()
	}
	return true
}

// refresh exchanges refresh tokens, one for the next, and now and then an access
// token for session keys. One writer only.
func (l *load) refresh(random *rand.Rand, id string) bool {
	if l.tokens.Refresh == "" {
		u := l.r.facts().Realms["shasta"]
		a, err := l.r.try(realmCall("shasta", "token", "grant_type", "password", "client_id", "shasta", "username", u.Username, "password", u.Password))
		return l.outcome("log-in "+id, a, err) && json.Unmarshal(a.body, &l.tokens) == nil
	}
	if l.tried.IsZero() {
		l.tried = time.Now()
	}
	a, err := l.r.try(refreshCall(l.tokens.Refresh))
	if !l.outcome("refresh "+id, a, err) {
		return false
	}
	var next tokenSet
	if err := json.Unmarshal(a.body, &next); err != nil {
		return false
	}
	l.before, l.tokens, l.used, l.tried = l.tokens.Refresh, next, l.tried, time.Time{}
	l.mu.Lock()
	l.issued = append(l.issued, sha256Hex(next.Access))
	l.mu.Unlock()
	if random.IntN(2) == 0 {
		return true
	}
	a, err = l.r.try(webIdentity(roleARN(l.r.facts().AccountID, "shasta-admin"), next.Access))
	if !l.outcome("web-identity "+id, a, err) {
		return false
	}
	l.mu.Lock()
	l.issued = append(l.issued, keysOf(a).AccessKeyID, sha256Hex(keysOf(a).SessionToken))
	l.mu.Unlock()
	return true
}

func refreshCall(token string) call {
	return realmCall("shasta", "token", "grant_type", "refresh_token", "client_id", "shasta", "refresh_token", token)
}

// replayWindow is how long the last refresh token may be shown again, less a
// second for this test's own time.
const replayWindow = 9 * time.Second

// verifyRefresh shows tokens again: the one before the last gives the last
// once more, and one whose answer was lost gives its successor.
func (l *load) verifyRefresh() {
	t, r := l.r.t, l.r
	t.Helper()
	if l.tokens.Refresh == "" {
		return
	}
	// After a refresh whose answer was lost the last token may be used already,
	// and the one before it would be a theft.
	if l.before != "" && l.tried.IsZero() && time.Since(l.used) < replayWindow {
		a := r.do(refreshCall(l.before))
		if a.status != 200 || tokensOf(t, a).Refresh != l.tokens.Refresh {
			t.Errorf("the last refresh token, shown again: %s", a)
		}
	}
	if l.tried.IsZero() || time.Since(l.tried) < replayWindow {
		a := r.do(refreshCall(l.tokens.Refresh))
		if a.status != 200 {
			t.Errorf("a refresh whose answer was lost, repeated: %s", a)
		} else {
			l.before, l.tokens, l.used, l.tried = l.tokens.Refresh, tokensOf(t, a), time.Now(), time.Time{}
		}
		return
	}
	t.Logf("the restart took too long for a replay")
	l.tokens, l.before, l.tried = tokenSet{}, "", time.Time{}
}
