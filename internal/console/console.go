package console

import (
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
)

// maxForm bounds what a form of a page may send.
const maxForm = 64 << 10

// Config of a Console.
type Config struct {
	Access    *access.Access
	Issuer    *issue.Issuer
	Directory *directory.Directory
	Clock     identity.Clock
	Log       *slog.Logger
	// URL is where people find the console: scheme, host name and port. Its host
	// is the only one that is served, its scheme says whether cookies are for
	// TLS only.
	URL string
	// Endpoint is the URL of the APIs, and Region the one that clients name, for
	// what people paste.
	Endpoint, Region string
	Version          string
}

// Console is the handler of all pages.
type Console struct {
	Config
	host    string // of URL, lower case, without port
	apiHost string // of Endpoint, with port
	secure  bool
	views   map[string]*template.Template
	assets  map[string]asset
	leadsTo map[string]bool // pages that a log-in may lead on to
	areas   []area
	handler http.Handler
}

// page is one entry of the table of pages.
type page struct {
	// pattern is method and path, as of http.ServeMux.
	pattern string
	// open pages need no log-in.
	open bool
	// fresh pages need a proof within five minutes; else the person is asked for
	// one, which leads on to the page named here.
	fresh string
	// area puts the page into the navigation, under this name.
	area string
	// may says whether it is offered there; nil for everybody.
	may   func(*Console, *visit) bool
	serve func(*Console, *visit) error
}

// pages are all of them, by area.
func pages() []page {
	return slices.Concat(loginPages, profilePages, tokenPages, passcodePages, authorizePages, sessionPages, securityPages, passkeyPages, welcomePages, foreignPages)
}

// New makes a Console.
func New(o Config) (*Console, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the console's URL %q has no host", o.URL)
	}
	c := &Console{Config: o, host: strings.ToLower(u.Hostname()), secure: u.Scheme == "https", leadsTo: map[string]bool{}}
	if api, err := url.Parse(o.Endpoint); err == nil {
		c.apiHost = api.Host
	}
	if c.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if c.views, err = parseViews(c.templateFuncs()); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /assets/{name}", c.serveAsset)
	for _, p := range pages() {
		mux.HandleFunc(p.pattern, c.visited(p))
		if path, get := strings.CutPrefix(p.pattern, "GET "); get && !p.open && !strings.Contains(path, "{login}") {
			c.leadsTo[path] = true
			if p.area != "" {
				c.areas = append(c.areas, area{path, p.area, p.may})
			}
		}
	}
	mux.HandleFunc("/", c.visited(page{open: true, serve: notFound}))
	c.handler = c.defended(mux)
	return c, nil
}

// ServeHTTP serves one request. The facts of the request are on its context
// (identity.WithRequest).
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// area is an entry of the navigation.
type area struct {
	Path, Name string
	may        func(*Console, *visit) bool
}

// areasOf are those that a person is offered.
func (c *Console) areasOf(v *visit) []area {
	if v.caller == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.areas), func(a area) bool { return a.may != nil && !a.may(c, v) })
}

// visit is one request of a page.
type visit struct {
	w http.ResponseWriter
	r *http.Request
	// caller is nil without a session.
	caller *identity.Caller
}

// visited finds the session of a request, serves the page and shows what went
// wrong.
func (c *Console) visited(p page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{w: w, r: r}
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := r.ParseForm(); err != nil {
				c.fail(v, identity.NewError(identity.KindTooLarge, "console.form", "The form could not be read."))
				return
			}
		}
		var err error
		if v.caller, err = c.session(v); err != nil && !p.open {
			c.fail(v, err)
			return
		}
		if p.fresh != "" && c.Issuer.ConsoleFresh(r.Context(), v.caller) != nil {
			_ = v.see("/again?" + url.Values{"next": {p.fresh}}.Encode())
			return
		}
		if err := p.serve(c, v); err != nil {
			c.fail(v, err)
		}
	}
}

func notFound(*Console, *visit) error {
	return identity.NewError(identity.KindNotFound, "console", "")
}

// see sends the browser on to another page of the console.
func (v *visit) see(path string) error {
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}
