package issue_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

// crowd calls the service many times at once, the first with a context of its
// own and two seconds before the others, and meanwhile, when all of them wait
// for the upstream's one answer. It returns what each got: access key, or kind
// of error.
func (b *brokers) crowd(first context.Context, tok identity.Secret, meanwhile func()) map[string]int {
	b.t.Helper()
	const n = 8
	asked, goOn := make(chan bool, n), make(chan bool)
	b.mu.Lock()
	b.answer = func(w http.ResponseWriter, _ *http.Request) {
		asked <- true
		<-goOn
		fmt.Fprintf(w, `<R><Credentials><AccessKeyId>UP%d</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></R>`,
			len(b.asked()), b.Clock.Now().Add(time.Hour).Format(time.RFC3339))
	}
	b.mu.Unlock()
	got := make(chan string)
	ask := func(ctx context.Context) {
		k, err := b.Issuer.TokenService(ctx, issue.TokenServiceRequest{Host: "api.example.com", Token: tok})
		if err != nil {
			k.AccessKeyID = string(identity.KindOf(err))
		}
		got <- k.AccessKeyID
	}
	go ask(first)
	<-asked
	b.Clock.Advance(2 * time.Second)
	for range n - 1 {
		go ask(b.t.Context())
	}
	for deadline := time.Now().Add(20 * time.Second); waiting() < n; runtime.Gosched() {
		if time.Now().After(deadline) {
			b.t.Fatalf("%d calls wait, the upstream was asked %d times", waiting(), len(b.asked()))
		}
	}
	out := map[string]int{}
	if meanwhile != nil {
		meanwhile()
	}
	if first.Err() != nil {
		out[<-got]++
	}
	close(goOn)
	for len(out) == 0 || sum(out) < n {
		out[<-got]++
	}
	return out
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// waiting counts the calls of this process that wait for the upstream.
func waiting() (n int) {
	stacks := make([]byte, 4<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		head, _, _ := strings.Cut(stack, "\n")
		if strings.Contains(head, "[select") && strings.Contains(stack, ".mintOnce(") {
			n++
		}
	}
	return n
}

// TestBrokeredOnce: the upstream is asked once for all equal calls under way.
// It counts the calls of the whole process, and so runs alone.
func TestBrokeredOnce(t *testing.T) {
	b := newBrokers(t)
	tok := shastaLogin(t, b.Stack).AccessToken
	if got := b.crowd(t.Context(), tok, nil); got["UP1"] != 8 || len(b.asked()) != 1 {
		t.Errorf("got %v, the upstream was asked %d times", got, len(b.asked()))
	}
	// The first goes away, which ends nobody else's question.
	gone, leave := context.WithCancel(t.Context())
	b.Clock.Advance(time.Second)
	tok = shastaLogin(t, b.Stack).AccessToken
	if got := b.crowd(gone, tok, leave); got[string(identity.KindUnavailable)] != 1 || got["UP2"] != 7 || len(b.asked()) != 2 {
		t.Errorf("when the first goes away: got %v, the upstream was asked %d times", got, len(b.asked()))
	}
	if log := b.AuditLines(t); strings.Count(log, `"fromCache":"false"`)+strings.Count(log, `"fromCache":false`) != 1 || strings.Count(log, `UP1`) < 8 {
		t.Errorf("the audit log does not tell eight deliveries of keys that were minted for one:\n%s", log)
	}
}

// TestBrokeredOnceMeanwhile: whoever may not have keys that were minted for the
// first of equal calls gets none of them.
func TestBrokeredOnceMeanwhile(t *testing.T) {
	b := newBrokers(t)
	tok := shastaLogin(t, b.Stack).AccessToken
	var role string
	b.setRole(func(r *identity.Role) { role = r.ID })
	older := b.Clock.Now().Add(time.Second).UTC().Format(time.RFC3339)
	got := b.crowd(t.Context(), tok, func() {
		b.setRole(func(r *identity.Role) {
			r.Inline["older"] = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"` + older + `"}}}}`
		})
	})
	if got["UP1"] != 0 || got[string(identity.KindAccessDenied)] != 1 || len(got) < 2 {
		t.Errorf("a policy ends older sessions: got %v", got)
	}
	b.Clock.Advance(time.Second)
	tok = shastaLogin(t, b.Stack).AccessToken
	got = b.crowd(t.Context(), tok, func() { b.revoke(identity.Revocation{Kind: identity.LineageRole, ID: role}) })
	if got[string(identity.KindExpiredIdentity)] != 8 {
		t.Errorf("the role's sessions were ended: got %v", got)
	}
}
