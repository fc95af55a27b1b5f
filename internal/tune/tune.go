// Package tune trains LoRA adapters: it takes rows of token ids, starts the Python training worker, follows it, and hands
// back adapters as GGUF files that the local engine applies per request.
//
// The worker is a child that a crash of rung cannot orphan. Its state is on disk, in the job's directory; a second Train of
// the same job continues there, and a job that has ended is not trained again.
package tune

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// workerVersion is part of a job's digest: raise it when the worker trains differently for the same job.
const workerVersion = 1

// DefaultWall is the time for search and training when a job names none.
const DefaultWall = 20 * time.Minute

// Row is one training row, as the token ids that serving will see. Completion ends with the token that ends a turn; the loss
// is on Completion only.
type Row struct {
	Prompt     []int `json:"prompt"`
	Completion []int `json:"completion"`
}

// Len is the row's length in tokens.
func (r Row) Len() int { return len(r.Prompt) + len(r.Completion) }

// Job is one adapter to be trained: the data, the configurations to try, and the time.
type Job struct {
	Base       string      // the base model: a GGUF file or a Hugging Face folder
	BaseDigest rung.Digest // names the model that the adapter is for; a part of the job's digest
	Train, Dev []Row
	Grid       []rung.AdapterParams // configurations to try; empty: DefaultGrid for the model's size
	MaxRank    int                  // upper limit for the ranks of the default grid; 0: none
	Wall       time.Duration        // for search and training together; 0: DefaultWall
	Seed       int
	Dir        string // checkpoints, adapters, log; a second Train of the same job continues there
}

// Digest names the job: everything that shapes its result, so not the directory. Without a BaseDigest the path of the
// base stands for it.
func (j Job) Digest() rung.Digest {
	base := string(j.BaseDigest)
	if base == "" {
		base = j.Base
	}
	return rung.DigestOf(struct {
		Version    int
		Base       string
		Train, Dev []Row
		Grid       []rung.AdapterParams
		MaxRank    int
		Wall       time.Duration
		Seed       int
	}{workerVersion, base, j.Train, j.Dev, j.Grid, j.MaxRank, j.wall(), j.Seed})
}

func (j Job) wall() time.Duration { return cmp.Or(j.Wall, DefaultWall) }

// Phase says what the worker is doing.
type Phase string

// The phases, in their order.
const (
	Installing Phase = "install" // the Python environment
	Loading    Phase = "load"    // Python and the base model
	Checking   Phase = "check"   // the fast path against PEFT
	Measuring  Phase = "measure" // the first steps, for their speed
	Searching  Phase = "search"  // short runs of the configurations
	Training   Phase = "train"   // the final run
	Noting     Phase = "note"    // Message holds something a reader of the report must know
)

// Event is progress. Loss and DevLoss are in nats per completion token, nil when the event has none.
type Event struct {
	Phase       Phase
	Config      int // 1, 2, … of Configs
	Configs     int
	Label       string // of the configuration: "lr 0.002, r=16, all linear, batch 4"
	Step, Steps int
	Loss        *float64
	DevLoss     *float64
	TokensPerS  float64
	ETA         time.Duration // to the end of this phase of this configuration
	Message     string
}

// String is one line for a person.
func (e Event) String() string {
	switch e.Phase {
	case Installing:
		return "installing the training worker: " + e.Message
	case Loading:
		return "loading the base model"
	case Checking:
		return "checking the fast path against PEFT"
	case Noting:
		return e.Message
	case Measuring:
		return "measuring the training speed"
	}
	what := "training " + e.Label
	if e.Phase == Searching {
		what = fmt.Sprintf("trying settings %d of %d: %s", e.Config, e.Configs, e.Label)
	}
	if e.DevLoss != nil {
		return fmt.Sprintf("%s: dev loss %.3f", what, *e.DevLoss)
	}
	return what
}

// Trial is one configuration of the grid and how far its short run came.
type Trial struct {
	Params   rung.AdapterParams `json:"params"`
	Label    string             `json:"label"`
	DevLoss  float64            `json:"dev_loss"` // 0 when it was not scored: Diverged, or Examples is 0
	Examples int                `json:"examples"` // seen when DevLoss was measured
	Diverged bool               `json:"diverged,omitempty"`
	Seconds  float64            `json:"seconds"`
	Chosen   bool               `json:"chosen"`
}

// CurvePoint is the dev loss after so many training examples.
type CurvePoint struct {
	Examples int     `json:"examples"`
	DevLoss  float64 `json:"dev_loss"`
}

// Checkpoint is an adapter as it was at one point of the final run.
type Checkpoint struct {
	Adapter  string      `json:"adapter"` // path of the GGUF file
	Digest   rung.Digest `json:"digest"`  // of the file's bytes
	Examples int         `json:"examples"`
	DevLoss  float64     `json:"dev_loss"`
}

// Trained is what a job came to.
type Trained struct {
	Adapter         string             `json:"adapter"`  // path of the best adapter's GGUF file
	PEFTDir         string             `json:"peft_dir"` // the same adapter as PEFT saves it
	Digest          rung.Digest        `json:"digest"`   // of the GGUF file's bytes
	Params          rung.AdapterParams `json:"params"`
	DevLoss         float64            `json:"dev_loss"`   // nats per completion token, of the best adapter
	TrainLoss       float64            `json:"train_loss"` // mean over the steps since the evaluation before
	ExamplesSeen    int                `json:"examples_seen"`
	TokensPerSecond float64            `json:"tokens_per_second"` // over all steps: prompt and completion tokens
	Seconds         float64            `json:"seconds"`
	PeakRSS         int64              `json:"peak_rss"` // bytes
	Path            string             `json:"path"`     // packed or plain
	Notes           []string           `json:"notes,omitempty"`
	Trials          []Trial            `json:"trials"`
	Curve           []CurvePoint       `json:"curve"`
	Checkpoints     []Checkpoint       `json:"checkpoints"`
}

// candidateLimit is how many checkpoints are worth the price of answering dev with them.
const candidateLimit = 2

// Candidates are the checkpoints worth trying on dev by the bar's metric, lowest dev loss first: the metric and the loss
// need not agree on the best one.
func (t Trained) Candidates() []Checkpoint {
	sorted := slices.SortedStableFunc(slices.Values(t.Checkpoints), func(a, b Checkpoint) int {
		return cmp.Compare(a.DevLoss, b.DevLoss)
	})
	return sorted[:min(len(sorted), candidateLimit)]
}

// describe is a configuration in a few words, as the worker writes it.
func describe(p rung.AdapterParams) string {
	targets := make([]string, len(p.Targets))
	for i, t := range p.Targets {
		targets[i] = strings.TrimSuffix(t, "_proj")
	}
	what := strings.Join(targets, ", ")
	if len(targets) >= len(AllLinear) {
		what = "all linear"
	}
	return fmt.Sprintf("lr %g, r=%d, %s, batch %d", p.LearningRate, p.Rank, what, p.BatchSize)
}

// wire is the job file that the worker reads.
type wire struct {
	V       int                  `json:"v"`
	Digest  rung.Digest          `json:"digest"`
	Base    string               `json:"base"`
	Train   []Row                `json:"train"`
	Dev     []Row                `json:"dev"`
	Grid    []rung.AdapterParams `json:"grid"`
	WallS   float64              `json:"wall_s"`
	Seed    int                  `json:"seed"`
	Dir     string               `json:"dir"`
	Options wireOptions          `json:"options"`
}

type wireOptions struct {
	Path         string  `json:"path"`
	Dtype        string  `json:"dtype"`
	CheckpointS  float64 `json:"checkpoint_s"`
	MaxPositions int     `json:"max_positions"`
	Threads      int     `json:"threads"`
	DieWithStdin bool    `json:"die_with_stdin"`
}

// line is one line of the worker's standard output.
type line struct {
	V          int             `json:"v"`
	Type       string          `json:"type"`
	Phase      Phase           `json:"phase"`
	Config     int             `json:"config"`
	Configs    int             `json:"configs"`
	Label      string          `json:"label"`
	Step       int             `json:"step"`
	Steps      int             `json:"steps"`
	Loss       *float64        `json:"loss"`
	DevLoss    *float64        `json:"dev_loss"`
	TokensPerS float64         `json:"tokens_per_s"`
	ETAS       float64         `json:"eta_s"`
	Message    string          `json:"message"`
	Result     json.RawMessage `json:"result"`
	Code       rung.Code       `json:"code"`
	What       string          `json:"what"`
	Do         string          `json:"do"`
	Place      string          `json:"place"`
}
