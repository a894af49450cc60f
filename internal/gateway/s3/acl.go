package s3

import (
	"encoding/xml"
	"net/http"

	"daypass/internal/awswire"
	"daypass/internal/upstream"
)

const instanceNamespace = "http://www.w3.org/2001/XMLSchema-instance"

// getACL answers what is always true here: the owning account has full
// control, nobody else has any. The object must exist.
func (x *exchange) getACL() error {
	if err := x.objectExists(); err != nil {
		return err
	}
	owner := x.bucket.AccountID
	x.identify()
	awswire.WriteXML(x.w, http.StatusOK, func(d *awswire.XML) {
		d.OpenNS("AccessControlPolicy", namespace)
		writeOwner(d, owner)
		d.Open("AccessControlList")
		d.Open("Grant")
		d.Open(`Grantee xmlns:xsi="` + instanceNamespace + `" xsi:type="CanonicalUser"`)
		d.Elem("ID", owner)
		d.Elem("DisplayName", owner)
		d.Close("Grantee")
		d.Elem("Permission", "FULL_CONTROL")
		d.Close("Grant")
		d.Close("AccessControlList")
		d.Close("AccessControlPolicy")
	})
	return nil
}

// putACL accepts ACLs that change nothing: the canned ones of readACL, and a
// document in which the owner has full control and nobody anything.
func (x *exchange) putACL() error {
	raw, err := x.readDocument()
	if err != nil {
		return err
	}
	switch {
	case x.grants:
		return aclNotSupported()
	case x.acl != "" && len(raw) > 0:
		return coded("UnexpectedContent", http.StatusBadRequest, "This request does not support content")
	case x.acl == "" && len(raw) == 0:
		return coded("MissingSecurityHeader", http.StatusBadRequest, "Your request was missing a required header")
	case len(raw) > 0:
		if err := x.checkACL(raw); err != nil {
			return err
		}
	}
	if err := x.objectExists(); err != nil {
		return err
	}
	return x.done(http.StatusOK)
}

func (x *exchange) checkACL(raw []byte) error {
	var p struct {
		XMLName xml.Name `xml:"AccessControlPolicy"`
		Grants  []struct {
			ID         string `xml:"Grantee>ID"`
			Permission string `xml:"Permission"`
		} `xml:"AccessControlList>Grant"`
	}
	if err := unmarshal(raw, &p); err != nil {
		return err
	}
	for _, g := range p.Grants {
		if g.ID != x.bucket.AccountID || g.Permission != "FULL_CONTROL" {
			return aclNotSupported()
		}
	}
	return nil
}

// objectExists asks the upstream; at bucket level the registry has spoken.
func (x *exchange) objectExists() error {
	if x.op.level != levelObject {
		return nil
	}
	query := ""
	if x.version != "" {
		query = parameterVersionID + "=" + encode(x.version, false)
	}
	resp, err := x.do(x.r.Context(), &upstream.Request{
		Method: http.MethodHead, Bucket: x.target.Bucket, Key: x.target.RawKey, Query: query,
	})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
