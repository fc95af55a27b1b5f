package cli

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/registry/registrytest"
)

func TestTermsAreShownByCheckAndGuardPush(t *testing.T) {
	addr := registrytest.Start(t, "")
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	serve(t, knows)
	file, store := governedTask(t, "[prompt, evaluate]")
	if out := mustRun(t, "check", file); !strings.Contains(out, "  terms       licence CC-BY-4.0, CC0-1.0") || !strings.Contains(out, "releases may not be published: the source list") {
		t.Error(out)
	}
	climbJSON(t, file)
	mustRun(t, "release", "--store", store, "--allow-dirty")
	push := []string{"push", "words@v1", addr + "/acme/words", "--store", store}
	status, _, errs := rungOut(t, push...)
	if status == 0 || !strings.Contains(errs, "the dataset wordset may be used for prompts, evaluation, not for publication") || !strings.Contains(errs, "--inside") {
		t.Errorf("status %d: %s", status, errs)
	}
	mustRun(t, append(push, "--inside")...)
}

func TestPublishable(t *testing.T) {
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		terms  rung.Terms
		inside bool
		note   string
		fault  string
	}{
		{"allowed", rung.Terms{Licence: []string{"CC0-1.0"}}, false, "", ""},
		{"not stated", rung.Terms{}, false, "nobody has said", ""},
		{"not stated, inside", rung.Terms{}, true, "", ""},
		{"no derivatives", rung.Terms{Licence: []string{"CC-BY-ND-3.0"}}, false, "", "CC-BY-ND-3.0, which does not allow publication"},
		{"no derivatives, inside", rung.Terms{Licence: []string{"CC-BY-ND-3.0"}}, true, "", ""},
		{"retention has passed", rung.Terms{Licence: []string{"CC0-1.0"}, Retention: "2026-10-31"}, true, "", "had to be gone after 2026-10-31"},
	} {
		t.Run(c.name, func(t *testing.T) {
			note, err := app.Publishable(&rung.Release{Task: "t", Version: "v1", Terms: c.terms}, day, c.inside)
			if !strings.Contains(note, c.note) || c.note == "" && note != "" {
				t.Errorf("note %q", note)
			}
			if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAReviewsDayIsSignedByAll(t *testing.T) {
	serve(t, knows)
	file, store := governedTask(t, "[prompt, evaluate]")
	climbJSON(t, file)
	mustRun(t, "release", "--store", store, "--allow-dirty")
	review := []string{"review", "words@v1", "--store", store}
	with := func(args ...string) []string { return append(append([]string(nil), review...), args...) }
	answers := with()
	for _, q := range app.ReviewTemplate {
		answers = append(answers, "--answer", q.Key+"=looked at")
	}
	mustRun(t, answers...)
	key := filepath.Join(t.TempDir(), "key")
	if status, _, errs := rungOut(t, with("--sign", "--name", "Ada", "--until", "2001-01-01")...); status != 2 || !strings.Contains(errs, "would be expired") {
		t.Errorf("status %d: %s", status, errs)
	}
	if status, _, errs := rungOut(t, with("--until", "2999-01-01")...); status != 2 || !strings.Contains(errs, "go with --sign") {
		t.Errorf("status %d: %s", status, errs)
	}
	mustRun(t, with("--sign", "--name", "Ada", "--until", "2998-01-01", "--key", key)...)
	if out := mustRun(t, with("--sign", "--name", "Grace")...); !strings.Contains(out, "Ada signed") || !strings.Contains(out, "Grace signed") || strings.Contains(out, "NOT hold") {
		t.Error(out)
	}
	// A later day is another promise: who signed the earlier one has not made it.
	if out := mustRun(t, with("--sign", "--name", "Grace", "--until", "2999-01-01")...); strings.Contains(out, "Ada") || !strings.Contains(out, "Grace signed") {
		t.Error(out)
	}
	mustRun(t, with("--refuse", "--name", "Bob", "--why", "not yet")...)
	if status, _, errs := rungOut(t, with("--sign", "--name", "Grace", "--until", "2999-02-01")...); status != 2 || !strings.Contains(errs, "is refused") {
		t.Errorf("a later day takes a refusal away: status %d, %s", status, errs)
	}
	if out := mustRun(t, with("--sign", "--name", "Grace")...); !strings.Contains(out, "): refused") {
		t.Error(out)
	}
}
