// Package doortest opens a real door, with a real store behind it, to a model server on loopback that answers as a test says.
package doortest

import (
	"testing"

	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/model/openai"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// Open is the door of a climb to a server that does what script says. Both end with the test.
func Open(t testing.TB, script modeltest.Script) *model.Door {
	t.Helper()
	url, stop, err := modeltest.New(script).Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	st, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return model.NewDoor(model.Options{Store: st, Provider: func(string) (model.Provider, error) {
		return openai.New(openai.Config{Name: "openai", BaseURL: url + "/v1", Key: "k"})
	}})
}
