package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// storeName is the store's directory beside a task file.
const storeName = ".rung"

// readStore opens the store to read from: that of --store, else the nearest .rung of the working directory and those above
// it. It makes none: where nothing was measured there is nothing to read. The caller closes it.
func readStore(ctx context.Context, s *settings) (*sqlite.Store, error) {
	if s.store != "" {
		if !isDir(s.store) {
			return nil, &rung.Error{Code: rung.CodeNotFound, Place: s.store, What: "there is no store", Do: "name its directory with --store; rung climb makes one"}
		}
		return sqlite.Open(ctx, s.store)
	}
	start, err := os.Getwd()
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeStore, What: "the working directory cannot be read: " + err.Error(), Do: "name the store with --store", Err: err}
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if path := filepath.Join(dir, storeName); isDir(path) {
			return sqlite.Open(ctx, path)
		}
		if filepath.Dir(dir) == dir {
			return nil, &rung.Error{Code: rung.CodeNotFound, Place: start, What: "no store (.rung) here or in a directory above", Do: "go to the task's directory, name the store with --store, or run rung climb first"}
		}
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
