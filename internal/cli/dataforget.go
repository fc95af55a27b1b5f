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
		Long: `Forget finds a person's rows in every dataset that the project knows (those beside the store, of task files and dataset.yaml there, of its
runs, and older builds of them) and in those named: by the source's key of the person, by row id, by text (equal, within a row, or nearly
the same), and by the names, addresses, phones and numbers in the text, wherever rows mention them. Raw files are read as dataset.yaml
says now, and rows of older builds are found by the raw row that they came from, also where personal data was replaced. Rows generated
from such rows go too. A dataset in which more may be that nobody can recognise is named, with what to do.

Without --yes it says what would go and changes nothing. With it the rows leave the datasets, which get a new digest with the recorded step
erase; their content leaves the store (completions, candidates, pools, indexes, labels, ratings, the answers in scores, all kept vectors) and the
traces; and erased.jsonl beside dataset.yaml, which holds no content, keeps them out when the dataset is built again. Raw files are named, not changed.
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
	opt := app.EraseOptions{Wanted: wanted, Folders: o.folders, Why: o.why, Do: o.yes, Report: curate.WriteReport, Raw: curate.EachRaw, Tell: func(line string) { fmt.Fprintln(s.Err, "rung: "+line) }}
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
		opt.Vault, opt.Sealed = o.takeFromVault, o.vault
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
