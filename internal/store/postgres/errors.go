package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/rung-dev/rung"
)

var errSlow = errors.New("the database did not answer within 15 seconds")

// failed turns what Postgres and its driver say into an error for a person, without the password. Causes are not kept: those of
// connections hold their settings.
func (s *gateways) failed(err error) error {
	var e *rung.Error
	if err == nil || errors.As(err, &e) || errors.Is(err, errSame) {
		return err
	}
	out := &rung.Error{Code: rung.CodeStore, Place: s.place}
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.Is(err, errSlow):
		out.What, out.Do = err.Error(), "see what it is busy with, and try again"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		out.Code, out.What, out.Err = rung.CodeInterrupted, "stopped while the database was being used", context.Canceled
	case errors.As(err, &pg):
		out.Code, out.What, out.Do = describe(pg)
		out.Err = &pgconn.PgError{Severity: pg.Severity, Code: pg.Code, Message: pg.Message}
	case errors.Is(err, puddle.ErrClosedPool):
		out.What = "the store is closed"
	case errors.As(err, &connect):
		out.What, out.Do = "the database cannot be reached: "+rootOf(err).Error(), "check its address and that it runs"
	default:
		out.What, out.Do = "the connection to the database failed: "+rootOf(err).Error(), "try again; if it stays, check the database and the network"
	}
	if s.password != "" {
		out.What = strings.ReplaceAll(out.What, s.password, "***")
	}
	return out
}

// describe says what an error of the server means; the codes are those of appendix A of Postgres's manual.
func describe(e *pgconn.PgError) (code rung.Code, what, do string) {
	switch {
	case strings.HasPrefix(e.Code, "28"):
		return rung.CodeStore, "the database refuses the user or the password", "check both in the database URL"
	case e.Code == "3D000":
		return rung.CodeStore, "there is no such database", "make it with createdb, or name another in the database URL"
	case e.Code == "42501":
		return rung.CodeStore, "the user may not do this in the database: " + e.Message, "make the user the owner of the database, or grant it CREATE on the schema"
	case e.Code == "53100":
		return rung.CodeStore, "the disk of the database is full", "free some space; what was stored is kept"
	case e.Code == "53300":
		return rung.CodeStore, "the database has no connection left", "raise its max_connections, or lower pool_max_conns in the database URL"
	case e.Code == "25006":
		return rung.CodeStore, "the database can only be read: it is a standby", "name the primary in the database URL"
	case strings.HasPrefix(e.Code, "57P"):
		return rung.CodeStore, "the database is starting or shutting down", "try again when it runs"
	case strings.HasPrefix(e.Code, "22"):
		return rung.CodeInput, "the database does not take a value: " + e.Message, "leave out NUL and bytes that are no UTF-8"
	}
	return rung.CodeStore, "the database says: " + e.Message + " (" + e.Code + ")", "see the log of the database"
}

func rootOf(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

func safeToRetry(err error) bool { return pgconn.SafeToRetry(err) }

// lost says that the connection broke: nobody knows whether what was asked has been done.
func lost(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return strings.HasPrefix(pg.Code, "57P") || strings.HasPrefix(pg.Code, "08")
	}
	var network net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network)
}

func (s *gateways) damaged(err error) error {
	return &rung.Error{Code: rung.CodeStore, Place: s.place, What: "the store is damaged: " + err.Error(), Do: "restore it from a backup", Err: err}
}
