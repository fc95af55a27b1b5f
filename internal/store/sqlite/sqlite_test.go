package sqlite

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/storetest"
)

func TestStoreConforms(t *testing.T) {
	storetest.Conform(t, func(t *testing.T) storetest.Opener {
		dir := filepath.Join(t.TempDir(), "a b?c#d%20")
		return func(t *testing.T) store.Store { return open(t, dir) }
	})
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// child runs TestMain as another process would run rung: with RUNG_TEST_CHILD set, it writes until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("RUNG_TEST_CHILD"); dir != "" {
		if err := child(dir); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	if dir := os.Getenv("RUNG_TEST_SERVING_CHILD"); dir != "" {
		round, err := strconv.Atoi(os.Getenv("RUNG_TEST_ROUND"))
		if err == nil {
			err = servingChild(dir, round)
		}
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child puts completions from eight goroutines and prints the number of each as soon as it is acknowledged.
func child(dir string) error {
	s, err := Open(context.Background(), dir)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; ; i += 8 {
				if err := s.PutCompletion(context.Background(), storetest.Completion(i)); err != nil {
					return
				}
				mu.Lock()
				fmt.Println(i) // unbuffered: one write call per line
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return s.Close()
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	for round := range 4 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "RUNG_TEST_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acknowledged := killAfter(t, cmd, out, 300+200*round)
		s := open(t, dir)
		for _, i := range acknowledged {
			got, ok, err := s.Completion(t.Context(), storetest.Completion(i).Key)
			if err != nil || !ok || got.Text != storetest.Completion(i).Text {
				t.Fatalf("round %d: completion %d of %d acknowledged: %t, %v", round, i, len(acknowledged), ok, err)
			}
		}
		var verdict string
		if err := s.read.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
			t.Fatalf("the file is damaged: %s, %v", verdict, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter kills cmd in mid-write once it has acknowledged n puts, and gives all that it acknowledged.
func killAfter(t *testing.T, cmd *exec.Cmd, out io.Reader, n int) (acknowledged []int) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		i, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatalf("the child said %q", lines.Text())
		}
		acknowledged = append(acknowledged, i)
		if len(acknowledged) == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // its status is that it was killed
	if len(acknowledged) < n {
		t.Fatalf("the child ended after %d puts", len(acknowledged))
	}
	return acknowledged
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", ".rung")
	s := open(t, dir)
	defer s.Close()
	if err := s.PutStep(t.Context(), "k", nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{".": 0o700, fileName: 0o600, fileName + "-wal": 0o600, fileName + "-shm": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has the mode %o, want %o", name, got, want)
		}
	}
}

func TestClosedStoreIsOneFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.PutCompletion(t.Context(), storetest.Completion(1)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Completion(t.Context(), storetest.Completion(1).Key); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestSchemaVersionIsTheLastMigration(t *testing.T) {
	for _, s := range []schema{climbs, gateways} {
		files, err := migrations.ReadDir(s.dir)
		if err != nil {
			t.Fatal(err)
		}
		number, _, _ := strings.Cut(files[len(files)-1].Name(), "_")
		if n, err := strconv.ParseInt(number, 10, 64); err != nil || n != s.version {
			t.Errorf("the last migration of %s is %s, its version is %d", s.dir, number, s.version)
		}
	}
}

// wantStoreError checks that err is what a person needs: its kind, the place, the words and what to do.
func wantStoreError(t *testing.T, err error, says string) {
	t.Helper()
	var e *rung.Error
	if !errors.As(err, &e) || e.Code != rung.CodeStore || !strings.Contains(e.Place, string(filepath.Separator)) || e.Do == "" || !strings.Contains(e.What, says) {
		t.Errorf("got %v (%+v), want a store error that says %q", err, e, says)
	}
}

func TestNewerSchema(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), dir)
	wantStoreError(t, err, "newer rung")
}

func TestDamagedFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), []byte(strings.Repeat("this is no database", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), dir)
	wantStoreError(t, err, "damaged")
}

func TestDamagedPage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range 200 {
		if err := s.PutCompletion(t.Context(), storetest.Completion(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fileName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096 * 2; i < len(b); i++ {
		b[i] ^= 0x5a
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = Open(t.Context(), dir)
	if err == nil {
		_, _, err = s.Completion(t.Context(), storetest.Completion(7).Key)
		_ = s.Close()
	}
	wantStoreError(t, err, "damaged")
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	// SQLite's own limit on the number of pages is the same error as a disk without space.
	s, err := openFile(t.Context(), filepath.Join(dir, fileName), busyMillis, "max_page_count(60)")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kept := 0
	for ; kept < 1000 && err == nil; kept++ {
		err = s.PutCompletion(t.Context(), storetest.Completion(kept))
	}
	wantStoreError(t, err, "disk is full")
	for i := range kept - 1 {
		if _, ok, err := s.Completion(t.Context(), storetest.Completion(i).Key); !ok || err != nil {
			t.Fatalf("completion %d was acknowledged and is not there: %v", i, err)
		}
	}
}

func TestLockedByAnother(t *testing.T) {
	dir := t.TempDir()
	other := open(t, dir)
	defer other.Close()
	s, err := openFile(t.Context(), filepath.Join(dir, fileName), 20) // milliseconds; users wait longer
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	held, release := make(chan struct{}), make(chan struct{})
	go func() {
		_ = other.put(context.Background(), func(*tx) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	if err := s.put(t.Context(), func(*tx) error { return nil }); err == nil {
		t.Error("a locked store was written")
	} else {
		wantStoreError(t, err, "locked")
	}
	close(release)
	if err := s.PutStep(t.Context(), "k", nil); err != nil {
		t.Errorf("after the lock was given back: %v", err)
	}
}

func TestDirectoryThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), filepath.Join(file, "x"))
	wantStoreError(t, err, "cannot be made here")
	readOnly := t.TempDir()
	if err := os.Chmod(readOnly, 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		readOnly = "/sys/rung-test" // root is refused only by the file system itself
	}
	_, err = Open(t.Context(), readOnly)
	wantStoreError(t, err, "")
}

func TestOneBadWriteHarmsNoOther(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	bad := errors.New("bad")
	var batch []*write
	for i := range 5 {
		batch = append(batch, &write{done: make(chan error, 1), do: func(t *tx) error {
			if i == 2 {
				return bad
			}
			return t.exec("INSERT INTO steps (key, value) VALUES (?, x'00')", fmt.Sprint(i))
		}})
	}
	// The batch is committed by the writer's own code, inside a write of the writer, which has ended its transaction first.
	err := s.put(t.Context(), func(t *tx) error {
		if err := t.exec("COMMIT"); err != nil {
			return err
		}
		s.commit(t, batch)
		return t.exec("BEGIN IMMEDIATE")
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range batch {
		err := <-w.done
		_, ok, readErr := s.Step(t.Context(), fmt.Sprint(i))
		if (err == nil) != (i != 2) || ok != (i != 2) || readErr != nil {
			t.Errorf("write %d: %v, kept %t, %v", i, err, ok, readErr)
		}
	}
}

func TestManyOpenAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := Open(t.Context(), dir)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestCancelledPut(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.PutStep(ctx, "k", nil); err != nil && rung.CodeOf(err) != rung.CodeInterrupted {
		t.Errorf("got %v", err)
	}
	if _, _, err := s.Step(ctx, "k"); rung.CodeOf(err) != rung.CodeInterrupted {
		t.Errorf("got %v", err)
	}
}

func BenchmarkPutCompletion(b *testing.B) {
	s, err := Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.SetParallelism(4)
	start := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for i := int(time.Since(start)); pb.Next(); i++ {
			if err := s.PutCompletion(b.Context(), storetest.Completion(i)); err != nil {
				b.Error(err)
			}
		}
	})
}
