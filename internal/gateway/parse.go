package gateway

import (
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/rung-dev/rung"
)

// ParseConfig reads a configuration. name is what errors call the file; files that it names are relative to its directory.
func ParseConfig(name string, text []byte) (*Config, error) {
	c := Default()
	r := &reader{name: name}
	if root := r.parse(text); root != nil {
		r.config(root, c)
	}
	if len(r.errs) > 0 {
		return nil, r.errs
	}
	return c, nil
}

func (r *reader) config(root ast.Node, c *Config) {
	var tasks ast.Node
	r.mapping(root, keys{
		"listen":   r.listen(&c.Listen),
		"tls":      func(n ast.Node) { r.tls(n, c) },
		"limits":   func(n ast.Node) { r.limits(n, &c.Limits) },
		"pass":     func(n ast.Node) { c.Pass = nil; r.list(n, func(n ast.Node) { r.pass(n, c) }) },
		"defaults": func(n ast.Node) { r.task(n, &c.Defaults) },
		"tasks":    func(n ast.Node) { tasks = n },
		"groups":   func(n ast.Node) { r.groups(n, &c.Groups) },
		"traces":   func(n ast.Node) { r.traces(n, c) },
		"metrics":  func(n ast.Node) { r.mapping(n, keys{"open": r.flag(&c.OpenMetrics)}) },
		"drain":    r.duration(&c.Drain, 0),
	})
	if tasks == nil {
		return
	}
	c.Tasks = map[string]TaskConfig{}
	for _, p := range r.pairs(tasks) { // after the defaults, wherever those stand
		t := c.Defaults
		r.task(p.Value, &t)
		c.Tasks[p.Key.GetToken().Value] = t
	}
}

func (r *reader) listen(into *string) func(ast.Node) {
	return func(n ast.Node) {
		s, ok := r.scalar(n, "an address such as 127.0.0.1:8080")
		if !ok {
			return
		}
		if _, _, err := net.SplitHostPort(s); err != nil {
			r.fail(n, sprintf("%q is not an address", s), "write host:port, such as 127.0.0.1:8080, or :8080 for all addresses")
			return
		}
		*into = s
	}
}

func (r *reader) file(into *string) func(ast.Node) {
	return func(n ast.Node) {
		s, ok := r.scalar(n, "a path")
		if !ok {
			return
		}
		if !filepath.IsAbs(s) {
			s = filepath.Join(filepath.Dir(r.name), s)
		}
		*into = s
	}
}

func (r *reader) tls(n ast.Node, c *Config) {
	r.mapping(n, keys{"cert": r.file(&c.Cert), "key": r.file(&c.Key)})
	if (c.Cert == "") != (c.Key == "") {
		r.fail(n, "tls needs both cert and key", "name the two files")
	}
}

func (r *reader) limits(n ast.Node, l *Limits) {
	header := int64(l.Header)
	r.mapping(n, keys{
		"body": r.size(&l.Body, 1<<10), "header": r.size(&header, 4<<10),
		"read": r.duration(&l.Read, time.Millisecond), "write": r.duration(&l.Write, time.Millisecond), "idle": r.duration(&l.Idle, time.Millisecond),
		"request": r.duration(&l.Request, time.Millisecond), "bodies": r.size(&l.Bodies, 1<<20), "connections": r.count(&l.Connections, 1), "concurrency": r.count(&l.Concurrency, 1),
		"queue": r.count(&l.Queue, 0), "queue_wait": r.duration(&l.QueueWait, 0), "upstream": r.count(&l.Upstream, 1),
		"retries": r.count(&l.Retries, 0), "attempt": r.duration(&l.Attempt, time.Millisecond),
	})
	l.Header = int(min(header, 16<<20))
	if l.Bodies < l.Body {
		r.fail(n, "limits.bodies is smaller than limits.body: no request of that size could come in", "write at least limits.body")
	}
}

func (r *reader) pass(n ast.Node, c *Config) {
	s, ok := r.scalar(n, "provider/* or provider/model")
	if !ok {
		return
	}
	if provider, name, found := strings.Cut(s, "/"); s != "*" && (!found || provider == "" || name == "" || strings.Contains(provider, "*")) {
		r.fail(n, sprintf("%q is not provider/* or provider/model", s), "write it like openai/*")
		return
	}
	c.Pass = append(c.Pass, s)
}

func (r *reader) task(n ast.Node, t *TaskConfig) {
	r.mapping(n, keys{
		"alias": r.text(&t.Alias),
		"history": func(n ast.Node) {
			r.text(&t.History)(n)
			if !slices.Contains([]string{keepHistory, refuseHistory}, t.History) {
				r.fail(n, "history is neither keep nor refuse", "write keep or refuse")
			}
		},
		"fallback": func(n ast.Node) { t.Fallback = nil; r.list(n, func(n ast.Node) { r.fallback(n, t) }) },
		"timeout":  r.duration(&t.Timeout, time.Millisecond),
		"text":     func(n ast.Node) { keep := true; r.flag(&keep)(n); t.Text = &keep },
	})
	if t.Alias == "" {
		r.fail(n, "the alias is empty", "write its name, or leave it out for "+rung.Production)
	}
}

func (r *reader) fallback(n ast.Node, t *TaskConfig) {
	var f Fallback
	var ref string
	r.mapping(n, keys{"release": r.text(&f.Release), "model": r.text(&ref)})
	f.Model = rung.ModelRef(ref)
	switch {
	case (f.Release == "") == (ref == ""):
		r.fail(n, "a fallback is either a release or a model", "write {release: v2} or {model: openai/gpt-4o-mini}")
	case ref != "" && (f.Model.Provider() == "" || f.Model.Name() == ""):
		r.fail(n, sprintf("%q is not provider/model", ref), "write it like openai/gpt-4o-mini")
	case len(t.Fallback) >= 8:
		r.fail(n, "the fallback chain is longer than 8", "shorten it")
	default:
		t.Fallback = append(t.Fallback, f)
	}
}

func (r *reader) groups(n ast.Node, g *Groups) {
	var key, keyFile, trusted string
	var hsEnv string
	var nets []netip.Prefix
	r.mapping(n, keys{
		"header": r.text(&g.Header),
		"trusted": func(n ast.Node) {
			r.list(n, func(n ast.Node) {
				r.text(&trusted)(n)
				p, err := netip.ParsePrefix(trusted)
				if err != nil {
					r.fail(n, sprintf("%q is not a range of addresses", trusted), "write it like 10.0.0.0/8")
				}
				nets = append(nets, p.Masked())
			})
		},
		"token": func(n ast.Node) {
			r.mapping(n, keys{"header": r.text(&g.TokenHeader), "secret_env": r.text(&hsEnv), "public_key": r.file(&keyFile),
				"issuer": r.text(&g.Issuer), "audience": r.text(&g.Audience), "required": r.flag(&g.Required)})
			if (hsEnv == "") == (keyFile == "") {
				r.fail(n, "a token is verified with either secret_env or public_key", "name the environment variable of the HS256 secret, or the file of the Ed25519 key")
				return
			}
			var err error
			if g.verify, key, err = newVerifier(hsEnv, keyFile); err != nil {
				r.fail(n, err.Error(), "check "+key)
			}
		},
	})
	g.Trusted = nets
	if (g.Header == "") != (len(nets) == 0) {
		r.fail(n, "a header is trusted from certain addresses only", "name both header and trusted")
	}
	if g.TokenHeader == "" {
		g.TokenHeader = "X-Rung-Token"
	}
}

func (r *reader) traces(n ast.Node, c *Config) {
	r.mapping(n, keys{"text": r.flag(&c.Text), "keep": r.duration(&c.Keep, 0), "max_size": r.size(&c.KeepBytes, 0)})
}
