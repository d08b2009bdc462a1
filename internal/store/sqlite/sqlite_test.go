package sqlite_test

import (
	"testing"

	"gateway/internal/store/sqlite"
	"gateway/internal/store/storetest"
)

func open(t *testing.T, dir string) storetest.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPromises(t *testing.T) { storetest.Run(t, open) }
