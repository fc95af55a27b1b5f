package blocks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store/pack"
)

// fillValue sets everything in v to something that is not zero, so that a field that is forgotten is seen.
func fillValue(t *testing.T, v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1_700_000_000, int64(*n)).UTC()))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(fmt.Sprintf(`{"n":%d}`, *n))))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fillValue(t, v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillValue(t, v.Index(0), n)
		fillValue(t, v.Index(1), n)
	case reflect.String:
		v.SetString(fmt.Sprintf("s%d \"\\<é\u2028\x01", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(-1000 * *n))
	case reflect.Float64:
		v.SetFloat(float64(*n) + 1e-9)
	default:
		t.Fatalf("a trace has a %s, which the encoder does not know", v.Type())
	}
}

// TestEveryFieldOfATraceIsWritten: the hand-written encoder leaves nothing out that encoding/json would keep.
func TestEveryFieldOfATraceIsWritten(t *testing.T) {
	var full rung.Trace
	n := 0
	fillValue(t, reflect.ValueOf(&full).Elem(), &n)
	for name, want := range map[string]rung.Trace{"full": full, "zero": {}} {
		b := appendTrace(nil, &want)
		var got rung.Trace
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%s: %v in %s", name, err, b)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhatJSONCannotSay(t *testing.T) {
	odd := rung.Trace{ID: "x", At: time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC), CostUSD: math.NaN(), Error: "\xff\x00", Input: json.RawMessage("{"), Output: json.RawMessage("\xff"),
		Guards: []rung.GuardVerdict{{Score: math.Inf(1)}}}
	var got rung.Trace
	if err := json.Unmarshal(appendTrace(nil, &odd), &got); err != nil {
		t.Fatal(err)
	}
	want := rung.Trace{ID: "x", Error: "\ufffd\x00", Input: json.RawMessage(`"{"`), Output: json.RawMessage(`"\ufffd"`), Guards: []rung.GuardVerdict{{}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func trace(i int) rung.Trace {
	return rung.Trace{ID: fmt.Sprintf("%08x%024x", 1_700_000_000+i/4000, i*7919), At: time.Unix(1_700_000_000, int64(i)*250_000).UTC(), Gateway: "gw-7f3a", API: "chat",
		Task: "assistant-commands", Version: "v3", Model: "assistant-commands", Upstream: "local/smollm2-135m", Rollout: "r-20261122-1", Arm: []string{"baseline", "target"}[i%2],
		Key: "k_5f2c", Status: 200, Usage: rung.Usage{In: 311 + i%50, Out: 42, CachedIn: 280}, CostUSD: 0.00021, Latency: 83*time.Millisecond + time.Duration(i*1237),
		Guards: []rung.GuardVerdict{{Kind: "pii", Stage: "input", Elapsed: 12345 + int64(i)}, {Kind: "injection", Stage: "input", Score: 0.03, Elapsed: 2345}, {Kind: "schema", Stage: "output", Elapsed: 4567}},
		Spans: []rung.Span{{Name: "guard", Start: 12000, Took: 32000 + time.Duration(i)}, {Name: "render", Start: 52000, Took: 12000},
			{Name: "model", Start: 63000, Took: 82000000 + time.Duration(i*77), Note: "local/smollm2-135m"}, {Name: "parse", Start: 82100000, Took: 30000}, {Name: "guard", Start: 82200000, Took: 8000}},
		Input:  json.RawMessage(fmt.Sprintf(`{"utterance":"book a table for %d people at a gastropub in montana for next tuesday"}`, i)),
		Output: json.RawMessage(`{"intent":"BookRestaurant","slots":{"party_size_number":"six","restaurant_type":"gastropub","state":"montana","timeRange":"next tuesday"}}`)}
}

func some(n int) []rung.Trace {
	out := make([]rung.Trace, n)
	for i := range out {
		out[i] = trace(i)
	}
	return out
}

func TestBlocksAreBounded(t *testing.T) {
	p := pack.New()
	for _, c := range []struct {
		name   string
		traces []rung.Trace
		blocks int
	}{{"none", nil, 0}, {"one", some(1), 1}, {"a full one", some(256), 1}, {"one more", some(257), 2}, {"many", some(1000), 4}, {"big texts", big(6, 400<<10), 2}} {
		made, err := Make(p, c.traces)
		if err != nil || len(made) != c.blocks {
			t.Errorf("%s: %d blocks, %v; want %d", c.name, len(made), err, c.blocks)
		}
	}
	if _, err := Make(p, big(1, maxTrace)); rung.CodeOf(err) != rung.CodeInput {
		t.Errorf("a huge trace: %v", err)
	}
}

func big(n, size int) []rung.Trace {
	out := some(n)
	for i := range out {
		out[i].Input = json.RawMessage(`"` + strings.Repeat("x", size) + `"`)
	}
	return out
}

func FuzzReadHead(f *testing.F) {
	made, err := Make(pack.New(), some(3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made[0].Head)
	f.Add([]byte{})
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := readHead(b)
		if err != nil {
			return
		}
		if 18*len(entries) > len(b) {
			t.Fatalf("%d entries of %d bytes", len(entries), len(b))
		}
		again, err := readHead(appendHead(nil, entries))
		if err != nil || len(again) != len(entries) {
			t.Fatalf("written again: %v, %d of %d entries", err, len(again), len(entries))
		}
		for i := range entries {
			if entries[i] != again[i] {
				t.Fatalf("entry %d was %+v and is %+v", i, entries[i], again[i])
			}
		}
	})
}

// FuzzAppendTrace: whatever a request brings, its trace can be read, and with the same meaning as encoding/json gives it.
func FuzzAppendTrace(f *testing.F) {
	f.Add("a", "é\"\\", []byte(`{"a":1}`), 0.5, int64(7))
	f.Add("\x00", "\u2028", []byte("\xff"), math.Inf(-1), int64(-1))
	f.Fuzz(func(t *testing.T, s, note string, raw []byte, x float64, n int64) {
		in := rung.Trace{ID: s, Error: note, Input: raw, CostUSD: x, Latency: time.Duration(n), Status: int(n), Passages: []string{s, note},
			Spans: []rung.Span{{Name: note, Note: s, Took: time.Duration(n)}}, Guards: []rung.GuardVerdict{{Kind: s, Found: []string{note}, Score: x}}}
		var got rung.Trace
		if err := json.Unmarshal(appendTrace(nil, &in), &got); err != nil {
			t.Fatal(err)
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			in.CostUSD, in.Guards[0].Score = 0, 0
		}
		if len(raw) == 0 || !json.Valid(raw) {
			in.Input, got.Input = nil, nil
		}
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var want rung.Trace
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		var a, c bytes.Buffer
		if len(got.Input) > 0 { // encoding/json compacts
			if err := json.Compact(&a, got.Input); err != nil {
				t.Fatal(err)
			}
			if err := json.Compact(&c, want.Input); err != nil {
				t.Fatal(err)
			}
			got.Input, want.Input = unescaped(t, a.Bytes()), unescaped(t, c.Bytes())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// unescaped is a JSON value in one way of writing: encoding/json writes < as \u003c.
func unescaped(t *testing.T, b []byte) json.RawMessage {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func BenchmarkMake(b *testing.B) {
	p, ts := pack.New(), some(256)
	b.ReportAllocs()
	var size int64
	for b.Loop() {
		made, err := Make(p, ts)
		if err != nil {
			b.Fatal(err)
		}
		size = made[0].Bytes()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ts))/1000, "µs/trace")
	b.ReportMetric(float64(size)/float64(len(ts)), "bytes/trace")
}

func BenchmarkAppendTrace(b *testing.B) {
	one := trace(1)
	var buf []byte
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = appendTrace(buf[:0], &one)
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(&one); err != nil {
				b.Fatal(err)
			}
		}
	})
}
