package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/rung-dev/rung/internal/store/pack"
)

// file is a SQLite file with its one writer and its readers.
type file struct {
	path    string
	write   *sql.DB
	read    *sql.DB
	queue   chan *write
	closing chan struct{} // closed by Close
	stopped chan struct{} // closed when the writer has committed everything
	pack    *pack.Packer

	once  sync.Once // of Close
	mu    sync.Mutex
	stmts map[string]*sql.Stmt // of readers, prepared once per text; the texts are constants of this package
}

const (
	readers = 4
	// Pages kept in memory, in KiB: once for the writer, once per reader.
	writerCache = 4 << 10
	readerCache = 1 << 10
	// How long a write waits for another process that is writing.
	busyMillis = 15_000
)

// makeFile makes name in dir where it is not there, readable by the user only: it holds prompts and answers.
func makeFile(dir, name string) (path string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", dirError(dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", dirError(dir, err)
	}
	path = filepath.Join(dir, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", dirError(path, err)
	}
	if err := f.Close(); err != nil {
		return "", dirError(path, err)
	}
	return path, nil
}

// openPath opens a file and brings it to the schema.
func openPath(ctx context.Context, path string, to schema, busy int, pragmas ...string) (*file, error) {
	s := &file{path: path, queue: make(chan *write), closing: make(chan struct{}), stopped: make(chan struct{}), pack: pack.New(), stmts: map[string]*sql.Stmt{}}
	var err error
	s.write, err = sql.Open("sqlite", dsn(path, busy, append([]string{"journal_mode(WAL)", "synchronous(NORMAL)", "wal_autocheckpoint(4000)",
		"cache_size(-" + itoa(writerCache) + ")"}, pragmas...)...))
	if err != nil {
		return nil, s.failed(err)
	}
	s.write.SetMaxOpenConns(1)
	if err := s.migrate(ctx, to, time.Duration(busy)*time.Millisecond); err != nil {
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
func (s *file) Close() error {
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

func (s *file) reading(ctx context.Context, query string) (*sql.Stmt, error) {
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
