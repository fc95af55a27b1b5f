package rows_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rung-dev/rung/internal/rows"
)

// TestPartsHoldEachRowOnce: whatever the size of the parts, they give the rows of the set, at their places, in their order.
func TestPartsHoldEachRowOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var paths []string
	for i, ending := range []string{"", "\n", "\r\n\n\n"} {
		b := strings.Builder{}
		if i == 1 {
			b.WriteString("\ufeff")
		}
		for n := range 40 {
			if n > 0 {
				b.WriteString([]string{"\n", "\r\n", "\n\n", "\n  "}[rng.IntN(4)])
			}
			fmt.Fprintf(&b, `{"text":%q}`, strings.Repeat("x", rng.IntN(60)))
		}
		path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.jsonl", i))
		if err := os.WriteFile(path, []byte(b.String()+ending), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	set, err := rows.Open(t.Context(), paths, "")
	if err != nil {
		t.Fatal(err)
	}
	type seen struct {
		raw   string
		place rows.Place
		line  int
	}
	var want []seen
	if err := set.Each(t.Context(), func(_ int, r rows.Row) error { want = append(want, seen{string(r.Raw), r.Place, r.Line}); return nil }); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{1, 2, 7, 30, 64, 100, 1000, 1 << 20} {
		var got []seen
		base, file := 0, 0
		again, err := rows.Shared(set.Files)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range set.Parts(size) {
			if p.File != file {
				base, file = 0, p.File
			}
			lines, err := again.EachBlock(t.Context(), p, func(b *rows.Block) error {
				return b.Each(func(r rows.Row) error { got = append(got, seen{string(r.Raw), r.Place, base + r.Line}); return nil })
			})
			if err != nil {
				t.Fatal(err)
			}
			base += lines.N
		}
		if !slices.Equal(got, want) {
			t.Fatalf("parts of %d bytes give %d rows, and the files have %d", size, len(got), len(want))
		}
	}
}

func TestPartsSayWhichRowIsTooLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long.jsonl")
	if err := os.WriteFile(path, []byte("{}\n{}\n"+strings.Repeat("x", rows.MaxRow+2)+"\n{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	set, err := rows.Open(t.Context(), []string{path}, "")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := set.EachBlock(t.Context(), set.Parts(1 << 30)[0], func(*rows.Block) error { return nil })
	if err != nil || lines.Long != 3 {
		t.Fatalf("%+v, %v", lines, err)
	}
	if err := os.WriteFile(path, []byte("{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Shared(set.Files); err == nil || !strings.Contains(err.Error(), "another file") {
		t.Fatalf("a file of another size is taken: %v", err)
	}
}
