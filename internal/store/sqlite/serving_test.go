package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/storetest"
)

func TestServingConforms(t *testing.T) {
	storetest.Serve(t, func(t *testing.T) storetest.ServingOpener {
		dir := filepath.Join(t.TempDir(), "a b?c#d%20")
		return func(t *testing.T) store.Serving {
			t.Helper()
			s, err := OpenServing(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}
