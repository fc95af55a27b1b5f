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
	// NextVersion is the next free version of the form v1, v2, …. It reserves nothing: PutRelease says who came first.
	NextVersion(ctx context.Context, task string) (string, error)

	// MoveAlias points an alias at a version, provided that it points at m.From now ("" for none); else CodeConflict. Where the release
	// demands a review for the alias and none is signed on that day, it is a CodeDenied.
	MoveAlias(ctx context.Context, m rung.AliasMove) error
	// Aliases gives the last move of every alias of a task that points somewhere; of all tasks when task is empty.
	Aliases(ctx context.Context, task string) ([]rung.AliasMove, error)
	// AliasHistory gives the moves of a task's aliases, newest first, limit of them at most; 0 is all.
	AliasHistory(ctx context.Context, task string, limit int) ([]rung.AliasMove, error)

	// PutRollout makes (Revision 0) or changes a rollout. Where the stored revision is not r.Revision it is a CodeConflict. A
	// second active rollout of one task and alias is one too. It gives the rollout with its new revision. CodeNotFound where
	// there is none to change.
	PutRollout(ctx context.Context, r rung.Rollout) (rung.Rollout, error)
	// EndRollout ends a rollout, as PutRollout, and moves its alias, as MoveAlias, in one transaction: both happen or neither. A
	// nil move moves nothing.
	EndRollout(ctx context.Context, r rung.Rollout, move *rung.AliasMove) (rung.Rollout, error)
	// Rollouts gives rollouts, newest first; of all tasks when task is empty; the active ones only when active is set.
	Rollouts(ctx context.Context, task string, active bool) ([]rung.Rollout, error)
	// PutMoments replaces what one gateway has observed in a rollout: arm → metric → moments.
	PutMoments(ctx context.Context, rollout, gateway string, m map[string]map[string]rung.Moments) error
	// Moments gives what all gateways have observed in a rollout.
	Moments(ctx context.Context, rollout string) (map[string]map[string]rung.Moments, error)

	// Revision grows with every change of releases, aliases, rollouts and keys. Gateways poll it.
	Revision(ctx context.Context) (int64, error)

	// PutKey makes or changes a key, by its ID. Another key with the same hash is a CodeConflict.
	PutKey(ctx context.Context, k rung.APIKey) error
	// Keys gives all keys, revoked ones too.
	Keys(ctx context.Context) ([]rung.APIKey, error)
	// Spend adds to what a key has cost in a month ("2026-11") and gives the sum over all gateways. Adding 0 only reads.
	Spend(ctx context.Context, key, month string, usd float64) (float64, error)
	// Lease sets aside what a gateway may spend of a key's budget, in place of what it had set aside before, and adds what the key
	// has cost in the meantime. It gives the sum that all gateways have spent and what is set aside now: at most l.Want, and at
	// most what the limit leaves after that sum and what other gateways have set aside.
	Lease(ctx context.Context, l Lease) (spent, granted float64, err error)

	// PutTraces keeps traces, all or none, in their order. Traces that begin with one that already begins what was put once are
	// left alone: a batch may be put again when nobody knows whether the first time went well. An ID is 32 lower-case hex digits.
	// Those of trace.NewID begin with the time, which keeps their look-up cheap; others work.
	PutTraces(ctx context.Context, ts []rung.Trace) error
	// Trace finds a trace by its ID or a prefix of it that only one has.
	Trace(ctx context.Context, id string) (rung.Trace, error)
	// Traces gives the traces that match in the order in which they were written, which is that of their ends: the newest first
	// unless f.Oldest or f.After. It reads them piece by piece; the loop may call the store. CodeNotFound if f.After is not there.
	Traces(ctx context.Context, f TraceFilter) iter.Seq2[rung.Trace, error]
	// DropTraces deletes traces that began before before, then the first written ones until the others take at most maxBytes on
	// the disk (0: no limit). Traces with a correction are kept. Feedback from before before goes too unless it is a correction.
	// It gives how many traces were deleted.
	DropTraces(ctx context.Context, before time.Time, maxBytes int64) (int64, error)

	// Erase deletes the traces that hold what an erasure says, those with corrections too, with all feedback about them, and feedback that
	// holds it itself. SQLite's file holds none of it any more; what a database server keeps in its log and its backups is its own.
	Erase(ctx context.Context, e Erasure) (Erased, error)

	// PutReview keeps a revision of a release's risk review. A revision that is there is a CodeConflict: somebody else wrote first.
	PutReview(ctx context.Context, r rung.Review) error
	// Reviews gives the newest revision of the review of each release of a task; of all tasks when task is empty.
	Reviews(ctx context.Context, task string) ([]rung.Review, error)

	// PutFeedback keeps feedback. Its trace may come later: traces are written in batches. What is there under its ID is left alone.
	PutFeedback(ctx context.Context, f rung.Feedback) error
	// Feedback gives what was said about a trace, oldest first.
	Feedback(ctx context.Context, trace string) ([]rung.Feedback, error)
	// Proposals gives the examples that corrections propose, for traces that kept their input; oldest first.
	Proposals(ctx context.Context, task string) iter.Seq2[rung.Proposal, error]

	Close() error
}

// Lease is a gateway's share of what is left of a key's budget. Amounts are in USD.
type Lease struct {
	Key, Month, Gateway string
	Spent               float64       // is added to what the key has cost
	Want                float64       // to be set aside; 0 gives back
	Limit               float64       // the key's budget
	For                 time.Duration // how long it holds unless it is renewed: what a gateway held that died is free again then
}

// Grant is what a lease gets where all gateways have spent spent and others have set aside others.
func (l *Lease) Grant(spent, others float64) float64 {
	return max(0, min(l.Want, l.Limit-spent-others))
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
	After    string    // only those written after the trace with this ID, oldest first: to tail
	Limit    int       // 0: all
	Oldest   bool      // first written first
}
