package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/model"
)

// TestStreamIsTheAnswer: the pieces are the answer that Complete gives, and come one by one.
func TestStreamIsTheAnswer(t *testing.T) {
	e := ownEngine(t, engine.Options{Slots: 1})
	req := model.Request{Model: smol, Messages: []model.Message{{Role: "user", Content: "Count from one to eight in words."}}, MaxTokens: 24}
	whole, err := e.Complete(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	var pieces []string
	got, err := e.Stream(t.Context(), req, func(s string) error { pieces = append(pieces, s); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(pieces, ""); text != got.Text || got.Text != whole.Text || len(pieces) < 4 {
		t.Errorf("%d pieces %q, the response %q, Complete %q", len(pieces), text, got.Text, whole.Text)
	}
	if got.Finish != whole.Finish || got.Usage.Out != whole.Usage.Out || got.Usage.In != whole.Usage.In {
		t.Errorf("streamed %+v, whole %+v", got, whole)
	}
	enough := errors.New("enough")
	if _, err := e.Stream(t.Context(), req, func(string) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	if _, err := e.Complete(t.Context(), req); err != nil {
		t.Errorf("after a stream that its caller left: %v", err)
	}
}
