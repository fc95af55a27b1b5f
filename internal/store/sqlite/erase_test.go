package sqlite

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/storetest"
)

// TestErasedTextIsInNoFile looks at the bytes on the disk: also what was replaced long before must not lie in free pages or in the log.
func TestErasedTextIsInNoFile(t *testing.T) {
	dir := t.TempDir()
	name := []byte("Zoe Okonkwo")
	s := open(t, dir)
	for i := range 50 {
		c := storetest.Completion(i)
		c.Request, c.Text = json.RawMessage(`{"q":"ask Zoe Okonkwo"}`), "a"
		if err := s.PutCompletion(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		c.Request = json.RawMessage(`{"q":"ask nobody"}`) // replaced: the old text is in a free cell now
		if i%2 == 0 {
			if err := s.PutCompletion(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	g, err := openServing(t.Context(), dir, busyMillis)
	if err != nil {
		t.Fatal(err)
	}
	small := rung.Trace{ID: storetest.Trace(1).ID, At: storetest.Trace(1).At, Input: json.RawMessage(`"Zoe Okonkwo"`)}
	if err := g.PutTraces(t.Context(), []rung.Trace{small}); err != nil {
		t.Fatal(err)
	}
	if found(t, dir, name) == 0 {
		t.Fatal("the name is in no file before: the test shows nothing")
	}
	e := store.Erasure{Holds: func(b []byte) bool { return bytes.Contains(b, name) }}
	if got, err := s.Erase(t.Context(), e); err != nil || got["completions"] != 25 {
		t.Fatalf("%v, %v", got, err)
	}
	if got, err := g.Erase(t.Context(), e); err != nil || got["traces"] != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	if n := found(t, dir, name); n != 0 { // both stores are still open
		t.Errorf("the name is in %d files", n)
	}
	if err := s.PutCompletion(t.Context(), storetest.Completion(99)); err != nil { // and they still work
		t.Error(err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func found(t *testing.T, dir string, text []byte) (n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, text) {
			n++
		}
	}
	return n
}
