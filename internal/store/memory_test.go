package store_test

import (
	"testing"

	"daypass/internal/store"
	"daypass/internal/store/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Engine {
		e := store.NewMemory()
		t.Cleanup(func() { e.Close() })
		return e
	}, storetest.Incarnation())
}
