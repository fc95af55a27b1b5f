package blocks

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/rung-dev/rung"
)

// appendTrace appends t's JSON as encoding/json would read it back. It is written by hand because a trace is written for every
// request: encoding/json takes several times as long. A test fills every field of rung.Trace and holds the two together.
func appendTrace(b []byte, t *rung.Trace) []byte {
	o := object{b: append(b, '{')}
	o.str("id", t.ID)
	o.opt("parent", t.Parent)
	o.opt("parent_span", t.ParentSpan)
	o.time("at", t.At)
	o.str("gateway", t.Gateway)
	o.str("api", t.API)
	o.opt("task", t.Task)
	o.opt("version", t.Version)
	o.str("model", t.Model)
	o.opt("upstream", string(t.Upstream))
	o.opt("rollout", t.Rollout)
	o.opt("arm", t.Arm)
	o.num("fallback", int64(t.Fallback))
	o.opt("key", t.Key)
	o.opt("segment", t.Segment)
	o.flag("stream", t.Stream)
	o.num("status", int64(t.Status))
	o.opt("code", string(t.Code))
	o.opt("problem", string(t.Problem))
	o.opt("error", t.Error)
	o.usage(t.Usage)
	o.float("cost_usd", t.CostUSD)
	o.num("latency_ns", int64(t.Latency))
	o.num("first_token_ns", int64(t.First))
	o.num("retries", int64(t.Retries))
	o.flag("repaired", t.Repaired)
	o.flag("cached", t.Cached)
	o.guards(t.Guards)
	o.spans(t.Spans)
	o.strs("passages", t.Passages)
	o.strs("cited", t.Cited)
	o.raw("input", t.Input)
	o.raw("output", t.Output)
	return append(o.b, '}')
}

// object appends the members of a JSON object. Members that are zero are left out: reading gives zero for them.
type object struct{ b []byte }

// name appends a member's name, which needs no escaping.
func (o *object) name(name string) {
	if last := o.b[len(o.b)-1]; last != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), name...), '"', ':')
}

func (o *object) str(name, s string) {
	o.name(name)
	o.b = appendString(o.b, s)
}

func (o *object) opt(name, s string) {
	if s != "" {
		o.str(name, s)
	}
}

func (o *object) num(name string, n int64) {
	if n != 0 {
		o.name(name)
		o.b = strconv.AppendInt(o.b, n, 10)
	}
}

func (o *object) flag(name string, on bool) {
	if on {
		o.name(name)
		o.b = append(o.b, "true"...)
	}
}

// float leaves out what JSON cannot say; only a defect makes a cost of NaN, and it must not take the trace with it.
func (o *object) float(name string, f float64) {
	if f != 0 && !math.IsNaN(f) && !math.IsInf(f, 0) {
		o.name(name)
		o.b = strconv.AppendFloat(o.b, f, 'g', -1, 64)
	}
}

// time is in UTC; a year that RFC 3339 does not have is a defect and becomes the zero time.
func (o *object) time(name string, t time.Time) {
	if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
		t = time.Time{}
	}
	o.name(name)
	o.b = append(t.AppendFormat(append(o.b, '"'), time.RFC3339Nano), '"')
}

func (o *object) strs(name string, list []string) {
	if len(list) == 0 {
		return
	}
	o.name(name)
	for i, s := range list {
		o.b = appendString(append(o.b, opener(i)), s)
	}
	o.b = append(o.b, ']')
}

// raw keeps what is no JSON as a string: one bad value must not make a block unreadable.
func (o *object) raw(name string, v json.RawMessage) {
	if len(v) == 0 {
		return
	}
	o.name(name)
	if json.Valid(v) {
		o.b = append(o.b, v...)
		return
	}
	o.b = appendString(o.b, string(v))
}

func (o *object) usage(u rung.Usage) {
	o.name("usage")
	in := object{b: append(o.b, '{')}
	in.num("in", int64(u.In))
	in.num("out", int64(u.Out))
	in.num("cached_in", int64(u.CachedIn))
	o.b = append(in.b, '}')
}

func (o *object) guards(list []rung.GuardVerdict) {
	if len(list) == 0 {
		return
	}
	o.name("guards")
	for i := range list {
		g, in := &list[i], object{b: append(o.b, opener(i), '{')}
		in.str("guard", g.Kind)
		in.str("stage", string(g.Stage))
		in.opt("action", string(g.Action))
		in.float("score", g.Score)
		in.strs("found", g.Found)
		in.opt("failed", g.Failed)
		in.flag("open", g.Open)
		in.num("elapsed_ns", g.Elapsed)
		o.b = append(in.b, '}')
	}
	o.b = append(o.b, ']')
}

func (o *object) spans(list []rung.Span) {
	if len(list) == 0 {
		return
	}
	o.name("spans")
	for i := range list {
		s, in := &list[i], object{b: append(o.b, opener(i), '{')}
		in.str("name", s.Name)
		in.num("start_ns", int64(s.Start))
		in.num("took_ns", int64(s.Took))
		in.opt("note", s.Note)
		o.b = append(in.b, '}')
	}
	o.b = append(o.b, ']')
}

// opener is what stands before the i-th item of an array.
func opener(i int) byte {
	if i == 0 {
		return '['
	}
	return ','
}

// appendString appends s as a JSON string: at once where nothing needs escaping, as nearly always.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always has JSON; bytes that are no UTF-8 become U+FFFD
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
