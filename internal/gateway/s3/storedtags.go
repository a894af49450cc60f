package s3

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

const opStoredTags = "s3.storedtags"

// tagConditioned are the actions that know s3:ExistingObjectTag, as AWS lists
// them; for all others it has no value.
var tagConditioned = func() map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq(`GetObject GetObjectVersion GetObjectAttributes GetObjectVersionAttributes
		GetObjectAcl GetObjectVersionAcl PutObjectAcl PutObjectVersionAcl
		GetObjectTagging GetObjectVersionTagging PutObjectTagging PutObjectVersionTagging
		DeleteObjectTagging DeleteObjectVersionTagging`) {
		m["s3:"+name] = true
	}
	return m
}()

// storedTags are the tags that an object has, read once at most.
type storedTags struct {
	read bool
	tags url.Values
	err  error
}

// existingTag are the values of a tag of the object as it is stored. When the
// tags cannot be read the request is refused (exchange.ask), whatever a policy
// makes of a tag without value.
func (s *subject) existingTag(low string) []string {
	if s.key == "" || !tagConditioned[s.action] {
		return nil
	}
	s.readExisting()
	return tagValues(s.existing.tags, low)
}

func (s *subject) readExisting() {
	if s.existing.read {
		return
	}
	s.existing.read = true
	s.existing.tags, s.existing.err = s.x.g.storedTags(s)
}

// storedTags asks the upstream. An object that is not there has no tags.
func (g *Gateway) storedTags(s *subject) (url.Values, error) {
	up, err := g.ownedAt(s.bucket)
	if err != nil {
		return nil, err
	}
	query := "tagging="
	if s.version != "" {
		query += "&versionId=" + encode(s.version, false)
	}
	resp, err := up.Do(s.x.r.Context(), &upstream.Request{
		Method: http.MethodGet, Bucket: s.bucket, Key: encode(s.key, true), Query: query,
	})
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		// 405 is the answer of a version that is a delete marker.
		if err = g.upstreamError(up, resp); codeIs(err, "NoSuchKey", "NoSuchVersion", "NoSuchTagSet", "MethodNotAllowed") {
			return nil, nil
		}
		return nil, unreadableTags(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err == nil && len(raw) > maxDocument {
		err = errors.New("too long")
	}
	if err != nil {
		return nil, unreadableTags(err)
	}
	tags, err := ParseTagging(raw)
	if err != nil {
		return nil, unreadableTags(err)
	}
	return tags, nil
}

// unreadableTags is the refusal of a request that a policy wants the tags for.
func unreadableTags(err error) error {
	return &identity.Error{Kind: identity.KindUnavailable, Op: opStoredTags, Err: err, RetryAfterSeconds: 1}
}

// judgeTagging sees to the tags that a copy would take over: whoever copies
// them must be allowed to read them there and to set them here, as in AWS. A
// caller who is not may still copy what has none.
func (x *exchange) judgeTagging(target, source *subject) error {
	if x.op.Name != opCopy || x.replacesTags() {
		return nil
	}
	read := actionGetTagging
	if source.version != "" {
		read = actionGetVersionTagging
	}
	err := x.ask(read, source)
	if err == nil {
		err = x.ask(actionPutObjectTagging, target)
	}
	if identity.KindOf(err) != identity.KindAccessDenied {
		return err
	}
	source.readExisting()
	if source.existing.err != nil {
		return source.existing.err
	}
	if len(source.existing.tags) > 0 {
		return err
	}
	x.header[headerTaggingDirective] = []string{"REPLACE"} // should it be given tags meanwhile
	return nil
}

func (x *exchange) replacesTags() bool {
	v := x.header[headerTaggingDirective]
	return len(v) > 0 && v[0] == "REPLACE"
}

// dropIdleTags drops the header x-amz-tagging of a copy that takes the source's
// tags: policies must not see what will not be.
func (x *exchange) dropIdleTags() {
	if x.op.copies && !x.replacesTags() {
		delete(x.header, headerTagging)
		x.tags = nil
	}
}
