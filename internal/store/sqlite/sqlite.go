// Package sqlite keeps a store in one SQLite file. All writes go through one goroutine that commits what has come in
// together, so that many small writes cost few commits; callers wait for the commit that holds theirs. The log is written
// before a commit is acknowledged, so a killed process loses nothing that was.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	_ "modernc.org/sqlite" // the driver

	"github.com/rung-dev/rung/internal/store"
)

// Store is a store in DIR/rung.db.
type Store struct {
	path    string
	write   *sql.DB
	read    *sql.DB
	queue   chan *write
	closing chan struct{} // closed by Close
	stopped chan struct{} // closed when the writer has committed everything
	pack    *packer

	once  sync.Once // of Close
	mu    sync.Mutex
	stmts map[string]*sql.Stmt // of readers, prepared once per text; the texts are constants of this package
}

var _ store.Store = (*Store)(nil)

const (
	fileName = "rung.db"
	readers  = 4
	// Pages kept in memory, in KiB: once for the writer, once per reader.
	writerCache = 4 << 10
	readerCache = 1 << 10
	// How long a write waits for another process that is writing.
	busyMillis = 15_000
)

// Open opens the store in dir, and makes it where there is none. Only the user may read it: it holds prompts and answers.
func Open(ctx context.Context, dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, dirError(dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, dirError(dir, err)
	}
	path := filepath.Join(dir, fileName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, dirError(path, err)
	}
	if err := f.Close(); err != nil {
		return nil, dirError(path, err)
	}
	return openFile(ctx, path, busyMillis)
}

func openFile(ctx context.Context, path string, busy int, pragmas ...string) (*Store, error) {
	s := &Store{path: path, queue: make(chan *write), closing: make(chan struct{}), stopped: make(chan struct{}), pack: newPacker(), stmts: map[string]*sql.Stmt{}}
	var err error
	s.write, err = sql.Open("sqlite", dsn(path, busy, append([]string{"journal_mode(WAL)", "synchronous(NORMAL)", "wal_autocheckpoint(4000)",
		"cache_size(-" + itoa(writerCache) + ")"}, pragmas...)...))
	if err != nil {
		return nil, s.failed(err)
	}
	s.write.SetMaxOpenConns(1)
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(err, s.write.Close())
	}
	s.read, err = sql.Open("sqlite", dsn(path, busy, "query_only(1)", "cache_size(-"+itoa(readerCache)+")"))
	if err != nil {
		return nil, errors.Join(s.failed(err), s.write.Close())
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return nil, errors.Join(s.failed(err), s.read.Close(), s.write.Close())
	}
	go s.run(&tx{conn: conn, stmts: map[string]*sql.Stmt{}})
	return s, nil
}

func dsn(path string, busy int, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{"busy_timeout(" + itoa(busy) + ")", "foreign_keys(1)"}, pragmas...), "_txlock": {"immediate"}}
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}
	return u.String()
}

// Close commits what has been put and closes the file. Puts that come later fail.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closing)
		<-s.stopped
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, st := range s.stmts {
			_ = st.Close()
		}
		err = s.failed(errors.Join(s.read.Close(), s.write.Close()))
	})
	return err
}

func (s *Store) reading(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok := s.stmts[query]; ok {
		return st, nil
	}
	st, err := s.read.PrepareContext(ctx, query)
	if err == nil {
		s.stmts[query] = st
	}
	return st, err
}
