package directory

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// maxPoolPage is the most users or groups of one page.
const maxPoolPage = 60

// userFilter is a Filter of ListUsers, `attribute = "value"` or `attribute ^=
// "value"`; the zero value takes everybody.
type userFilter struct {
	attribute, value string
	prefix           bool
}

var userFilterRE = regexp.MustCompile(`^\s*"?([\w:]+)"?\s*(\^?=)\s*"((?:[^"\\]|\\.)*)"\s*$`)

// searchable are the attributes that ListUsers can filter by.
var searchable = []string{
	"username", "email", "phone_number", "name", "given_name", "family_name", "preferred_username", "cognito:user_status", "status", "sub",
}

// parseUserFilter reads a Filter. KindValidation.
func parseUserFilter(text string) (userFilter, error) {
	var f userFilter
	if strings.TrimSpace(text) == "" {
		return f, nil
	}
	m := userFilterRE.FindStringSubmatch(text)
	if len(text) > 256 || m == nil {
		return f, invalid(`Error while parsing filter: it is one attribute, = or ^=, and a value in double quotes.`)
	}
	if !slices.Contains(searchable, m[1]) {
		return f, invalid("Invalid search attribute: %s", m[1])
	}
	return userFilter{m[1], unescapeFilter.Replace(m[3]), m[2] == "^="}, nil
}

var unescapeFilter = strings.NewReplacer(`\\`, `\`, `\"`, `"`)

func (f userFilter) matches(u *PoolUser) bool {
	have := ""
	switch f.attribute {
	case "":
		return true
	case "username":
		return f.compare(store.Fold(u.Name), store.Fold(f.value))
	case "email":
		return f.compare(store.Fold(u.Email), store.Fold(f.value))
	case "sub":
		have = u.Subject
	case "cognito:user_status":
		have = u.Status
	case "status":
		have = "Enabled"
		if u.Disabled {
			have = "Disabled"
		}
	default:
		have = u.Attributes[f.attribute]
	}
	return f.compare(have, f.value)
}

func (f userFilter) compare(have, want string) bool {
	if f.prefix {
		return strings.HasPrefix(have, want)
	}
	return have == want
}

// named says whether the filter can only be met by the user with this name,
// e-mail address or subject.
func (f userFilter) named() bool {
	return !f.prefix && slices.Contains([]string{"username", "email", "sub"}, f.attribute)
}

// ListPoolUsers lists the users of a pool by name, at most 60 of a page; filter
// is that of the API (Cognito ListUsers). KindNotFound, KindValidation.
func (d *Directory) ListPoolUsers(ctx context.Context, c *identity.Caller, poolID, filter string, p Page) (Listing[PoolUser], error) {
	var out Listing[PoolUser]
	err := d.readUserPool(ctx, c, "ListUsers", poolID, func(r store.Reader, realm *identity.Realm) error {
		f, err := parseUserFilter(filter)
		if err != nil {
			return err
		}
		if p, err = poolPage(p); err != nil {
			return err
		}
		if f.named() {
			out, err = onePoolUser(r, realm, f)
			return err
		}
		prefix := store.Join(realm.Name, "")
		if f.attribute == "username" {
			prefix += store.Fold(f.value)
		}
		out, err = pages(d, c, "pool-users/"+realm.Name+"/"+filter, p, tableSpan(r, store.Users, "realm", prefix, func(u *identity.User) (row[PoolUser], error) {
			at := store.After{Value: store.Join(realm.Name, store.Fold(u.Name)), Key: u.ID}
			if !poolUser(u) {
				return row[PoolUser]{at: at, skip: true}, nil
			}
			shown, err := poolUserStatus(r, u)
			return row[PoolUser]{at: at, item: shown, skip: !f.matches(&shown)}, err
		}))
		return err
	})
	return out, err
}

func poolPage(p Page) (Page, error) {
	if p.MaxItems < 0 || p.MaxItems > maxPoolPage {
		return p, invalid("1 validation error detected: Value '%s' at 'limit' failed to satisfy constraint: Member must have value less than or equal to %d", strconv.Itoa(p.MaxItems), maxPoolPage)
	}
	if p.MaxItems == 0 {
		p.MaxItems = maxPoolPage
	}
	return p, nil
}

func onePoolUser(r store.Reader, realm *identity.Realm, f userFilter) (Listing[PoolUser], error) {
	var out Listing[PoolUser]
	u, err := poolUserOf(r, realm, f.value)
	if err != nil {
		return out, orAbsent(err)
	}
	shown, err := poolUserStatus(r, u)
	if err == nil && f.matches(&shown) {
		out.Items = append(out.Items, shown)
	}
	return out, err
}
