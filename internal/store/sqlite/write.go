package sqlite

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/rung-dev/rung"
)

// maxBatch bounds the writes of one commit, so that none waits long.
const maxBatch = 256

// write is one caller's change, and where to say how it went.
type write struct {
	do   func(*tx) error
	done chan error
}

// tx is the open transaction of the writer.
type tx struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt // prepared once per text; the texts are constants of this package
}

func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if st, ok := t.stmts[query]; ok {
		return st, nil
	}
	st, err := t.conn.PrepareContext(context.Background(), query)
	if err == nil {
		t.stmts[query] = st
	}
	return st, err
}

// close ends the statements as well: SQLite keeps a connection open, and its log on disk, while one of them is.
func (t *tx) close() {
	for _, st := range t.stmts {
		_ = st.Close()
	}
	_ = t.conn.Close()
}

func (t *tx) exec(query string, args ...any) error {
	st, err := t.stmt(query)
	if err != nil {
		return err
	}
	_, err = st.ExecContext(context.Background(), args...)
	return err
}

func (t *tx) queryRow(query string, args []any, into ...any) error {
	st, err := t.stmt(query)
	if err != nil {
		return err
	}
	return st.QueryRowContext(context.Background(), args...).Scan(into...)
}

// query reads in the transaction; the caller closes the rows before the next statement.
func (t *tx) query(query string, args ...any) (*sql.Rows, error) {
	st, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(context.Background(), args...)
}

// put has the writer make a change and waits until it is committed. If ctx ends before, the change may or may not be made.
func (s *file) put(ctx context.Context, do func(*tx) error) error {
	w := &write{do: do, done: make(chan error, 1)}
	select {
	case s.queue <- w:
	case <-s.closing:
		return s.closedError()
	case <-ctx.Done():
		return s.failed(context.Cause(ctx))
	}
	select {
	case err := <-w.done:
		return s.failed(err)
	case <-ctx.Done():
		return s.failed(context.Cause(ctx))
	}
}

// run is the writer. The queue has no buffer, so what has been sent is in a batch, and nothing is lost on closing.
func (s *file) run(t *tx) {
	defer close(s.stopped)
	defer t.close()
	batch := make([]*write, 0, maxBatch)
	for {
		select {
		case w := <-s.queue:
			batch = append(batch[:0], w)
		case <-s.closing:
			return
		}
		for more := true; more && len(batch) < maxBatch; {
			select {
			case w := <-s.queue:
				batch = append(batch, w)
			default:
				more = false
			}
		}
		s.commit(t, batch)
	}
}

// commit makes a batch of changes in one transaction. If one of them fails, each is made in its own, so that a bad one
// harms no other.
func (s *file) commit(t *tx, batch []*write) {
	err := t.transaction(batch)
	if err != nil && len(batch) > 1 {
		for _, w := range batch {
			w.done <- t.transaction([]*write{w})
		}
		return
	}
	for _, w := range batch {
		w.done <- err
	}
}

func (t *tx) transaction(batch []*write) error {
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, w := range batch {
		if err := w.do(t); err != nil {
			return t.rollback(err)
		}
	}
	if err := t.exec("COMMIT"); err != nil {
		return t.rollback(err)
	}
	return nil
}

// rollback gives back the error that made it necessary; SQLite may have rolled back by itself already.
func (t *tx) rollback(cause error) error {
	_ = t.exec("ROLLBACK")
	return cause
}

func (s *file) closedError() error {
	return &rung.Error{Code: rung.CodeStore, Place: s.path, What: "the store is closed"}
}

func itoa(n int) string { return strconv.Itoa(n) }
