package spread

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
)

// kinds is one kind of work: it repeats a part as often as its set-up says, and refuses an empty one.
var kinds = map[string]Kind{"repeat": func(setup []byte) (func(context.Context, []byte) (any, error), error) {
	var n int
	if err := json.Unmarshal(setup, &n); err != nil {
		return nil, &rung.Error{Code: rung.CodeUsage, What: "how often is no number", Do: "write one"}
	}
	return func(_ context.Context, part []byte) (any, error) {
		if len(part) == 0 {
			return nil, &rung.Error{Code: rung.CodeInput, Place: "part", What: "is empty"}
		}
		return strings.Repeat(string(part), n), nil
	}, nil
}}

type frame struct {
	kind byte
	body string
}

// talk sends frames to a worker and gives what it answers.
func talk(t *testing.T, in ...frame) (out []frame, err error) {
	t.Helper()
	var sent, got bytes.Buffer
	for _, f := range in {
		if err := writeFrame(&sent, f.kind, []byte(f.body)); err != nil {
			t.Fatal(err)
		}
	}
	err = Work(t.Context(), &sent, &got, "1.2", kinds)
	for {
		kind, body, err := readFrame(&got)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, frame{kind, string(body)})
	}
	return out, err
}

func TestAWorkerSaysItsVersionAndAnswersParts(t *testing.T) {
	got, err := talk(t, frame{frameSetup, `{"kind":"repeat","setup":2}`}, frame{framePart, "ab"}, frame{framePart, ""}, frame{framePart, "c"})
	if err != nil {
		t.Fatal(err)
	}
	want := []frame{{frameHello, `{"version":"1.2"}`}, {frameAnswer, "null"}, {frameAnswer, `"abab"`}, {frameError, `{"code":"input","place":"part","what":"is empty"}`}, {frameAnswer, `"cc"`}}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("answer %d is %q, not %q", i, got[i], want[i])
		}
	}
}

func TestAWorkerRefuses(t *testing.T) {
	for want, in := range map[string][]frame{
		"no kind of work": {{frameSetup, `{"kind":"dance"}`}},
		"no number":       {{frameSetup, `{"kind":"repeat","setup":"x"}`}},
	} {
		got, err := talk(t, in...)
		if err != nil || len(got) != 2 || got[1].kind != frameError || !strings.Contains(got[1].body, want) {
			t.Errorf("%q: %q, %v", want, got, err)
		}
	}
	if _, err := talk(t, frame{framePart, "a"}); err == nil {
		t.Error("a part without a set-up is taken")
	}
}

// FuzzFrames: whatever comes, reading ends, and what was written is read again.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01Rx\xff\xff\xff\xffRx"))
	f.Add([]byte("\x3f\xff\xff\xffRx"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		for {
			kind, body, err := readFrame(r)
			if err != nil {
				return
			}
			var b bytes.Buffer
			if err := writeFrame(&b, kind, body); err != nil {
				t.Fatal(err)
			}
			if k, again, err := readFrame(&b); err != nil || k != kind || !bytes.Equal(again, body) {
				t.Fatalf("%q became %q: %v", body, again, err)
			}
		}
	})
}
