package judge

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// verdict is one reply of a judge.
type verdict struct {
	score  int     // 1 to 5, of a rubric
	first  float64 // 1, ½ or 0: what the answer shown first won, of a pair
	reason string
	failed string // why there is none
}

// asks is how often a reply without a verdict is asked for again.
const asks = 2

// ask makes one request, and a second where the reply holds no verdict. What it cost is added to out. The error ends the work.
func (j *Judge) ask(ctx context.Context, text string, out *rung.OutsideValue) (verdict, error) {
	req := model.Request{Model: j.spec.Model, Weights: j.weights, MaxTokens: j.spec.MaxTokens, Seed: 1,
		Affinity: "judge " + j.metric,
		Messages: []model.Message{{Role: "system", Content: j.prompt.system}, {Role: "user", Content: text}}}
	if j.can.Schema {
		req.Schema = verdictSchema(j.spec.Pairwise, j.spec.Model.Local())
	}
	var v verdict
	for range asks {
		c, err := j.complete(ctx, &req, out)
		if err != nil {
			if model.Fatal(err) {
				return v, err
			}
			return verdict{failed: clip("the judge did not answer: "+err.Error(), longestFault)}, nil
		}
		if v = readVerdict(c.Text, j.spec.Pairwise); v.failed == "" {
			return v, nil
		}
		if c.Finish == "length" {
			v.failed += fmt.Sprintf(" (cut off at %d tokens)", j.spec.MaxTokens)
		}
		req.Messages = append(req.Messages[:len(req.Messages):len(req.Messages)],
			model.Message{Role: "assistant", Content: clip(c.Text, longestNote)},
			model.Message{Role: "user", Content: "That holds no verdict. " + j.prompt.ask})
	}
	return v, nil
}

// longestFault bounds a reason for a missing verdict, in bytes.
const longestFault = 300

// complete makes one call. A server that cannot hold answers to a schema is asked without one.
func (j *Judge) complete(ctx context.Context, req *model.Request, out *rung.OutsideValue) (rung.Completion, error) {
	c, _, err := j.door.Complete(ctx, *req)
	if err != nil && rung.CodeOf(err) == rung.CodeUnsupported && req.Schema != nil {
		req.Schema = nil
		c, _, err = j.door.Complete(ctx, *req)
	}
	if err != nil {
		return c, err
	}
	out.Calls = append(out.Calls, c.Key)
	out.CostUSD += c.CostUSD
	return c, nil
}

var (
	object    = regexp.MustCompile(`(?s)\{.*\}`)
	bareScore = regexp.MustCompile(`(?i)\bscore\b\W{0,12}([1-5])(?:\s*/\s*5)?(?:[^0-9./]|\.(?:\D|$)|$)`)
	bareFirst = regexp.MustCompile(`(?i)\bbetter\b\W{0,12}(1|2|tie)\b`)
)

// readVerdict finds the verdict in a reply: JSON, also with words around it, else "score: 4" and "better: 2". Several different ones
// are none: which was meant is not guessed.
func readVerdict(text string, pairwise bool) verdict {
	var v verdict
	if raw := object.FindString(text); raw != "" {
		var reply struct {
			Reason string          `json:"reason"`
			Score  json.RawMessage `json:"score"`
			Better json.RawMessage `json:"better"`
		}
		if json.Unmarshal([]byte(raw), &reply) == nil {
			v.reason = strings.Join(strings.Fields(reply.Reason), " ")
			if v.take(Plain(reply.Score), Plain(reply.Better), pairwise) {
				return v
			}
		}
	}
	found := map[string]bool{}
	pattern := bareScore
	if pairwise {
		pattern = bareFirst
	}
	said := ""
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		said = strings.ToLower(m[1])
		found[said] = true
	}
	if len(found) == 1 && v.take(said, said, pairwise) {
		return v
	}
	v.failed = "the judge gave no verdict"
	return v
}

// take reads a score or a preference; false where it is none.
func (v *verdict) take(score, better string, pairwise bool) bool {
	if pairwise {
		won, ok := map[string]float64{"1": 1, "2": 0, "tie": .5}[strings.ToLower(strings.TrimSpace(better))]
		v.first = won
		return ok
	}
	switch s := strings.TrimSuffix(strings.TrimSpace(score), ".0"); s {
	case "1", "2", "3", "4", "5":
		v.score = int(s[0] - '0')
		return true
	}
	return false
}
