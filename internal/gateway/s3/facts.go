package s3

import (
	"encoding/xml"
	"net/http"
	"strings"

	"daypass/internal/awswire"
	"daypass/internal/identity"
)

// What is the same for every bucket here: nothing in it is public, and its
// objects are owned by the bucket's owner. Clients that manage buckets ask for
// it and set it; what it already is, is accepted.

func (x *exchange) getPublicAccessBlock() error {
	x.answer(http.StatusOK, func(d *awswire.XML) {
		d.OpenNS("PublicAccessBlockConfiguration", namespace)
		for _, name := range publicAccessSettings {
			d.Bool(name, true)
		}
		d.Close("PublicAccessBlockConfiguration")
	})
	return nil
}

var publicAccessSettings = []string{"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"}

func (x *exchange) putPublicAccessBlock() error {
	raw, err := x.readDocument()
	if err != nil {
		return err
	}
	var doc struct {
		XMLName  xml.Name `xml:"PublicAccessBlockConfiguration"`
		Settings []struct {
			XMLName xml.Name
			Value   string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := unmarshal(raw, &doc); err != nil {
		return err
	}
	on := map[string]bool{}
	for _, s := range doc.Settings {
		on[s.XMLName.Local] = strings.EqualFold(strings.TrimSpace(s.Value), "true")
	}
	for _, name := range publicAccessSettings {
		if !on[name] {
			return fixed("Public access is blocked for every bucket; it cannot be switched on.")
		}
	}
	return x.done(http.StatusOK)
}

func (x *exchange) getOwnershipControls() error {
	x.answer(http.StatusOK, func(d *awswire.XML) {
		d.OpenNS("OwnershipControls", namespace)
		d.Open("Rule")
		d.Elem("ObjectOwnership", bucketOwnerEnforced)
		d.Close("Rule")
		d.Close("OwnershipControls")
	})
	return nil
}

const bucketOwnerEnforced = "BucketOwnerEnforced"

func (x *exchange) putOwnershipControls() error {
	raw, err := x.readDocument()
	if err != nil {
		return err
	}
	var doc struct {
		XMLName xml.Name `xml:"OwnershipControls"`
		Rules   []string `xml:"Rule>ObjectOwnership"`
	}
	if err := unmarshal(raw, &doc); err != nil {
		return err
	}
	if len(doc.Rules) != 1 {
		return &identity.Error{Kind: identity.KindMalformedXML, Op: "s3.ownership"}
	}
	if strings.TrimSpace(doc.Rules[0]) != bucketOwnerEnforced {
		return fixed("Objects are owned by the owner of their bucket; only BucketOwnerEnforced is served.")
	}
	return x.done(http.StatusOK)
}

// cannotDelete answers the deletion of what every bucket has.
func (x *exchange) cannotDelete() error {
	return fixed("This is the same for every bucket and cannot be deleted.")
}

func fixed(sentence string) error {
	return identity.NewError(identity.KindNotImplemented, "s3.facts", sentence)
}

// answer answers with an XML document.
func (x *exchange) answer(status int, build func(*awswire.XML)) {
	x.identify()
	awswire.WriteXML(x.w, status, build)
}

// done answers success without a body.
func (x *exchange) done(status int) error {
	x.identify()
	if status != http.StatusNoContent {
		x.w.Header().Set("Content-Length", "0")
	}
	x.w.WriteHeader(status)
	return nil
}

// getAttributes forwards the question, but not the answer of a store that does
// not know it and sends the object.
func (x *exchange) getAttributes() error {
	resp, err := x.send()
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	// An object has both, whatever it contains; the document has neither.
	if len(resp.Header["Etag"]) > 0 || len(resp.Header["Accept-Ranges"]) > 0 {
		return notImplementedError()
	}
	x.begin(resp)
	return x.stream(resp)
}
