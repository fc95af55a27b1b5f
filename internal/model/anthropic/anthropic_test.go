package anthropic_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/anthropic"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

func provider(t *testing.T, transport http.RoundTripper, key string) model.Provider {
	p, err := anthropic.New(anthropic.Config{BaseURL: "http://model.test", Key: key, HTTP: transport})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProviderConforms(t *testing.T) { modeltest.Conform(t, "anthropic/m", provider) }

func TestProviderStreams(t *testing.T) { modeltest.ConformStream(t, "anthropic/m", provider) }

func TestMissingKeyNamesItsVariable(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "")
	t.Setenv("ANTHROPIC_BASE_URL", "")
	p, err := anthropic.New(anthropic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Complete(t.Context(), model.Request{Model: "anthropic/m"})
	if rung.CodeOf(err) != rung.CodeAuth || !strings.Contains(err.Error(), "ANTHROPIC_API_KEY") {
		t.Errorf("got %v", err)
	}
}

func TestBaseURLWithVersionAndWithoutKey(t *testing.T) {
	url, stop, err := modeltest.New(modeltest.Echo).Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	t.Setenv("ANTHROPIC_API_KEY", "")
	t.Setenv("ANTHROPIC_BASE_URL", url+"/v1/") // people write the version, as other APIs want it
	p, err := anthropic.New(anthropic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Complete(t.Context(), model.Request{Model: "anthropic/m", Messages: []model.Message{{Role: "user", Content: "hi"}}})
	if err != nil || got.Text != "hi" {
		t.Errorf("got %q, %v", got.Text, err)
	}
}

func TestLongAnswersNeedNoStream(t *testing.T) {
	s := modeltest.New(modeltest.Text("long"))
	transport, stop := s.Pipe()
	defer stop()
	req := model.Request{Model: "anthropic/claude-opus-4-1", Messages: []model.Message{{Role: "user", Content: "hi"}}, MaxTokens: 64000}
	if _, err := provider(t, transport, "k").Complete(t.Context(), req); err != nil {
		t.Error(err)
	}
	if _, err := provider(t, transport, "k").Complete(t.Context(), model.Request{Model: "anthropic/m", Messages: req.Messages}); err != nil {
		t.Errorf("without max_tokens: %v", err)
	}
}
