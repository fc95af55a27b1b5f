package rung

import "time"

// DataRef names a dataset that something was made from, with the terms that came along with it.
type DataRef struct {
	Name   string `json:"name"`
	Digest Digest `json:"digest"`
	Terms  Terms  `json:"terms"`
}

// ReviewState says where a risk review stands.
type ReviewState string

// The states. A signed review that ran out is expired: nothing is written for that, its last day says so.
const (
	ReviewDraft   ReviewState = "draft"
	ReviewSigned  ReviewState = "signed"
	ReviewRefused ReviewState = "refused"
	ReviewExpired ReviewState = "expired"
)

// Review is the risk review of a release: what it is for, what is known of it, what can go wrong and what is done about it, signed or
// refused by people by name. Each change is a new revision; none is taken away.
type Review struct {
	Task     string          `json:"task"`
	Version  string          `json:"version"`
	Release  Digest          `json:"release"` // of the manifest: the review is of this release and no other
	Revision int             `json:"revision"`
	State    ReviewState     `json:"state"`
	Sections []ReviewSection `json:"sections"`
	Evidence []Evidence      `json:"evidence"`
	SignOffs []SignOff       `json:"sign_offs,omitempty"`
	Expires  string          `json:"expires,omitempty"` // the last day on which it holds, YYYY-MM-DD, UTC
	By       string          `json:"by"`                // who wrote this revision
	At       time.Time       `json:"at"`
}

// ReviewSection is one question of a review with its answer.
type ReviewSection struct {
	Key    string `json:"key"`
	Title  string `json:"title"`
	Ask    string `json:"ask"`             // what the reviewer must say
	Known  string `json:"known,omitempty"` // what rung knows of it, from the release and the store
	Answer string `json:"answer"`          // what a person says
}

// Evidence is an evaluation that a review rests on: the climb itself, or one of the release on a suite.
type Evidence struct {
	ID      string   `json:"id"` // of the evaluation, or "climb RUN"
	Suite   string   `json:"suite"`
	Metric  string   `json:"metric"`
	Value   Interval `json:"value"`
	Verdict Verdict  `json:"verdict,omitempty"`
	Digest  Digest   `json:"digest"` // of the evaluation's document as it was then
}

// SignOff is what one person said of a review. Signature is an ed25519 signature over the review without its sign-offs and over who said
// what when (see internal/registry), empty where the person has no key.
type SignOff struct {
	Name      string    `json:"name"`
	Role      string    `json:"role,omitempty"`
	Refused   bool      `json:"refused,omitempty"`
	Why       string    `json:"why,omitempty"`
	At        time.Time `json:"at"`
	Key       string    `json:"key,omitempty"` // fingerprint
	Public    []byte    `json:"public,omitempty"`
	Signature []byte    `json:"signature,omitempty"`
}

// StateOn is the state of a review on a day.
func (r *Review) StateOn(day time.Time) ReviewState {
	if r.State == ReviewSigned && r.Expires != "" && day.UTC().Format(time.DateOnly) > r.Expires {
		return ReviewExpired
	}
	return r.State
}
