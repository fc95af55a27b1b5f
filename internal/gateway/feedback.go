package gateway

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/tidwall/gjson"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rollout"
)

const (
	maxFeedback = 256 << 10
	maxComment  = 8 << 10
	storeLimit  = 15 * time.Second
)

// feedback keeps what somebody said about an answer. It is in the store, durably, before the caller hears 200.
func (g *Gateway) feedback(w http.ResponseWriter, r *http.Request) {
	c := &call{g: g, w: w, control: http.NewResponseController(w), r: r, ctx: r.Context(), cfg: g.config.Load(), state: g.state.Load(), start: time.Now(), api: chatAPI, trace: &rung.Trace{}}
	defer c.forget()
	id, err := c.takeFeedback()
	if err != nil {
		f := failureOf(err, false)
		writeFailure(w, false, &f, "")
		return
	}
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(append(appendString([]byte(`{"id":`), id), "}\n"...)) // it is kept, whether the caller hears of it or not
}

func (c *call) takeFeedback() (id string, err error) {
	if c.r.Method != http.MethodPost {
		return "", &known{status: http.StatusMethodNotAllowed, err: bad("use POST")}
	}
	if err := c.authorise(ScopeFeedback); err != nil {
		return "", err
	}
	if err := c.account.admitRequest(c.start); err != nil {
		return "", err
	}
	cfg := *c.cfg
	cfg.Limits.Body = min(cfg.Limits.Body, maxFeedback)
	c.cfg = &cfg
	if err := c.read(); err != nil {
		return "", err
	}
	f, err := readFeedback(c.body)
	if err != nil {
		return "", err
	}
	if err := c.g.corrects(c.ctx, &f); err != nil {
		return "", err
	}
	f.ID, f.At, f.By = newTraceID(), time.Now().UTC(), c.trace.Key
	ctx, cancel := context.WithTimeout(c.ctx, storeLimit)
	defer cancel()
	keep := c.g.opt.Store.PutFeedback
	if r := c.g.opt.Recorder; r != nil {
		keep = func(ctx context.Context, f rung.Feedback) error { return r.Feedback(ctx, "", f) }
	}
	if err := keep(ctx, f); err != nil {
		return "", err
	}
	c.g.learnFeedback(ctx, &f)
	return f.ID, nil
}

// readFeedback reads {"trace_id", "thumb": 1, -1, "up" or "down", "score": 0 to 1, "correction": any JSON, "comment"}.
func readFeedback(body []byte) (rung.Feedback, error) {
	v := gjson.ParseBytes(body)
	f := rung.Feedback{Trace: v.Get("trace_id").String(), Comment: v.Get("comment").String()}
	if b, err := hex.DecodeString(f.Trace); err != nil || len(b) != 16 {
		return f, bad("trace_id is to be the 32 hex digits of x-rung-trace")
	}
	switch t := v.Get("thumb"); {
	case !t.Exists():
	case t.Raw == "1", t.Str == "up":
		f.Thumb = 1
	case t.Raw == "-1", t.Str == "down":
		f.Thumb = -1
	default:
		return f, bad(`thumb is to be 1 or "up", -1 or "down"`)
	}
	if s := v.Get("score"); s.Exists() {
		score := s.Float()
		if s.Type != gjson.Number || score < 0 || score > 1 {
			return f, bad("score is to be a number between 0 and 1")
		}
		f.Score = &score
	}
	if x := v.Get("correction"); x.Exists() && x.Type != gjson.Null {
		f.Correction = []byte(x.Raw)
	}
	if len(f.Comment) > maxComment {
		return f, bad("comment is longer than %d bytes", maxComment)
	}
	if f.Thumb == 0 && f.Score == nil && f.Correction == nil && f.Comment == "" {
		return f, bad("the feedback says nothing: give thumb, score, correction or comment")
	}
	return f, nil
}

// learnFeedback counts feedback in the rollout of its trace: the first that judges, once. One caller must not decide a rollout by
// saying the same thing again, and a client that repeats a request says it again.
func (g *Gateway) learnFeedback(ctx context.Context, f *rung.Feedback) {
	if g.opt.Router == nil || !judges(f) {
		return
	}
	value := float64(f.Thumb+1) / 2
	if f.Score != nil {
		value = *f.Score
	}
	to, ok := g.armOf(f.Trace)
	if !ok {
		t, err := g.opt.Store.Trace(ctx, f.Trace)
		if err != nil || t.Rollout == "" {
			return // the feedback is kept all the same
		}
		to.Rollout, to.Arm = t.Rollout, t.Arm
	}
	if g.firstOf(ctx, f) { // asked last: most traces are in no rollout
		g.opt.Router.Observe(to.Rollout, to.Arm, map[string]float64{rollout.Feedback: value})
	}
}

// corrects refuses a correction that no answer of the task could be: as an example it would be wrong. Where the trace is not there
// yet, or its release is not loaded here, nobody can tell, and whoever reads the proposals sees it.
func (g *Gateway) corrects(ctx context.Context, f *rung.Feedback) error {
	if f.Correction == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	t, err := g.opt.Store.Trace(ctx, f.Trace)
	if err != nil || t.Task == "" {
		return nil
	}
	rel := g.releases.loaded(t.Task + "@" + t.Version)
	if rel == nil {
		return nil
	}
	if err := rel.Form.Validate(f.Correction, t.Input); err != nil {
		return bad("the correction is no answer of %s: %s", t.Task, err)
	}
	return nil
}

func judges(f *rung.Feedback) bool { return f.Thumb != 0 || f.Score != nil }

// firstOf reports whether f, which is in the store, is the first that judges its trace.
func (g *Gateway) firstOf(ctx context.Context, f *rung.Feedback) bool {
	all, err := g.opt.Store.Feedback(ctx, f.Trace)
	if err != nil {
		return false // it is kept all the same
	}
	for i := range all {
		if judges(&all[i]) {
			return all[i].ID == f.ID
		}
	}
	return false
}
