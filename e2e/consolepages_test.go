package e2e

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const (
	consoleTemplates = "../internal/console/templates"
	axeScript        = "../.clients/node/node_modules/axe-core/axe.min.js"
	// screenshotsEnv names the folder that pictures of the pages are written to.
	screenshotsEnv = "DAYPASS_SCREENSHOTS"
	narrowest      = 360 // pixels
	listedTimeout  = 20 * time.Second
)

// consolePage is a page of the console, and how somebody comes to see it. Every
// template has one.
type consolePage struct {
	// name is that of the template, with what is special about it behind a dash.
	name string
	// as is who looks: "" for nobody who is logged in, else the one of the pages
	// before.
	as string
	// heading is what the page is headed.
	heading string
	show    func(*visitor)
}

var consolePages = []consolePage{
	{"login", "", "Log in", func(v *visitor) { v.to("/login") }},
	{"login-refused", "", "Log in", func(v *visitor) { v.logIn("demo", "alice", "Wrong-horse-77-battery") }},
	{"renew", "", "Choose a new password", func(v *visitor) { v.logIn("demo", "newcomer", consolePassword) }},
	{"setup", "", "Set up an authenticator", func(v *visitor) { v.logIn("demo", "owing", consolePassword) }},
	{"setup-again", "", "Set up an authenticator", func(v *visitor) {
		v.logIn("demo", "owing", consolePassword)
		v.fill("password", consolePassword, "code", "000000")
		v.pressNamed("Turn it on")
	}},
	{"error", "", "Nothing here", func(v *visitor) { v.to("/no/such/page") }},
	{"welcome", "", "Welcome", func(v *visitor) { v.open(v.site.invite(v.t, "invite", "grace", partners)) }},
	{"welcome-reset", "", "A new way to log in", func(v *visitor) { v.open(v.site.invite(v.t, "reset", "erin", "shasta")) }},
	{"foreign", "", "One more step", func(v *visitor) {
		v.open(v.site.invite(v.t, "invite", "heidi", partners))
		v.pressNamed("Use example")
	}},
	{"profile", "testuser", "Profile", func(v *visitor) { v.to("/profile") }},
	{"keys", "testuser", "Your keys", func(v *visitor) {
		v.to("/profile")
		v.pressNamed("Get keys")
	}},
	{"sessions", "testuser", "Sessions", func(v *visitor) {
		other := v.site.visitor(v.t)
		other.logIn("shasta", "testuser", v.site.Realms["shasta"].Password)
		logIn(v.t, v.site.TokenURL("shasta"), "shasta", "testuser", v.site.Realms["shasta"].Password)
		v.to("/profile")
		v.run(chromedp.SetValue("#role", "arn:aws:iam::"+v.site.AccountID+":role/reports-reader", chromedp.ByQuery))
		v.pressNamed("Get keys")
		v.site.whoami(v.t, v.keys())
		for deadline := time.Now().Add(listedTimeout); ; {
			v.to("/sessions")
			if strings.Contains(v.text("main"), ":assumed-role/reports-reader/testuser") {
				return
			}
			if time.Now().After(deadline) {
				v.t.Fatalf("the role's keys are not listed\n%s", v.shown())
			}
		}
	}},
	{"passcode", "testuser", "One-time code", func(v *visitor) { v.to("/passcode") }},
	{"passcode-made", "testuser", "One-time code", func(v *visitor) {
		v.to("/passcode")
		v.pressNamed("Make a one-time code")
	}},
	{"passcode-used", "testuser", "One-time code", func(v *visitor) {
		v.to("/passcode")
		v.pressNamed("Make a one-time code")
		v.site.useCode(v.t, v.text("#passcode"))
		v.to("/passcode")
	}},
	{"authorize", "testuser", "Log a program in", func(v *visitor) { v.to("/authorize?" + authorizeQuery("http://127.0.0.1:4000/back")) }},
	{"again", "testuser", "Confirm that it is you", func(v *visitor) { v.to("/again?next=/profile") }},
	{"security", "testuser", "Security", func(v *visitor) { v.to("/security") }},
	{"authenticator", "testuser", "Set up an authenticator", func(v *visitor) {
		v.to("/security")
		v.pressNamed("Set up an authenticator")
	}},
	{"authenticator-again", "testuser", "Set up an authenticator", func(v *visitor) {
		v.to("/security")
		v.pressNamed("Set up an authenticator")
		v.fill("code", "000000")
		v.pressNamed("Turn it on")
	}},
	{"security-on", "alice", "Security", func(v *visitor) {
		v.to("/security")
		v.pressNamed("Set up an authenticator")
		code := codesOf(v)
		v.fill("code", code(0), "name", "My phone")
		v.pressNamed("Turn it on")
		v.fill("place", "demo", "username", "alice", "password", consolePassword, "code", code(1))
		v.pressNamed("Log in")
		v.to("/security")
		v.device()
		v.fill("passkey-name", "Laptop")
		v.pressNamed("Add a passkey")
		v.pressNamed("Log in with a passkey")
		v.to("/security")
	}},
	{"error-denied", "dave", "Not allowed", func(v *visitor) { v.to("/tokens") }},
	{"tokens", "root", "API tokens", func(v *visitor) { v.to("/tokens") }},
	{"token", "root", "Your new API token", func(v *visitor) {
		v.to("/tokens")
		v.fill("name", "nightly-backup", "description", "copies reports to the archive every night")
		v.pressNamed("Create token")
	}},
}

// TestConsolePages looks at every page as its readers do: with the eyes of a
// checker of accessibility, by light and by dark, with the keyboard alone, and on
// a narrow screen. What the browser complains of fails it too.
func TestConsolePages(t *testing.T) {
	t.Parallel()
	axe, err := os.ReadFile(axeScript)
	if err != nil {
		missing(t, "axe-core")
	}
	everyTemplate(t)
	s := newConsoleSite(t)
	visitors := map[string]*visitor{}
	for _, p := range consolePages {
		v := visitors[p.as]
		if v == nil {
			v = s.visitor(t)
			switch visitors[p.as] = v; p.as {
			case "":
			case "root":
				v.logIn("", s.Root.Email, s.Root.Password)
			case "testuser":
				v.logIn("demo", p.as, s.Realms["shasta"].Password)
			default:
				v.logIn("demo", p.as, consolePassword)
			}
		}
		t.Run(p.name, func(t *testing.T) {
			v.t = t
			p.show(v)
			if got := v.text("h1"); got != p.heading {
				t.Fatalf("a page headed %q, want %q\n%s", got, p.heading, v.shown())
			}
			look{v, p.name, string(axe)}.over()
			v.complaints()
		})
		v.t = t
	}
}

// everyTemplate demands a page of every template.
func everyTemplate(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(consoleTemplates, "*.html"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d templates, %v", len(files), err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".html")
		shown := slices.ContainsFunc(consolePages, func(p consolePage) bool { return p.name == name })
		if name != "layout" && !shown {
			t.Errorf("no page shows the template %s: add one to consolePages", name)
		}
	}
}

// look is a look at a page that is open.
type look struct {
	*visitor
	name, axe string
}

func (l look) over() {
	l.run(chromedp.Evaluate(l.axe, nil))
	l.theme("light", 1280, 900)
	l.accessible("")
	l.picture("light", 1280, 900, 1500)
	l.theme("dark", 1280, 900)
	l.accessible(`runOnly: ["color-contrast"],`)
	l.picture("dark", 1280, 900, 1500)
	l.theme("light", 390, 844)
	l.picture("phone", 390, 844, 1900)
	l.theme("light", narrowest, 740)
	l.accessible(`runOnly: ["color-contrast", "target-size"],`)
	l.fits()
	l.theme("light", 1280, 900)
	l.keyboard()
}

func (l look) theme(scheme string, width, height int64) {
	l.t.Helper()
	l.run(emulation.SetDeviceMetricsOverride(width, height, 1, false), emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}))
}

// accessible has axe-core look for what keeps people out.
func (l look) accessible(options string) {
	l.t.Helper()
	var found []struct{ Impact, ID, Help, Where string }
	l.run(chromedp.Evaluate(`axe.run(document, {`+options+` resultTypes: ["violations"]}).then(r => r.violations.map(
		v => ({impact: v.impact, id: v.id, help: v.help, where: v.nodes.map(n => n.html + " " + (n.failureSummary || "")).join("\n")})))`, &found, awaited))
	for _, v := range found {
		if v.Impact == "serious" || v.Impact == "critical" {
			l.t.Errorf("%s: %s: %s\n%s", v.Impact, v.ID, v.Help, v.Where)
		} else {
			l.t.Logf("%s: %s: %s\n%s", v.Impact, v.ID, v.Help, v.Where)
		}
	}
}

// fits demands that nothing sticks out of a narrow screen, with all that can be
// opened open.
func (l look) fits() {
	l.t.Helper()
	var out struct {
		Width, Inner int
		Mode         string
		Wide         []string
	}
	l.run(chromedp.Evaluate(`(() => {
		for (const d of document.querySelectorAll("details")) d.open = true;
		const wide = [...document.querySelectorAll("body *")].filter(e => e.checkVisibility() && !e.matches(".skip, .unseen, .unseen *, thead *")
			&& (e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1));
		return {width: document.documentElement.scrollWidth, inner: innerWidth, mode: document.compatMode, wide: wide.map(e => e.outerHTML.slice(0, 120))};
	})()`, &out))
	if out.Width > narrowest || out.Inner != narrowest || len(out.Wide) > 0 {
		l.t.Errorf("the page is %d wide on a screen of %d:\n%s", out.Width, out.Inner, strings.Join(out.Wide, "\n"))
	}
	if out.Mode != "CSS1Compat" {
		l.t.Errorf("the browser is in %s", out.Mode)
	}
}

// keyboard goes round by the Tab key: every control, in the order of the page,
// with a mark that eyes see.
func (l look) keyboard() {
	l.t.Helper()
	var all []string
	l.run(chromedp.Evaluate(`(() => {
		for (const d of document.querySelectorAll("details")) d.open = true;
		document.activeElement.blur();
		const mark = e => { const c = getComputedStyle(e); return c.outlineStyle === "none" ? c.boxShadow : c.boxShadow + c.outlineWidth + c.outlineColor; };
		window.controls = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")]
			.filter(e => e.tabIndex >= 0 && !e.disabled && e.type !== "hidden" && e.checkVisibility());
		const atRest = controls.map(mark);
		window.focused = () => { const i = controls.indexOf(document.activeElement); return {index: i, marked: i < 0 || mark(controls[i]) !== atRest[i]}; };
		return controls.map(e => e.outerHTML.slice(0, 120));
	})()`, &all))
	reached, last := map[int]bool{}, -1
	for range 2*len(all) + 4 {
		var at struct {
			Index  int
			Marked bool
		}
		l.run(chromedp.KeyEvent(kb.Tab), chromedp.Evaluate(`focused()`, &at))
		if at.Index < 0 {
			last = -1 // the window's own controls, between the last and the first
			continue
		}
		if reached[at.Index] && len(reached) == len(all) {
			return
		}
		if last >= 0 && at.Index != (last+1)%len(all) {
			l.t.Errorf("after %s, Tab leads to %s", all[last], all[at.Index])
		}
		if !at.Marked {
			l.t.Errorf("focus is not to be seen at %s", all[at.Index])
		}
		reached[at.Index], last = true, at.Index
	}
	if len(reached) != len(all) {
		for i, control := range all {
			if !reached[i] {
				l.t.Errorf("Tab does not reach %s", control)
			}
		}
	}
}

// picture writes a picture of the page, where one is asked for: of the window,
// or of more of a longer page.
func (l look) picture(kind string, width, height, most float64) {
	l.t.Helper()
	dir := os.Getenv(screenshotsEnv)
	if dir == "" {
		return
	}
	var full float64
	l.run(chromedp.Evaluate(`scrollTo(0, 0), document.documentElement.scrollHeight`, &full))
	clip := &page.Viewport{Width: width, Height: min(max(height, full), most), Scale: 1}
	l.run(chromedp.ActionFunc(func(ctx context.Context) error {
		data, err := page.CaptureScreenshot().WithClip(clip).WithCaptureBeyondViewport(true).Do(ctx)
		if err != nil {
			return err
		}
		if data, err = smaller(data); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, fmt.Sprintf("console-%s-%s.png", l.name, kind)), data, 0o644)
	}))
}

// smaller is the same picture in its 256 most frequent colours.
func smaller(data []byte) ([]byte, error) {
	shot, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	seen := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(shot.At(x, y)).(color.RGBA) }
	b := shot.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			seen[at(x, y)]++
		}
	}
	frequent := slices.SortedFunc(maps.Keys(seen), func(a, b color.RGBA) int { return seen[b] - seen[a] })
	var palette color.Palette
	for _, c := range frequent[:min(len(frequent), 256)] {
		palette = append(palette, c)
	}
	nearest := map[color.RGBA]uint8{}
	for c := range seen {
		nearest[c] = uint8(palette.Index(c))
	}
	out := image.NewPaletted(b, palette)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			out.SetColorIndex(x, y, nearest[at(x, y)])
		}
	}
	var w bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&w, out)
	return w.Bytes(), err
}
