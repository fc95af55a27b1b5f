package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/storetest"
)

func TestServingConforms(t *testing.T) {
	storetest.Serve(t, func(t *testing.T) storetest.ServingOpener {
		dir := filepath.Join(t.TempDir(), "a b?c#d%20")
		return func(t *testing.T) store.Serving {
			t.Helper()
			s, err := OpenServing(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}

// TestServingKilled kills a process that writes feedback, alias moves and traces. What it acknowledged is there.
func TestServingKilled(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "RUNG_TEST_SERVING_CHILD="+dir, "RUNG_TEST_ROUND="+strconv.Itoa(round))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acknowledged := killAfter(t, cmd, out, 200+100*round)
		s, err := OpenServing(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range acknowledged {
			checkAcknowledged(t, s, i)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
}

// checkAcknowledged looks for what servingChild wrote as its i-th.
func checkAcknowledged(t *testing.T, s store.Serving, i int) {
	t.Helper()
	want := storetest.Trace(i)
	told, err := s.Feedback(t.Context(), want.ID)
	if err != nil || len(told) != 1 || told[0].Comment != strconv.Itoa(i) {
		t.Errorf("feedback %d was acknowledged: %v, %v", i, told, err)
	}
	if got, err := s.Trace(t.Context(), want.ID); err != nil || got.Latency != want.Latency {
		t.Errorf("trace %d was acknowledged: %v", i, err)
	}
	moves, err := s.Aliases(t.Context(), "task "+strconv.Itoa(i))
	if err != nil || len(moves) != 1 || moves[0].Version != "v1" {
		t.Errorf("alias %d was acknowledged: %v, %v", i, moves, err)
	}
}

// servingChild writes from eight goroutines and prints the number of each write as soon as it is acknowledged.
func servingChild(dir string, round int) error {
	ctx := context.Background()
	s, err := OpenServing(ctx, dir)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 1_000_000*round + w; ; i += 8 {
				one := storetest.Trace(i)
				err := errors.Join(s.PutFeedback(ctx, rung.Feedback{ID: strconv.Itoa(i), Trace: one.ID, Comment: strconv.Itoa(i), At: one.At}),
					s.PutTraces(ctx, []rung.Trace{one}),
					s.MoveAlias(ctx, rung.AliasMove{Task: "task " + strconv.Itoa(i), Alias: rung.Production, Version: "v1", At: one.At}))
				if err != nil {
					return
				}
				mu.Lock()
				fmt.Println(i)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return s.Close()
}

func TestServingIsPrivateAndApart(t *testing.T) {
	dir := t.TempDir()
	climbs := open(t, dir)
	defer climbs.Close()
	s, err := openServing(t.Context(), dir, 50)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	info, err := os.Stat(filepath.Join(dir, servingName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// A climb in the middle of a long write does not hold a gateway up: its wait here is 50 ms.
	held, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- climbs.put(context.Background(), func(*tx) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	if err := s.PutTraces(t.Context(), []rung.Trace{storetest.Trace(1)}); err != nil {
		t.Error(err)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestDamagedBlock(t *testing.T) {
	for _, column := range []string{"head", "body"} {
		s, err := openServing(t.Context(), t.TempDir(), busyMillis)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.PutTraces(t.Context(), []rung.Trace{storetest.Trace(1), storetest.Trace(2)}); err != nil {
			t.Fatal(err)
		}
		if err := s.put(t.Context(), func(t *tx) error { return t.exec("UPDATE blocks SET " + column + " = x'01ff00ff'") }); err != nil {
			t.Fatal(err)
		}
		_, err = s.Trace(t.Context(), storetest.Trace(1).ID)
		wantStoreError(t, err, "damaged")
		for _, err := range s.Traces(t.Context(), store.TraceFilter{}) {
			wantStoreError(t, err, "damaged")
		}
		if _, err := s.DropTraces(t.Context(), storetest.Trace(2).At, 0); column == "head" {
			wantStoreError(t, err, "damaged")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkRevision(b *testing.B) {
	s, err := OpenServing(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Revision(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
