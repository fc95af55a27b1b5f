package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/guard"
	"github.com/rung-dev/rung/internal/task"
)

type guardOptions struct {
	file  string // task file
	lines string // JSON lines file; empty: text, or standard input
	text  string
	given bool // --text was given
	stage string
}

func newGuardCommand(s *settings) *cobra.Command {
	var opt guardOptions
	c := &cobra.Command{
		Use:     "guard TASK.yaml [FILE.jsonl]",
		GroupID: "ship",
		Short:   "Try the task's guards on texts and see their verdicts",
		Long: `Guard runs the guards of a task on one text (--text, or standard input) or on each line of a file: a JSON string, or
{"text": …, "on": "input"}. It calls no model: topics are told by their words alone. It prints what each guard found, what it
did, and the text that is let through; values that would be put back into the answer stay hidden.

Exit status 0 also when a guard blocks.`,
		Example: "  rung guard task.yaml --text 'I am at ann@example.com'\n  rung guard task.yaml --on retrieved passages.jsonl --json",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 1 || len(args) == 2 {
				return nil
			}
			return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%s takes a task file and perhaps a file of texts, got %d arguments", c.CommandPath(), len(args)), Do: "see " + c.CommandPath() + " --help"}
		},
		RunE: func(c *cobra.Command, args []string) error {
			opt.file, opt.given = args[0], c.Flags().Changed("text")
			if len(args) == 2 {
				opt.lines = args[1]
			}
			tried, err := runGuard(c.Context(), opt, s.In)
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(map[string]any{"texts": tried})
			}
			printGuarded(s.Out, tried)
			return nil
		},
	}
	c.Flags().StringVar(&opt.text, "text", "", "the text to try")
	c.Flags().StringVar(&opt.stage, "on", "input", "what the text is: input, retrieved or output")
	return c
}

// guarded is what became of one text.
type guarded struct {
	Line     int                 `json:"line,omitempty"`
	On       rung.GuardStage     `json:"on"`
	Outcome  string              `json:"outcome"` // passed, changed, blocked, left out, falls back
	Text     string              `json:"text,omitempty"`
	Verdicts []rung.GuardVerdict `json:"verdicts"`
}

type guardRow struct {
	line  int
	text  string
	stage rung.GuardStage
}

func runGuard(ctx context.Context, opt guardOptions, in io.Reader) ([]guarded, error) {
	t, err := task.Load(opt.file)
	if err != nil {
		return nil, err
	}
	if len(t.Guards) == 0 {
		return nil, &rung.Error{Code: rung.CodeInput, Place: opt.file, What: "the task has no guards", Do: "add some, such as: guards: [{guard: pii}]"}
	}
	rows, err := guardRows(opt, in)
	if err != nil {
		return nil, err
	}
	set, err := guardsOf(ctx, t)
	if err != nil {
		return nil, err
	}
	out := make([]guarded, 0, len(rows))
	for _, r := range rows {
		g, err := tryGuards(ctx, set, r)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

// guardsOf prepares the guards as a gateway does, without an embedder. Training texts are read only where a guard wants them.
func guardsOf(ctx context.Context, t *rung.Task) (*guard.Set, error) {
	f, err := form.New(t.Output)
	if err != nil {
		return nil, err
	}
	env := guard.Env{System: t.Instructions, Form: f}
	if slices.ContainsFunc(t.Guards, func(g rung.GuardSpec) bool { return g.Kind == "data_leak" }) {
		set, err := data.Load(ctx, t, f)
		if err != nil {
			return nil, err
		}
		env.Training = guard.TrainingTexts(set.Building.Train)
	}
	return guard.New(t.Guards, env)
}

var guardStages = []rung.GuardStage{rung.GuardInput, rung.GuardRetrieved, rung.GuardOutput}

func guardRows(opt guardOptions, in io.Reader) ([]guardRow, error) {
	stage := rung.GuardStage(opt.stage)
	if !slices.Contains(guardStages, stage) {
		return nil, usage("there is no stage %q; write --on input, retrieved or output", opt.stage)
	}
	switch {
	case opt.given && opt.lines != "":
		return nil, usage("give either --text or a file")
	case opt.given:
		return []guardRow{{text: opt.text, stage: stage}}, nil
	case opt.lines != "":
		f, err := os.Open(opt.lines)
		if err != nil {
			return nil, &rung.Error{Code: rung.CodeInput, Place: opt.lines, What: "the file cannot be read", Do: "check the path", Err: err}
		}
		rows, err := guardLines(f, opt.lines, stage)
		return rows, errors.Join(err, f.Close())
	}
	text, err := io.ReadAll(io.LimitReader(in, guard.MaxText+1))
	if err != nil {
		return nil, err
	}
	return []guardRow{{text: strings.TrimSuffix(string(text), "\n"), stage: stage}}, nil
}

func guardLines(in io.Reader, name string, stage rung.GuardStage) ([]guardRow, error) {
	var rows []guardRow
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, guard.MaxText+1<<16)
	for n := 1; scan.Scan(); n++ {
		line := bytes.TrimSpace(scan.Bytes())
		if len(line) == 0 {
			continue
		}
		r, err := guardLine(line, stage)
		if err != nil {
			return nil, &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("%s:%d", name, n), What: err.Error(), Do: `write a JSON string, or {"text": "…", "on": "input"}`}
		}
		r.line = n
		rows = append(rows, r)
	}
	if err := scan.Err(); err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: name, What: "the file cannot be read: " + err.Error(), Do: "check that each line is one JSON value", Err: err}
	}
	return rows, nil
}

func guardLine(line []byte, stage rung.GuardStage) (guardRow, error) {
	r := guardRow{stage: stage}
	if line[0] == '"' {
		return r, json.Unmarshal(line, &r.text)
	}
	var row struct {
		Text *string         `json:"text"`
		On   rung.GuardStage `json:"on"`
	}
	if err := json.Unmarshal(line, &row); err != nil {
		return r, errors.New("this line is not JSON as it should be")
	}
	if row.Text == nil {
		return r, errors.New("this line has no text")
	}
	if row.On != "" {
		r.stage = row.On
	}
	if r.text = *row.Text; !slices.Contains(guardStages, r.stage) {
		return r, fmt.Errorf("there is no stage %q", r.stage)
	}
	return r, nil
}

// tryGuards runs one text as a request of its own. What stops it is an outcome, not an error.
func tryGuards(ctx context.Context, set *guard.Set, r guardRow) (guarded, error) {
	g := guarded{Line: r.line, On: r.stage}
	s := set.Session()
	var err error
	switch r.stage {
	case rung.GuardRetrieved:
		var kept []rung.Passage
		kept, g.Verdicts, err = s.Passages(ctx, []rung.Passage{{Text: r.text}})
		if err == nil && len(kept) == 0 {
			g.Outcome = "left out"
			return g, nil
		}
		if err == nil {
			g.Text = kept[0].Text
		}
	case rung.GuardOutput:
		g.Text, g.Verdicts, err = s.Output(ctx, r.text)
	default:
		g.Text, g.Verdicts, err = s.Input(ctx, r.text)
	}
	var fall *guard.FallbackError
	switch {
	case errors.As(err, &fall):
		g.Outcome, g.Text = "falls back", ""
	case rung.CodeOf(err) == rung.CodeBlocked:
		g.Outcome, g.Text = "blocked", ""
	case err != nil:
		return g, err
	case g.Text != r.text:
		g.Outcome = "changed"
	default:
		g.Outcome = "passed"
	}
	if g.Verdicts == nil {
		g.Verdicts = []rung.GuardVerdict{}
	}
	return g, nil
}

func printGuarded(w io.Writer, tried []guarded) {
	for i, g := range tried {
		if i > 0 {
			fmt.Fprintln(w)
		}
		where := string(g.On)
		if g.Line > 0 {
			where = fmt.Sprintf("line %d, %s", g.Line, g.On)
		}
		fmt.Fprintf(w, "%s: %s\n", where, g.Outcome)
		for _, v := range g.Verdicts {
			did := string(v.Action)
			switch {
			case v.Failed != "":
				did = "could not run (" + v.Failed + ")"
			case did == "":
				did = "nothing found"
			}
			fmt.Fprintf(w, "  %-12s %-14s score %.2f  %8s  %s\n", v.Kind, did, v.Score, time.Duration(v.Elapsed).Round(time.Microsecond), strings.Join(v.Found, ", "))
		}
		if g.Text != "" {
			fmt.Fprintf(w, "  text: %s\n", strings.ReplaceAll(g.Text, "\n", "\n        "))
		}
	}
}
