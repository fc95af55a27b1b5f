package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDataSplitFreezes: the files hold every row once, running it again changes nothing, and another held-out set is refused.
func TestDataSplitFreezes(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	for i := range 120 {
		fmt.Fprintf(&b, "{\"text\": \"row %d tells of the %d trains that left %d\", \"label\": \"%s\", \"time\": \"2026-%02d-01\"}\n", i, i*i*7919%9973, i*31, []string{"a", "b"}[i%2], 1+i%12)
	}
	put(t, dir, "rows.jsonl", b.String())
	in, out := filepath.Join(dir, "rows.jsonl"), filepath.Join(dir, "out")
	status, first, stderr := rungOut(t, "data", "split", in, "--stratify", "label", "--out", out, "--json")
	if status != 0 || !strings.Contains(first, `"heldout_digest"`) {
		t.Fatalf("status %d: %s %s", status, first, stderr)
	}
	lines := 0
	for _, name := range []string{"train.jsonl", "dev.jsonl", "heldout.jsonl"} {
		text, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		lines += strings.Count(string(text), "\n")
	}
	if lines != 120 {
		t.Errorf("%d rows were written", lines)
	}
	if status, again, _ := rungOut(t, "data", "split", in, "--stratify", "label", "--out", out, "--json"); status != 0 || again != first {
		t.Errorf("again: status %d, %s", status, again)
	}
	if status, _, stderr := rungOut(t, "data", "split", in, "--by", "time", "--out", out); status != 8 || !strings.Contains(stderr, "another held-out set already") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if status, text, _ := rungOut(t, "data", "split", in, "--by", "time", "--heldout-after", "2026-11-01", "--out", out, "--replace"); status != 0 || !strings.Contains(text, "split by time: train before 2026-08-01") {
		t.Errorf("status %d: %s", status, text)
	}
	if status, _, _ := rungOut(t, "data", "split", in, "--train", "0.5", "--heldout", "40"); status != 2 {
		t.Errorf("shares and counts together: status %d", status)
	}
}

// TestDataCheckFailsAsAsked: the exit status follows --fail-on.
func TestDataCheckFailsAsAsked(t *testing.T) {
	dir := t.TempDir()
	rows := `{"input": {"text": "Where is my parcel?"}, "output": "delivery"}` + "\n" + `{"input": {"text": "WHERE is my parcel"}, "output": "billing"}` + "\n" + "broken\n"
	for i := range 12 {
		rows += fmt.Sprintf(`{"input": {"text": "The letter of %d May has %d pages"}, "output": "%s"}`+"\n", i*i, i*7919, []string{"delivery", "billing"}[i%2])
	}
	put(t, dir, "rows.jsonl", rows)
	file := filepath.Join(dir, "rows.jsonl")
	status, out, _ := rungOut(t, "data", "check", file)
	if status != 0 || !strings.Contains(out, "answered otherwise elsewhere") || !strings.Contains(out, "rows.jsonl:3") || !strings.Contains(out, "do: ") {
		t.Errorf("status %d:\n%s", status, out)
	}
	if status, _, stderr := rungOut(t, "data", "check", dir, "--fail-on", "error", "--json"); status != 9 || !strings.Contains(stderr, "2 errors") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if status, _, _ := rungOut(t, "data", "check", file, "--fail-on", "sometimes"); status != 2 {
		t.Errorf("status %d", status)
	}
}
