//go:build unix

package postgres

import (
	"testing"

	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/postgres/postgrestest"
	"github.com/rung-dev/rung/internal/store/storetest"
)

func TestServingConforms(t *testing.T) {
	server := postgrestest.Start(t)
	storetest.Serve(t, func(t *testing.T) storetest.ServingOpener {
		url := server.Database(t)
		return func(t *testing.T) store.Serving {
			t.Helper()
			s, err := Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}
