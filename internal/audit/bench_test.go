package audit

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"daypass/internal/identity"
)

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func issueEvent() Event {
	e := Event{
		Source: "sts.amazonaws.com", Name: "AssumeRoleWithWebIdentity", Region: "us-east-1",
		SourceIP: "192.0.2.7", UserAgent: "aws-cli/1.2.3 Python/3.12 Linux/6.1", RequestID: "5c0e5c0e-0000-4000-8000-000000000000",
		UserIdentity:      UserIdentity{Type: "WebIdentityUser", PrincipalID: "https://idp.example.com:app:alice", UserName: "alice", IdentityProvider: "https://idp.example.com"},
		RequestParameters: map[string]any{"roleArn": "arn:aws:iam::123456789012:role/dev", "roleSessionName": "s1", "durationSeconds": 3600},
		ResponseElements:  map[string]any{"accessKeyId": "ASIAIOSFODNN7EXAMPLE", "expiration": "2026-01-02T03:04:05Z"},
	}
	e.Issued("sessionToken", identity.Secret("FwoGZXIvYXdzE"))
	return e
}

// BenchmarkRecord prints the price of durability: events per second of wall
// time and CPU of the whole process per event, callers included.
func BenchmarkRecord(b *testing.B) {
	for _, d := range []Durability{Fsync, Buffered} {
		for _, callers := range []int{1, 32, 256} {
			b.Run(fmt.Sprintf("%s/%d", d, callers), func(b *testing.B) {
				l, err := Open(Config{Dir: b.TempDir(), Durability: d})
				if err != nil {
					b.Fatal(err)
				}
				work := make(chan struct{})
				done := make(chan error)
				for range callers {
					go func() {
						var err error
						for range work {
							if e := l.Record(context.Background(), issueEvent()); e != nil {
								err = e
							}
						}
						done <- err
					}()
				}
				cpu, start := cpuTime(), time.Now()
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					work <- struct{}{}
				}
				close(work)
				for range callers {
					if err := <-done; err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "events/s")
				b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(b.N), "cpu-ns/op")
				if s := l.Stats(); s.Batches > 0 {
					b.ReportMetric(float64(s.Recorded)/float64(s.Batches), "events/fsync")
				}
				if err := l.Close(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		e := issueEvent()
		e.complete(time.Unix(0, 0), identity.RequestFacts{})
		if _, err := e.line(); err != nil {
			b.Fatal(err)
		}
	}
}
