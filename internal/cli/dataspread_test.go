package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung/internal/spread"
	"github.com/rung-dev/rung/internal/venv"
)

// twoNodes is a Ray cluster of two nodes on this machine, which says its address and ends with its standard input.
const twoNodes = `
import sys
from ray.cluster_utils import Cluster
args = {"num_cpus": 1, "object_store_memory": 200 << 20}
cluster = Cluster(initialize_head=True, head_node_args=args | {"include_dashboard": False})
cluster.add_node(**args)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
`

// rayCluster starts it with the Ray that rung has installed. The workers' rung is this test binary.
func rayCluster(t *testing.T) (address string) {
	t.Helper()
	lock, err := spread.Lock()
	if err != nil {
		t.Fatal(err)
	}
	python, ready := venv.Ready("ray", lock)
	if !ready {
		t.Skip("Ray is not installed on this machine (rung setup --ray)")
	}
	if testing.Short() {
		t.Skip("a Ray cluster takes a while to start")
	}
	tmp, err := os.MkdirTemp("", "r") // Ray's sockets have long names
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(tmp) })
	// Ray starts its workers 15 steps nicer than itself, which on a busy machine means never.
	for name, value := range map[string]string{"RUNG_TEST_MAIN": "1", "RUNG_RAY_PYTHON": python, "RUNG_CACHE": t.TempDir(), "RAY_TMPDIR": tmp, "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"} {
		t.Setenv(name, value)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	cmd := exec.CommandContext(ctx, python, "-c", twoNodes)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		cancel()
	})
	line := make([]byte, 4096)
	n, err := out.Read(line)
	if err != nil {
		t.Fatalf("the Ray cluster does not start: %v", err)
	}
	return strings.TrimSpace(string(line[:n]))
}

// TestRayGivesTheSameDigests: on a Ray cluster of two nodes, duplicates, contamination and personal data come out as they do here, to the byte.
func TestRayGivesTheSameDigests(t *testing.T) {
	address := rayCluster(t)
	dir := t.TempDir()
	files, items := spreadRows(t, dir)
	for _, c := range []struct {
		name, also string
		args       []string
	}{
		{"dedupe", "removed", append([]string{"data", "dedupe", "--keep", "longest"}, files...)},
		{"decontaminate", "removed", append([]string{"data", "decontaminate", "--against", items}, files...)},
		{"pii", "changed", append([]string{"data", "pii", "--redact"}, files...)},
	} {
		var outs [2]string
		for i, ray := range [][]string{nil, {"--ray", address}} {
			outs[i] = filepath.Join(dir, fmt.Sprintf("%s%d", c.name, i))
			status, doc, errs := rungOut(t, append(append(c.args, "--json", "--out", outs[i]+".jsonl"), ray...)...)
			var made struct{ Digest string }
			if err := json.Unmarshal([]byte(doc), &made); status != 0 || err != nil || made.Digest == "" {
				t.Fatalf("%s %v: status %d, %v: %s", c.name, ray, status, err, errs)
			}
		}
		for _, ending := range []string{".jsonl", "." + c.also + ".jsonl"} {
			here, there := readAll(t, outs[0]+ending), readAll(t, outs[1]+ending)
			if len(here) < 1000 || !bytes.Equal(here, there) {
				t.Errorf("%s%s has %d bytes here and %d from the cluster, or others", c.name, ending, len(here), len(there))
			}
		}
	}
	t.Setenv("RUNG_SPREAD_BINARY", "/bin/cat")
	if status, _, errs := rungOut(t, "data", "dedupe", files[0], "--ray", address); status == 0 || !strings.Contains(errs, "and this one is version") {
		t.Errorf("another program in the place of rung: status %d: %s", status, errs)
	}
}

// TestRayBuildsTheSameDataset: a whole build on a Ray cluster has the digest and the files of one that is done here.
func TestRayBuildsTheSameDataset(t *testing.T) {
	address := rayCluster(t)
	dir := t.TempDir()
	items := fmt.Sprintf(`{"text":"order 5: %s, for Hannah Steinberg at h10@example.org"}`+"\n", buildSentence(17))
	for name, text := range map[string]string{"build.jsonl": buildRows(), "items.jsonl": items} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var made [2]struct {
		Dataset struct{ Digest string }
	}
	for i, ray := range [][]string{nil, {"--ray", address}} {
		text := fmt.Sprintf("name: built\nout: built%d\nsources: [{name: all, files: build.jsonl}]\npii: redact\ndedupe: {keep: longest}\ndecontaminate: {against: items.jsonl, project: false}\n", i)
		description := filepath.Join(dir, "dataset.yaml")
		if err := os.WriteFile(description, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		status, doc, errs := rungOut(t, append([]string{"data", "build", description, "--json"}, ray...)...)
		if err := json.Unmarshal([]byte(doc), &made[i]); status != 0 || err != nil || made[i].Dataset.Digest == "" {
			t.Fatalf("build %v: status %d, %v: %s", ray, status, err, errs)
		}
	}
	if made[0].Dataset.Digest != made[1].Dataset.Digest {
		t.Errorf("the dataset is %s here and %s from the cluster", made[0].Dataset.Digest, made[1].Dataset.Digest)
	}
	for _, name := range []string{"train.jsonl", "removed.jsonl", "origins.jsonl"} {
		here, there := readAll(t, filepath.Join(dir, "built0", name)), readAll(t, filepath.Join(dir, "built1", name))
		if len(here) == 0 || !bytes.Equal(here, there) {
			t.Errorf("%s has %d bytes here and %d from the cluster, or others", name, len(here), len(there))
		}
	}
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// spreadRows writes two files of rows with planted copies, edits, addresses and broken lines, and a file of items that some of them hold.
func spreadRows(t *testing.T, dir string) (files []string, items string) {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 5))
	words := strings.Fields("river stone market paper engine garden winter signal copper valley ladder mirror harbour pencil forest bridge candle thunder meadow silver anchor basket")
	var texts, held []string
	for f := range 2 {
		var b bytes.Buffer
		for n := range 1500 {
			var w []string
			if len(texts) > 0 && rng.IntN(3) == 0 {
				w = strings.Fields(texts[rng.IntN(len(texts))])
				w[rng.IntN(len(w))] = words[rng.IntN(len(words))]
			} else {
				for range 20 + rng.IntN(30) {
					w = append(w, words[rng.IntN(len(words))])
				}
			}
			text := strings.Join(w, " ")
			texts = append(texts, text)
			if n%50 == 0 {
				held = append(held, text)
			}
			if n%17 == 0 {
				text += fmt.Sprintf(" Write to ann.miller%d@example.com.", n)
			}
			line, err := json.Marshal(map[string]any{"text": text, "output": n % 3})
			if err != nil {
				t.Fatal(err)
			}
			b.Write(append(line, "\r\n\n"[rng.IntN(3)%2:]...))
			if n%300 == 9 {
				b.WriteString("no JSON\n")
			}
		}
		files = append(files, filepath.Join(dir, fmt.Sprintf("rows%d.jsonl", f)))
		if err := os.WriteFile(files[f], b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	for _, text := range held {
		fmt.Fprintf(&b, "{\"text\": %q}\n", text)
	}
	items = filepath.Join(dir, "items.jsonl")
	if err := os.WriteFile(items, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return files, items
}

// TestRayThatIsNotThere: what cannot work on a cluster is said before anything is done.
func TestRayThatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	rows := filepath.Join(dir, "rows.csv")
	if err := os.WriteFile(rows, []byte("text\nhello there\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := filepath.Join(dir, "rows.jsonl")
	if err := os.WriteFile(lines, []byte("{\"text\":\"hello\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("RUNG_RAY_PYTHON", filepath.Join(dir, "none"))
	for want, args := range map[string][]string{
		"convert it first": {rows, "--ray", "auto"},
		"on a node of":     {lines, "--ray", "ray://10.0.0.1:10001"},
		"does not start":   {lines, "--ray", "auto"},
	} {
		if status, _, errs := rungOut(t, append([]string{"data", "dedupe"}, args...)...); status == 0 || !strings.Contains(errs, want) {
			t.Errorf("%v: status %d: %s", args, status, errs)
		}
	}
}
