//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/postgres/postgrestest"
	"github.com/rung-dev/rung/internal/store/storetest"
)

// shared is the server of all tests that leave it running.
var shared struct {
	once   sync.Once
	server *postgrestest.Server
	err    error
}

func TestMain(m *testing.M) {
	status := m.Run()
	if shared.server != nil {
		if err := shared.server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

func database(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() { shared.server, shared.err = postgrestest.New() })
	if errors.Is(shared.err, postgrestest.ErrMissing) {
		t.Skip("skipped: " + shared.err.Error())
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server.Database(t)
}

func open(t testing.TB, url string) *gateways {
	t.Helper()
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*gateways)
}

func TestServingConforms(t *testing.T) {
	storetest.Serve(t, func(t *testing.T) storetest.ServingOpener {
		url := database(t)
		return func(t *testing.T) store.Serving { return open(t, url) }
	})
}

func TestSchemaVersionIsTheLastMigration(t *testing.T) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	number, _, _ := strings.Cut(files[len(files)-1].Name(), "_")
	if n, err := strconv.Atoi(number); err != nil || n != schemaVersion {
		t.Errorf("the last migration is %s, schemaVersion is %d", number, schemaVersion)
	}
}

func TestManyOpenAtOnce(t *testing.T) {
	url := database(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := Open(t.Context(), url)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := s.Revision(t.Context()); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestBatchesAreSeenInTheirOrder: a batch whose number is lower but that is not committed yet must hold back the next, or a reader
// that follows would never see it.
func TestBatchesAreSeenInTheirOrder(t *testing.T) {
	url := database(t)
	s := open(t, url)
	defer s.Close()
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if err := s.PutTraces(t.Context(), []rung.Trace{storetest.Trace(0)}); err != nil {
		t.Fatal(err)
	}
	// A batch in the middle of its transaction, as PutTraces makes it.
	if _, err := tx.Exec(t.Context(), "SELECT pg_advisory_xact_lock($1, $2)", lockSpace, lockTraces); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `INSERT INTO rung_blocks (first, low, high, from_ns, to_ns, bytes, head, body)
		SELECT '\x00', low, high, from_ns, to_ns, bytes, head, body FROM rung_blocks`); err != nil {
		t.Fatal(err)
	}
	next := make(chan error, 1)
	go func() { next <- s.PutTraces(context.Background(), []rung.Trace{storetest.Trace(1)}) }()
	for waiting := 0; waiting == 0; {
		select {
		case err := <-next:
			t.Fatalf("the second batch did not wait: %v", err)
		default:
		}
		if err := s.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-next; err != nil {
		t.Fatal(err)
	}
	n := 0
	for got, err := range s.Traces(t.Context(), store.TraceFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 && got.ID != storetest.Trace(1).ID {
			t.Errorf("the last is %s", got.ID)
		}
	}
	if n != 3 {
		t.Errorf("%d traces", n)
	}
}

// TestServerComesBack: what was acknowledged is there after a crash of the server, and an open store goes on with the new one.
func TestServerComesBack(t *testing.T) {
	server := postgrestest.Start(t)
	s := open(t, server.Database(t))
	defer s.Close()
	for round := range 2 {
		stop := map[int]func() error{0: server.Kill, 1: server.Stop}[round]
		one := storetest.Trace(round)
		err := errors.Join(s.PutFeedback(t.Context(), rung.Feedback{ID: one.ID, Trace: one.ID, Thumb: 1, At: one.At}),
			s.MoveAlias(t.Context(), rung.AliasMove{Task: one.ID, Alias: rung.Production, Version: "v1"}))
		if err != nil {
			t.Fatal(err)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		err = s.PutTraces(t.Context(), []rung.Trace{one})
		wantStoreError(t, err, "database", server)
		if err := server.Run(); err != nil {
			t.Fatal(err)
		}
		if err := s.PutTraces(t.Context(), []rung.Trace{one}); err != nil {
			t.Errorf("after the server came back: %v", err)
		}
		told, err := s.Feedback(t.Context(), one.ID)
		if err != nil || len(told) != 1 {
			t.Errorf("feedback was acknowledged: %v, %v", told, err)
		}
		moves, err := s.Aliases(t.Context(), one.ID)
		if err != nil || len(moves) != 1 {
			t.Errorf("an alias was acknowledged: %v, %v", moves, err)
		}
	}
}

// wantStoreError checks that err is what a person needs, and that it has no password in any form of printing it.
func wantStoreError(t *testing.T, err error, says string, server *postgrestest.Server) {
	t.Helper()
	var e *rung.Error
	if !errors.As(err, &e) || e.Code != rung.CodeStore || e.Place == "" || e.Do == "" || !strings.Contains(e.What, says) {
		t.Errorf("got %v (%+v), want a store error that says %q", err, e, says)
	}
	noPassword(t, err, server.Password())
}

func noPassword(t *testing.T, err error, password string) {
	t.Helper()
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		for _, text := range []string{cause.Error(), fmt.Sprintf("%+v", cause), fmt.Sprintf("%#v", cause)} {
			if strings.Contains(text, password) {
				t.Errorf("the password is in %s", text)
			}
		}
	}
}

func TestErrorsAreForPeople(t *testing.T) {
	url := database(t)
	server := shared.server
	for _, c := range []struct{ url, says string }{
		{strings.Replace(url, server.Password(), "wrong-"+server.Password(), 1), "refuses the user or the password"},
		{server.URL("nothing"), "no such database"},
		{"postgres://u:" + server.Password() + "@127.0.0.1:1/x", "cannot be reached"},
		{"postgres:///x?host=/nowhere&password=" + server.Password(), "cannot be reached"},
	} {
		_, err := Open(t.Context(), c.url)
		wantStoreError(t, err, c.says, server)
	}
	for _, bad := range []string{"postgres://u:" + server.Password() + "@host:port/x", "postgres://u:" + server.Password() + "%zz@h/x", "://" + server.Password(), "host=h password='" + server.Password(),
		"postgres://u:" + server.Password() + "@h/x?sslmode=odd", "postgres://u:" + server.Password() + "@h/x?pool_max_conns=many"} {
		_, err := Open(t.Context(), bad)
		if rung.CodeOf(err) != rung.CodeUsage {
			t.Errorf("%s: %v", strings.ReplaceAll(bad, server.Password(), "*"), err)
		}
		noPassword(t, err, server.Password())
	}
	s := open(t, url)
	defer s.Close()
	if _, err := s.pool.Exec(t.Context(), "INSERT INTO "+schemaTable+" (version_id, is_applied) VALUES (99, true)"); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), url)
	wantStoreError(t, err, "newer rung", server)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Revision(ctx); rung.CodeOf(err) != rung.CodeInterrupted {
		t.Errorf("got %v", err)
	}
	if _, err := s.Rollouts(t.Context(), "a\x00b", false); rung.CodeOf(err) != rung.CodeInput {
		t.Errorf("a NUL: %v", err)
	}
}

// TestStandbyIsToldApart needs no second server: a session may be read-only too.
func TestStandbyIsToldApart(t *testing.T) {
	url := database(t)
	if err := open(t, url).Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, url+"&default_transaction_read_only=on")
	defer s.Close()
	wantStoreError(t, s.PutTraces(t.Context(), []rung.Trace{storetest.Trace(1)}), "only be read", shared.server)
}

func BenchmarkPutTraces(b *testing.B) {
	s := open(b, database(b))
	defer s.Close()
	const batch = 256
	ts := make([]rung.Trace, batch)
	for i := range ts {
		ts[i] = storetest.Trace(i)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		ts[0].ID = fmt.Sprintf("%032x", n)
		if err := s.PutTraces(b.Context(), ts); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch)/1000, "µs/trace")
}

func BenchmarkRevision(b *testing.B) {
	s := open(b, database(b))
	defer s.Close()
	for b.Loop() {
		if _, err := s.Revision(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
