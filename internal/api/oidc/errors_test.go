package oidc

import (
	"testing"

	"daypass/internal/identity"
)

func TestAnswerOfEveryKind(t *testing.T) {
	t.Parallel()
	for _, k := range identity.Kinds() {
		a, ok := answerOf(k)
		if !ok {
			t.Errorf("%s has no answer", k)
			continue
		}
		if a.status < 400 || a.status > 599 || a.code == "" {
			t.Errorf("%s answers %d %q", k, a.status, a.code)
		}
		if a.description == "" && k != identity.KindNotFound {
			t.Errorf("%s has no description", k)
		}
		if neverHere(k) && (a.status != 500 || a.public) {
			t.Errorf("%s cannot occur, yet answers %d and shows its text: %v", k, a.status, a.public)
		}
	}
	if a, ok := answerOf("no such kind"); ok {
		t.Errorf("an unknown kind answers %v", a)
	}
}

func TestUnknownKindIsInternal(t *testing.T) {
	t.Parallel()
	a, _ := judge(identity.NewError("no such kind", "test", "inner words"))
	if a.status != 500 || a.code != codeServerError || a.description == "inner words" {
		t.Errorf("got %+v", a)
	}
}
