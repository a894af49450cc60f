package directory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// IBMSort is the order of a listing of IBM's dialect: by name, description,
// created_at, created_by or modified_at, or "" for that of the store.
type IBMSort struct {
	By         string
	Descending bool
}

// Kinds of owners of API keys, in filters.
const (
	IBMUserKeys      = "user"
	IBMServiceIDKeys = "serviceid"
)

// IBMKeyFilter chooses API keys: those of one principal, the caller's own
// without an IAMID, or with Account those of all, of both Types or one.
type IBMKeyFilter struct {
	IAMID   string
	Account bool
	Type    string
	Sort    IBMSort
}

// IBMAPIKeys lists API keys of the caller's account (GET /v1/apikeys). A person
// needs no policy for its own. KindValidation, KindNotFound for an owner that is
// absent.
func (d *Directory) IBMAPIKeys(ctx context.Context, c *identity.Caller, f IBMKeyFilter, p Page) (Listing[identity.APIKey], error) {
	var out Listing[identity.APIKey]
	owner, err := d.permitKeyList(c, f)
	if err != nil {
		return out, err
	}
	if f.Type != "" && f.Type != IBMUserKeys && f.Type != IBMServiceIDKeys {
		return out, invalid("The parameter type is user or serviceid.")
	}
	key, err := f.Sort.key("created_at", "created_by", "description", "name")
	if err != nil {
		return out, err
	}
	err = d.db.View(ctx, func(r store.Reader) error {
		index, prefix := "user", store.Join(owner, "")
		if f.Account {
			index, prefix = "account", store.Join(c.AccountID, "")
		} else if u, err := there(store.Users.Get(r, owner)); err != nil {
			return err
		} else if u == nil || u.AccountID != c.AccountID {
			prefix = store.Join("", "") // nobody's, so that another account's owner costs what an absent one does
		}
		root := c.AccountID // the root user's unique ID
		shown := func(k *identity.APIKey) bool {
			switch {
			case k.AccountID != c.AccountID, k.UserID == root && c.Kind != identity.RootUser && c.Kind != identity.Operator:
				return false
			case !f.Account:
				return k.UserID == owner
			}
			return f.Type == "" || (f.Type == IBMServiceIDKeys) == identity.IsServiceID(k.UserID)
		}
		out, err = ibmSpan[identity.APIKey]{
			table: store.APIKeys, index: index, prefix: prefix, listing: fmt.Sprintf("ibm-apikeys %+v", f), order: f.Sort, key: key, shown: shown,
			id: func(k *identity.APIKey) (string, string) { return k.ID, k.ID },
			text: func(k *identity.APIKey) sortable {
				return sortable{name: k.Name, description: k.Description, createdBy: k.CreatedBy, createdAt: k.CreatedAt.UTC().Format(timeSort)}
			},
		}.pages(d, c, r, p)
		return err
	})
	return out, err
}

// permitKeyList asks whether the caller may list keys, and says whose.
func (d *Directory) permitKeyList(c *identity.Caller, f IBMKeyFilter) (owner string, err error) {
	const action = identity.IAMIdentity + ":apikey.list"
	if f.Account {
		return "", d.permit(c, action, identity.IAMIdentityCRN(c.AccountID, "apikey", "*"), c.AccountID)
	}
	owner, ok := c.PrincipalID, true
	if f.IAMID != "" {
		owner, ok = identity.UserOfIAMID(f.IAMID)
	}
	res := access.Resource{ARN: identity.OwnerCRN(c.AccountID, clip(owner)), AccountID: c.AccountID}
	if owner == c.PrincipalID && c.IAMID() != "" {
		err = d.access.AuthorizeOwn(c, action, res).Err
	} else {
		err = d.access.Authorize(c, action, res).Err
	}
	if err == nil && (!ok || len(owner) > maxIBMID) {
		err = absent("The IAM ID %s cannot be found.", clip(f.IAMID))
	}
	return owner, err
}

const timeSort = "20060102150405.000"

// sortable are the texts that records are sorted by.
type sortable struct{ name, description, createdBy, createdAt, modifiedAt string }

// key chooses the text to sort by, one of those allowed; nil for none.
func (s IBMSort) key(allowed ...string) (func(sortable) string, error) {
	if s.By == "" {
		return nil, nil
	}
	if !slices.Contains(allowed, s.By) {
		return nil, invalid("The parameter sort is one of %s.", strings.Join(allowed, ", "))
	}
	return func(v sortable) string {
		return map[string]string{
			"name": v.name, "description": v.description, "created_by": v.createdBy, "created_at": v.createdAt, "modified_at": v.modifiedAt,
		}[s.By]
	}, nil
}

// maxSortText is how much of a text counts in an order: markers hold it.
const maxSortText = 64

// ibmSpan is a listing of the identity API: the records under a prefix of an
// index that are shown, in the order of the index, or sorted by a text where key
// is not nil.
type ibmSpan[T any] struct {
	table                  *store.Table[T]
	index, prefix, listing string
	order                  IBMSort
	key                    func(sortable) string
	shown                  func(*T) bool
	id                     func(*T) (place, key string) // in the index, after the prefix
	text                   func(*T) sortable
}

// pages cuts a page out of the listing.
func (s ibmSpan[T]) pages(d *Directory, c *identity.Caller, r store.Reader, p Page) (Listing[T], error) {
	if s.key == nil {
		return pages(d, c, s.listing, p, tableSpan(r, s.table, s.index, s.prefix, func(v *T) (row[T], error) {
			place, key := s.id(v)
			return row[T]{at: store.After{Value: s.prefix + place, Key: key}, item: *v, skip: !s.shown(v)}, nil
		}))
	}
	list, err := s.table.List(r, s.index, s.prefix, store.After{}, maxScan+1)
	if err != nil {
		return Listing[T]{}, err
	}
	if len(list) > maxScan {
		return Listing[T]{}, invalid("There are too many to sort; leave the parameter sort out.")
	}
	var rows []row[T]
	for _, v := range list {
		if !s.shown(v) {
			continue
		}
		text := strings.Map(func(r rune) rune {
			if r < ' ' {
				return ' '
			}
			return r
		}, strings.ToLower(s.key(s.text(v))))
		_, key := s.id(v)
		rows = append(rows, row[T]{at: store.After{Value: text[:min(len(text), maxSortText)], Key: key}, item: *v})
	}
	return pages(d, c, s.listing, p, sortedSpan(rows, s.order.Descending))
}

// principals is ibmSpan for service IDs and trusted profiles of the caller's
// account.
func (d *Directory) principals(ctx context.Context, c *identity.Caller, index, listing string, order IBMSort, key func(sortable) string, p Page, shown func(*identity.User) bool, text func(*identity.User) sortable) (out Listing[identity.User], err error) {
	err = d.db.View(ctx, func(r store.Reader) (err error) {
		out, err = ibmSpan[identity.User]{
			table: store.Users, index: index, prefix: store.Join(c.AccountID, ""), listing: listing, order: order, key: key, shown: shown, text: text,
			id: func(u *identity.User) (string, string) { return u.Name, u.ID },
		}.pages(d, c, r, p)
		return err
	})
	return out, err
}

// sortedSpan are rows in the order of their places, or the other way round.
func sortedSpan[T any](rows []row[T], descending bool) span[T] {
	compare := func(a, b store.After) int {
		n := cmp.Or(strings.Compare(a.Value, b.Value), strings.Compare(a.Key, b.Key))
		if descending {
			return -n
		}
		return n
	}
	slices.SortFunc(rows, func(a, b row[T]) int { return compare(a.at, b.at) })
	return func(after store.After, limit int) ([]row[T], error) {
		from := 0
		if after != (store.After{}) {
			from, _ = slices.BinarySearchFunc(rows, after, func(a row[T], b store.After) int { return compare(a.at, b) })
			if from < len(rows) && rows[from].at == after {
				from++
			}
		}
		return rows[from:min(len(rows), from+limit)], nil
	}
}
