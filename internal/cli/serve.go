package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/gateway"
)

type serveOptions struct {
	tasks    []string
	config   string
	listen   string
	database string
	prices   string
	logs     string
}

func newServeCommand(s *settings) *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use:     "serve [TASK…]",
		GroupID: "ship",
		Short:   "Answer requests with the releases of a store, behind the OpenAI and Anthropic APIs",
		Long: `Serve answers on /v1/chat/completions, /v1/responses, /v1/messages, /v1/embeddings and /v1/models with the releases of the
store. A request's model is a task (its alias production), task@alias or task@version; provider/model goes on to that provider
where the configuration lets it pass. Every request leaves a trace (rung traces). Without a task named it serves all that have an
alias. Without a key in the store (rung keys add) it answers this machine only.

SIGTERM lets requests end and stops; SIGHUP, or a change of the file, reads the configuration again.`,
		Example: "  rung serve\n  rung serve tickets --config gateway.yaml --listen 0.0.0.0:8443",
		RunE: func(c *cobra.Command, args []string) error {
			o.tasks = args
			return runServe(c.Context(), s, &o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.config, "config", "", "configuration file (default: gateway.yaml beside the store, where there is one)")
	f.StringVar(&o.listen, "listen", "", "address, instead of the configuration's (default 127.0.0.1:8080)")
	f.StringVar(&o.database, "database", "", "URL of a Postgres database that gateways share (default: RUNG_DATABASE_URL, else SQLite in the store)")
	f.StringVar(&o.prices, "prices", "", "price file, over the built-in table")
	f.StringVar(&o.logs, "log", "text", "form of the log: text or json")
	return c
}

func runServe(ctx context.Context, s *settings, o *serveOptions) error {
	dir, err := storeDir(s)
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	optional := o.config == ""
	if optional {
		o.config = filepath.Join(filepath.Dir(dir), "gateway.yaml")
	}
	log, err := serveLog(s, o.logs)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // a gateway holds little and makes garbage with each request
	}
	wake := make(chan struct{}, 1)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	go forward(ctx, hup, wake)
	if o.database == "" {
		o.database = os.Getenv("RUNG_DATABASE_URL")
	}
	return app.Serve(ctx, app.ServeOptions{Store: dir, Database: o.database, Config: o.config, Optional: optional, Listen: o.listen, Tasks: o.tasks, Prices: o.prices, Program: Version, Log: log, Wake: wake,
		Ready: func(url string, g *gateway.Gateway) { s.announce(url, g) }})
}

func serveLog(s *settings, form string) (*slog.Logger, error) {
	opts := &slog.HandlerOptions{Level: slog.LevelInfo}
	switch form {
	case "json":
		return slog.New(slog.NewJSONHandler(s.Err, opts)), nil
	case "text":
		opts.Level = slog.LevelWarn // requests that went well are in the traces
		return slog.New(slog.NewTextHandler(s.Err, opts)), nil
	}
	return nil, usage("--log is text or json, not %q", form)
}

func forward(ctx context.Context, hup <-chan os.Signal, wake chan<- struct{}) {
	for {
		select {
		case <-hup:
			select {
			case wake <- struct{}{}:
			default:
			}
		case <-ctx.Done():
			return
		}
	}
}

// serveDocument is what --json prints when the gateway listens.
type serveDocument struct {
	URL   string   `json:"url"`
	Tasks []string `json:"tasks"`
	Open  bool     `json:"open"` // no key is asked for
}

func (s *settings) announce(url string, g *gateway.Gateway) {
	d := serveDocument{URL: url, Tasks: g.Tasks(), Open: g.Open()}
	if d.Tasks == nil {
		d.Tasks = []string{}
	}
	if s.json {
		_ = s.printJSON(d) // whoever reads it has gone, and the gateway serves all the same
		return
	}
	fmt.Fprintf(s.Out, "listening on %s\n", url)
	if len(d.Tasks) == 0 {
		fmt.Fprintln(s.Out, "no task has an alias yet; rung release makes a release and rung alias points one at it")
	} else {
		fmt.Fprintln(s.Out, "tasks: "+strings.Join(d.Tasks, ", "))
	}
	if d.Open {
		fmt.Fprintln(s.Out, "there are no keys: requests from this machine need none, and others are not answered (rung keys add)")
	}
}
