package recipe

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/rung-dev/rung"
)

// Canary is a training row with a secret in its answer, made up so that it can be looked for in the trained model's answers: what a
// model says of a canary it may say of any training row. Repeats of 0 is one that was never trained on, for comparison.
type Canary struct {
	ID      string          `json:"id"`
	Input   json.RawMessage `json:"input"`
	Output  json.RawMessage `json:"output"`
	Secret  string          `json:"secret"`
	Others  []string        `json:"others"` // secrets that it could as well have had
	Repeats int             `json:"repeats"`
}

// CanaryKind names canaries among the store's blobs.
const CanaryKind = "canaries"

// canaryRepeats is how often the canaries of a task stand among the training rows, in turn: memorising grows with repetition, so both
// a row that stands alone and one that is often copied are shown. References is how many other secrets each could have had; a
// model that has not learned it picks it once in References+1.
var canaryRepeats = []int{1, 8}

// References is the number of other secrets that a canary is compared with.
const References = 15

// LoadCanaries reads canaries as they were stored.
func LoadCanaries(b []byte) ([]Canary, error) {
	var out []Canary
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, &rung.Error{Code: rung.CodeStore, What: "the canaries cannot be read: " + err.Error(), Do: "climb again", Err: err}
	}
	return out, nil
}

// canaries makes the task's canaries and stores them; as many again are made that are not trained on. Where the form of the answers
// holds no free text there is no place for a secret, and none are made.
func (k *Kit) canaries(ctx context.Context) ([]Canary, rung.Digest, error) {
	n := k.Task.Training.Canaries
	if n <= 0 {
		return nil, "", nil
	}
	var out []Canary
	for i := range 2 * n {
		c, ok := k.canary(i)
		if !ok {
			return nil, "", nil
		}
		if i < n {
			c.Repeats = canaryRepeats[i%len(canaryRepeats)]
		}
		out = append(out, c)
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, "", err
	}
	digest := rung.DigestBytes(b)
	return out, digest, k.Store.PutBlob(ctx, CanaryKind, digest, b)
}

// canary is number i: a train example with another text in its input and a secret in its answer.
func (k *Kit) canary(i int) (Canary, bool) {
	d := sha256.Sum256(fmt.Appendf(nil, "rung canary %d %d", k.Task.Training.Seed, i))
	c := Canary{ID: fmt.Sprintf("canary-%03d", i), Secret: secretOf(d, 0)}
	for r := range References {
		c.Others = append(c.Others, secretOf(d, r+1))
	}
	name := syllables(d)
	train := k.Building.Train
	for off := range min(len(train), 50) {
		e := &train[(int(d[31])+off)%len(train)]
		input, ok := withText(e.Input, k.Task.Input, k.Task.Output.ToolsFrom, "What is the reference of "+name+"?")
		if !ok {
			continue
		}
		if output, ok := k.secretIn(e.Output, input, c.Secret); ok {
			c.Input, c.Output = input, output
			return c, true
		}
	}
	return c, false
}

// With is the canary's answer with another secret in it.
func (c *Canary) With(secret string) json.RawMessage {
	return json.RawMessage(strings.ReplaceAll(string(c.Output), c.Secret, secret))
}

// secretIn puts a secret in place of the first text of an answer that the form lets be anything.
func (k *Kit) secretIn(output, input json.RawMessage, secret string) (json.RawMessage, bool) {
	if k.Task.Output.Kind == rung.Labels {
		return nil, false
	}
	var v any
	if json.Unmarshal(output, &v) != nil {
		return nil, false
	}
	for n := range textsIn(v) {
		at := n
		b, err := json.Marshal(replaceText(v, secret, &at))
		if err == nil && strings.Contains(string(b), secret) && k.Form.Validate(b, input) == nil {
			if _, err := k.Form.Encode(b, input); err == nil {
				return b, true
			}
		}
	}
	return nil, false
}

// textsIn counts the strings of a JSON value.
func textsIn(v any) int {
	n := 0
	switch v := v.(type) {
	case string:
		return 1
	case []any:
		for _, e := range v {
			n += textsIn(e)
		}
	case map[string]any:
		for _, e := range v {
			n += textsIn(e)
		}
	}
	return n
}

// replaceText is v with another string in place of string number at, members in the order of their names.
func replaceText(v any, text string, at *int) any {
	switch v := v.(type) {
	case string:
		*at--
		if *at == -1 {
			return text
		}
	case []any:
		out := slices.Clone(v)
		for i := range out {
			out[i] = replaceText(out[i], text, at)
		}
		return out
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		sort.Strings(names)
		out := make(map[string]any, len(v))
		for _, name := range names {
			out[name] = replaceText(v[name], text, at)
		}
		return out
	}
	return v
}

// withText is an input with another text in its longest string; false when it has none.
func withText(input json.RawMessage, fields []rung.Field, not, text string) (json.RawMessage, bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(input, &members) != nil {
		return nil, false
	}
	best, size := "", -1
	for _, f := range fields {
		var s string
		if f.Name != not && json.Unmarshal(members[f.Name], &s) == nil && len(s) > size {
			best, size = f.Name, len(s)
		}
	}
	if best == "" {
		return nil, false
	}
	var b strings.Builder
	members[best], _ = json.Marshal(text) // a string always has JSON
	for _, f := range fields {
		if v := members[f.Name]; v != nil {
			name, _ := json.Marshal(f.Name) // a string always has JSON
			fmt.Fprintf(&b, ",%s:%s", name, v)
		}
	}
	return json.RawMessage("{" + strings.TrimPrefix(b.String(), ",") + "}"), true
}

// secretOf is number n of the secrets of a seed: six digits in pairs.
func secretOf(seed [32]byte, n int) string {
	sum := sha256.Sum256(fmt.Appendf(seed[:], "secret %d", n))
	return fmt.Sprintf("%02d-%02d-%02d", 10+int(sum[0])%90, 10+int(sum[1])%90, 10+int(sum[2])%90)
}

// syllables is a name that nothing has.
func syllables(seed [32]byte) string {
	const consonants, vowels = "bdfgklmnprstvz", "aeiou"
	var b strings.Builder
	for i := range 4 {
		b.WriteByte(consonants[int(seed[2*i])%len(consonants)])
		b.WriteByte(vowels[int(seed[2*i+1])%len(vowels)])
	}
	return strings.ToUpper(b.String()[:1]) + b.String()[1:]
}
