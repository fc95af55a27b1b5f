package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/curate"
	"github.com/rung-dev/rung/internal/govern"
	"github.com/rung-dev/rung/internal/pii"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

type forgetDataOptions struct {
	folders []string
	persons []string
	ids     []string
	texts   []string
	files   []string
	why     string
	yes     bool
	vault   string
	keyFile string
}

func newDataForgetCommand(s *settings) *cobra.Command {
	var o forgetDataOptions
	c := &cobra.Command{
		Use:   "forget [DATASET…] --person KEY | --row ID | --text TEXT | --file FILE",
		Short: "Erase a person's rows from datasets and stores, and say what was made from them",
		Long: `Forget finds a person's rows in every dataset that the project knows (task files and dataset.yaml beside the store, those of its runs)
and in those named: by the source's key of the person, by row id, by text (equal, within a row, or nearly the same), and by the names,
addresses, phones and numbers in the text, wherever rows mention them. Rows generated from such rows go too.

Without --yes it says what would go and changes nothing. With it the rows leave the datasets, which get a new digest with the recorded step
erase; their content leaves the store (completions, candidates, pools, indexes, labels, ratings, the answers in scores) and the traces; and
erased.jsonl beside dataset.yaml, which holds no content, keeps them out when the dataset is built again. Raw files are named, not changed.
Releases and adapters that hold or learned from the rows are named, with what to do. Interrupted, it goes on when asked again.

The report names nobody and can be kept.`,
		Example: "  rung data forget --person customer-4711\n  rung data forget --text \"Zoe Okonkwo\" --text zoe@example.org --why \"request 12\" --yes\n  rung data forget tickets --row 8f14e45fceea1677 --yes --json",
		RunE: func(c *cobra.Command, args []string) error {
			o.folders = args
			return runDataForget(c.Context(), s, &o)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.persons, "person", nil, "the source's key of the person (the rows' field person); may be repeated")
	f.StringArrayVar(&o.ids, "row", nil, "the id of a row; may be repeated")
	f.StringArrayVar(&o.texts, "text", nil, "a name, an address, a phone number, or what a row says; may be repeated")
	f.StringArrayVar(&o.files, "file", nil, "a text file with what a row says, or - for standard input; may be repeated")
	f.StringVar(&o.why, "why", "", "the request that is answered, such as its number; it is kept, so no personal data")
	f.BoolVar(&o.yes, "yes", false, "do it; without this it is only said what would go")
	f.StringVar(&o.vault, "vault", "", "take the rows out of this vault of rung data pii too; needs --key-file")
	f.StringVar(&o.keyFile, "key-file", "", "file with the vault's key")
	return c
}

// maxWanted bounds a text that is looked for, in bytes.
const maxWanted = 1 << 20

func (o *forgetDataOptions) wanted(s *settings) (govern.Wanted, error) {
	w := govern.Wanted{Persons: o.persons, IDs: o.ids}
	texts := slices.Clone(o.texts)
	for _, name := range o.files {
		b, err := s.readWanted(name)
		if err != nil {
			return w, err
		}
		texts = append(texts, string(b))
	}
	for _, t := range texts {
		if strings.TrimSpace(t) == "" {
			return w, usage("a text that is looked for is empty")
		}
	}
	if len(w.Persons)+len(w.IDs)+len(texts) == 0 {
		return w, usage("say whom to forget with --person, --row, --text or --file")
	}
	if slices.Contains(append(slices.Clone(w.Persons), w.IDs...), "") {
		return w, usage("a key or an id is empty: it would be that of every row without one")
	}
	engine, err := pii.New(pii.Options{Types: []pii.Type{pii.Email, pii.Phone, pii.IBAN, pii.Card, pii.SSN, pii.NationalID, pii.Person}})
	if err != nil {
		return w, err
	}
	for _, t := range texts {
		mentions(engine, t, &w)
	}
	return w, nil
}

// mentions takes a text apart: a short one is looked for as it stands, wherever rows mention it; of a long one the whole, and the names of
// two words or more, addresses and numbers in it.
func mentions(engine *pii.Engine, text string, w *govern.Wanted) {
	if len(strings.Fields(text)) <= 4 {
		if strings.IndexFunc(text, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r > 127 }) < 0 {
			w.Numbers = append(w.Numbers, text)
		} else {
			w.Phrases = append(w.Phrases, text)
		}
		return
	}
	w.Texts = append(w.Texts, text)
	for _, f := range engine.Find(text) {
		value := text[f.Start:f.End]
		switch {
		case f.Type == pii.Email || f.Type == pii.Person && len(strings.Fields(value)) > 1:
			w.Phrases = append(w.Phrases, value)
		case f.Type != pii.Person:
			w.Numbers = append(w.Numbers, value)
		}
	}
}

func (s *settings) readWanted(name string) ([]byte, error) {
	in := s.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, &rung.Error{Code: rung.CodeInput, Place: name, What: "cannot be read: " + err.Error(), Do: "check the path", Err: err}
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxWanted+1))
	if err == nil && len(b) > maxWanted {
		err = fmt.Errorf("it has more than %d bytes", maxWanted)
	}
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: name, What: "cannot be read: " + err.Error(), Do: "name a text file with what one row says", Err: err}
	}
	return b, nil
}

func runDataForget(ctx context.Context, s *settings, o *forgetDataOptions) (err error) {
	wanted, err := o.wanted(s)
	if err != nil {
		return err
	}
	opt := app.EraseOptions{Wanted: wanted, Folders: o.folders, Why: o.why, Do: o.yes, Report: curate.WriteReport, Tell: func(line string) { fmt.Fprintln(s.Err, "rung: "+line) }}
	dir, err := storeDir(s)
	switch {
	case err == nil:
		opt.Dir = dir
		st, err := sqlite.Open(ctx, dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, st.Close()) }()
		serving, err := openServing(ctx, dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, serving.Close()) }()
		opt.Store, opt.Serving = st, serving
	case len(o.folders) == 0 || s.store != "":
		return err
	}
	if o.vault != "" {
		if o.keyFile == "" {
			return usage("--vault needs --key-file")
		}
		opt.Vault = o.takeFromVault
	}
	doc, err := app.Erase(ctx, opt)
	if err != nil {
		return err
	}
	if s.json {
		return s.printJSON(doc)
	}
	_, err = io.WriteString(s.Out, forgetText(doc))
	return err
}

func (o *forgetDataOptions) takeFromVault(holds func([]byte) bool, do bool) (int, error) {
	key, err := os.ReadFile(o.keyFile)
	if err != nil {
		return 0, &rung.Error{Code: rung.CodeInput, Place: o.keyFile, What: "the key cannot be read: " + err.Error(), Do: "name the vault's key file", Err: err}
	}
	f, err := os.Open(o.vault)
	if err != nil {
		return 0, &rung.Error{Code: rung.CodeInput, Place: o.vault, What: "the vault cannot be read: " + err.Error(), Do: "check the path", Err: err}
	}
	v, err := pii.OpenVault(f, key)
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	var b bytes.Buffer
	n, err := v.Without(holds, &b, key)
	if err != nil || !do || n == 0 {
		return n, err
	}
	return n, govern.WriteWhole(o.vault, b.Bytes(), 0o600)
}

func forgetText(d *app.Erasure) string {
	var b strings.Builder
	verb := "would go"
	if d.Done {
		verb = "went"
	}
	fmt.Fprintf(&b, "Erasure on %s", d.On)
	if d.Why != "" {
		fmt.Fprintf(&b, " (%s)", report.Line(d.Why, 200))
	}
	if d.Resumed {
		b.WriteString(", going on with one that was interrupted")
	}
	fmt.Fprintf(&b, "\n\nDatasets\n")
	rows := [][]string{{"dataset", "rows", "records", "digest", "by"}}
	for _, x := range d.Datasets {
		digest := x.Before.Short()
		if x.After != "" {
			digest += " → " + x.After.Short()
		}
		rows = append(rows, []string{x.Folder, fmt.Sprint(len(x.Rows)), fmt.Sprint(x.Records), digest, reasonsOf(x.Rows)})
	}
	if len(rows) == 1 {
		b.WriteString("  none is known here\n")
	} else {
		writeColumns(&b, rows)
	}
	for _, x := range d.Datasets {
		for _, r := range x.Rows[:min(len(x.Rows), 20)] {
			fmt.Fprintf(&b, "  %s  %s in %s (%s)\n", verb, r.ID, r.In, r.Reason)
		}
		if n := len(x.Rows) - 20; n > 0 {
			fmt.Fprintf(&b, "  and %d more (--json has all)\n", n)
		}
	}
	fmt.Fprintf(&b, "\nStore and traces: what %s\n", verb)
	n := 0
	for _, counts := range []map[string]int{d.Store, d.Gateway} {
		for _, kind := range sortedKeys(counts) {
			if counts[kind] > 0 {
				fmt.Fprintf(&b, "  %6d  %s\n", counts[kind], kind)
				n++
			}
		}
	}
	if n == 0 {
		b.WriteString("  nothing\n")
	}
	if d.Vault != nil {
		fmt.Fprintf(&b, "  %6d  rows of the vault\n", *d.Vault)
	}
	b.WriteString("\nMade from them\n")
	for _, m := range d.Made {
		fmt.Fprintf(&b, "  %s %s %s\n    → %s\n", m.Kind, m.Name, m.How, m.Do)
	}
	if len(d.Made) == 0 {
		b.WriteString("  nothing that rung knows\n")
	}
	b.WriteString("\nNot changed, and still holding them\n")
	for _, l := range d.Loose {
		fmt.Fprintf(&b, "  %s%s%s\n", l.File, linesText(l), l.Note)
	}
	for _, text := range d.Left {
		fmt.Fprintf(&b, "  %s\n", text)
	}
	if !d.Done {
		b.WriteString("\nNothing was changed. The same command with --yes does it.\n")
	}
	return b.String()
}

func reasonsOf(rows []app.ErasedRow) string {
	counts := map[string]int{}
	for _, r := range rows {
		counts[r.Reason]++
	}
	var out []string
	for _, k := range sortedKeys(counts) {
		out = append(out, fmt.Sprintf("%s %d", k, counts[k]))
	}
	return strings.Join(out, ", ")
}

func sortedKeys(m map[string]int) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func linesText(l app.LooseFile) string {
	if len(l.Lines) == 0 {
		if l.Note != "" {
			return ": "
		}
		return ""
	}
	shown := l.Lines[:min(len(l.Lines), 10)]
	text := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(shown)), ", "), "[]")
	if n := len(l.Lines) - len(shown) + l.More; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return ", line " + text
}
