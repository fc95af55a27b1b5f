package dedupe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rung-dev/rung/internal/dedupe"
	"github.com/rung-dev/rung/internal/rows"
)

// apart does the work of dedupe.Elsewhere part by part, all that it is given and gives back written out as JSON, as between processes.
type apart struct {
	t    *testing.T
	set  *rows.Set
	size int64
}

func again[T any](t *testing.T, v T) T {
	t.Helper()
	b, err := json.Marshal(v)
	var out T
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (a apart) Look(ctx context.Context, o *dedupe.Options, take func(*dedupe.Looked) error) error {
	before, file := 0, 0
	for _, p := range a.set.Parts(a.size) {
		set, err := rows.Shared(again(a.t, a.set.Files))
		if err != nil {
			return err
		}
		l, lines, err := dedupe.Look(ctx, set, p, again(a.t, *o))
		if err != nil {
			return err
		}
		if l = again(a.t, l); p.File != file {
			before, file = 0, p.File
		}
		l.After(before)
		before += lines.N
		if err := take(l); err != nil {
			return err
		}
	}
	return nil
}

func (a apart) Compare(ctx context.Context, o *dedupe.Options, pairs []dedupe.Pair) ([]float64, error) {
	return dedupe.Compare(ctx, a.set, again(a.t, pairs), again(a.t, *o))
}

func (a apart) Settle(_ context.Context, o *dedupe.Options, clusters []dedupe.Members, take func(dedupe.Settled) error) error {
	for _, m := range clusters {
		s, err := dedupe.Settle(a.set, again(a.t, m), again(a.t, *o))
		if err != nil {
			return err
		}
		if err := take(again(a.t, s)); err != nil {
			return err
		}
	}
	return nil
}

// TestElsewhereFindsTheSame: work that is done part by part in other processes finds what one process finds, also among rows of templates,
// where what was found before decides which pairs are compared.
func TestElsewhereFindsTheSame(t *testing.T) {
	paths := []string{planted(t, 1), planted(t, 2)}
	for _, o := range []dedupe.Options{
		{Near: .6}, {Near: .5, SameNumbers: true, Keep: dedupe.Longest}, {Near: .8, Keep: dedupe.Newest, NewestBy: "when"}, {Exact: true}, {}, {Near: .6, Dataset: true, Contrasts: true},
	} {
		o.Fields = rows.Fields{"text"}
		set, err := rows.Open(t.Context(), paths, "")
		if err != nil {
			t.Fatal(err)
		}
		want, err := dedupe.Run(t.Context(), set, o)
		if err != nil {
			t.Fatal(err)
		}
		if len(want.Removed) < 20 {
			t.Fatalf("only %d rows go", len(want.Removed))
		}
		o.Elsewhere = apart{t, set, 3000}
		got, err := dedupe.Run(t.Context(), set, o)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Removed, want.Removed) || !reflect.DeepEqual(got.Clusters, want.Clusters) || got.Cut != want.Cut || got.Rows != want.Rows || got.Contrast != want.Contrast || got.Textless != want.Textless {
			t.Errorf("%+v: %d rows of %d go elsewhere, and %d of %d here; cut %v and %v", o, len(got.Removed), got.Rows, len(want.Removed), want.Rows, got.Cut, want.Cut)
		}
		for _, x := range want.Removed {
			if got.Where(x.Doc) != want.Where(x.Doc) {
				t.Fatalf("row %d is %s elsewhere and %s here", x.Doc, got.Where(x.Doc), want.Where(x.Doc))
			}
		}
	}
}

// planted writes texts with copies, edits, sentences of few templates, broken rows and rows without a text.
func planted(t *testing.T, seed uint64) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 7))
	words := strings.Fields("river stone market paper engine garden winter signal copper valley ladder mirror harbour pencil forest bridge candle thunder meadow silver " +
		"anchor basket cotton desert ember falcon glacier hollow island jacket kettle lantern marble nectar orchard pepper quarry ribbon saddle temple")
	sentence := func(n int) string {
		var out []string
		for range n {
			out = append(out, words[rng.IntN(len(words))])
		}
		return strings.Join(out, " ")
	}
	var b strings.Builder
	var texts []string
	for n := range 1500 {
		var text string
		switch rng.IntN(6) {
		case 0, 1:
			text = sentence(20 + rng.IntN(20))
		case 2: // a template, of which hundreds agree in a band
			text = fmt.Sprintf("Please send the invoice number %d of the %s to the department of accounting before the end of the %s", rng.IntN(1000), sentence(1), sentence(1))
		case 3:
			text = "The weather report of station " + sentence(6) + " is not to be relied upon"
		default:
			if len(texts) == 0 {
				continue
			}
			text = texts[rng.IntN(len(texts))]
			if f := strings.Fields(text); rng.IntN(3) > 0 {
				f[rng.IntN(len(f))] = sentence(1)
				text = strings.Join(f, " ")
			} else if rng.IntN(2) > 0 {
				text = strings.ToUpper(text) + "!"
			}
		}
		texts = append(texts, text)
		line, _ := json.Marshal(map[string]any{"text": text, "when": n % 97, "output": rng.IntN(2)})
		b.Write(line)
		b.WriteString([]string{"\n", "\n", "\r\n", "\n\n"}[rng.IntN(4)])
		if n%200 == 7 {
			b.WriteString("not json\n{\"other\": 1}\n")
		}
	}
	path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.jsonl", seed))
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
