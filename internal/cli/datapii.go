package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/pii"
	"github.com/rung-dev/rung/internal/rows"
)

type piiOptions struct {
	files        []string
	fields       []string
	types        []string
	regions      []string
	patterns     string
	sure         float64
	redact       bool
	pseudonymise bool
	out, changed string
	keyFile      string
	vault        string
	restore      string
	failOnAny    bool
	examples     int
	ray          string
}

func newDataPIICommand(s *settings) *cobra.Command {
	var o piiOptions
	c := &cobra.Command{
		Use:   "pii FILE…",
		Short: "Find personal data and secrets; redact them or put stand-ins in their place",
		Long: `Pii looks for personal data and secrets in all texts of all rows, or in those of --field: what has a form by recognisers that check
it (cards, IBANs, national numbers by their checksums, keys by their issuers' formats), names, places, organisations and addresses by a
model that comes with rung, and what --patterns says. Without --redact and --pseudonymise it only reports.

--redact puts <EMAIL> and the like in the place of what was found. --pseudonymise puts stand-ins there: the same for the same value
under one --key-file, of the same form, so that the rows stay useful; secrets are always redacted. With --vault the rows as they were
are kept, encrypted under the same key, and --restore VAULT puts them back. The report never shows a value. No tool finds everything:
docs/data-pii.md says what is missed.`,
		Example: `  rung data pii chats.jsonl
  rung data pii chats.jsonl --redact --types EMAIL,PHONE,PERSON --out clean.jsonl
  rung data pii chats.jsonl --pseudonymise --key-file key --vault chats.vault --out clean.jsonl
  rung data pii clean.jsonl --restore chats.vault --key-file key --out back.jsonl`,
		Args: someFiles,
		RunE: func(c *cobra.Command, args []string) error {
			o.files = args
			doc, err := runPII(c.Context(), s, &o)
			if err != nil {
				return err
			}
			if s.json {
				err = s.printJSON(doc)
			} else {
				_, err = fmt.Fprint(s.Out, doc.text())
			}
			if err == nil && o.failOnAny && doc.RowsFound > 0 {
				return &rung.Error{Code: rung.CodeFailed, What: fmt.Sprintf("%d rows hold personal data or secrets", doc.RowsFound), Do: "redact them with --redact --out FILE"}
			}
			return err
		},
	}
	f := c.Flags()
	f.StringSliceVar(&o.fields, "field", nil, "look at this field only (input.question goes into objects; default: all texts)")
	f.StringSliceVar(&o.types, "types", nil, "types to look for, or all (default: all but DATE, TITLE, AGE and NATIONALITY)")
	f.StringSliceVar(&o.regions, "regions", nil, "countries whose phone numbers are found as they are dialled there, such as US,DE (default: "+strings.Join(pii.Regions, ",")+")")
	f.StringVar(&o.patterns, "patterns", "", "YAML file with patterns of your own: a list of type, pattern and, if need be, near and check")
	f.Float64Var(&o.sure, "sure", 0, "leave out names that the model is less sure of: natural logarithm of the odds, such as 1 or 2")
	f.BoolVar(&o.redact, "redact", false, "put the type in the place of each finding")
	f.BoolVar(&o.pseudonymise, "pseudonymise", false, "put stand-ins in the place of findings; needs --key-file")
	f.StringVar(&o.out, "out", "", "write all rows to this file, as JSON lines")
	f.StringVar(&o.changed, "changed", "", "write what was changed in which row to this file (default: beside --out, ending in .changed.jsonl)")
	f.StringVar(&o.keyFile, "key-file", "", "file with the key of stand-ins and vault, at least 32 bytes")
	f.StringVar(&o.vault, "vault", "", "keep the changed rows as they were in this file, encrypted; needs --key-file")
	f.StringVar(&o.restore, "restore", "", "put the rows of this vault back; needs --key-file and --out")
	f.BoolVar(&o.failOnAny, "fail-on-any", false, "exit status 9 when anything is found")
	f.IntVar(&o.examples, "examples", 3, "places of each type in the report")
	rayFlag(c, &o.ray)
	return c
}

// check refuses what does not go together.
func (o *piiOptions) check(set *rows.Set) error {
	switch writes := o.redact || o.pseudonymise || o.restore != ""; {
	case o.redact && o.pseudonymise, o.restore != "" && (o.redact || o.pseudonymise):
		return usage("--redact, --pseudonymise and --restore are three things: ask for one")
	case writes && o.out == "":
		return usage("say with --out where the rows go; nothing is changed in place")
	case !writes && o.out != "":
		return usage("--out needs --redact, --pseudonymise or --restore")
	case (o.pseudonymise || o.vault != "" || o.restore != "") && o.keyFile == "":
		return usage("name the key with --key-file; make one with: head -c 32 /dev/urandom > key")
	case o.vault != "" && !o.redact && !o.pseudonymise:
		return usage("--vault goes with --redact or --pseudonymise")
	case o.changed != "" && o.out == "":
		return usage("--changed needs --out")
	}
	if err := linesOnly(o.out); err != nil {
		return err
	}
	if o.out != "" && o.changed == "" && o.restore == "" {
		o.changed = strings.TrimSuffix(o.out, filepath.Ext(o.out)) + ".changed.jsonl"
	}
	var all []string
	for _, path := range []string{o.out, o.changed, o.vault} {
		if path == "" {
			continue
		}
		if set.Holds(path) || slices.Contains(all, filepath.Clean(path)) || path == o.keyFile || path == o.restore {
			return &rung.Error{Code: rung.CodeUsage, Place: path, What: "is read, or written twice; nothing is changed in place", Do: "write to another"}
		}
		all = append(all, filepath.Clean(path))
	}
	return nil
}

// piiScan is what is looked for and what becomes of it, also in another process.
type piiScan struct {
	Options  pii.Options `json:"options"`
	Pointers []string    `json:"pointers"`
	Redact   bool        `json:"redact"`
	Key      []byte      `json:"key,omitempty"` // of stand-ins
}

// scan is what the flags ask for.
func (o *piiOptions) scan(key []byte) (piiScan, error) {
	types := pii.Identifying
	if len(o.types) > 0 {
		types = nil
		for _, t := range o.types {
			t = strings.ToUpper(strings.TrimSpace(t))
			switch {
			case t == "ALL":
				types = append(types, pii.Types...)
			case slices.Contains(pii.Types, t):
				types = append(types, t)
			default:
				return piiScan{}, usage("there is no type %s; the types are %s, or all", t, strings.Join(pii.Types, ", "))
			}
		}
	}
	patterns, err := readPatterns(o.patterns)
	scan := piiScan{Options: pii.Options{Types: types, Patterns: patterns, Sure: o.sure, Regions: o.regions}, Redact: o.redact}
	for _, f := range o.fields {
		scan.Pointers = append(scan.Pointers, pii.Pointer(f))
	}
	if o.pseudonymise {
		scan.Key = key
	}
	return scan, err
}

// looked are the types that are looked for.
func (s *piiScan) looked() []pii.Type {
	types := slices.Clone(s.Options.Types)
	for _, p := range s.Options.Patterns {
		types = append(types, p.Type)
	}
	return types
}

// scanner gives the function that looks at the rows of a block. It is safe for concurrent use.
func (s *piiScan) scanner() (func(*rows.Block) ([]scanned, error), error) {
	engine, err := pii.New(s.Options)
	if err != nil {
		return nil, err
	}
	var replace func(pii.In) string
	switch {
	case s.Redact:
		replace = pii.Placeholder
	case s.Key != nil:
		p, err := pii.NewPseudonyms(s.Key)
		if err != nil {
			return nil, err
		}
		replace = p.For
	}
	return func(b *rows.Block) ([]scanned, error) {
		var out []scanned
		err := b.Each(func(r rows.Row) error {
			one := scanned{raw: r.Raw, place: r.Place, line: r.Line}
			changed, found, err := engine.Row(r.Raw, s.Pointers, replace)
			if err != nil {
				one.broken = rows.Reason(err)
			} else if one.found = found; replace != nil && len(found) > 0 {
				one.raw, one.was = changed, r.Raw
			}
			out = append(out, one)
			return nil
		})
		return out, err
	}, nil
}

func readPatterns(path string) ([]pii.Pattern, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "the patterns cannot be read: " + err.Error(), Do: "name a YAML file with a list of patterns", Err: err}
	}
	var out []pii.Pattern
	if err := yaml.UnmarshalWithOptions(b, &out, yaml.Strict()); err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "the patterns are not a list of type, pattern, near and check: " + yaml.FormatError(err, false, false), Do: "see docs/data-pii.md", Err: err}
	}
	return out, nil
}

func readKey(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "the key cannot be read: " + err.Error(), Do: "make one with: head -c 32 /dev/urandom > " + path, Err: err}
	}
	return b, nil
}

// changedRow is a line of the file of changed rows: what was found where, never the value.
type changedRow struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Findings []pii.In `json:"findings,omitempty"`
	What     string   `json:"what,omitempty"` // why the row could not be looked at; it was left out
}

// scanned is a row that was looked at.
type scanned struct {
	raw, was []byte // was: the row before, if it was changed
	place    rows.Place
	line     int
	found    []pii.In
	broken   string
}

func runPII(ctx context.Context, s *settings, o *piiOptions) (doc *piiDocument, err error) {
	set, err := rows.Open(ctx, o.files, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	if err := o.check(set); err != nil {
		return nil, err
	}
	key, err := readKey(o.keyFile)
	if err != nil {
		return nil, err
	}
	if o.restore != "" {
		return restorePII(ctx, o, set, key)
	}
	scan, err := o.scan(key)
	if err != nil {
		return nil, err
	}
	look, err := scan.scanner()
	if err != nil {
		return nil, err
	}
	doc = &piiDocument{Files: o.files, Fields: o.fields, Looked: scan.looked(), Types: []piiType{}, Broken: []place{}, by: map[pii.Type]*piiType{}}
	sink, err := o.sink(key, o.redact || o.pseudonymise)
	if err != nil {
		return nil, err
	}
	defer sink.abandon()
	take := func(block []scanned) error {
		for i := range block {
			doc.add(set, &block[i], o.examples)
			if err := sink.put(set, &block[i]); err != nil {
				return err
			}
		}
		return nil
	}
	cluster, err := s.connect(ctx, o.ray, set)
	if err != nil {
		return nil, err
	}
	if cluster != nil {
		defer cluster.Close()
		err = spreadPII(ctx, cluster, set, scan, take)
	} else {
		err = rows.Map(ctx, set, runtime.GOMAXPROCS(0), look, take)
	}
	if err != nil {
		return nil, err
	}
	doc.finish()
	return doc, sink.finish(doc)
}

// piiSink is where rows go.
type piiSink struct {
	o                   *piiOptions
	out, changed, vault *rows.Output
	sealed              *pii.VaultWriter
}

func (o *piiOptions) sink(key []byte, writes bool) (s *piiSink, err error) {
	s = &piiSink{o: o}
	if !writes {
		return s, nil
	}
	if s.out, err = rows.Create(o.out); err != nil {
		return nil, err
	}
	if s.changed, err = rows.Create(o.changed); err != nil {
		s.abandon()
		return nil, err
	}
	if o.vault == "" {
		return s, nil
	}
	if s.vault, err = rows.Create(o.vault); err == nil {
		s.sealed, err = pii.NewVault(s.vault, key)
	}
	if err != nil {
		s.abandon()
		return nil, err
	}
	return s, nil
}

// put writes a row. One that cannot be read is left out, and the record says so: nobody can say what is in it.
func (s *piiSink) put(set *rows.Set, r *scanned) error {
	if s.out == nil {
		return nil
	}
	if r.broken == "" {
		if err := s.out.Line(r.raw); err != nil {
			return err
		}
		if r.was == nil {
			return nil
		}
	}
	b, err := json.Marshal(changedRow{set.Files[r.place.File].Name, r.line, r.found, r.broken})
	if err != nil {
		return fmt.Errorf("the record of a changed row: %w", err)
	}
	if s.sealed != nil && r.was != nil {
		if err := s.sealed.Put(r.raw, r.was); err != nil {
			return rows.Unwritable(s.o.vault, err)
		}
	}
	return s.changed.Line(b)
}

func (s *piiSink) finish(doc *piiDocument) error {
	if s.out == nil {
		return nil
	}
	if s.sealed != nil {
		if err := s.sealed.Close(); err != nil {
			return rows.Unwritable(s.o.vault, err)
		}
		if err := s.vault.Finish(); err != nil {
			return err
		}
	}
	if err := s.changed.Finish(); err != nil {
		return err
	}
	if err := s.out.Finish(); err != nil {
		return err
	}
	doc.Out, doc.Changed, doc.Vault, doc.Digest = s.o.out, s.o.changed, s.o.vault, s.out.Digest()
	return nil
}

func (s *piiSink) abandon() {
	for _, f := range []*rows.Output{s.out, s.changed, s.vault} {
		if f != nil {
			f.Abandon()
		}
	}
}

// restorePII puts back the rows of a vault.
func restorePII(ctx context.Context, o *piiOptions, set *rows.Set, key []byte) (*piiDocument, error) {
	f, err := os.Open(o.restore)
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: o.restore, What: "the vault cannot be read: " + err.Error(), Do: "name the file that --vault wrote", Err: err}
	}
	defer func() { _ = f.Close() }()
	vault, err := pii.OpenVault(f, key)
	if err != nil {
		return nil, err
	}
	out, err := rows.Create(o.out)
	if err != nil {
		return nil, err
	}
	defer out.Abandon()
	doc := &piiDocument{Files: o.files, Types: []piiType{}, Broken: []place{}, Out: o.out}
	err = set.Each(ctx, func(_ int, r rows.Row) error {
		doc.Rows++
		if was, ok := vault.Take(r.Raw); ok {
			doc.Restored++
			return out.Line(was)
		}
		return out.Line(r.Raw)
	})
	if err != nil {
		return nil, err
	}
	if err := out.Finish(); err != nil {
		return nil, err
	}
	doc.Digest, doc.Left, doc.restored = out.Digest(), vault.Left(), true
	return doc, nil
}
