package s3

import (
	"net/http"
	"strings"

	"daypass/internal/awswire"
	"daypass/internal/identity"
)

const headerConfirmRemoval = "X-Amz-Confirm-Remove-Self-Bucket-Access"

// putPolicy keeps the policy here. The upstream never sees it.
func (x *exchange) putPolicy() error {
	confirmed := false
	switch v := strings.Join(x.given[headerConfirmRemoval], ","); strings.ToLower(v) {
	case "", "false":
	case "true":
		confirmed = true
	default:
		return identity.NewError(identity.KindInvalidRequest, "s3.putPolicy", "x-amz-confirm-remove-self-bucket-access is true or false.")
	}
	raw, err := x.readDocument()
	if err != nil {
		return err
	}
	if err := x.g.registry.PutBucketPolicy(x.r.Context(), &x.caller, x.target.Bucket, string(raw), confirmed); err != nil {
		return err
	}
	return x.done(http.StatusNoContent)
}

func (x *exchange) getPolicy() error {
	document, err := x.g.registry.BucketPolicy(x.r.Context(), &x.caller, x.target.Bucket)
	if err != nil {
		return orNoPolicy(err)
	}
	x.answerText(http.StatusOK, "application/json", []byte(document))
	return nil
}

func (x *exchange) policyStatus() error {
	public, err := x.g.registry.BucketPolicyIsPublic(x.r.Context(), &x.caller, x.target.Bucket)
	if err != nil {
		return orNoPolicy(err)
	}
	x.answer(http.StatusOK, func(d *awswire.XML) {
		d.OpenNS("PolicyStatus", namespace)
		d.Bool("IsPublic", public)
		d.Close("PolicyStatus")
	})
	return nil
}

// deletePolicy succeeds as it does in S3 where there is none.
func (x *exchange) deletePolicy() error {
	if err := x.g.registry.DeleteBucketPolicy(x.r.Context(), &x.caller, x.target.Bucket); err != nil {
		return err
	}
	return x.done(http.StatusNoContent)
}

func orNoPolicy(err error) error {
	if identity.KindOf(err) == identity.KindNotFound {
		return coded("NoSuchBucketPolicy", http.StatusNotFound, "The bucket policy does not exist")
	}
	return err
}
