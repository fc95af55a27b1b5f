package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/modes"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store/sqlite"
	"github.com/rung-dev/rung/internal/task"
)

func newModesCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:     "modes",
		GroupID: "read",
		Short:   "Name the ways in which answers fail, and count them",
		Long: `Modes works with failure modes: named ways in which the answers of a task fail. A task begins with a small taxonomy
and may name its own (modes: in the task file). Some modes are found by rule, others are proposed, by grouping mistakes that are
alike or by asking a model; a person confirms them. What is confirmed is kept per answer, shown in every report, and gives
counter-examples.`,
	}
	c.AddCommand(newModesListCommand(s), newModesShowCommand(s), newModesProposeCommand(s), newModesConfirmCommand(s), newModesExportCommand(s))
	return c
}

// many is a number with its noun.
func many(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

const subjectHelp = `SUBJECT is a rung (rag: of the latest climb that scored it), RUN:RUNG, an evaluation (rung eval --list) or its
subject (tickets@v3, an endpoint), or the beginning of a candidate's digest; without it, the newest scores on the task's own examples,
of a climb those of the candidate that it decided for.`

// modesListDocument is what rung modes list --json prints.
type modesListDocument struct {
	Task  string             `json:"task"`
	Modes []rung.FailureMode `json:"modes"`
}

func newModesListCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "list TASK",
		Short:   "List the failure modes of a task",
		Example: "  rung modes list task.yaml",
		Args:    exactArgs(1, "a task file"),
		RunE: func(c *cobra.Command, args []string) error {
			f, g, err := graderOf(args[0])
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(modesListDocument{f.Task.Name, g.Modes()})
			}
			rows := [][]string{{"mode", "found by rule", "meaning"}}
			for _, m := range g.Modes() {
				rows = append(rows, []string{m.Name, ruleWords(m), m.Means})
			}
			_, err = fmt.Fprintln(s.Out, strings.Join(report.Columns(rows), "\n"))
			return err
		},
	}
}

// ruleWords says by which rules a mode is found.
func ruleWords(m rung.FailureMode) string {
	var by []string
	if grade.HasRule(m.Name) {
		by = append(by, "yes")
	}
	if len(m.Mistakes) > 0 {
		by = append(by, "kind of mistake")
	}
	if m.Pattern != "" {
		by = append(by, "pattern")
	}
	if len(by) == 0 {
		return "no: people and judges"
	}
	return strings.Join(by, ", ")
}

// graderOf reads a task file and compiles its metrics.
func graderOf(path string) (*task.File, *grade.Grader, error) {
	f, err := task.Open(path)
	if err != nil {
		return nil, nil, err
	}
	output, err := form.New(f.Task.Output)
	if err != nil {
		return nil, nil, err
	}
	g, err := app.Grader(f, output)
	return f, g, err
}

// boardOptions say whose mistakes are meant.
type boardOptions struct {
	task, subject, suite string
}

func (o *boardOptions) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.suite, "suite", "", "only scores on this suite, such as heldout or dev")
}

// take reads TASK [SUBJECT].
func (o *boardOptions) take(args []string) {
	o.task, o.subject = args[0], ""
	if len(args) > 1 {
		o.subject = args[1]
	}
}

func taskAndSubject(c *cobra.Command, args []string) error {
	if len(args) == 1 || len(args) == 2 {
		return nil
	}
	return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%s takes a task file and at most one subject, got %d arguments", c.CommandPath(), len(args)), Do: "see " + c.CommandPath() + " --help"}
}

// openBoard reads the mistakes of a subject from the store of a task. The caller closes the store.
func openBoard(ctx context.Context, s *settings, o *boardOptions) (*sqlite.Store, *app.Board, error) {
	f, g, err := graderOf(o.task)
	if err != nil {
		return nil, nil, err
	}
	st, err := taskStore(ctx, s, f)
	if err != nil {
		return nil, nil, err
	}
	scored, err := app.FindScored(ctx, st, f.Task.Name, o.subject, o.suite)
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	b, err := app.OpenBoard(ctx, st, g, scored, f.Task.Name)
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	return st, b, nil
}

// modesDocument is what rung modes show --json prints.
type modesDocument struct {
	Task      string           `json:"task"`
	Subject   string           `json:"subject"`
	Candidate rung.Digest      `json:"candidate"`
	Suite     string           `json:"suite"`
	N         int              `json:"n"`
	Mistakes  int              `json:"mistakes"`
	LookedAt  int              `json:"looked_at"` // mistakes that a person has said something about
	Modes     []rung.ModeCount `json:"modes"`
	Labels    []rung.ModeLabel `json:"labels"`
	Stopped   *rung.Stop       `json:"stopped,omitempty"` // early: the intervals are those of a sequence
	Answers   int              `json:"answers,omitempty"` // to each example, of which the first ones are counted
}

func newModesShowCommand(s *settings) *cobra.Command {
	var o boardOptions
	c := &cobra.Command{
		Use:   "show TASK [SUBJECT]",
		Short: "Count the failure modes of a subject's answers",
		Long: `Show counts how many of a subject's answers show each failure mode, apart by how that is known: confirmed by a person, found
by rule, proposed, or rejected by a person. Shares are of all scored examples, with 95 % intervals.

` + subjectHelp,
		Example: "  rung modes show task.yaml\n  rung modes show task.yaml rag --suite dev",
		Args:    taskAndSubject,
		RunE: func(c *cobra.Command, args []string) error {
			o.take(args)
			return runModesShow(c.Context(), s, &o)
		},
	}
	o.flags(c)
	return c
}

func runModesShow(ctx context.Context, s *settings, o *boardOptions) (err error) {
	st, b, err := openBoard(ctx, s, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return s.printBoard(b)
}

func (s *settings) printBoard(b *app.Board) error {
	doc := modesDocument{Task: b.Task, Subject: b.Name, Candidate: b.Candidate, Suite: b.Suite, N: b.N, Mistakes: len(b.Mistakes),
		LookedAt: modes.LookedAt(b.Mistakes, b.Labels), Modes: b.Counts(), Labels: b.Labels, Stopped: b.Stopped, Answers: b.Answers}
	if s.json {
		return s.printJSON(doc)
	}
	_, err := fmt.Fprint(s.Out, boardText(&doc))
	return err
}

func boardText(d *modesDocument) string {
	var t strings.Builder
	fmt.Fprintf(&t, "%s (%s), n = %d: %s, %d of them seen by a person\n", d.Subject, d.Candidate.Short(), d.N, many(d.Mistakes, "mistake"), d.LookedAt)
	if len(d.Modes) == 0 {
		t.WriteString("No failure mode has been found, proposed or confirmed.\n")
		return t.String()
	}
	t.WriteString("\n")
	rows := [][]string{{"mode", "known", "answers", "share of n, 95 %", "examples"}}
	for _, c := range d.Modes {
		rows = append(rows, []string{c.Mode, string(c.Status), fmt.Sprint(c.Count), report.Share(c.Share), strings.Join(c.Examples, " ")})
	}
	t.WriteString(strings.Join(report.Columns(rows), "\n") + "\n")
	fmt.Fprintf(&t, "\nIntervals: %s; n = %d examples.\n", d.Modes[0].Share.Method, d.Modes[0].Share.N)
	if s := d.Stopped; s != nil {
		fmt.Fprintf(&t, "It stopped after %d of %d examples; these intervals hold at any stop.\n", s.N, s.Of)
	}
	if d.Answers > 1 {
		fmt.Fprintf(&t, "Each example was answered %d times; the first answers are counted.\n", d.Answers)
	}
	if d.LookedAt < d.Mistakes {
		fmt.Fprintf(&t, "\nWhat is confirmed is a lower bound: nobody has seen %s. rung modes confirm shows them one by one.\n", many(d.Mistakes-d.LookedAt, "mistake"))
	}
	return t.String()
}

// taskStore opens the store beside a task file, or that of --store; it makes none.
func taskStore(ctx context.Context, s *settings, f *task.File) (*sqlite.Store, error) {
	dir := s.store
	if dir == "" {
		dir = filepath.Join(f.Task.Dir, storeName)
	}
	if !isDir(dir) {
		return nil, &rung.Error{Code: rung.CodeNotFound, Place: dir, What: "there is no store", Do: "run rung climb or rung eval first, or name the store with --store"}
	}
	if err := notOther(dir); err != nil {
		return nil, err
	}
	return sqlite.Open(ctx, dir)
}
