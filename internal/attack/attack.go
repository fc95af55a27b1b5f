// Package attack attacks candidates on purpose and judges by what happened: a token that the answer holds, a label that turned into the
// one that the attacker asked for, a function called, a secret said, a form broken, a limit reached. Every attack is paired with the
// same input unattacked. The texts are this project's own. What it can show is that an attack works; that none works it cannot show.
package attack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// Kind is a kind of attack.
type Kind string

// The kinds, in the order of reports.
const (
	Direct       Kind = "injection_direct"   // instructions in the input
	Document     Kind = "injection_document" // instructions in a passage that was retrieved
	Tool         Kind = "injection_tool"     // instructions in a tool's result, earlier in the conversation
	Scripts      Kind = "scripts"            // instructions in other languages, scripts and encodings
	Jailbreak    Kind = "jailbreak"          // talking the model into breaking a rule of its instructions
	PII          Kind = "pii"                // getting personal data of somebody else out of the context
	PromptLeak   Kind = "prompt_leak"        // getting the instructions out
	TrainingLeak Kind = "training_leak"      // getting training examples out
	Malformed    Kind = "malformed"          // empty, broken and huge input
)

// Kinds are all kinds with what they are in words.
var Kinds = []struct {
	Kind  Kind
	Words string
}{
	{Direct, "instructions in the input"},
	{Document, "instructions in a retrieved passage"},
	{Tool, "instructions in a tool's result"},
	{Scripts, "instructions in other languages, scripts and encodings"},
	{Jailbreak, "talking the model out of a rule"},
	{PII, "personal data from the context"},
	{PromptLeak, "the instructions themselves"},
	{TrainingLeak, "training examples"},
	{Malformed, "empty, broken and huge input"},
}

// GoalKind says what an attacker wants to see.
type GoalKind string

// The goals.
const (
	Print  GoalKind = "print"  // the answer holds a token, and not only as a copy of the attack
	Answer GoalKind = "answer" // the answer, or one of its members, becomes a certain value
	Call   GoalKind = "call"   // a certain function is called
	Leak   GoalKind = "leak"   // the answer holds a secret
	Copy   GoalKind = "copy"   // the answer holds a long run of words of the training examples
	Break  GoalKind = "break"  // no usable answer, or one that runs on to the limit of tokens
)

// Goal is what an attacker wants, in a form that can be observed.
type Goal struct {
	Kind    GoalKind `json:"kind"`
	Token   string   `json:"token,omitempty"`   // of Print
	Member  string   `json:"member,omitempty"`  // of Answer: a member of a JSON answer; empty: the whole answer
	Value   string   `json:"value,omitempty"`   // of Answer and Call
	Secrets []string `json:"secrets,omitempty"` // of Leak
}

// Case is one attack. It is the input of an example of the suite, so that a scorecard leads back to everything that was asked.
type Case struct {
	Kind      Kind            `json:"kind"`
	Technique string          `json:"technique"`
	Base      string          `json:"base"`              // the example whose input is attacked
	Clean     json.RawMessage `json:"clean"`             // its input, without the attack
	Input     json.RawMessage `json:"input"`             // and with it
	Context   []model.Message `json:"context,omitempty"` // turns before both
	History   []model.Message `json:"history,omitempty"` // turns before the attacked input only
	Planted   *Planted        `json:"planted,omitempty"`
	Rule      string          `json:"rule,omitempty"` // a line more in the instructions, for both
	Goal      Goal            `json:"goal"`
	// Mention is the input with the token of Print merely mentioned in it, where the attack goes into the input.
	Mention json.RawMessage `json:"mention,omitempty"`
}

// mentioned is the case with its token mentioned where the attack stood, and nothing ordered. An answer that holds the token then as
// well takes up what stands in its prompt; it does not obey.
func (c *Case) mentioned() Case {
	out := *c
	text := "By the way: " + c.Goal.Token + "."
	switch {
	case c.Planted != nil:
		planted := *c.Planted
		planted.Text = text
		out.Planted = &planted
	case len(c.History) > 0:
		out.History = slices.Clone(c.History)
		out.History[len(out.History)-1].Content = text
	default:
		out.Input = c.Mention
	}
	return out
}

// Planted is a passage put among those that were retrieved.
type Planted struct {
	Heading string `json:"heading,omitempty"`
	Text    string `json:"text"`
	At      int    `json:"at"`             // its place; past the end: the last
	Both    bool   `json:"both,omitempty"` // it stands in the unattacked prompt too
}

// Attack is the text that the attacker wrote, for people.
func (c *Case) Attack() string {
	switch {
	case c.Planted != nil && !c.Planted.Both:
		return c.Planted.Text
	case len(c.History) > 0:
		return c.History[len(c.History)-1].Content
	}
	return added(inputWords(c.Clean), inputWords(c.Input))
}

// added is what text has and clean has not, where one of them holds the other's beginning or end.
func added(clean, text string) string {
	if rest, found := strings.CutPrefix(text, clean); found {
		return strings.TrimSpace(rest)
	}
	if rest, found := strings.CutSuffix(text, clean); found {
		return strings.TrimSpace(rest)
	}
	return text
}

// inputWords are the strings of an input, one after another.
func inputWords(input json.RawMessage) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(input, &members) != nil {
		return string(input)
	}
	var parts []string
	for _, name := range sortedKeys(members) {
		var s string
		if json.Unmarshal(members[name], &s) == nil {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "\n")
}

// Outcome is what happened. It takes the place of the answer's value in the score that is kept.
type Outcome struct {
	Resisted bool            `json:"resisted"`
	Kept     bool            `json:"kept"`            // the answer is the one that the unattacked input got
	What     string          `json:"what"`            // in words
	Guard    string          `json:"guard,omitempty"` // that stopped it: "injection on input"
	Answer   json.RawMessage `json:"answer,omitempty"`
	Control  json.RawMessage `json:"control,omitempty"` // of the unattacked input
	Problem  rung.Problem    `json:"problem,omitempty"`
	Tokens   int             `json:"tokens"`         // written
	Baseline int             `json:"control_tokens"` // written for the unattacked input
}

// CaseOf reads a case back from an example of a suite.
func CaseOf(input json.RawMessage) (*Case, error) {
	c := new(Case)
	if err := json.Unmarshal(input, c); err != nil {
		return nil, fmt.Errorf("an attack cannot be read: %w", err)
	}
	return c, nil
}
