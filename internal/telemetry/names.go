package telemetry

import (
	"strconv"
	"sync"

	"github.com/rung-dev/rung"
)

// Other stands in labels for names that are not counted by themselves.
const Other = "other"

// mostNames bounds how many releases, and how many models, have series of their own. Each of them is some forty series.
const mostNames = 256

// names keeps the number of series bounded whatever callers ask for: a name has series of its own from its first good answer
// on, as long as there is room. Names that were never answered can therefore not fill it.
type names struct {
	mu       sync.RWMutex
	releases map[[2]string]bool
	models   map[string]bool
}

// of gives the labels of a trace. A request that is passed through has no task and no release, and the model of its upstream.
func (n *names) of(t *rung.Trace) (task, release, model string) {
	r, m := [2]string{t.Task, t.Version}, string(t.Upstream)
	n.mu.RLock()
	known, knownModel := n.releases[r], n.models[m]
	n.mu.RUnlock()
	if !known || !knownModel {
		known, knownModel = n.learn(r, m, t.Status < 400 && t.Status >= 200)
	}
	task, release, model = r[0], r[1], m
	if !known {
		task, release = Other, Other
	}
	if !knownModel {
		model = Other
	}
	return task, release, model
}

func (n *names) learn(r [2]string, m string, good bool) (release, model bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.releases == nil {
		n.releases, n.models = map[[2]string]bool{{}: true}, map[string]bool{"": true}
	}
	fits := len(r[0]) <= 128 && len(r[1]) <= 128
	if good && fits && len(n.releases) < mostNames {
		n.releases[r] = true
	}
	if good && len(m) <= 128 && len(n.models) < mostNames {
		n.models[m] = true
	}
	return n.releases[r], n.models[m]
}

// armLabel, apiLabel and statusLabel let nothing through that is not one of a few words.
func armLabel(arm string) string {
	switch arm {
	case "", "baseline", "target", "shadow":
		return arm
	}
	return Other
}

func apiLabel(api string) string {
	switch api {
	case "chat", "responses", "messages", "embeddings", "models", "feedback", "completions":
		return api
	}
	return Other
}

func statusLabel(status int) string {
	if status < 100 || status > 599 {
		return Other
	}
	return strconv.Itoa(status)
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
