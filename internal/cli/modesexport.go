package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/form"
)

// counterRow is one counter-example as rung modes export writes it.
type counterRow struct {
	Example string          `json:"id"`
	Split   rung.Split      `json:"split"` // train or dev, never heldout
	Mode    string          `json:"mode"`
	Means   string          `json:"means"`
	Note    string          `json:"note,omitempty"`
	Input   json.RawMessage `json:"input"`
	Output  json.RawMessage `json:"output"`
	Wrong   string          `json:"wrong"`
	By      string          `json:"by"`
	At      time.Time       `json:"at"`
}

// pairRow is a preference pair, in the form that trainers of preferences read.
type pairRow struct {
	Prompt   string `json:"prompt"` // the input object
	Chosen   string `json:"chosen"`
	Rejected string `json:"rejected"`
}

// exportedDocument is what rung modes export --json prints.
type exportedDocument struct {
	Task  string         `json:"task"`
	Rows  int            `json:"n"`
	Split map[string]int `json:"splits"`
	Out   string         `json:"out,omitempty"`
	Items []counterRow   `json:"counter_examples"`
}

func newModesExportCommand(s *settings) *cobra.Command {
	var out string
	var pairs bool
	c := &cobra.Command{
		Use:   "export TASK",
		Short: "Write the confirmed mistakes on train and dev as counter-examples",
		Long: `Export writes the mistakes that people have confirmed as JSON lines: input, right output, wrong answer, mode, and who says so.
Only mistakes on train and dev examples are written: what was learned from held-out examples would measure itself. To have some,
score a candidate on these: rung eval with the suite dev or train, then rung modes confirm.

With --pairs the rows are preference pairs (prompt, chosen, rejected). A climb uses the same mistakes itself: as counter-examples in
few-shot prompts, where dev says that they help, and train examples among them count twice in training.`,
		Example: "  rung modes export task.yaml\n  rung modes export task.yaml --pairs -o pairs.jsonl",
		Args:    exactArgs(1, "a task file"),
		RunE: func(c *cobra.Command, args []string) error {
			return runModesExport(c.Context(), s, args[0], out, pairs)
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "-", "file to write to")
	c.Flags().BoolVar(&pairs, "pairs", false, "write preference pairs")
	return c
}

func runModesExport(ctx context.Context, s *settings, path, out string, pairs bool) (err error) {
	f, g, err := graderOf(path)
	if err != nil {
		return err
	}
	output, err := form.New(f.Task.Output)
	if err != nil {
		return err
	}
	set, err := data.Load(ctx, f.Task, output)
	if err != nil {
		return err
	}
	st, err := taskStore(ctx, s, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	found, err := app.ConfirmedMistakes(ctx, st, f.Task.Name, g.Modes(), set.Building, set.Heldout.Digest())
	if err != nil {
		return err
	}
	doc := exportedDocument{Task: f.Task.Name, Rows: len(found), Split: map[string]int{}, Items: []counterRow{}}
	for _, m := range found {
		doc.Split[string(m.Split)]++
		doc.Items = append(doc.Items, counterRow{m.Example.ID, m.Split, m.Label.Mode, m.Means, m.Label.Note, m.Example.Input, m.Example.Output, m.Label.Wrong, m.Label.By, m.Label.At})
	}
	write := func(w io.Writer) error { return writeCounters(w, &doc, output, pairs) }
	if s.json {
		if out != "-" {
			doc.Out = out
			if err := (target{path: out}).write(s.Out, write); err != nil {
				return err
			}
		}
		return s.printJSON(doc)
	}
	if doc.Rows == 0 {
		fmt.Fprintln(s.Err, "No mistake on a train or dev example is confirmed: rung eval TASK SUBJECT --suite dev --full, then rung modes confirm TASK --suite dev --by NAME.")
	}
	return target{path: out}.write(s.Out, write)
}

func writeCounters(w io.Writer, d *exportedDocument, f *form.Form, pairs bool) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for i := range d.Items {
		row := &d.Items[i]
		if !pairs {
			if err := enc.Encode(row); err != nil {
				return err
			}
			continue
		}
		right, err := f.Encode(row.Output, row.Input)
		if err != nil {
			return err
		}
		if err := enc.Encode(pairRow{Prompt: string(row.Input), Chosen: right, Rejected: row.Wrong}); err != nil {
			return err
		}
	}
	return nil
}
