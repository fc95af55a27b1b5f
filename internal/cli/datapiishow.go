package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/pii"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/rows"
)

// piiDocument is what rung data pii --json prints. It holds no value that was found.
type piiDocument struct {
	Files     []string    `json:"files"`
	Fields    []string    `json:"fields,omitempty"`
	Looked    []pii.Type  `json:"looked_for,omitempty"`
	Rows      int         `json:"rows"`
	RowsFound int         `json:"rows_with_findings"`
	Found     int         `json:"findings"`
	Types     []piiType   `json:"types"`
	Broken    []place     `json:"unreadable"` // at most 20 rows that could not be looked at; they are left out of what is written
	BrokenAll int         `json:"unreadable_rows"`
	Restored  int         `json:"restored,omitempty"`
	Left      int         `json:"left_in_vault,omitempty"` // rows of the vault that are not in the data
	Out       string      `json:"out,omitempty"`
	Changed   string      `json:"changed_file,omitempty"`
	Vault     string      `json:"vault,omitempty"`
	Digest    rung.Digest `json:"digest,omitempty"` // of the rows as they are written

	by       map[pii.Type]*piiType
	restored bool
}

// piiType is what was found of a type.
type piiType struct {
	Type     pii.Type       `json:"type"`
	Found    int            `json:"findings"`
	Rows     int            `json:"rows"`
	Rules    map[string]int `json:"rules,omitempty"`
	Examples []piiPlace     `json:"examples"`
	last     int            // row of the last finding
}

// piiPlace says where a finding is, and how it looks: letters as x and X, digits as 9.
type piiPlace struct {
	place
	Field string `json:"field"`
	Looks string `json:"looks_like"`
}

func (d *piiDocument) add(set *rows.Set, r *scanned, examples int) {
	d.Rows++
	at := place{set.Files[r.place.File].Name, r.line}
	if r.broken != "" {
		if d.BrokenAll++; len(d.Broken) < 20 {
			d.Broken = append(d.Broken, at)
		}
		return
	}
	if len(r.found) > 0 {
		d.RowsFound++
	}
	for _, f := range r.found {
		d.Found++
		t := d.by[f.Type]
		if t == nil {
			t = &piiType{Type: f.Type, Rules: map[string]int{}, Examples: []piiPlace{}}
			d.by[f.Type] = t
		}
		if t.Found++; t.last != d.Rows {
			t.Rows, t.last = t.Rows+1, d.Rows
		}
		if f.Rule != "" {
			t.Rules[f.Rule]++
		}
		if len(t.Examples) < examples {
			t.Examples = append(t.Examples, piiPlace{at, f.Field, looks(f.Value())})
		}
	}
}

// looks is the form of a value, cut at 40 characters.
func looks(v string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		switch n++; {
		case n > 40:
			return -1
		case r >= '0' && r <= '9':
			return '9'
		case strings.ContainsRune(" .,:;@+-/()_\n", r):
			return r
		case strings.ToUpper(string(r)) == string(r) && strings.ToLower(string(r)) != string(r):
			return 'X'
		}
		return 'x'
	}, v)
}

// finish puts the types in the order of the documents, those of secrets and patterns after them.
func (d *piiDocument) finish() {
	for _, t := range pii.Types {
		if found := d.by[t]; found != nil {
			d.Types = append(d.Types, *found)
			delete(d.by, t)
		}
	}
	var rest []pii.Type
	for t := range d.by {
		rest = append(rest, t)
	}
	slices.Sort(rest)
	for _, t := range rest {
		d.Types = append(d.Types, *d.by[t])
	}
}

func (d *piiDocument) text() string {
	var t strings.Builder
	if d.restored {
		fmt.Fprintf(&t, "%d rows, %d of them put back as they were; %d rows of the vault are not in the data.\nThe rows are in %s (digest %s).\n", d.Rows, d.Restored, d.Left, d.Out, d.Digest.Short())
		return t.String()
	}
	fmt.Fprintf(&t, "%d rows: %d findings in %d rows\n", d.Rows, d.Found, d.RowsFound)
	if len(d.Types) > 0 {
		table := [][]string{{"type", "findings", "rows", "of all", "looks like"}}
		for _, p := range d.Types {
			form := ""
			if len(p.Examples) > 0 {
				form = strings.ReplaceAll(p.Examples[0].Looks, "\n", " ")
			}
			table = append(table, []string{p.Type, fmt.Sprint(p.Found), fmt.Sprint(p.Rows), shareOf(p.Rows, d.Rows), form})
		}
		t.WriteString("\n" + strings.Join(report.Columns(table), "\n") + "\n")
		for _, p := range d.Types {
			for i, e := range p.Examples {
				if i == 0 {
					t.WriteString("\n" + p.Type + " for example in ")
				} else {
					t.WriteString(", ")
				}
				t.WriteString(e.String() + " " + e.Field)
			}
		}
		t.WriteString("\n")
	}
	if d.BrokenAll > 0 {
		fmt.Fprintf(&t, "\n%d rows cannot be read and are left out, the first is %s.\n", d.BrokenAll, d.Broken[0])
	}
	t.WriteString("\nA model says what is a name, a place or an organisation, and misses some: docs/data-pii.md has precision and recall of each type.\n")
	if d.Out == "" {
		t.WriteString("Nothing was written (--redact or --pseudonymise with --out FILE writes the rows).\n")
		return t.String()
	}
	fmt.Fprintf(&t, "The rows are in %s (digest %s), what was changed in which row in %s.\n", d.Out, d.Digest.Short(), d.Changed)
	if d.Vault != "" {
		fmt.Fprintf(&t, "The rows as they were are in %s, under your key.\n", d.Vault)
	}
	return t.String()
}
