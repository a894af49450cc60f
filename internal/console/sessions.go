package console

import (
	"cmp"
	"strings"
	"time"

	"daypass/internal/directory"
)

var sessionPages = []page{
	{pattern: "GET /sessions", area: "Sessions", serve: (*Console).sessions},
	{pattern: "POST /sessions/end", serve: (*Console).endSession},
	{pattern: "POST /sessions/end-others", serve: (*Console).endOthers},
}

// sessionsData is what the Sessions page shows.
type sessionsData struct {
	directory.OwnSessions
	Now time.Time
}

func (c *Console) sessions(v *visit) error {
	own, err := c.Directory.OwnSessions(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	return c.show(v, "sessions", view{Title: "Sessions", Area: "Sessions", Data: sessionsData{own, c.Clock.Now()}})
}

// Where is a log-in's place, in words.
func (sessionsData) Where(l directory.Login) string {
	switch l.Dialect {
	case "console":
		return "Console"
	case "ibm":
		client, _, _ := strings.Cut(l.ClientID, " ")
		return "IBM Cloud IAM, client " + cmp.Or(client, "unnamed")
	case "cognito":
		return "User pool " + l.Realm + ", client " + l.ClientID
	}
	return "Realm " + l.Realm + ", client " + l.ClientID
}

// Proof is what was shown for keys, in words.
func (sessionsData) Proof(s directory.Session) string {
	return cmp.Or(map[string]string{
		"console": "from the console", "session": "by other session keys", "access key": "by a long-term access key",
		"web identity": "by a log-in token",
	}[s.Proof], "by "+s.Proof)
}

// browsers and systems are looked for in this order: most call themselves
// several.
var (
	browsers = [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}}
	systems  = [][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}}
)

// Device is a browser or program in few words: what it calls itself is long.
func (sessionsData) Device(agent string) string {
	if !strings.HasPrefix(agent, "Mozilla/") {
		agent, _, _ = strings.Cut(agent, " ")
		return agent[:min(len(agent), 60)]
	}
	named := func(list [][2]string, unknown string) string {
		for _, n := range list {
			if strings.Contains(agent, n[0]) {
				return n[1]
			}
		}
		return unknown
	}
	return named(browsers, "A browser") + " on " + named(systems, "an unknown system")
}

func (c *Console) endSession(v *visit) error {
	if err := c.Directory.EndOwnSession(v.r.Context(), v.caller, v.r.PostForm.Get("id")); err != nil {
		return err
	}
	return v.see("/sessions?done=session-ended")
}

func (c *Console) endOthers(v *visit) error {
	s, err := c.Issuer.ConsoleOnly(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	c.keep(v, s)
	return v.see("/sessions?done=sessions-ended")
}
