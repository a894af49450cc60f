package access

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"time"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/policy"
)

const (
	// messageLife is how long an encoded message can be opened.
	messageLife = 24 * time.Hour
	// maxEncoded is the most characters of an encoded message (STS
	// DecodeAuthorizationMessage takes no more), maxMessage the bytes of its JSON,
	// which is sealed compressed.
	maxEncoded = 10240
	maxMessage = 7168
	// messageStep is what messages are padded to a multiple of, so that their
	// length tells little about what they say.
	messageStep = 256
	// maxNamed bounds names of callers and resources in a message.
	maxNamed = 1200
)

// Message is what an encoded authorization message says: the members that
// AWS's DecodeAuthorizationMessage documents, then the explanation.
type Message struct {
	Allowed           bool           `json:"allowed"`
	ExplicitDeny      bool           `json:"explicitDeny"`
	MatchedStatements items[matched] `json:"matchedStatements"`
	Failures          items[string]  `json:"failures"`
	Context           messageContext `json:"context"`
	// Explanation tells which statement decided, or which came nearest; Hint is
	// one sentence about what would have to change.
	Explanation json.RawMessage `json:"explanation,omitempty"`
	Hint        string          `json:"hint,omitempty"`
	RequestID   string          `json:"requestId,omitempty"`
	At          time.Time       `json:"at"`
}

type items[T any] struct {
	Items []T `json:"items"`
}

type matched struct {
	StatementID string          `json:"statementId"`
	Effect      string          `json:"effect"` // ALLOW or DENY
	Policy      string          `json:"policy"`
	Statement   json.RawMessage `json:"statement,omitempty"`
}

type messageContext struct {
	Principal  messagePrincipal    `json:"principal"`
	Action     string              `json:"action"`
	Resource   string              `json:"resource"`
	Conditions items[contextValue] `json:"conditions"`
}

type messagePrincipal struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	ARN  string `json:"arn"`
}

type contextValue struct {
	Key    string        `json:"key"`
	Values items[string] `json:"values"`
}

// explain says why a request was refused. Statements of another account's
// resource policy are none of the caller's business.
func (a *Access) explain(c *identity.Caller, q *question, res *Resource) Message {
	if res.Shown != "" { // whether it exists must not be told, nor what it is like
		q.request.Resource, q.facts.keys = res.Shown, ofRequest(q.request.Action, res.Keys)
	}
	if q.request.ResourceAccount != c.AccountID {
		q.set.Resource, q.facts.later = nil, nil // nor is what its objects are like
	}
	e := policy.Explain(&q.request, &q.set)
	m := Message{
		MatchedStatements: items[matched]{[]matched{}}, Failures: items[string]{[]string{}},
		ExplicitDeny: e.Decision.Effect == policy.ExplicitDeny,
		Context: messageContext{
			Principal: messagePrincipal{ID: cut(c.UserID), Name: cut(c.Name), ARN: cut(c.ARN)},
			Action:    q.request.Action, Resource: cut(q.request.Resource), Conditions: items[contextValue]{[]contextValue{}},
		},
		Hint: e.Hint(), RequestID: c.Request.ID, At: q.request.Time.UTC(),
	}
	if e.Decision.Allowed() { // the refusal was about what is not shown
		m.Hint = "The caller's own policies allow this. The resource does not exist, or its owner does not allow it."
		return m
	}
	if e.Deciding != nil && m.ExplicitDeny {
		s := matched{StatementID: e.Deciding.Sid, Effect: "DENY", Policy: e.Deciding.Policy}
		if len(e.Deciding.Source) <= 2048 {
			s.Statement = compact(e.Deciding.Source)
		}
		m.MatchedStatements.Items = append(m.MatchedStatements.Items, s)
	}
	for i, v := range e.Context {
		if i == 16 {
			break
		}
		values := v.Values[:min(len(v.Values), 4)]
		for j := range values {
			values[j] = cut(values[j])
		}
		m.Context.Conditions.Items = append(m.Context.Conditions.Items, contextValue{v.Key, items[string]{values}})
	}
	m.Explanation = e.Encode(maxMessage / 2)
	return m
}

// ofRequest are the condition keys that the request gives, without those of the
// entity that it names.
func ofRequest(action string, keys map[string][]string) map[string][]string {
	bounds := strings.HasPrefix(action, "iam:Put") && strings.HasSuffix(action, "PermissionsBoundary")
	out := map[string][]string{}
	for k, values := range keys {
		if !strings.Contains(k, ":ResourceTag/") && (bounds || k != "iam:PermissionsBoundary") {
			out[k] = values
		}
	}
	return out
}

// OwnReasons is the encoded message of a refusal that must not tell whether the
// resource exists, with what stands before it: it says what the caller's own
// policies say, and nothing of the resource. "" when there is none.
func (a *Access) OwnReasons(c *identity.Caller, action, arn string, keys map[string][]string) string {
	r, err := a.rightsOf(c)
	if err != nil || c.AccountID == "" {
		return ""
	}
	now := a.clock.Now()
	q := &question{
		facts: facts{caller: c, keys: keys, owner: c.AccountID, now: now},
		set:   r.set,
	}
	q.request = policy.Request{
		Principal: r.principal, Action: action, Resource: arn, ResourceAccount: c.AccountID, Time: now, Context: &q.facts,
	}
	message := a.encode(c, a.explain(c, q, &Resource{ARN: arn}))
	if message == "" {
		return ""
	}
	return identity.EncodedMessage + message
}

// encode seals a message to the caller's account; "" when that is not
// possible, and the refusal then stands without.
func (a *Access) encode(c *identity.Caller, m Message) string {
	text, err := json.Marshal(m)
	if err == nil && len(text) > maxMessage { // long names: the explanation is what matters
		m.MatchedStatements.Items, m.Context.Conditions.Items = []matched{}, []contextValue{}
		text, err = json.Marshal(m)
	}
	if err != nil || len(text) > maxMessage {
		return ""
	}
	sealed, err := a.keys.Box(keyring.BoxEncodedMessage).Seal(deflate(text), []byte(c.AccountID))
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// OpenMessage opens an encoded authorization message of an account (STS
// DecodeAuthorizationMessage) and returns its JSON. KindInvalidMessage for one
// that is malformed, of another account, or older than a day. It asks nobody:
// package directory does.
func (a *Access) OpenMessage(accountID, encoded string) (string, error) {
	refused := &identity.Error{Kind: identity.KindInvalidMessage, Op: "access.message"}
	if _, after, ok := strings.Cut(encoded, identity.EncodedMessage); ok { // the whole sentence was pasted
		encoded = after
	}
	encoded = strings.TrimRight(strings.TrimSpace(encoded), "=")
	if len(encoded) > maxEncoded {
		return "", refused
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return "", refused
	}
	packed, err := a.keys.Box(keyring.BoxEncodedMessage).Open(sealed, []byte(accountID))
	if identity.KindOf(err) == identity.KindUnavailable {
		return "", err
	}
	if err != nil {
		return "", refused
	}
	var m Message
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxMessage+1))
	if err != nil || json.Unmarshal(text, &m) != nil || a.clock.Now().Sub(m.At) > messageLife {
		return "", refused
	}
	return string(text), nil
}

// deflaters are kept: each holds half a megabyte of tables.
var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // fails for unknown levels only
	return w
}}

// deflate compresses a text and pads it behind the end of the stream.
func deflate(text []byte) []byte {
	var b bytes.Buffer
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&b)
	_, _ = w.Write(text) // a Buffer takes everything
	_ = w.Close()
	if rest := b.Len() % messageStep; rest > 0 {
		b.Write(make([]byte, messageStep-rest))
	}
	return b.Bytes()
}

func compact(source string) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, []byte(source)) != nil {
		return nil
	}
	return b.Bytes()
}

func cut(s string) string {
	if len(s) > maxNamed {
		s = strings.ToValidUTF8(s[:maxNamed], "")
	}
	return s
}
