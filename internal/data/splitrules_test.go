package data_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
)

func rowOfText(text, output string) rung.DatasetRow {
	in, _ := json.Marshal(map[string]string{"text": text}) // strings always have JSON
	out, _ := json.Marshal(output)
	return rung.DatasetRow{Input: in, Output: out}
}

// drawRows makes rows with copies, groups, times and segments.
func drawRows(t *rapid.T) []rung.DatasetRow {
	var out []rung.DatasetRow
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, it := range drawItems(t) {
		r := rowOfText(it.Text, it.Output)
		r.ID, r.Group = fmt.Sprint(i), it.Group
		r.Time = start.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "day")) * 24 * time.Hour).Format(time.RFC3339)
		r.Segment = fmt.Sprint("s", rapid.IntRange(0, 5).Draw(t, "segment"))
		out = append(out, r)
	}
	return out
}

var everyRule = map[string]rung.SplitRules{
	"content":    {},
	"time":       {By: rung.SplitByTime},
	"moment":     {By: rung.SplitByTime, HeldoutAfter: "2026-01-25", DevAfter: "2026-01-20"},
	"segment":    {By: rung.SplitBySegment},
	"stratified": {Stratify: []string{rung.StratifyLabel, rung.StratifySegment}},
	"counts":     {Counts: map[rung.Split]int{rung.HeldoutIs: 5, rung.Dev: 4}},
	"all counts": {Counts: map[rung.Split]int{rung.HeldoutIs: 5, rung.Dev: 4, rung.Train: 6}},
}

// TestRowsNeverStraddle: whatever the rule, copies and groups lie in one split, and the order of the rows changes nothing.
func TestRowsNeverStraddle(t *testing.T) {
	for name, rules := range everyRule {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				all := drawRows(rt)
				d, err := data.SplitRows(context.Background(), all, data.SplitOptions{Rules: rules})
				if err != nil {
					rt.Skip(err.Error()) // too few for the rule: said elsewhere
				}
				groups, texts := map[string]rung.Split{}, map[string]rung.Split{}
				for i := range all {
					split := d.Splits[i]
					if split == "" {
						continue
					}
					if s, ok := groups[all[i].Group]; ok && all[i].Group != "" && s != split {
						rt.Fatalf("group %s is in %s and %s", all[i].Group, s, split)
					}
					groups[all[i].Group] = split
					text := strings.TrimRight(strings.ToLower(string(all[i].Input)), ` !"}`)
					if s, ok := texts[text]; ok && s != split {
						rt.Fatalf("%s is in %s and %s", text, s, split)
					}
					texts[text] = split
				}
				order := rapid.Permutation(all).Draw(rt, "order")
				again, err := data.SplitRows(context.Background(), order, data.SplitOptions{Rules: rules})
				if err != nil || again.Heldout != d.Heldout || again.Digest != d.Digest {
					rt.Fatalf("another order splits otherwise: %v", err)
				}
				if n := len(d.LeftOut) + d.Counts[rung.Train] + d.Counts[rung.Dev] + d.Counts[rung.HeldoutIs]; n != len(all) {
					rt.Fatalf("%d of %d rows are accounted for", n, len(all))
				}
			})
		})
	}
}

// TestSplitByTimeKeepsThePastFromTheFuture: everything in train is older than everything in dev, and that than held-out.
func TestSplitByTimeKeepsThePastFromTheFuture(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := drawRows(rt)
		d, err := data.SplitRows(context.Background(), all, data.SplitOptions{Rules: rung.SplitRules{By: rung.SplitByTime}})
		if err != nil {
			rt.Skip(err.Error())
		}
		last := map[rung.Split]string{}
		first := map[rung.Split]string{}
		for i := range all {
			s := d.Splits[i]
			last[s] = max(last[s], all[i].Time)
			if first[s] == "" || all[i].Time < first[s] {
				first[s] = all[i].Time
			}
		}
		if last[rung.Train] >= first[rung.Dev] || last[rung.Dev] >= first[rung.HeldoutIs] {
			rt.Fatalf("train ends %s, dev is %s to %s, held-out begins %s", last[rung.Train], first[rung.Dev], last[rung.Dev], first[rung.HeldoutIs])
		}
	})
}

// TestMomentsGiveWhatTheySay also covers rows of one moment, which are not parted.
func TestMomentsGiveWhatTheySay(t *testing.T) {
	var all []rung.DatasetRow
	for i, text := range manyTexts(100) {
		r := rowOfText(text, "ham")
		r.Time = fmt.Sprintf("2026-%02d-01", 1+i%10)
		all = append(all, r)
	}
	d, err := data.SplitRows(context.Background(), all, data.SplitOptions{Rules: rung.SplitRules{By: rung.SplitByTime, HeldoutAfter: "2026-09-01"}})
	if err != nil || d.Counts[rung.HeldoutIs] != 20 || d.Counts[rung.Dev] != 20 || d.Counts[rung.Train] != 60 {
		t.Fatalf("%v %v", d, err)
	}
	all[3].Group, all[98].Group = "g", "g" // April and September
	d, err = data.SplitRows(context.Background(), all, data.SplitOptions{Rules: rung.SplitRules{By: rung.SplitByTime, HeldoutAfter: "2026-09-01"}})
	if err != nil || len(d.LeftOut) != 1 || d.LeftOut[0] != (data.LeftOut{Row: 3, Reason: data.CopyAcross, Of: 98}) {
		t.Fatalf("%+v %v", d, err)
	}
}

// TestStratifiedSplitsShareEveryLabel: each label has its share to within one row, and the whole too.
func TestStratifiedSplitsShareEveryLabel(t *testing.T) {
	var all []rung.DatasetRow
	size := map[string]int{}
	for i, text := range manyTexts(400) {
		label := fmt.Sprint("l", int(math.Sqrt(float64(i)))) // of 1 to 39 rows
		size[label]++
		all = append(all, rowOfText(text, label))
	}
	shares := rung.Shares{Train: .5, Dev: .2, Heldout: .3}
	d, err := data.SplitRows(context.Background(), all, data.SplitOptions{Shares: shares, Rules: rung.SplitRules{Stratify: []string{rung.StratifyLabel}}})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(float64(d.Counts[rung.HeldoutIs])-120) > 2 || math.Abs(float64(d.Counts[rung.Dev])-80) > 2 {
		t.Errorf("%s", d.Summary())
	}
	have := map[string]map[rung.Split]int{}
	for i := range all {
		label := strings.Trim(string(all[i].Output), `"`)
		if have[label] == nil {
			have[label] = map[rung.Split]int{}
		}
		have[label][d.Splits[i]]++
	}
	for label, n := range size {
		for split, share := range map[rung.Split]float64{rung.HeldoutIs: shares.Heldout, rung.Dev: shares.Dev, rung.Train: shares.Train} {
			if got := have[label][split]; math.Abs(float64(got)-share*float64(n)) > 2 || n >= 3 && got == 0 {
				t.Errorf("%s has %d of its %d rows in %s", label, got, n, split)
			}
		}
	}
}

func TestCountsAreMet(t *testing.T) {
	var all []rung.DatasetRow
	for i, text := range manyTexts(300) {
		all = append(all, rowOfText(text, []string{"ham", "spam", "ham"}[i%3]))
	}
	for _, c := range []struct {
		counts           map[rung.Split]int
		train, dev, held int
	}{
		{map[rung.Split]int{rung.HeldoutIs: 100, rung.Dev: 30}, 170, 30, 100},
		{map[rung.Split]int{rung.HeldoutIs: 100, rung.Dev: 30, rung.Train: 50}, 50, 30, 100},
		{map[rung.Split]int{rung.HeldoutIs: 1, rung.Dev: 1}, 298, 1, 1},
	} {
		for _, by := range [][]string{nil, {rung.StratifyLabel}} {
			d, err := data.SplitRows(context.Background(), all, data.SplitOptions{Rules: rung.SplitRules{Counts: c.counts, Stratify: by}})
			if err != nil || d.Counts[rung.HeldoutIs] != c.held || d.Counts[rung.Dev] != c.dev || d.Counts[rung.Train] != c.train {
				t.Errorf("%v by %v: %v, %v", c.counts, by, d, err)
			}
		}
	}
	_, err := data.SplitRows(context.Background(), all, data.SplitOptions{Rules: rung.SplitRules{Counts: map[rung.Split]int{rung.HeldoutIs: 300}}})
	if err == nil {
		d, _ := data.SplitRows(context.Background(), all, data.SplitOptions{Rules: rung.SplitRules{Counts: map[rung.Split]int{rung.HeldoutIs: 300}}})
		if d.Counts[rung.Train] == 0 {
			t.Error("train is empty")
		}
	}
	_, err = data.SplitRows(context.Background(), all, data.SplitOptions{Rules: rung.SplitRules{Counts: map[rung.Split]int{rung.HeldoutIs: 200, rung.Dev: 200}}})
	if rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), "400 rows are asked for, and there are 300") {
		t.Errorf("%v", err)
	}
}

// TestSegmentsStayWhole: named segments are all of held-out, and no segment lies in two splits.
func TestSegmentsStayWhole(t *testing.T) {
	var all []rung.DatasetRow
	for i, text := range manyTexts(200) {
		r := rowOfText(text, "ham")
		r.Segment = fmt.Sprint("s", i%10)
		all = append(all, r)
	}
	rules := rung.SplitRules{By: rung.SplitBySegment, Segments: map[rung.Split][]string{rung.HeldoutIs: {"s3", "s7"}}}
	d, err := data.SplitRows(context.Background(), all, data.SplitOptions{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]rung.Split{}
	for i := range all {
		if s, ok := of[all[i].Segment]; ok && s != d.Splits[i] {
			t.Fatalf("%s is in %s and %s", all[i].Segment, s, d.Splits[i])
		}
		of[all[i].Segment] = d.Splits[i]
	}
	if of["s3"] != rung.HeldoutIs || of["s7"] != rung.HeldoutIs || d.Counts[rung.HeldoutIs] != 40 || d.Counts[rung.Dev] == 0 {
		t.Errorf("%v %s", of, d.Summary())
	}
}

// TestRowsAreSplitAsTheirTaskWouldSplitThem: a dataset that is built is the one that a climb on the same rows would have.
func TestRowsAreSplitAsTheirTaskWouldSplitThem(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		items := drawItems(rt)
		d := loadItems(t, items)
		var all []rung.DatasetRow
		for _, it := range items {
			r := rowOfText(it.Text, it.Output)
			r.Group = it.Group
			all = append(all, r)
		}
		got, err := data.SplitRows(context.Background(), all, data.SplitOptions{})
		if err != nil || got.Heldout != d.Heldout.Digest() || got.Digest != d.Digest {
			rt.Fatalf("%v: %s and %s", err, got.Summary(), d.Heldout.Digest())
		}
	})
}

func TestContraryRulesAreRefused(t *testing.T) {
	all := []rung.DatasetRow{rowOfText("a", "x"), rowOfText("b", "x"), rowOfText("c", "x")}
	for want, rules := range map[string]rung.SplitRules{
		"cannot be stratified":    {By: rung.SplitByTime, Stratify: []string{rung.StratifyLabel}},
		"3 rows have none":        {By: rung.SplitByTime},
		"the split is by group":   {By: rung.SplitByGroup},
		"the split is by segment": {By: rung.SplitBySegment},
		"not by time":             {HeldoutAfter: "2026-01-01"},
		"no way to split by":      {By: "moon"},
	} {
		if _, err := data.SplitRows(context.Background(), all, data.SplitOptions{Rules: rules}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, and not %q", rules, err, want)
		}
	}
}

func TestParseTime(t *testing.T) {
	want := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, s := range []string{"2026-03-04T05:06:07Z", "2026-03-04T07:06:07+02:00", "2026-03-04 05:06:07", "1772600767", "1772600767000"} {
		if got, ok := data.ParseTime(s); !ok || !got.Equal(want) {
			t.Errorf("%s: %v %v", s, got, ok)
		}
	}
	if slices.ContainsFunc([]string{"", "yesterday", "17", "NaN", "2026-13-01"}, func(s string) bool { _, ok := data.ParseTime(s); return ok }) {
		t.Error("something that is no moment was read as one")
	}
}
