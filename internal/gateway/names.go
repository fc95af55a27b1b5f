package gateway

import (
	"slices"
	"sort"
	"strings"
)

// The configuration may name tasks, aliases and releases before they are there. A name that is there by no one is more likely a slip,
// so it is said when the configuration is read: without that, a request finds out.

// unknownNames says of each name in the configuration that the store does not know what becomes of it. served are the tasks that the
// gateway answers for; none: all.
func (c *Config) unknownNames(st *state, served []string) []string {
	var out []string
	for _, name := range sortedTasks(c.Tasks) {
		if len(served) > 0 && !slices.Contains(served, name) {
			continue
		}
		conf := c.Tasks[name]
		t := st.tasks[name]
		if t == nil {
			out = append(out, sprintf("tasks: there is no task %s with an alias in the store, so its settings hold for nothing yet", name))
			continue
		}
		out = append(out, t.unknownIn(conf)...)
	}
	for _, name := range st.names {
		if _, own := c.Tasks[name]; !own {
			out = append(out, st.tasks[name].unknownIn(c.Defaults)...)
		}
	}
	return out
}

// unknownIn are the names in a task's settings that the task does not have.
func (t *taskState) unknownIn(conf TaskConfig) []string {
	var out []string
	if t.aliases[conf.Alias] == "" {
		out = append(out, sprintf("%s has no alias %s: requests for its bare name are refused until there is one; it has %s", t.name, conf.Alias, t.has()))
	}
	for _, f := range conf.Fallback {
		if _, _, ok := t.resolve(f.Release); f.Release != "" && !ok {
			out = append(out, sprintf("%s has no version or alias %s, so that fallback is left out; it has %s", t.name, f.Release, t.has()))
		}
	}
	return out
}

// has lists what a task can be asked for by.
func (t *taskState) has() string {
	var names []string
	for alias := range t.aliases {
		names = append(names, alias)
	}
	for version := range t.versions {
		names = append(names, version)
	}
	sort.Strings(names)
	return strings.Join(slices.Compact(names), ", ")
}

func sortedTasks(m map[string]TaskConfig) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// sayUnknownNames puts them into the log.
func (g *Gateway) sayUnknownNames() {
	for _, text := range g.config.Load().unknownNames(g.state.Load(), g.opt.Tasks) {
		g.log.Warn("the configuration names what is not there", "name", text)
	}
}
