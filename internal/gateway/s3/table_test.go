package s3

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// row is an operation as testdata/s3ops.json has it.
type row struct {
	Method  string   `json:"method"`
	Level   string   `json:"level"`
	Marker  string   `json:"marker"`
	Actions []string `json:"actions"`
}

func (op *Operation) row() row {
	r := row{Method: op.method, Level: [...]string{"s", "b", "o"}[op.level], Marker: strings.Join(op.markers, "&")}
	if op.copies {
		r.Marker = strings.TrimSpace(r.Marker + " h:x-amz-copy-source")
	}
	for _, a := range slices.Concat(op.actions, op.versionActions) {
		r.Actions = append(r.Actions, strings.TrimPrefix(a, "s3:"))
	}
	if op.copies {
		r.Actions = append(r.Actions, "GetObject@src", "GetObjectVersion@src")
	}
	return r
}

func TestTableIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	want := map[string]row{}
	readJSON(t, "s3ops.json", &want)
	got := map[string]row{}
	for i := range operations {
		got[operations[i].Name] = operations[i].row()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryActionExists(t *testing.T) {
	t.Parallel()
	var known []string
	readJSON(t, "aws_s3_actions.json", &known)
	used := []string{
		actionGetObject, actionGetObjectVersion, actionListBucket, actionCreateBucket, actionDeleteObject, actionDeleteVersion,
		actionPutObjectAcl, actionPutObjectTagging, actionPutRetention, actionPutLegalHold, actionBypassGovernance,
		actionPutLockConfig, actionPutVersioning, actionPutBucketAcl, actionGetTagging, actionGetVersionTagging,
	}
	for a := range tagConditioned {
		used = append(used, a)
	}
	for i := range operations {
		used = append(used, operations[i].actions...)
		used = append(used, operations[i].versionActions...)
	}
	for _, a := range used {
		if name, ok := strings.CutPrefix(a, "s3:"); !ok || !slices.Contains(known, name) {
			t.Errorf("action %s is unknown to AWS", a)
		}
	}
}

func TestEveryOperationOfTheModelIsDecided(t *testing.T) {
	t.Parallel()
	var model []struct{ Name, Method, RequestURI string }
	readJSON(t, "botocore_s3_operations.json", &model)
	if len(model) != 111 {
		t.Fatalf("%d operations in the model, want 111", len(model))
	}
	for _, m := range model {
		mapped := slices.IndexFunc(operations, func(op Operation) bool { return op.Name == m.Name })
		refused := slices.Contains(notImplemented, m.Name)
		if (mapped >= 0) == refused {
			t.Errorf("%s: in the table %v, in the list of what is not implemented %v", m.Name, mapped >= 0, refused)
		}
		if mapped < 0 {
			continue
		}
		if got := operations[mapped].method; got != m.Method {
			t.Errorf("%s: method %s, want %s", m.Name, got, m.Method)
		}
	}
	if n := len(operations) + len(notImplemented); n != len(model) {
		t.Errorf("%d operations decided, want %d", n, len(model))
	}
}

func TestHandlersHaveRows(t *testing.T) {
	t.Parallel()
	for name := range handlers {
		if !slices.ContainsFunc(operations, func(op Operation) bool { return op.Name == name && op.handle != nil }) {
			t.Errorf("handler %s has no row", name)
		}
	}
}
