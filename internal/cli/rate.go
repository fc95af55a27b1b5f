package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rating"
	"github.com/rung-dev/rung/internal/store/sqlite"
	"github.com/rung-dev/rung/internal/web"
)

type rateOptions struct {
	queue    string
	rater    string
	terminal bool
	port     int
	open     bool
}

// rateStart is what rung rate --json prints before it serves.
type rateStart struct {
	Queue string          `json:"queue"`
	Rater string          `json:"rater"`
	Role  rung.RatingRole `json:"role"`
	URL   string          `json:"url"`
	Done  int             `json:"done"`
	Total int             `json:"total"`
}

func newRateCommand(s *settings) *cobra.Command {
	var o rateOptions
	c := &cobra.Command{
		Use:     "rate QUEUE",
		GroupID: "read",
		Short:   "Rate answers blind, in the browser or in the terminal",
		Long: `Rate shows one person answers to rate: which of two is better, or 1 to 5 on each criterion of a rubric. Nobody sees which candidate
wrote an answer. Every rating is on the disk before the next item is shown; a closed page or a killed process loses nothing, and
rung rate QUEUE goes on where it was left.

A lead makes a queue once with rung rate make; each rater joins it under a name of their own. The page is served to this machine
only, at an address that nobody can guess; Ctrl-C ends it.`,
		Example: "  rung rate make answers fewshot lora --raters ada,ben,cleo\n  rung rate answers --rater ada\n  rung rate answers --rater ben --terminal\n  rung rate show answers",
		Args:    exactArgs(1, "one queue"),
		RunE: func(c *cobra.Command, args []string) error {
			o.queue = args[0]
			return runRate(c.Context(), s, &o, rung.AsRater)
		},
	}
	o.flags(c)
	c.AddCommand(newRateMakeCommand(s), newRateListCommand(s), newRateShowCommand(s), newRateAdjudicateCommand(s), newRateExportCommand(s), newRateImportCommand(s))
	return c
}

func (o *rateOptions) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.rater, "rater", "", "who rates (default: the name of the user)")
	c.Flags().BoolVar(&o.terminal, "terminal", false, "rate in the terminal instead of the browser")
	c.Flags().IntVar(&o.port, "port", 0, "port of the page on 127.0.0.1 (0: any that is free)")
	c.Flags().BoolVar(&o.open, "open", false, "open the page in the browser")
}

func newRateAdjudicateCommand(s *settings) *cobra.Command {
	var o rateOptions
	c := &cobra.Command{
		Use:   "adjudicate QUEUE",
		Short: "Settle the items on which raters disagree",
		Long: `Adjudicate shows the items on which raters of a queue disagree (another preference, or values two or more apart), with what they
said but not who said it, and as blind as to the candidates. The value is kept beside the ratings and never in their place.`,
		Example: "  rung rate adjudicate answers --rater lead",
		Args:    exactArgs(1, "one queue"),
		RunE: func(c *cobra.Command, args []string) error {
			o.queue = args[0]
			return runRate(c.Context(), s, &o, rung.AsAdjudicator)
		},
	}
	o.flags(c)
	return c
}

// keeper is what a session does once somebody has left it.
type keeper func(ctx context.Context, st *sqlite.Store, q *rung.RatingQueue) error

func runRate(ctx context.Context, s *settings, o *rateOptions, role rung.RatingRole, after ...keeper) (err error) {
	st, err := readStore(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	q, err := st.RatingQueue(ctx, o.queue)
	if err != nil {
		return err
	}
	session, err := o.session(ctx, st, q, role)
	if err != nil {
		return err
	}
	if o.terminal {
		err = s.rateInTerminal(ctx, session)
	} else {
		err = s.rateInBrowser(ctx, session, o)
	}
	for _, keep := range after { // also when the session was ended by a signal
		err = errors.Join(err, keep(context.WithoutCancel(ctx), st, q))
	}
	return err
}

func (o *rateOptions) session(ctx context.Context, st *sqlite.Store, q *rung.RatingQueue, role rung.RatingRole) (*rating.Session, error) {
	if o.rater == "" {
		o.rater = raterName()
	}
	if role == rung.AsAdjudicator {
		return rating.Adjudicate(ctx, st, q, o.rater)
	}
	return rating.Join(ctx, st, q, o.rater)
}

// raterName is the login name of the user, as far as it can be a rater's name.
func raterName() string {
	if u, err := user.Current(); err == nil && rating.CheckRater(u.Username) == nil {
		return u.Username
	}
	return "me"
}

func (s *settings) rateInBrowser(ctx context.Context, session *rating.Session, o *rateOptions) error {
	state, err := session.State(ctx)
	if err != nil {
		return err
	}
	server, err := web.Listen(o.port, web.Rating(session))
	if err != nil {
		return err
	}
	start := rateStart{Queue: state.Queue, Rater: state.Rater, Role: state.Role, URL: server.URL(), Done: state.Done, Total: state.Total}
	if s.json {
		err = s.printJSON(start)
	} else {
		_, err = fmt.Fprintf(s.Out, "%s, %s: %d of %d rated.\nOpen %s\nThe page answers to this machine only. Ctrl-C ends it; every rating is kept.\n", start.Queue, start.Rater, start.Done, start.Total, start.URL)
	}
	if err != nil {
		return err
	}
	if o.open {
		openBrowser(ctx, start.URL)
	}
	return server.Serve(ctx)
}

// openBrowser asks the desktop to open the page; the address is printed in any case.
func openBrowser(ctx context.Context, url string) {
	program := "xdg-open"
	if runtime.GOOS == "darwin" {
		program = "open"
	}
	if path, err := exec.LookPath(program); err == nil {
		_ = exec.CommandContext(ctx, path, url).Start() // a machine without a desktop opens nothing
	}
}

// keyboard gives single keys where s.In is a terminal, and lines otherwise.
func (s *settings) keyboard() (raw *os.File, ok bool) {
	f, ok := s.In.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, false
	}
	return f, true
}
