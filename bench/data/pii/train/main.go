// Command train makes the model and the lists of names of internal/pii, and says how well it does on texts that it has not seen.
//
//	python bench/data/pii/train/lists.py LISTS                         # once: the lists of names, from Faker
//	go run ./bench/data/pii/train -lists LISTS                         # figures only
//	go run ./bench/data/pii/train -lists LISTS -write                  # and write internal/pii/names.bin and entities.bin
//	go run ./bench/data/pii/train -presidio                            # speed, and F1 of what has a form, beside presidio-analyzer
//
// presidio_pii is cross-fitted by template: what is said of a sentence is said by a model that saw no sentence of its template.
// The same data and lists give the same files, byte for byte, on the same kind of processor.
package main

import (
	"crypto/sha256"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rung-dev/rung/internal/pii"
	"github.com/rung-dev/rung/internal/pii/crf"
)

func fatal(what ...any) {
	fmt.Fprintln(os.Stderr, what...)
	os.Exit(1)
}

//go:embed names.txt
var ownNames string

// training is how the model is fitted. The values are customary ones; no search was made for better.
func training() crf.Training {
	return crf.Training{Tags: pii.Tags, Allowed: pii.Follows, Epochs: 5, Rate: .35, L1: .004, MinCount: 2, Least: .05, Seed: 1}
}

type options struct {
	data, lists string
	folds, fill int
	only        string
	write, show bool
}

func main() {
	var o options
	flag.StringVar(&o.data, "data", filepath.Join("..", "shared", "data"), "folder of the data sets")
	flag.StringVar(&o.lists, "lists", "", "folder of the lists that lists.py makes")
	flag.IntVar(&o.folds, "folds", 5, "parts of the cross-fit; 0: none")
	flag.IntVar(&o.fill, "fill", 6, "times that each of our own templates is filled")
	flag.StringVar(&o.only, "only", "", "even: cross-fit over templates with an even number only, to choose by; presidio, wnut: one half of the figures only")
	flag.BoolVar(&o.write, "write", false, "write internal/pii/names.bin and entities.bin")
	flag.BoolVar(&o.show, "show", false, "print mistakes on templates with an even number")
	beside := flag.Bool("presidio", false, "only compare with presidio-analyzer, installed into a virtual environment of the user's cache")
	flag.Parse()
	if *beside {
		besidePresidio(o)
		return
	}
	l := readLists(o.lists)
	g := gazetteerOf(l)
	own := filled(l, o.fill, 1)
	base := slices.Concat(own, recased(own, 6))
	if o.folds > 0 && o.only != "wnut" {
		crossFit(o, g, base)
	}
	if o.only == "" || o.only == "wnut" {
		elsewhere(o, g, base)
	}
	if o.write {
		write(o, g, base)
	}
}

// gazetteerOf joins the lists with our own: of countries, large cities and given names.
func gazetteerOf(l *lists) *pii.Gazetteer {
	sections := map[string][]string{}
	title := ""
	for line := range strings.Lines(ownNames) {
		if t, ok := strings.CutPrefix(line, "# "); ok {
			title = strings.TrimSpace(t)
			continue
		}
		for name := range strings.SplitSeq(line, ",") {
			sections[title] = append(sections[title], strings.TrimSpace(name))
		}
	}
	return pii.NewGazetteer([3][]string{names(l.given, sections["given names"]), names(l.family), names(l.places, sections["places"])})
}

// other are the texts beside presidio_pii that the shipped model learns from.
func other(o options) []labelled {
	tweets := wnut(o.data, "train")
	asked := weather(o.data, "train", 600)
	return slices.Concat(tweets, asked)
}

func crossFit(o options, g *pii.Gazetteer, base []labelled) {
	rows := presidio(o.data)
	if o.only == "even" {
		rows = slices.DeleteFunc(rows, func(l labelled) bool { return l.template%2 == 1 })
	}
	base = slices.Concat(base, other(o))
	ready := sequences(base, g)
	all, odd, forms := newBoard(presidioKinds), newBoard(presidioKinds), newBoard(presidioKinds)
	said := make([][]mark, len(rows))
	var wait sync.WaitGroup
	for fold := range o.folds {
		wait.Go(func() {
			var in []labelled
			for _, l := range rows {
				if foldOf(l.template, o.folds) != fold {
					in = append(in, l)
				}
			}
			in = slices.Concat(in, recased(in, 10))
			e := engine(crf.Train(slices.Concat(ready, sequences(in, g)), training()), g)
			for i, l := range rows {
				if foldOf(l.template, o.folds) == fold {
					said[i] = marks(e, l.text)
				}
			}
		})
	}
	wait.Wait()
	for i, l := range rows {
		all.add(l.template, l.spans, said[i])
		if l.template%2 == 1 {
			odd.add(l.template, l.spans, said[i])
		} else if o.show {
			mistakes(l, said[i])
		}
		forms.add(l.template, l.spans, marks(formsOnly(), l.text))
	}
	all.print(fmt.Sprintf("presidio_pii, %d sentences, each tagged by a model that saw none of its template; half overlap", len(rows)))
	if o.only != "even" {
		odd.print("of these, templates with an odd number: nobody looked at them while the model was made")
	}
	forms.print("the recognisers alone, on the same sentences")
}

// foldOf spreads templates over the folds, whatever their order.
func foldOf(template, folds int) int { return int(uint32(template)*2654435761>>8) % folds }

// elsewhere measures on texts of other kinds, with models that saw none of their kind, and with what is shipped.
func elsewhere(o options, g *pii.Gazetteer, base []labelled) {
	sentences := presidio(o.data)
	sentences = slices.Concat(sentences, recased(sentences, 10))
	tests := []struct {
		name  string
		kinds map[string]pii.Type
		test  []labelled
		out   []labelled // what a model that knows nothing of the kind must not see
	}{
		{"wnut17, test", wnutKinds, wnut(o.data, "test"), weather(o.data, "train", 600)},
		{"snips, GetWeather, test", snipsKinds, weather(o.data, "test", 1000), wnut(o.data, "train")},
	}
	shipped := crf.Train(sequences(slices.Concat(base, sentences, other(o)), g), training())
	for _, t := range tests {
		stranger := crf.Train(sequences(slices.Concat(base, sentences, t.out), g), training())
		for _, m := range []struct {
			what  string
			model *crf.Model
		}{{"a model that saw no text of the kind", stranger}, {"the shipped model, which saw the train split", shipped}} {
			b, e := newBoard(t.kinds), engine(m.model, g)
			for i, l := range t.test {
				b.add(i, l.spans, marks(e, l.text))
			}
			b.print(fmt.Sprintf("%s, %d texts: %s; half overlap", t.name, len(t.test), m.what))
		}
	}
}

func write(o options, g *pii.Gazetteer, base []labelled) {
	sentences := presidio(o.data)
	m := crf.Train(sequences(slices.Concat(base, sentences, recased(sentences, 10), other(o)), g), training())
	for name, file := range map[string][]byte{"names.bin": g.Bytes(), "entities.bin": m.Bytes()} {
		if err := os.WriteFile(filepath.Join("internal", "pii", name), file, 0o644); err != nil {
			fatal(err)
		}
		fmt.Printf("%s: %d bytes, sha256 %x\n", name, len(file), sha256.Sum256(file))
	}
}

func engine(m *crf.Model, g *pii.Gazetteer) *pii.Engine {
	e, err := pii.New(pii.Options{})
	if err != nil {
		fatal(err)
	}
	return e.WithModel(m, g)
}

var formed = slices.DeleteFunc(slices.Clone(pii.Types), pii.Named)

func formsOnly() *pii.Engine {
	e, err := pii.New(pii.Options{Types: formed})
	if err != nil {
		fatal(err)
	}
	return e
}

// marks are an engine's findings. A date of birth counts as a date.
func marks(e *pii.Engine, text string) (out []mark) {
	for _, f := range e.Find(text) {
		if f.Type == pii.BirthDate {
			f.Type = pii.Date
		}
		out = append(out, mark{f.Type, f.Start, f.End})
	}
	return out
}

func mistakes(l labelled, said []mark) {
	miss := func(a, b []mark, sign string) {
		for _, g := range a {
			if !slices.ContainsFunc(b, func(m mark) bool { return half(g, m) }) {
				fmt.Printf("%s %-12s %q in %q\n", sign, g.kind, l.text[g.start:g.end], l.text)
			}
		}
	}
	miss(l.spans, said, "-")
	miss(said, l.spans, "+")
}
