package directory

import (
	"slices"
	"strconv"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// row is one entry of a listing that goes on behind it.
type row[T any] struct {
	at   store.After
	item T
	skip bool // seen, and not part of the listing
}

// span is one stretch of a listing: at most limit rows behind a place.
type span[T any] func(after store.After, limit int) ([]row[T], error)

const (
	spanChunk = 200
	// maxScan is how many rows one page looks at: a filter that nothing meets
	// yields short pages, not long waits.
	maxScan = 10000
)

// pages cuts one page out of spans that follow each other. Markers are valid in
// the same listing of the same account only.
func pages[T any](d *Directory, c *identity.Caller, listing string, p Page, spans ...span[T]) (Listing[T], error) {
	var out Listing[T]
	after, err := d.openMarker(c, listing, p.Marker)
	if err != nil {
		return out, err
	}
	first := 0
	if p.Marker != "" {
		number, value, _ := strings.Cut(after.Value, "\x02")
		if first, err = strconv.Atoi(number); err != nil || first < 0 || first >= len(spans) {
			return out, invalid("Invalid Marker.")
		}
		after.Value = value
	}
	scanned := 0
	for i := first; i < len(spans); i, after = i+1, (store.After{}) {
		for {
			batch, err := spans[i](after, min(spanChunk, p.limit()+1))
			if err != nil {
				return out, err
			}
			for _, r := range batch {
				scanned++
				if !r.skip && len(out.Items) == p.limit() || scanned > maxScan {
					out.Next, err = d.sealMarker(c, listing, store.After{Value: strconv.Itoa(i) + "\x02" + after.Value, Key: after.Key})
					return out, err
				}
				if after = r.at; !r.skip {
					out.Items = append(out.Items, r.item)
				}
			}
			if len(batch) == 0 {
				break
			}
		}
	}
	return out, nil
}

// tableSpan are the records under a prefix of an index. show says where one
// stands in the index and what is shown of it.
func tableSpan[R, T any](r store.Reader, t *store.Table[R], index, prefix string, show func(*R) (row[T], error)) span[T] {
	return func(after store.After, limit int) ([]row[T], error) {
		if after != (store.After{}) { // markers do without the prefix, which may be long
			after.Value = prefix + after.Value
		}
		list, err := t.List(r, index, prefix, after, limit)
		if err != nil {
			return nil, err
		}
		out := make([]row[T], len(list))
		for i, record := range list {
			if out[i], err = show(record); err != nil {
				return nil, err
			}
			out[i].at.Value = strings.TrimPrefix(out[i].at.Value, prefix)
		}
		return out, nil
	}
}

// sliceSpan are items in the order of their keys, which are unique.
func sliceSpan[T any](items []T, key func(*T) string) span[T] {
	slices.SortFunc(items, func(a, b T) int { return strings.Compare(key(&a), key(&b)) })
	return func(after store.After, limit int) ([]row[T], error) {
		var out []row[T]
		for i := range items {
			if k := key(&items[i]); k > after.Value && len(out) < limit {
				out = append(out, row[T]{at: store.After{Value: k}, item: items[i]})
			}
		}
		return out, nil
	}
}
