package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rung-dev/rung/internal/curate"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/task"
)

// apart are workers of this process that get and give everything as JSON, as those on other machines do.
type apart struct {
	work func(context.Context, []byte) (any, error)
	done map[string]int // parts of each kind
	kind string
}

func (a *apart) Processors() int { return 3 }

func (a *apart) Setup(kind string, setup any) error {
	b, err := json.Marshal(setup)
	if err != nil {
		return err
	}
	a.kind = kind
	a.work, err = spreadKinds[kind](b)
	return err
}

func (a *apart) Map(ctx context.Context, _ bool, n int, part func(i int) any, take func(i int, answer []byte) error) error {
	for i := range n {
		b, err := json.Marshal(part(i))
		if err != nil {
			return err
		}
		answer, err := a.work(ctx, b)
		if err != nil {
			return err
		}
		if b, err = json.Marshal(answer); err != nil {
			return err
		}
		a.done[a.kind]++
		if err := take(i, b); err != nil {
			return err
		}
	}
	return nil
}

// buildSentence is a sentence of twelve made-up words.
func buildSentence(i int) string {
	rng := rand.New(rand.NewPCG(uint64(i), 1))
	out := make([]string, 12)
	for k := range out {
		for range 3 {
			out[k] += string("bdfgklmnprst"[rng.IntN(12)]) + string("aeiou"[rng.IntN(5)])
		}
	}
	return strings.Join(out, " ")
}

// buildRows are rows with something for each dear step: names and addresses, two near-copies of each row, one of them with an output that is
// itself an address.
func buildRows() string {
	var b strings.Builder
	for i := range 360 {
		fmt.Fprintf(&b, `{"id":"r%d","input":{"text":"order %d: %s, for Hannah Steinberg at h%d@example.org"},"output":%q,"person":"p%d@example.org"}`+"\n",
			i, i%120*7919, buildSentence(i%120), i%11, []string{"late", "late", "hannah@example.org"}[i/120], i%5)
	}
	return b.String()
}

// TestABuildElsewhereIsTheSame: the dear steps of a build that are done part by part in other processes give the same dataset, file by file
// and byte by byte, with redaction, stand-ins and rows whose output no longer fits.
func TestABuildElsewhereIsTheSame(t *testing.T) {
	dir := t.TempDir()
	text := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text("raw.jsonl", buildRows())
	text("test.jsonl", fmt.Sprintf(`{"text":"order 5: %s, for Hannah Steinberg at h10@example.org"}`+"\n", buildSentence(17)))
	text("key", "0123456789abcdef0123456789abcdef")
	text("own.yaml", "- type: ORDER\n  pattern: 'order [0-9]+'\n")
	for _, do := range []string{"redact", "pseudonyms"} {
		var folders [2]string
		done := map[string]int{}
		for i := range folders {
			name := fmt.Sprintf("%s%d", do, i)
			folders[i] = filepath.Join(dir, name)
			text("dataset.yaml", "name: orders\nout: "+name+"\noutput: {labels: [late, lost, hannah@example.org]}\nsources: [{name: desk, files: raw.jsonl}]\n"+
				"pii: {do: "+do+", key_file: key, patterns: own.yaml, fields: [input, output]}\ndecontaminate: {against: test.jsonl}\n")
			f, err := task.OpenDescription(filepath.Join(dir, "dataset.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			o := curate.Options{Version: "v"}
			if i == 1 {
				o.Elsewhere = spreadBuild(func(context.Context, *rows.Set) (workers, func(), error) { return &apart{done: done}, func() {}, nil })
			}
			if _, err := curate.Build(t.Context(), f, o); err != nil {
				t.Fatal(err)
			}
		}
		for _, kind := range []string{"looking", "dedupe", "contam"} {
			if done[kind] == 0 {
				t.Errorf("%s: nothing of %s was done elsewhere", do, kind)
			}
		}
		files, err := os.ReadDir(folders[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			here, there := fileText(t, filepath.Join(folders[0], f.Name())), fileText(t, filepath.Join(folders[1], f.Name()))
			if here != there {
				t.Errorf("%s: %s has %d bytes here and %d from elsewhere, or others", do, f.Name(), len(here), len(there))
			}
		}
		if removed := fileText(t, filepath.Join(folders[0], "removed.jsonl")); !strings.Contains(removed, "unfit") || !strings.Contains(removed, "dedupe") || !strings.Contains(removed, "decontaminate") {
			t.Errorf("%s: the rows try too little: %.300s", do, removed)
		}
	}
}

// TestAClusterThatIsNotThere ends the build with its own fault, and the build goes on after the last step when it is there.
func TestAClusterThatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"dataset.yaml": "name: d\nsources: [{name: a, files: a.jsonl}]\n", "a.jsonl": `{"text":"one"}` + "\n" + `{"text":"two"}` + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := task.OpenDescription(filepath.Join(dir, "dataset.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("no cluster")
	_, err = curate.Build(t.Context(), f, curate.Options{Version: "v", Elsewhere: spreadBuild(func(context.Context, *rows.Set) (workers, func(), error) { return nil, nil, gone })})
	if !errors.Is(err, gone) {
		t.Fatalf("%v", err)
	}
	r, err := curate.Build(t.Context(), f, curate.Options{Version: "v"})
	if err != nil || len(r.Resumed) != 2 {
		t.Errorf("%v: went on after %v", err, r)
	}
}
