package rung

import "time"

// RolloutMode says how a rollout shares traffic.
type RolloutMode string

// The modes.
const (
	Canary RolloutMode = "canary" // a share of requests goes to the new release, judged, then promoted or rolled back
	AB     RolloutMode = "ab"     // as canary, but each sticky key stays on its arm
	Shadow RolloutMode = "shadow" // the new release answers too; its answer is compared and never returned
)

// RolloutState is where a rollout stands.
type RolloutState string

// The states. Only Active sends traffic.
const (
	Active     RolloutState = "active"
	Promoted   RolloutState = "promoted"
	RolledBack RolloutState = "rolled_back"
	Cancelled  RolloutState = "cancelled"
)

// Rollout moves the traffic of a task from one release to another.
type Rollout struct {
	ID       string        `json:"id"`
	Task     string        `json:"task"`
	Alias    string        `json:"alias"` // whose traffic is shared
	Mode     RolloutMode   `json:"mode"`
	Baseline string        `json:"baseline"` // version
	Target   string        `json:"target"`   // version
	Share    float64       `json:"share"`    // of the target, between 0 and 1
	Sticky   string        `json:"sticky,omitempty"`
	Rules    []RolloutRule `json:"rules"`
	Alpha    float64       `json:"alpha"` // chance of a wrong rollback or promotion over the whole rollout
	MinN     int           `json:"min_n"` // requests per arm before anything is judged
	MaxN     int           `json:"max_n"` // requests of the target after which an undecided rollout ends; 0: never
	Auto     bool          `json:"auto"`  // promote and roll back without a person
	State    RolloutState  `json:"state"`
	Revision int64         `json:"revision"` // for compare-and-swap
	By       string        `json:"by"`
	Why      string        `json:"why,omitempty"`
	Started  time.Time     `json:"started"`
	Ended    time.Time     `json:"ended,omitzero"`
}

// RolloutRule names a metric of traffic by which a rollout is judged.
type RolloutRule struct {
	Metric string `json:"metric"` // success, error, schema_valid, guard_blocked, latency_ms, cost_usd, feedback
	// Margin is how much worse the target may be, in the metric's unit: it is rolled back when it is worse by more than
	// Margin beyond doubt. Promotion needs every rule to show beyond doubt that it is not.
	Margin float64 `json:"margin"`
	Gain   float64 `json:"gain,omitempty"` // promotion also needs the target to be better by this much beyond doubt; 0: no such need
	// Bound is the most that one request counts, for metrics without a natural one (latency_ms, cost_usd): greater values count
	// as this. 0: fifty times Margin.
	Bound float64 `json:"bound,omitempty"`
}

// RolloutSpec is how rollouts of a task are judged unless their command says otherwise, as the task file has it.
type RolloutSpec struct {
	Mode   RolloutMode
	Share  float64
	Rules  []RolloutRule
	Alpha  float64
	MinN   int
	MaxN   int
	Manual bool // a person promotes and rolls back
}

// Moments are the sufficient statistics of a metric on one arm.
type Moments struct {
	N       int64   `json:"n"`
	Sum     float64 `json:"sum"`
	Squares float64 `json:"squares"` // sum of squares
}

// Add takes in one observation.
func (m *Moments) Add(x float64) { m.N, m.Sum, m.Squares = m.N+1, m.Sum+x, m.Squares+x*x }

// Merge takes in another gateway's observations.
func (m *Moments) Merge(o Moments) { m.N, m.Sum, m.Squares = m.N+o.N, m.Sum+o.Sum, m.Squares+o.Squares }
