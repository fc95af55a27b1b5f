package store

import (
	"context"
	"iter"
	"time"

	"github.com/rung-dev/rung"
)

// Serving keeps what gateways share: which release answers, rollouts, keys, traces and feedback. SQLite keeps it for gateways
// on one machine, Postgres for several; both are held to storetest.Serve. What a call acknowledged is there after a SIGKILL.
// It is safe for concurrent use. Errors are *rung.Error: CodeStore, CodeNotFound, or CodeConflict where something exists
// already or was changed by somebody else.
type Serving interface {
	// PutRelease records a release. A version that exists is a CodeConflict, unless it is the same release.
	PutRelease(ctx context.Context, r rung.ReleaseLine) error
	// Releases gives the releases of a task, newest first; of all tasks when task is empty.
	Releases(ctx context.Context, task string) ([]rung.ReleaseLine, error)
	// NextVersion is the next free version of the form v1, v2, ….
	NextVersion(ctx context.Context, task string) (string, error)

	// MoveAlias points an alias at a version, provided that it points at m.From now ("" for none); else CodeConflict.
	MoveAlias(ctx context.Context, m rung.AliasMove) error
	// Aliases gives the last move of every alias of a task that points somewhere; of all tasks when task is empty.
	Aliases(ctx context.Context, task string) ([]rung.AliasMove, error)
	// AliasHistory gives the moves of a task's aliases, newest first.
	AliasHistory(ctx context.Context, task string, limit int) ([]rung.AliasMove, error)

	// PutRollout makes (Revision 0) or changes a rollout. Where the stored revision is not r.Revision it is a CodeConflict. A
	// second active rollout of one task and alias is one too. It gives the rollout with its new revision.
	PutRollout(ctx context.Context, r rung.Rollout) (rung.Rollout, error)
	// EndRollout ends a rollout and moves its alias in one transaction: both happen or neither.
	EndRollout(ctx context.Context, r rung.Rollout, move *rung.AliasMove) (rung.Rollout, error)
	// Rollouts gives rollouts, newest first; of all tasks when task is empty; the active ones only when active is set.
	Rollouts(ctx context.Context, task string, active bool) ([]rung.Rollout, error)
	// PutMoments replaces what one gateway has observed in a rollout: arm → metric → moments.
	PutMoments(ctx context.Context, rollout, gateway string, m map[string]map[string]rung.Moments) error
	// Moments gives what all gateways have observed in a rollout.
	Moments(ctx context.Context, rollout string) (map[string]map[string]rung.Moments, error)

	// Revision grows with every change of releases, aliases, rollouts and keys. Gateways poll it.
	Revision(ctx context.Context) (int64, error)

	// PutKey makes or changes a key, by its ID.
	PutKey(ctx context.Context, k rung.APIKey) error
	// Keys gives all keys, revoked ones too.
	Keys(ctx context.Context) ([]rung.APIKey, error)
	// Spend adds to what a key has cost in a month ("2026-11") and gives the sum over all gateways.
	Spend(ctx context.Context, key, month string, usd float64) (float64, error)

	// PutTraces keeps traces, all or none. A trace that is there already is left alone.
	PutTraces(ctx context.Context, ts []rung.Trace) error
	// Trace finds a trace by its ID or a prefix of it that only one has.
	Trace(ctx context.Context, id string) (rung.Trace, error)
	// Traces gives the traces that match, newest first unless f.Oldest.
	Traces(ctx context.Context, f TraceFilter) iter.Seq2[rung.Trace, error]
	// DropTraces deletes traces older than before and then the oldest ones until at most maxBytes are kept (0: no limit). Traces
	// with feedback that proposes an example are kept. It gives how many were deleted.
	DropTraces(ctx context.Context, before time.Time, maxBytes int64) (int64, error)

	// PutFeedback keeps feedback. Its trace may come later: traces are written in batches.
	PutFeedback(ctx context.Context, f rung.Feedback) error
	// Feedback gives what was said about a trace, oldest first.
	Feedback(ctx context.Context, trace string) ([]rung.Feedback, error)
	// Proposals gives the examples that corrections propose, for traces that kept their input; oldest first.
	Proposals(ctx context.Context, task string) iter.Seq2[rung.Proposal, error]

	Close() error
}

// TraceFilter chooses traces. The zero value is all of them.
type TraceFilter struct {
	Task     string
	Version  string
	Arm      string
	Key      string
	Since    time.Time // inclusive
	Until    time.Time // exclusive
	Errors   bool      // only those with a code or a problem
	Feedback bool      // only those with feedback
	After    string    // only those written after this trace: to tail
	Limit    int       // 0: all
	Oldest   bool      // oldest first
}
