package app

import (
	"context"

	"github.com/rung-dev/rung/internal/guard"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/postgres"
	"github.com/rung-dev/rung/internal/store/sqlite"
	"github.com/rung-dev/rung/internal/trace"
)

// OpenServing opens what gateways keep: in Postgres when url is set ("postgres://…"), else in SQLite in dir.
func OpenServing(ctx context.Context, dir, url string) (store.Serving, error) {
	if url != "" {
		return postgres.Open(ctx, url)
	}
	return sqlite.OpenServing(ctx, dir)
}

// Redactor is what takes personal data and secrets out of what traces and feedback keep.
func Redactor() (trace.Redactor, error) { return guard.Redactor(nil), nil }
