package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

var profilePages = []page{
	{pattern: "GET /profile", area: "Profile", serve: (*Console).profile},
	{pattern: "POST /keys", serve: (*Console).makeKeys},
}

// lifetimes are what the chooser of durations offers, in seconds.
var lifetimes = []int{900, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 12 * 3600, 24 * 3600, 36 * 3600}

const usualLifetime = 3600

// profileData is what the Profile page shows.
type profileData struct {
	Me      *identity.Caller
	LoginAt time.Time
	Choice  issue.ConsoleChoice
	// Role and Seconds are chosen, Lifetimes offered.
	Role      string
	Seconds   int
	Lifetimes []int
	Fresh     bool
}

func (c *Console) profile(v *visit) error {
	q := v.r.URL.Query()
	seconds, _ := strconv.Atoi(q.Get("seconds"))
	return c.showProfile(v, view{}, q.Get("role"), seconds)
}

func (c *Console) showProfile(v *visit, w view, role string, seconds int) error {
	choice, err := c.Issuer.ConsoleChoice(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	most := choice.OwnSeconds
	for _, r := range choice.Roles {
		most = max(most, r.MaxSeconds)
	}
	if seconds == 0 {
		seconds = usualLifetime
	}
	data := profileData{Me: v.caller, LoginAt: loginTime(v.caller), Choice: choice, Role: role, Seconds: seconds, Fresh: c.Issuer.ConsoleFresh(v.r.Context(), v.caller) == nil}
	for _, s := range lifetimes {
		if s >= choice.MinSeconds && s <= most {
			data.Lifetimes = append(data.Lifetimes, s)
		}
	}
	w.Title, w.Area, w.Data = "Profile", "Profile", data
	return c.show(v, "profile", w)
}

// keysData is what the page of new keys shows.
type keysData struct {
	issue.ConsoleKeys
	Role             string
	Seconds          int
	Blocks           []block
	Endpoint, Region string
}

// makeKeys gets session keys and shows them, once: they are in this answer
// alone.
func (c *Console) makeKeys(v *visit) error {
	f := v.r.PostForm
	role := f.Get("role")
	ask := issue.ConsoleKeysRequest{RoleARN: role}
	if pool, arn, ok := strings.Cut(role, " "); ok {
		ask = issue.ConsoleKeysRequest{PoolID: pool, RoleARN: arn}
	}
	seconds, err := strconv.Atoi(f.Get("seconds"))
	if err != nil || seconds <= 0 {
		return identity.NewError(identity.KindValidation, "console.keys", "Choose how long the keys should work.")
	}
	ask.DurationSeconds = seconds
	keys, err := c.Issuer.ConsoleKeys(v.r.Context(), v.caller, ask)
	switch kind := identity.KindOf(err); kind {
	case "":
	case identity.KindExpiredIdentity:
		q := url.Values{"role": {role}, "seconds": {strconv.Itoa(seconds)}}
		return v.see("/again?" + url.Values{"next": {"/profile?" + q.Encode()}}.Encode())
	case identity.KindInvalidIdentity, identity.KindNotFound:
		return c.showProfile(v, view{Status: http.StatusForbidden, Alarm: sentence(err)}, role, seconds)
	case identity.KindValidation, identity.KindAccessDenied, identity.KindInvalidInput, identity.KindPolicyTooLarge, identity.KindLimitExceeded:
		return c.showProfile(v, view{Status: troubleOf(kind).status, Alarm: sentence(err)}, role, seconds)
	default:
		return err
	}
	data := keysData{ConsoleKeys: keys, Role: role, Seconds: seconds, Blocks: blocks(keys.Keys, c.Endpoint, c.Region), Endpoint: c.Endpoint, Region: c.Region}
	return c.show(v, "keys", view{Title: "Your keys", Area: "Profile", Data: data})
}

// loginTime is when a person logged in, which may be before the last proof.
func loginTime(c *identity.Caller) time.Time {
	for _, a := range c.Lineage {
		if a.Kind == identity.LineageLogin {
			return time.UnixMilli(a.IssuedMS)
		}
	}
	return c.IssuedAt
}
