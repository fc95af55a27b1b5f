package rung

import "time"

// Release is a candidate registered with its decision under a version that never changes. Its digest is that of its manifest
// in the registry, which names every part by its own digest.
type Release struct {
	Task      string      `json:"task"`
	Version   string      `json:"version"` // v1, v2 or a name of the user's own
	Digest    Digest      `json:"-"`       // of the OCI manifest that holds this; known once it is stored
	Candidate Candidate   `json:"candidate"`
	Parts     []Part      `json:"parts,omitempty"` // what the candidate refers to by digest: pool, index, adapter
	Base      BaseModel   `json:"base"`
	Heldout   HeldoutInfo `json:"heldout"`
	Outcomes  []Outcome   `json:"outcomes"` // of every rung of the climb, with their scorecards
	Decision  Decision    `json:"decision"`
	Bar       BarInfo     `json:"bar"`
	Run       string      `json:"run"`
	Guards    []GuardSpec `json:"guards,omitempty"`
	Licences  Licences    `json:"licences"`
	Data      []DataRef   `json:"data,omitempty"`           // the datasets that the climb's examples came from
	Terms     Terms       `json:"terms,omitzero"`           // of all data that it was made from: the strictest
	Review    []string    `json:"require_review,omitempty"` // aliases that may point at it only when its risk review is signed
	Parity    Parity      `json:"parity"`
	Commit    string      `json:"commit,omitempty"` // of the Git work tree that holds the task file; empty outside one
	Dirty     bool        `json:"dirty,omitempty"`  // the tree had changes, and the user said that it may
	Note      string      `json:"note,omitempty"`
	By        string      `json:"by"`
	At        time.Time   `json:"at"`
	Rung      string      `json:"rung_version"` // version of the program
}

// Name is how requests and people call the release: task@version.
func (r *Release) Name() string { return r.Task + "@" + r.Version }

// Part is a file of a release: "train pool", "index" or "adapter".
type Part struct {
	Kind   string `json:"kind"`
	Digest Digest `json:"digest"`
	Bytes  int64  `json:"bytes"`
}

// BaseModel identifies the model that a release calls.
type BaseModel struct {
	Model   ModelRef `json:"model"`
	Weights Digest   `json:"weights,omitempty"` // of a local model's file
	Licence string   `json:"licence,omitempty"` // SPDX identifier, empty when unknown
}

// Licences are what a release may be used under: of its data as the task says, and of its base model. SPDX identifiers.
type Licences struct {
	Data []string `json:"data,omitempty"`
	Base string   `json:"base,omitempty"`
}

// Parity says how the served answers compare with the evaluated ones on a sample of held-out inputs.
type Parity struct {
	N        int `json:"n"`        // inputs compared
	Requests int `json:"requests"` // whose rendered request was the evaluated one, byte for byte
	Answers  int `json:"answers"`  // of Compared, whose answer was the evaluated one, word for word
	Compared int `json:"compared"` // answers compared
}

// ReleaseLine is what lists show of a release.
type ReleaseLine struct {
	Task      string    `json:"task"`
	Version   string    `json:"version"`
	Digest    Digest    `json:"digest"` // of the manifest
	Candidate Digest    `json:"candidate"`
	Rung      Rung      `json:"rung"`
	Model     ModelRef  `json:"model"`
	Note      string    `json:"note,omitempty"`
	By        string    `json:"by"`
	At        time.Time `json:"at"`
	Review    []string  `json:"require_review,omitempty"` // as Release.Review
}

// Aliases that rung itself knows. Requests for a bare task name go to Production.
const (
	Production     = "production"
	CandidateAlias = "candidate"
)

// SegmentAlias is the alias that requests of a segment go to when it is set; else they go to alias itself.
func SegmentAlias(alias, segment string) string { return alias + "/" + segment }

// AliasMove is one change of an alias: who moved it where, and why. The newest move of an alias says where it points.
type AliasMove struct {
	Task    string    `json:"task"`
	Alias   string    `json:"alias"`
	Version string    `json:"version"`        // empty: the alias was removed
	From    string    `json:"from,omitempty"` // the version before
	By      string    `json:"by"`             // a person, or "rollout ID"
	Why     string    `json:"why,omitempty"`
	At      time.Time `json:"at"`
}
