package e2e

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const browserTimeout = time.Minute

// newBrowser starts a browser with a profile of its own. It takes the server's
// certificate for good: its CA is in no store of the machine.
func newBrowser(t testing.TB) context.Context {
	t.Helper()
	return newBrowserFor(t, browserTimeout)
}

func newBrowserFor(t testing.TB, limit time.Duration) context.Context {
	t.Helper()
	options := append(
		chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(needTool(t, "chromium")), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("ignore-certificate-errors", true),
	)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, limit)
	t.Cleanup(stop)
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return ctx
}

func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// formPage is a page with an upload form, for the fields that a server of the
// site's own would have signed.
func formPage(action string, fields map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<!doctype html><title>form</title><form method=post enctype=multipart/form-data action="%s">`, html.EscapeString(action))
	for name, value := range fields {
		fmt.Fprintf(&b, `<input type=hidden name="%s" value="%s">`, html.EscapeString(name), html.EscapeString(value))
	}
	b.WriteString(`<input type=file name=file id=file><button id=send>send</button></form>`)
	return b.String()
}

// browserClient does what pages do: upload by a form, put by a presigned URL
// from another origin, open a presigned URL.
func browserClient(f *s3Fixture, t *testing.T, bucket string) s3Client {
	ctx := newBrowser(t)
	var agent string
	if err := chromedp.Run(ctx, chromedp.Evaluate(`navigator.userAgent`, &agent)); err != nil {
		t.Fatal(err)
	}
	config := aws.Config{Region: f.s.Region, BaseEndpoint: aws.String(f.s.TLSURL), HTTPClient: f.http, Credentials: f.keys.provider()}
	g := &goColumn{f, t.Context(), s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }), aws.String(bucket)}
	if _, err := g.client.CreateBucket(g.ctx, &s3.CreateBucketInput{Bucket: g.bucket}); err != nil {
		t.Fatal(err)
	}
	pages := http.NewServeMux()
	site := httptest.NewTLSServer(pages)
	t.Cleanup(site.Close)
	pages.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html><title>page</title>")
	})
	run := func(tr *trial, actions ...chromedp.Action) { tr.check(chromedp.Run(ctx, actions...)) }
	_, version, _ := strings.Cut(agent, "Chrome/")
	version, _, _ = strings.Cut(version, " ")
	return s3Client{version: version, ops: map[string]func(*trial){
		opForm: func(tr *trial) {
			form, err := s3.NewPresignClient(g.client).PresignPostObject(g.ctx, &s3.PutObjectInput{Bucket: g.bucket, Key: aws.String("form/${filename}")},
				func(o *s3.PresignPostOptions) {
					o.Conditions = []any{[]any{"starts-with", "$key", "form/"}, map[string]string{"success_action_status": "201"}}
				})
			tr.check(err)
			form.Values["success_action_status"] = "201"
			pages.HandleFunc("/form", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				fmt.Fprint(w, formPage(form.URL, form.Values))
			})
			file := f.client(t).Write("näme 1+2.txt", smallText)
			var shown string
			run(tr, chromedp.Navigate(site.URL+"/form"), chromedp.SetUploadFiles("#file", []string{file}))
			resp, err := chromedp.RunResponse(ctx, chromedp.Click("#send"))
			tr.check(err)
			run(tr, chromedp.Evaluate(`document.documentElement.textContent`, &shown))
			if resp.Status != http.StatusCreated {
				tr.fail("the form: %d: %s", resp.Status, shown)
			}
			tr.same("form", g.get(tr, &s3.GetObjectInput{Bucket: g.bucket, Key: aws.String("form/näme 1+2.txt")}), smallText)
		},
		opPutURL: func(tr *trial) {
			_, err := g.client.PutBucketCors(g.ctx, &s3.PutBucketCorsInput{Bucket: g.bucket, CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{
				{AllowedMethods: []string{"PUT", "GET"}, AllowedOrigins: []string{site.URL}, AllowedHeaders: []string{"*"}},
			}}})
			tr.check(err)
			url, err := s3.NewPresignClient(g.client).PresignPutObject(g.ctx, &s3.PutObjectInput{Bucket: g.bucket, Key: aws.String("by URL")})
			tr.check(err)
			var answer string
			run(tr, chromedp.Navigate(site.URL+"/"), chromedp.Evaluate(fmt.Sprintf(
				`fetch(%q, {method: "PUT", body: "by URL"}).then(async r => r.status + (await r.text()), e => "blocked: " + e)`, url.URL), &answer, awaited))
			tr.same("answer", answer, "200")
			tr.same("by URL", g.get(tr, &s3.GetObjectInput{Bucket: g.bucket, Key: aws.String("by URL")}), "by URL")
		},
		opGetURL: func(tr *trial) {
			_, err := g.client.PutObject(g.ctx, &s3.PutObjectInput{Bucket: g.bucket, Key: aws.String("small"), Body: strings.NewReader(smallText), ContentType: aws.String("text/plain")})
			tr.check(err)
			url, err := s3.NewPresignClient(g.client).PresignGetObject(g.ctx, &s3.GetObjectInput{Bucket: g.bucket, Key: aws.String("small")})
			tr.check(err)
			var shown string
			run(tr, chromedp.Navigate(url.URL), chromedp.Evaluate(`document.body.textContent`, &shown))
			tr.same("shown", shown, smallText)
		},
	}}
}

// pagesHost is the host name that --dev keeps for pages for people.
const pagesHost = "localhost"

// TestStoredPages opens HTML objects, in buckets that are named like pages of
// a console, by presigned URLs: their scripts run in the origin of S3, which no
// page for people has, and leave no cookie that such a page would get.
func TestStoredPages(t *testing.T) {
	t.Parallel()
	s := Start(t)
	ctx := newBrowser(t)
	api, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if api.Hostname() == pagesHost {
		t.Errorf("the API is at %s, where pages for people are", s.URL)
	}
	config := aws.Config{Region: s.Region, BaseEndpoint: aws.String(s.URL), Credentials: s.RootSession(t).provider()}
	for _, bucket := range []string{"console", "profile", "login"} {
		opened := storedPage(t, ctx, config, bucket)
		if opened.status != http.StatusOK || opened.title != "stored" || opened.origin != "http://"+api.Host {
			t.Errorf("%s: %+v", bucket, opened)
		}
		if opened.setsCookie {
			t.Errorf("%s: S3 sets a cookie", bucket)
		}
	}
	var cookies []*network.Cookie
	read := chromedp.ActionFunc(func(ctx context.Context) (err error) {
		cookies, err = network.GetCookies().WithURLs([]string{"http://" + pagesHost + ":" + api.Port() + "/"}).Do(ctx)
		return err
	})
	if err := chromedp.Run(ctx, read); err != nil {
		t.Fatal(err)
	}
	if len(cookies) != 0 {
		t.Errorf("pages for people would get %+v", cookies)
	}
	resp, err := chromedp.RunResponse(ctx, chromedp.Navigate(onPagesHost(t, config, api, "profile").String()))
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != http.StatusForbidden {
		t.Errorf("on the host of pages for people a browser gets a stored page: %d", resp.Status)
	}
}

// opened is what a browser made of a page.
type opened struct {
	status        int64
	title, origin string
	setsCookie    bool
}

// storedPage puts an HTML object that plants a cookie, and opens it.
func storedPage(t *testing.T, ctx context.Context, config aws.Config, bucket string) opened {
	t.Helper()
	const page = `<!doctype html><title>stored</title><script>document.cookie = "planted=1; path=/"</script>`
	client := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	name, key := aws.String(bucket), aws.String("index.html")
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: name}); err != nil {
		t.Fatal(err)
	}
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: name, Key: key, Body: strings.NewReader(page), ContentType: aws.String("text/html")})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s3.NewPresignClient(client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: name, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := chromedp.RunResponse(ctx, chromedp.Navigate(signed.URL))
	if err != nil {
		t.Fatal(err)
	}
	out := opened{status: resp.Status}
	for header := range resp.Headers {
		out.setsCookie = out.setsCookie || strings.EqualFold(header, "Set-Cookie")
	}
	if err := chromedp.Run(ctx, chromedp.Title(&out.title), chromedp.Evaluate(`location.origin`, &out.origin)); err != nil {
		t.Fatal(err)
	}
	return out
}

// onPagesHost presigns a GET of a stored page for the host name of pages for
// people.
func onPagesHost(t *testing.T, config aws.Config, api *url.URL, bucket string) *url.URL {
	t.Helper()
	config.BaseEndpoint = aws.String("http://" + pagesHost + ":" + api.Port())
	client := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	signed, err := s3.NewPresignClient(client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("index.html")})
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(signed.URL)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// TestPagesHost asks for a stored page on the host name of pages for people,
// with a signature that is good for it: S3 refuses, and says where it is.
func TestPagesHost(t *testing.T) {
	t.Parallel()
	s := Start(t)
	api, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	config := aws.Config{Region: s.Region, BaseEndpoint: aws.String(s.URL), Credentials: s.RootSession(t).provider()}
	client := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	bucket := aws.String("profile")
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	_, err = client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String("index.html"), Body: strings.NewReader("<title>stored</title>"), ContentType: aws.String("text/html")})
	if err != nil {
		t.Fatal(err)
	}
	target := onPagesHost(t, config, api, *bucket)
	hosts := []string{s.URL}
	if s.ConsoleURL != "" {
		hosts = append(hosts, strings.TrimSuffix(s.ConsoleURL, "/"))
	}
	for _, at := range hosts {
		req, err := http.NewRequest(http.MethodGet, at+target.RequestURI(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = target.Host
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode == http.StatusOK || strings.Contains(string(body), "<title>stored</title>") {
			t.Errorf("%s answers for %s, the host of pages for people, with a stored page", at, target.Host)
		}
		if at == s.URL && (!strings.Contains(string(body), "<Code>AccessDenied</Code>") || !strings.Contains(string(body), s.URL)) {
			t.Errorf("%s for %s: %d %s, want a refusal that names %s", at, target.Host, r.StatusCode, body, s.URL)
		}
	}
}
