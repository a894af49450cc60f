package probe

import (
	"context"
	"net/http"

	"daypass/internal/upstream"
)

// clean removes all that was made. It runs to its end when the check is broken
// off.
func (r *run) clean() Finding {
	f := Finding{ID: "clean", What: "the scratch bucket is removed", Result: Works}
	if !r.made {
		f.Result, f.Detail = Untried, "there is none"
		return f
	}
	outer := r.ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(outer), cleanTimeout)
	defer func() { cancel(); r.ctx = outer }()
	r.ctx = ctx
	for _, name := range append([]string{r.bucket}, r.extra...) {
		if said := r.remove(name); said != "" {
			r.left = append(r.left, name)
			f.Result, f.Detail, f.Meaning = Fails, name+": "+said, "remove it by hand"
		}
	}
	return f
}

// remove empties and deletes a bucket, again while the store still finds
// something in it; "" when it is gone.
func (r *run) remove(name string) string {
	said := ""
	for _, pause := range r.Settle {
		r.wait(pause)
		r.empty(name)
		a := r.do(&upstream.Request{Method: http.MethodDelete, Bucket: name})
		if a.ok() || a.status == http.StatusNotFound {
			return ""
		}
		if said = a.said(); a.status != http.StatusConflict && a.status < 500 && a.err == nil {
			return said
		}
	}
	return said
}

// empty deletes uploads, versions and objects of a bucket.
func (r *run) empty(name string) {
	at := func(method, key, query string) answer {
		req := r.on(method, key, query, nil)
		req.Bucket = name
		return r.do(req)
	}
	var uploads struct {
		All []struct {
			Key string `xml:"Key"`
			ID  string `xml:"UploadId"`
		} `xml:"Upload"`
	}
	if a := at(http.MethodGet, "", "uploads="); a.decode(&uploads) == nil {
		for _, u := range uploads.All {
			at(http.MethodDelete, u.Key, "uploadId="+queryValue(u.ID))
		}
	}
	for range 20 {
		a := at(http.MethodGet, "", "versions=")
		var list versions
		if a.decode(&list) != nil || len(list.Versions)+len(list.Markers) == 0 {
			break
		}
		for _, v := range append(list.Versions, list.Markers...) {
			query := ""
			if v.ID != "" {
				query = "versionId=" + queryValue(v.ID)
			}
			at(http.MethodDelete, v.Key, query)
		}
	}
	for range 20 {
		a := at(http.MethodGet, "", "list-type=2")
		var list listing
		if a.decode(&list) != nil || len(list.Keys) == 0 {
			return
		}
		for _, key := range list.Keys {
			at(http.MethodDelete, key, "")
		}
	}
}
