package s3

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"

	"daypass/internal/awswire"
	"daypass/internal/identity"
)

const (
	maxDeletes    = 1000
	maxDeleteBody = 2 << 20
	maxDeleted    = 8 << 20 // of the upstream's answer
)

// deleteEntry is one object of a DeleteObjects request.
type deleteEntry struct {
	Key       string `xml:"Key"`
	VersionID string `xml:"VersionId"`
	ETag      string `xml:"ETag"`
	Modified  string `xml:"LastModifiedTime"`
	Size      string `xml:"Size"`
}

// DeleteList is a parsed DeleteObjects document.
type DeleteList struct {
	Objects []deleteEntry
	Quiet   bool
}

// ParseDeleteList reads a DeleteObjects document of 1 to 1000 objects, each
// with a key. Errors are of KindMalformedXML.
func ParseDeleteList(raw []byte) (DeleteList, error) {
	list, err := parseDeleteList(xml.NewDecoder(bytes.NewReader(raw)))
	if err != nil {
		return DeleteList{}, &identity.Error{Kind: identity.KindMalformedXML, Op: "s3.ParseDeleteList", Err: err}
	}
	return list, nil
}

func parseDeleteList(d *xml.Decoder) (list DeleteList, err error) {
	opened, closed := false, false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && closed && len(list.Objects) > 0 {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			switch {
			case closed, !opened && t.Name.Local != "Delete":
				return list, errors.New("unexpected element")
			case !opened:
				opened = true
			default:
				if err := list.element(d, t); err != nil {
					return list, err
				}
			}
		case xml.EndElement:
			closed = true
		case xml.Directive:
			return list, errors.New("document type declarations are not accepted")
		}
	}
}

func (list *DeleteList) element(d *xml.Decoder, t xml.StartElement) error {
	switch t.Name.Local {
	case "Quiet":
		var v string
		if err := d.DecodeElement(&v, &t); err != nil {
			return err
		}
		list.Quiet = strings.EqualFold(strings.TrimSpace(v), "true")
		return nil
	case "Object":
		var o deleteEntry
		if err := d.DecodeElement(&o, &t); err != nil {
			return err
		}
		if o.Key == "" || len(list.Objects) == maxDeletes {
			return errors.New("no key, or too many objects")
		}
		list.Objects = append(list.Objects, o)
		return nil
	}
	return errors.New("unexpected element")
}

// deleteResult is the answer, ours and the upstream's.
type deleteResult struct {
	XMLName xml.Name `xml:"DeleteResult"`
	Deleted []struct {
		Key           string `xml:"Key"`
		VersionID     string `xml:"VersionId"`
		Marker        string `xml:"DeleteMarker"`
		MarkerVersion string `xml:"DeleteMarkerVersionId"`
	} `xml:"Deleted"`
	Errors []deleteRefusal `xml:"Error"`
}

type deleteRefusal struct {
	Key       string `xml:"Key"`
	VersionID string `xml:"VersionId"`
	Code      string `xml:"Code"`
	Message   string `xml:"Message"`
}

// deleteObjects judges each key, forwards the allowed ones in a document of
// its own and merges the refusals into the answer.
func (x *exchange) deleteObjects() error {
	var err error
	if x.bucket, err = x.g.owned(x.target.Bucket); err != nil {
		return err
	}
	raw, err := x.readDocument()
	if err != nil {
		return err
	}
	list, err := ParseDeleteList(raw)
	if err != nil {
		return err
	}
	for _, o := range list.Objects {
		if err := checkKey(o.Key, x.up); err != nil {
			return err
		}
		if err := checkID(o.VersionID, x.up); err != nil {
			return err
		}
	}
	allowed, result := x.judgeDeletes(list)
	if len(allowed) > 0 {
		// Only now: who may do nothing here must not learn whose bucket it is.
		if err := x.loadBucket(); err != nil {
			return err
		}
		done, err := x.deleteUpstream(allowed, list.Quiet)
		if err != nil {
			return err
		}
		result.Deleted = done.Deleted
		for _, refused := range done.Errors {
			result.Errors = append(result.Errors, keyRefused(refused))
		}
	}
	x.identify()
	awswire.WriteXML(x.w, http.StatusOK, result.write)
	return nil
}

func (x *exchange) judgeDeletes(list DeleteList) (allowed []deleteEntry, result deleteResult) {
	bypass := len(x.r.Header[headerBypassGovernance]) > 0
	for _, o := range list.Objects {
		s := x.subject(o.Key, o.VersionID)
		s.resource.Brief = true // there may be a thousand of them
		action := actionDeleteObject
		if o.VersionID != "" {
			action = actionDeleteVersion
		}
		err := x.ask(action, s)
		if err == nil && bypass {
			err = x.ask(actionBypassGovernance, s)
		}
		if err != nil {
			f := awswire.S3Failure(err)
			result.Errors = append(result.Errors, deleteRefusal{o.Key, o.VersionID, f.Code, f.Message})
			continue
		}
		allowed = append(allowed, o)
	}
	return allowed, result
}

func (x *exchange) deleteUpstream(objects []deleteEntry, quiet bool) (deleteResult, error) {
	var d awswire.XML
	d.OpenNS("Delete", namespace)
	for _, o := range objects {
		d.Open("Object")
		d.Elem("Key", o.Key)
		d.OptElem("VersionId", o.VersionID)
		d.OptElem("ETag", o.ETag)
		d.OptElem("LastModifiedTime", o.Modified)
		d.OptElem("Size", o.Size)
		d.Close("Object")
	}
	if quiet {
		d.Elem("Quiet", "true")
	}
	d.Close("Delete")
	req := x.request()
	setDocument(req, d.Bytes())
	resp, err := x.do(x.r.Context(), req)
	if err != nil {
		return deleteResult{}, err
	}
	defer resp.Body.Close()
	var done deleteResult
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxDeleted))
	if err == nil {
		err = xml.Unmarshal(raw, &done)
	}
	if err != nil {
		return deleteResult{}, &identity.Error{Kind: identity.KindUpstream, Op: "s3.deleteObjects", Err: err}
	}
	return done, nil
}

func (r *deleteResult) write(d *awswire.XML) {
	d.OpenNS("DeleteResult", namespace)
	for _, o := range r.Deleted {
		d.Open("Deleted")
		d.Elem("Key", o.Key)
		d.OptElem("VersionId", o.VersionID)
		d.OptElem("DeleteMarker", o.Marker)
		d.OptElem("DeleteMarkerVersionId", o.MarkerVersion)
		d.Close("Deleted")
	}
	for _, o := range r.Errors {
		d.Open("Error")
		d.Elem("Key", o.Key)
		d.OptElem("VersionId", o.VersionID)
		d.Elem("Code", o.Code)
		d.Elem("Message", o.Message)
		d.Close("Error")
	}
	d.Close("DeleteResult")
}
