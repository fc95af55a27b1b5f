package gateway

import (
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

func plain(w http.ResponseWriter, status int, text string) {
	w.Header()["Content-Type"] = []string{"text/plain; charset=utf-8"}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // a caller that has gone needs no answer
}

// ready says whether requests are to be sent here: not while it drains, nor before the releases are ready that it starts with, nor
// where none of them could be. It names no task: anybody may ask.
func (g *Gateway) ready(w http.ResponseWriter) {
	st := g.state.Load()
	status, text := http.StatusServiceUnavailable, ""
	switch loading := len(st.starting); {
	case g.draining.Load():
		text = "draining"
	case loading > 0:
		text = sprintf("not ready: the releases of %d aliases and rollouts are being loaded", loading)
	case st.failed > 0 && st.failed == st.aliases:
		text = "not ready: no release could be loaded; the log says why"
	case st.failed > 0:
		status, text = http.StatusOK, sprintf("ready, but for %d of %d aliases whose release could not be loaded; the log says why", st.failed, st.aliases)
	default:
		status, text = http.StatusOK, "ready"
	}
	plain(w, status, text+"\n")
}

func (g *Gateway) metrics(w http.ResponseWriter, r *http.Request) {
	if g.opt.Meter == nil {
		g.refuse(w, r, &rung.Error{Code: rung.CodeNotFound, What: "there are no metrics here"})
		return
	}
	if !g.config.Load().OpenMetrics {
		if err := g.scope(r, ScopeRead); err != nil {
			g.refuse(w, r, err)
			return
		}
	}
	g.opt.Meter.Handler().ServeHTTP(w, r)
}

func (g *Gateway) scope(r *http.Request, scope string) error {
	a, err := g.state.Load().find(r, g.public.Load())
	if err != nil {
		return err
	}
	return a.may(scope)
}

func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, err error) {
	f := failureOf(err, false)
	writeFailure(w, r.Header.Get("Anthropic-Version") != "", &f, "")
}

func (g *Gateway) other(w http.ResponseWriter, r *http.Request) {
	if name, ok := strings.CutPrefix(r.URL.Path, "/v1/models/"); ok {
		g.models(w, r, name)
		return
	}
	g.refuse(w, r, &known{final: true, err: &rung.Error{Code: rung.CodeNotFound, What: "there is no " + r.Method + " " + clipName(r.URL.Path) + " here", Do: "see docs/gateway.md for what there is"}})
}

// models lists what the caller may ask for by name: tasks, their aliases and versions.
func (g *Gateway) models(w http.ResponseWriter, r *http.Request, one string) {
	st := g.state.Load()
	a, err := st.find(r, g.public.Load())
	if err == nil && r.Method != http.MethodGet {
		err = &known{status: http.StatusMethodNotAllowed, err: bad("use GET")}
	}
	if err != nil {
		g.refuse(w, r, err)
		return
	}
	var list []modelLine
	for _, name := range st.names {
		if a.mayAsk(name) == nil {
			list = append(list, st.tasks[name].models()...)
		}
	}
	anthropic := r.Header.Get("Anthropic-Version") != ""
	w.Header()["Content-Type"] = jsonType
	if one == "" {
		_, _ = w.Write(appendModels(nil, list, anthropic)) // a caller that has gone needs no answer
		return
	}
	for i := range list {
		if list[i].id == one {
			_, _ = w.Write(append(list[i].append(nil, anthropic), '\n'))
			return
		}
	}
	g.refuse(w, r, &rung.Error{Code: rung.CodeModel, What: "there is no model " + clipName(one) + " here", Do: "see /v1/models"})
}

type modelLine struct {
	id string
	at time.Time
}

// models are the names that a task goes by: itself, task@alias, task@version.
func (t *taskState) models() []modelLine {
	var out []modelLine
	if v, ok := t.aliases[rung.Production]; ok {
		out = append(out, modelLine{t.name, t.versions[v].At})
	}
	for alias, v := range t.aliases {
		if !strings.Contains(alias, "/") { // segments are chosen by the caller's segment
			out = append(out, modelLine{t.name + "@" + alias, t.versions[v].At})
		}
	}
	for v, line := range t.versions {
		out = append(out, modelLine{t.name + "@" + v, line.At})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].id < out[j].id })
	return out
}

func (m *modelLine) append(b []byte, anthropic bool) []byte {
	if anthropic {
		b = append(b, `{"type":"model","id":`...)
		b = appendString(b, m.id)
		b = append(b, `,"display_name":`...)
		b = appendString(b, m.id)
		b = append(b, `,"created_at":"`...)
		b = m.at.UTC().AppendFormat(b, time.RFC3339)
		return append(b, `"}`...)
	}
	b = append(b, `{"id":`...)
	b = appendString(b, m.id)
	b = append(b, `,"object":"model","created":`...)
	b = appendInt(b, int(max(m.at.Unix(), 0)))
	return append(b, `,"owned_by":"rung"}`...)
}

func appendModels(b []byte, list []modelLine, anthropic bool) []byte {
	b = append(b, `{"object":"list","data":[`...)
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = list[i].append(b, anthropic)
	}
	b = append(b, ']')
	if anthropic {
		b = append(b, `,"has_more":false,"first_id":`...)
		b = appendEnd(b, list, 0)
		b = append(b, `,"last_id":`...)
		b = appendEnd(b, list, len(list)-1)
	}
	return append(b, "}\n"...)
}

func appendEnd(b []byte, list []modelLine, i int) []byte {
	if len(list) == 0 {
		return append(b, "null"...)
	}
	return appendString(b, list[i].id)
}
