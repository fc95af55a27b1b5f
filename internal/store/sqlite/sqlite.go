// Package sqlite keeps stores in SQLite files: what climbs keep in one, what gateways keep in another beside it, so that
// neither waits for the other. All writes to a file go through one goroutine that commits what has come in together, so
// that many small writes cost few commits; callers wait for the commit that holds theirs. The log is written before a commit
// is acknowledged, so a killed process loses nothing that was.
package sqlite

import (
	"context"

	"github.com/rung-dev/rung/internal/store"
)

// Store is a store in DIR/rung.db.
type Store struct{ *file }

var _ store.Store = (*Store)(nil)

const fileName = "rung.db"

// Open opens the store in dir, and makes it where there is none. Only the user may read it: it holds prompts and answers.
func Open(ctx context.Context, dir string) (*Store, error) {
	path, err := makeFile(dir, fileName)
	if err != nil {
		return nil, err
	}
	return openFile(ctx, path, busyMillis)
}

func openFile(ctx context.Context, path string, busy int, pragmas ...string) (*Store, error) {
	f, err := openPath(ctx, path, climbs, busy, pragmas...)
	if err != nil {
		return nil, err
	}
	return &Store{f}, nil
}
