package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
)

var mail = regexp.MustCompile(`[a-z]+@[a-z]+\.[a-z]+|\d{9,}`)

func hideMail(_, text string) (string, error) { return mail.ReplaceAllString(text, "[HIDDEN]"), nil }

const secret = "eve@example.org"

func TestNothingUnredactedIsWritten(t *testing.T) {
	for name, c := range map[string]struct {
		redact   Redactor
		stripped int64
		input    string // what is kept of it
	}{
		"replaces": {hideMail, 0, `{"text":"I am [HIDDEN]","n":[1.5,"[HIDDEN]",true],"[HIDDEN]":"é\"[HIDDEN]"}`},
		"fails":    {func(_, s string) (string, error) { return "", errors.New("no model for " + s) }, 1, ""},
		"panics":   {func(_, s string) (string, error) { panic(s) }, 1, ""},
		"fails late": {func(_, s string) (string, error) {
			if strings.HasPrefix(s, "note") {
				return "", errors.New("late")
			}
			return s, nil
		}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			r := NewRecorder(s, Config{Every: time.Hour, Redact: c.redact, Log: quiet})
			x := one(1)
			x.Input = json.RawMessage(`{"text":"I am ` + secret + `","n":[1.5,4155551234567,true],"` + secret + `":"é\"\u0065ve@example.org"}`)
			x.Output, x.Error = json.RawMessage(`"`+secret+`"`), "asked "+secret
			x.Spans = []rung.Span{{Name: "model", Took: 1, Note: "note " + secret}}
			x.Guards = []rung.GuardVerdict{{Kind: "pii", Failed: "could not read " + secret}}
			r.Record(x)
			if err := r.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			got, err := s.Trace(t.Context(), x.ID)
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Input) != c.input || r.Stats().Stripped != c.stripped || got.Spans[0].Name != "model" || got.Guards[0].Failed == "" || got.Status != 200 {
				t.Errorf("%+v kept %s: %+v", r.Stats(), got.Input, got)
			}
			if all := fmt.Sprintf("%s %s %+v", got.Input, got.Output, got); strings.Contains(all, "eve@") || strings.Contains(all, "4155551234567") {
				t.Errorf("it is there: %s", all)
			}
			finish(t, r, s)
		})
	}
}

func TestFeedbackIsRedactedOrRefused(t *testing.T) {
	s := newStore(t)
	f := rung.Feedback{ID: "f", Trace: one(1).ID, Comment: "ask " + secret, Correction: json.RawMessage(`["` + secret + `"]`)}
	failing := NewRecorder(s, Config{Redact: func(_, _ string) (string, error) { return "", errors.New("away") }, Log: quiet})
	if err := failing.Feedback(t.Context(), "a", f); rung.CodeOf(err) != rung.CodeInternal || strings.Contains(fmt.Sprintf("%+v", err), secret) {
		t.Errorf("got %v", err)
	}
	working := NewRecorder(s, Config{Redact: hideMail, Log: quiet})
	if err := working.Feedback(t.Context(), "a", f); err != nil {
		t.Fatal(err)
	}
	got, err := s.Feedback(t.Context(), f.Trace)
	if err != nil || len(got) != 1 || got[0].Comment != "ask [HIDDEN]" || string(got[0].Correction) != `["[HIDDEN]"]` {
		t.Errorf("%+v, %v", got, err)
	}
	if err := failing.Close(t.Context()); err != nil {
		t.Error(err)
	}
	finish(t, working, s)
}

// FuzzRedactJSON: a redactor that hides everything leaves no string of two letters, and JSON stays JSON.
func FuzzRedactJSON(f *testing.F) {
	for _, seed := range []string{`{"a":["b\\",{"c":-1.5e+10}],"":null}`, `"\ud800\"x"`, `123456789012`, `{`, "\xff", ``, `[true,false]`, ` {"a" : "b"} `} {
		f.Add([]byte(seed))
	}
	hide := Redactor(func(_, _ string) (string, error) { return "*", nil })
	same := Redactor(func(_, s string) (string, error) { return s, nil })
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := hide.json("", b)
		if err != nil || len(b) > 0 && !json.Valid(out) {
			t.Fatalf("%q became %q, %v", b, out, err)
		}
		var v any
		if len(out) > 0 {
			if err := json.Unmarshal(out, &v); err != nil {
				t.Fatal(err)
			}
			onlyStars(t, v)
		}
		if out, err := same.json("", b); err != nil || json.Valid(b) && string(out) != string(b) {
			t.Fatalf("%q became %q without a change, %v", b, out, err)
		}
	})
}

func onlyStars(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case string:
		if v != "*" && v != "" {
			t.Fatalf("%q is left", v)
		}
	case []any:
		for _, x := range v {
			onlyStars(t, x)
		}
	case map[string]any:
		for k, x := range v {
			onlyStars(t, k)
			onlyStars(t, x)
		}
	}
}
