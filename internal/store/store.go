// Package store says what is kept between runs, and in which words. Its implementations are held to storetest.
package store

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/rung-dev/rung"
)

// Store keeps everything that a climb must not lose or pay for twice. What a Put acknowledged is there after a SIGKILL. It is
// safe for concurrent use, and several processes may share one. Errors are *rung.Error: CodeStore, or CodeNotFound where
// something was asked for that is not there.
type Store interface {
	// Completion finds a model's answer by its key; false when there is none.
	Completion(ctx context.Context, key rung.Digest) (rung.Completion, bool, error)
	// PutCompletion keeps c under c.Key, in place of an older one.
	PutCompletion(ctx context.Context, c rung.Completion) error

	// PutCandidate keeps c and gives its digest. Keeping it again changes nothing.
	PutCandidate(ctx context.Context, c *rung.Candidate) (rung.Digest, error)
	// Candidate finds a candidate by its digest or a prefix of it that only one has.
	Candidate(ctx context.Context, prefix string) (*rung.Candidate, error)

	// PutBlob keeps content under its digest, which is checked. Kind says what it is, such as "train pool" or "index".
	PutBlob(ctx context.Context, kind string, digest rung.Digest, content []byte) error
	// Blob gives the content of that kind and digest.
	Blob(ctx context.Context, kind string, digest rung.Digest) ([]byte, error)

	// Freeze records which held-out set a task has. If the last record of the task and file is of another set, it is returned.
	Freeze(ctx context.Context, f Frozen) (previous *Frozen, err error)

	// PutRun keeps r, in place of what was kept under its ID.
	PutRun(ctx context.Context, r Run) error
	// Runs gives the newest runs first, limit of them at most; 0 is all.
	Runs(ctx context.Context, limit int) ([]Run, error)
	// Run finds a run by its ID, a prefix of it that only one has, or the word "latest".
	Run(ctx context.Context, id string) (Run, error)

	// PutScores keeps scores of a candidate on a set of examples; a score of the same example is replaced.
	PutScores(ctx context.Context, card Card, scores []rung.Score) error
	// Scores gives the scores of a candidate on a set in the order in which their examples were first put. It reads them
	// piece by piece; the loop may call the store.
	Scores(ctx context.Context, candidate, set rung.Digest) iter.Seq2[rung.Score, error]

	// PutModes keeps failure-mode labels. A label of the same answer, mode and speaker is replaced.
	PutModes(ctx context.Context, labels []rung.ModeLabel) error
	// Modes gives the failure-mode labels of a candidate on a set, oldest first; those of all candidates and sets where they are
	// empty.
	Modes(ctx context.Context, candidate, set rung.Digest) ([]rung.ModeLabel, error)

	// PutEvaluation keeps e, in place of what was kept under its ID.
	PutEvaluation(ctx context.Context, e Evaluation) error
	// Evaluations gives the newest evaluations first, limit of them at most; 0 is all.
	Evaluations(ctx context.Context, limit int) ([]Evaluation, error)
	// Evaluation finds an evaluation by its ID, a prefix of it that only one has, or the word "latest".
	Evaluation(ctx context.Context, id string) (Evaluation, error)

	// PutStep keeps a value that lets a step that was finished be skipped when the work is taken up again.
	PutStep(ctx context.Context, key string, value []byte) error
	// Step finds such a value; false when there is none.
	Step(ctx context.Context, key string) ([]byte, bool, error)

	Ratings

	// Erase takes what an erasure says out of everything that is kept, so that it is in no file of the store any more: completions,
	// candidates, blobs, labels and ratings that hold it go, scores keep their figures, documents and queues lose the texts. It may be
	// called again after it was interrupted. Vectors and token rows go all, since no text can be looked for in them.
	Erase(ctx context.Context, e Erasure) (Erased, error)

	Close() error
}

// Frozen is the record that a held-out set was fixed for a task.
type Frozen struct {
	Task   string // its name
	File   string // path of the task file
	Digest rung.Digest
	N      int
	At     time.Time
}

// Status is how far a run came.
type Status string

// The statuses of a run.
const (
	Running Status = "running"
	Done    Status = "done"
	Stopped Status = "stopped" // by the user, the budget or an error; it can be taken up again
)

// Run is one climb, as far as it came.
type Run struct {
	ID       string
	Task     string
	Status   Status
	Document json.RawMessage // rung.Document; may be empty while it runs
	Started  time.Time
	Ended    time.Time // zero while it runs
}

// Evaluation is one evaluation of a subject on a suite, outside a climb.
type Evaluation struct {
	ID       string
	Task     string
	Subject  rung.Digest
	Suite    rung.Digest
	Document json.RawMessage // rung.Evaluation
	Started  time.Time
}

// Card names the scores of one candidate on one set of examples.
type Card struct {
	Candidate rung.Digest
	Split     rung.Split
	Set       rung.Digest // of the held-out set, or of the dev examples used
}
