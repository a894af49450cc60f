package s3

import (
	"bytes"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"daypass/internal/awswire"
	"daypass/internal/identity"
)

// lockDocument is what a policy can ask of a document that sets retention or
// legal hold.
type lockDocument struct{ Mode, Until, Hold string }

// judgedDocuments are the operations whose document policies can speak about:
// it is read, bounded, before the caller's right is asked for, and written anew
// for the upstream, which so reads what was judged.
var judgedDocuments = map[string]func(*exchange, []byte) ([]byte, error){
	"PutObjectTagging":   (*exchange).readTagging,
	"PutBucketTagging":   (*exchange).readTagging,
	"PutObjectRetention": (*exchange).readRetention,
	"PutObjectLegalHold": (*exchange).readLegalHold,
}

func (x *exchange) readSubject() error {
	judge, ok := judgedDocuments[x.op.Name]
	if !ok {
		return nil
	}
	raw, err := x.readDocument()
	if err != nil {
		return err
	}
	x.judged, err = judge(x, raw)
	return err
}

const maxTags = 50

// ParseTagging reads a Tagging document, in which no key may stand twice.
// Errors are of KindMalformedXML, or the code InvalidTag.
func ParseTagging(raw []byte) (url.Values, error) {
	var doc struct {
		XMLName xml.Name `xml:"Tagging"`
		Tags    []struct {
			Key   string `xml:"Key"`
			Value string `xml:"Value"`
		} `xml:"TagSet>Tag"`
	}
	if err := unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	tags := url.Values{}
	for _, t := range doc.Tags {
		if t.Key == "" || len(tags[t.Key]) > 0 || len(tags) == maxTags {
			return nil, coded("InvalidTag", http.StatusBadRequest, "The tag set holds too many tags, a tag without a key, or a key twice.")
		}
		tags[t.Key] = []string{t.Value}
	}
	return tags, nil
}

func (x *exchange) readTagging(raw []byte) ([]byte, error) {
	tags, err := ParseTagging(raw)
	if err != nil {
		return nil, err
	}
	x.tags = tags
	return document(func(d *awswire.XML) {
		d.OpenNS("Tagging", namespace)
		d.Open("TagSet")
		for _, name := range slices.Sorted(maps.Keys(tags)) {
			d.Open("Tag")
			d.Elem("Key", name)
			d.Elem("Value", tags[name][0])
			d.Close("Tag")
		}
		d.Close("TagSet")
		d.Close("Tagging")
	}), nil
}

func (x *exchange) readRetention(raw []byte) ([]byte, error) {
	var doc struct {
		XMLName xml.Name `xml:"Retention"`
		Mode    string   `xml:"Mode"`
		Until   string   `xml:"RetainUntilDate"`
	}
	if err := unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	x.lock = &lockDocument{Mode: strings.TrimSpace(doc.Mode), Until: strings.TrimSpace(doc.Until)}
	return document(func(d *awswire.XML) {
		d.OpenNS("Retention", namespace)
		d.OptElem("Mode", x.lock.Mode)
		d.OptElem("RetainUntilDate", x.lock.Until)
		d.Close("Retention")
	}), nil
}

func (x *exchange) readLegalHold(raw []byte) ([]byte, error) {
	var doc struct {
		XMLName xml.Name `xml:"LegalHold"`
		Status  string   `xml:"Status"`
	}
	if err := unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	x.lock = &lockDocument{Hold: strings.TrimSpace(doc.Status)}
	return document(func(d *awswire.XML) {
		d.OpenNS("LegalHold", namespace)
		d.Elem("Status", x.lock.Hold)
		d.Close("LegalHold")
	}), nil
}

func document(build func(*awswire.XML)) []byte {
	var d awswire.XML
	build(&d)
	return bytes.Clone(d.Bytes())
}

// unmarshal reads an XML document. Errors are of KindMalformedXML.
func unmarshal(raw []byte, v any) error {
	if err := xml.Unmarshal(raw, v); err != nil {
		return &identity.Error{Kind: identity.KindMalformedXML, Op: "s3.document", Err: err}
	}
	return nil
}
