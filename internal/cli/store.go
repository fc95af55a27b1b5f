package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// storeName is the store's directory beside a task file.
const storeName = ".rung"

// readStore opens the store to read from: that of --store, else the nearest .rung of the working directory and those above
// it. It makes none: where nothing was measured there is nothing to read. The caller closes it.
func readStore(ctx context.Context, s *settings) (*sqlite.Store, error) {
	dir, err := storeDir(s)
	if err != nil {
		return nil, err
	}
	return sqlite.Open(ctx, dir)
}

// storeDir finds the directory of the store.
func storeDir(s *settings) (string, error) {
	if s.store != "" {
		if !isDir(s.store) {
			return "", &rung.Error{Code: rung.CodeNotFound, Place: s.store, What: "there is no store", Do: "name its directory with --store; rung climb makes one"}
		}
		return s.store, notOther(s.store)
	}
	start, err := os.Getwd()
	if err != nil {
		return "", &rung.Error{Code: rung.CodeStore, What: "the working directory cannot be read: " + err.Error(), Do: "name the store with --store", Err: err}
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if path := filepath.Join(dir, storeName); isDir(path) {
			return path, nil
		}
		if filepath.Dir(dir) == dir {
			return "", &rung.Error{Code: rung.CodeNotFound, Place: start, What: "no store (.rung) here or in a directory above", Do: "go to the task's directory, name the store with --store, or run rung climb first"}
		}
	}
}

// notOther refuses a directory that holds other things and no store: a slip must not make a second one there.
func notOther(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return nil // an unreadable one is said when it is opened
	}
	for _, e := range entries {
		switch e.Name() {
		case "rung.db", "gateway.db", "releases":
			return nil
		}
	}
	do := "name its directory with --store; rung climb makes one"
	if path := filepath.Join(dir, storeName); isDir(path) {
		do = "name " + path
	}
	return &rung.Error{Code: rung.CodeNotFound, Place: dir, What: "holds other files and no store", Do: do}
}

// openServing opens what gateways share: in the database that RUNG_DATABASE_URL names, else in the store's directory. The
// caller closes it.
func openServing(ctx context.Context, dir string) (store.Serving, error) {
	return app.OpenServing(ctx, dir, os.Getenv("RUNG_DATABASE_URL"))
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
