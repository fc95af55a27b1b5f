package recipe

import (
	"context"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/model"
)

// Answer runs the candidate on one input: render, call, read, validate, and ask again with the validator's message as often
// as the candidate says. A call that fails or an answer that cannot be read is an Answer with a Problem. The error is for
// what must end the work: see model.Fatal.
func (r *Runner) Answer(ctx context.Context, input json.RawMessage) (rung.Answer, error) {
	return r.Sample(ctx, input, 0)
}

// Sample is Answer for one of several answers to the same input, numbered from 0.
func (r *Runner) Sample(ctx context.Context, input json.RawMessage, sample int) (rung.Answer, error) {
	return r.Serve(ctx, Turn{Input: input, Sample: sample})
}

func (r *Runner) request(input json.RawMessage, msgs []model.Message, sample int) (model.Request, error) {
	d := r.cand.Decoding
	req := model.Request{
		Model: r.cand.Model, Weights: r.cand.Weights, Messages: msgs,
		Temperature: d.Temperature, MaxTokens: d.MaxTokens, Seed: d.Seed, Sample: sample, Affinity: r.affinity,
	}
	if r.cand.Adapter != nil {
		req.Adapter = r.cand.Adapter.Digest
	}
	if d.Constrained {
		req.Choices = r.parts.Form.Choices()
		schema, err := r.parts.Form.Schema(input)
		if err != nil {
			return req, err
		}
		req.Schema = schema
	}
	return req, nil
}

// failed turns the end of a call into an answer that scores zero, or passes on what ends the work.
func failed(ans rung.Answer, err error) (rung.Answer, error) {
	if model.Fatal(err) {
		return ans, err
	}
	ans.Failed++
	ans.Detail = err.Error()
	ans.Problem = model.ProblemOf(err)
	ans.Unsupported = rung.CodeOf(err) == rung.CodeUnsupported
	return ans, nil
}

// count adds what a completion took.
func count(ans *rung.Answer, c *rung.Completion, cached bool) {
	if cached {
		ans.Cached++
	} else {
		ans.Made++
	}
	ans.Calls = append(ans.Calls, c.Key)
	ans.Retries += max(c.Attempts-1, 0)
	ans.Usage.In += c.Usage.In
	ans.Usage.Out += c.Usage.Out
	ans.Usage.CachedIn += c.Usage.CachedIn
	ans.CostUSD += c.CostUSD
	ans.Latency += c.Latency
}

// read takes the citations out of the text and reads the rest as an answer. What was cut off and only became an answer by
// repair is no answer: the missing part could be anything.
func (r *Runner) read(ans *rung.Answer, c *rung.Completion, input json.RawMessage) form.Read {
	ans.Text, ans.Finish = c.Text, c.Finish
	text := c.Text
	if r.cand.Retrieval != nil && r.cand.Retrieval.Cite {
		text, ans.Cited = cited(text, ans.Passages)
	}
	read := r.parts.Form.Parse(text, input)
	if c.Finish == "length" && r.parts.Form.JSON() && (read.Repaired || read.Problem != rung.NoProblem) {
		read = form.Read{Problem: rung.Truncated, Detail: "the answer was cut off at " + strconv.Itoa(r.cand.Decoding.MaxTokens) + " tokens"}
	}
	ans.Value, ans.Problem, ans.Detail, ans.Repaired = read.Value, read.Problem, read.Detail, read.Repaired
	return read
}

var citation = regexp.MustCompile(`\s*\[(\d{1,3})\]`)

// cited removes marks such as [2] and gives the ids of the passages that they name, each once.
func cited(text string, passages []rung.Passage) (string, []string) {
	var ids []string
	seen := make(map[int]bool)
	for _, m := range citation.FindAllStringSubmatch(text, -1) {
		n, _ := strconv.Atoi(m[1])
		if n >= 1 && n <= len(passages) && !seen[n] {
			seen[n] = true
			ids = append(ids, passages[n-1].ID)
		}
	}
	return strings.TrimSpace(citation.ReplaceAllString(text, "")), ids
}

func askAgain(read form.Read) string {
	return "That answer cannot be used: " + clip(read.Detail, 500) + ". Answer again, in the form that was asked for and with nothing else."
}

// clip keeps at most n bytes of s, cut at a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
