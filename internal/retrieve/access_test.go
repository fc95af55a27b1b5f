package retrieve

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/extract"
)

var someGroups = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"hr", "legal", "board"}), 0, 3, rapid.ID[string])

// restricted draws passages of few words, so that forbidden and public ones share them, and who may read each.
func restricted(t *rapid.T) []rung.Passage {
	texts := rapid.SliceOfN(rapid.StringMatching(`((leave|pay|badge|secret|of|zzz) ?){1,6}`), 1, 40).Draw(t, "texts")
	ps := passages(texts...)
	for i := range ps {
		ps[i].Groups = someGroups.Draw(t, "groups of a passage")
	}
	return ps
}

func mayRead(p rung.Passage, groups []string) bool {
	return len(p.Groups) == 0 || slices.ContainsFunc(p.Groups, func(g string) bool { return slices.Contains(groups, g) })
}

// What a caller gets is what an index of nothing but the passages that he may read gives: same passages, same order, same
// scores. So no forbidden passage is returned, and none leaves a trace in the ranking either.
func TestSearchIsThatOfAnIndexWithoutTheForbidden(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		ps := restricted(t)
		settings, embed := Settings{}, EmbedFunc(nil)
		if rapid.Bool().Draw(t, "vectors") {
			settings.Embedder, embed = "local/letters", letterVectors
		}
		x, err := Build(ctx, ps, settings, embed)
		if err != nil {
			t.Fatal(err)
		}
		groups := someGroups.Draw(t, "groups of the caller")
		readable := slices.DeleteFunc(slices.Clone(ps), func(p rung.Passage) bool { return !mayRead(p, groups) })
		query := rapid.StringMatching(`((leave|pay|badge|secret|of) ?){1,4}`).Draw(t, "query")
		k := rapid.IntRange(1, 50).Draw(t, "k")
		var want []rung.Passage
		if len(readable) > 0 {
			small, err := Build(ctx, readable, settings, embed)
			if err != nil {
				t.Fatal(err)
			}
			if want, err = small.Search(ctx, query, k); err != nil {
				t.Fatal(err)
			}
		}
		for name, search := range map[string]func(context.Context, string, int) ([]rung.Passage, error){
			"Search": x.Search, "SearchRestricted": x.SearchRestricted,
		} {
			got, err := search(WithGroups(ctx, groups), query, k)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 && len(want) == 0 {
				continue
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s by %v (-alone +filtered):\n%s", name, groups, diff)
			}
		}
	})
}

func TestRestrictedSearchWithoutGroupsSeesWhatEverybodyMay(t *testing.T) {
	ctx := context.Background()
	ps := passages("pay of the board", "pay day", "pay rise", "badge")
	ps[0].Groups, ps[2].Groups = []string{"board"}, []string{"hr", "board"}
	x, err := Build(ctx, ps, Settings{Embedder: "local/letters"}, letterVectors)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		ctx    context.Context
		search func(context.Context, string, int) ([]rung.Passage, error)
		want   []string
	}{
		{"a climb sees all", ctx, x.Search, []string{"d#1", "d#2", "d#3", "d#4"}},
		{"a caller without groups", ctx, x.SearchRestricted, []string{"d#2", "d#4"}},
		{"no groups, said", WithGroups(ctx, nil), x.SearchRestricted, []string{"d#2", "d#4"}},
		{"no groups, said to the open search", WithGroups(ctx, nil), x.Search, []string{"d#2", "d#4"}},
		{"hr", WithGroups(ctx, []string{"hr"}), x.SearchRestricted, []string{"d#2", "d#3", "d#4"}},
		{"board and a group that nothing names", WithGroups(ctx, []string{"x", "board"}), x.SearchRestricted, []string{"d#1", "d#2", "d#3", "d#4"}},
		{"a group that only looks alike", WithGroups(ctx, []string{"HR", "boar", ""}), x.SearchRestricted, []string{"d#2", "d#4"}},
	} {
		got, err := c.search(c.ctx, "pay", 9)
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, p := range got {
			found = append(found, p.ID)
		}
		slices.Sort(found)
		if diff := cmp.Diff(c.want, found); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	if got, err := x.SearchVectors(WithGroups(ctx, nil), "pay", 9); err != nil || len(got) != 2 {
		t.Errorf("the search by vectors alone gives %v, %v", ids(got), err)
	}
}

// A thousand callers, each with groups of his own, must neither grow what is remembered nor see each other's view.
func TestViewsAreBoundedAndApart(t *testing.T) {
	ctx := context.Background()
	var ps []rung.Passage
	for i := range 200 {
		p := rung.Passage{ID: string(rune('A' + i)), Text: "pay"}
		p.Groups = []string{p.ID}
		ps = append(ps, p)
	}
	x, err := Build(ctx, ps, Settings{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for i := range ps {
			got, err := x.SearchRestricted(WithGroups(ctx, ps[i].Groups), "pay", 5)
			if err != nil || len(got) != 1 || got[0].ID != ps[i].ID {
				t.Fatalf("%s sees %s, %v", ps[i].ID, ids(got), err)
			}
		}
	}
	if n := len(x.access.views); n > maxViews {
		t.Errorf("%d views are kept", n)
	}
}

func TestGroupsComeFromTheDocument(t *testing.T) {
	doc := extract.Document{Path: "hr/pay.md", Text: "Pay.", Sections: []extract.Section{{Text: "Pay.", End: 4}}}
	open := Chunk(doc, ChunkSpec{})
	doc.Groups = []string{"hr"}
	closed := Chunk(doc, ChunkSpec{})
	if diff := cmp.Diff([]string{"hr"}, closed[0].Groups); diff != "" || open[0].Groups != nil {
		t.Error(diff, open[0].Groups)
	}
	ctx := context.Background()
	a, err := Build(ctx, open, Settings{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Build(ctx, closed, Settings{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Digest() == b.Digest() {
		t.Error("who may read a passage must be part of the index's digest")
	}
	data, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.SearchRestricted(ctx, "pay", 3); err != nil || len(got) != 0 {
		t.Errorf("an index read back shows %v, %v", got, err)
	}
}
