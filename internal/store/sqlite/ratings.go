package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"iter"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// ratingPage is how many ratings are in memory at once while they are read.
const ratingPage = 512

// PutRatingQueue keeps a queue under its name.
func (s *Store) PutRatingQueue(ctx context.Context, q *rung.RatingQueue) error {
	b, err := json.Marshal(q)
	if err != nil {
		return &rung.Error{Code: rung.CodeInternal, Place: q.Name, What: "a queue of ratings has no JSON form: " + err.Error(), Err: err}
	}
	digest, body := rung.DigestBytes(b), s.pack.Pack(b)
	return s.put(ctx, func(t *tx) error {
		var there string
		err := t.queryRow("SELECT digest FROM rating_queues WHERE name = ?", []any{q.Name}, &there)
		switch {
		case err == nil && there == string(digest):
			return nil
		case err == nil:
			return &rung.Error{Code: rung.CodeConflict, Place: q.Name, What: "there is a queue of this name, and queues never change", Do: "choose another name"}
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		return t.exec("INSERT INTO rating_queues (name, task, digest, made_ns, body) VALUES (?,?,?,?,?)", q.Name, q.Task, string(digest), nanos(q.Made), body)
	})
}

// RatingQueue finds a queue by its name or a beginning of it.
func (s *Store) RatingQueue(ctx context.Context, name string) (*rung.RatingQueue, error) {
	rows, err := s.found(ctx, "SELECT name, body FROM rating_queues WHERE name = ? OR substr(name, 1, ?) = ? ORDER BY name = ? DESC LIMIT 2", name, len([]rune(name)), name, name)
	switch {
	case err != nil:
		return nil, err
	case len(rows) == 0 || strings.TrimSpace(name) == "":
		return nil, notFound("queue of ratings", name, "rung rate list shows them, and rung rate make makes one")
	case len(rows) > 1 && rows[0].name != name:
		return nil, ambiguous("queue of ratings", name)
	}
	q := new(rung.RatingQueue)
	return q, s.decode(rows[0].body, q)
}

// RatingQueues gives the newest queues first.
func (s *Store) RatingQueues(ctx context.Context, task string) ([]*rung.RatingQueue, error) {
	rows, err := s.found(ctx, "SELECT name, body FROM rating_queues WHERE ?1 = '' OR task = ?1 ORDER BY made_ns DESC, name", task)
	if err != nil {
		return nil, err
	}
	out := make([]*rung.RatingQueue, len(rows))
	for i, r := range rows {
		out[i] = new(rung.RatingQueue)
		if err := s.decode(r.body, out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// TakeRatingSeat gives the seat of a rater in a queue. Two raters who come at once are told apart by the transaction.
func (s *Store) TakeRatingSeat(ctx context.Context, queue, rater string) (seat int, err error) {
	q, err := s.RatingQueue(ctx, queue)
	if err != nil {
		return 0, err
	}
	err = s.put(ctx, func(t *tx) error {
		err := t.queryRow("SELECT seat FROM rating_seats WHERE queue = ? AND rater = ?", []any{q.Name, rater}, &seat)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if seat, err = t.freeSeat(q, rater); err != nil {
			return err
		}
		return t.exec("INSERT INTO rating_seats (queue, seat, rater) VALUES (?,?,?)", q.Name, seat, rater)
	})
	return seat, err
}

// freeSeat is the first seat that is nobody's and that the queue keeps for nobody else.
func (t *tx) freeSeat(q *rung.RatingQueue, rater string) (int, error) {
	for i := range q.Seats {
		if q.Seats[i].Rater == rater {
			return i, nil
		}
	}
	taken, err := t.takenSeats(q.Name)
	if err != nil {
		return 0, err
	}
	seat := 0
	for taken[seat] || seat < len(q.Seats) && q.Seats[seat].Rater != "" {
		seat++
	}
	return seat, nil
}

func (t *tx) takenSeats(queue string) (map[int]bool, error) {
	rows, err := t.query("SELECT seat FROM rating_seats WHERE queue = ?", queue)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	taken := map[int]bool{}
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		taken[n] = true
	}
	return taken, rows.Err()
}

// RatingSeats gives the seats that were taken.
func (s *Store) RatingSeats(ctx context.Context, queue string) (map[string]int, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT rater, seat FROM rating_seats WHERE queue = ?", queue)
	if err != nil {
		return nil, s.failed(err)
	}
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var rater string
		var seat int
		if err := rows.Scan(&rater, &seat); err != nil {
			return nil, s.failed(err)
		}
		out[rater] = seat
	}
	return out, s.failed(rows.Err())
}

// PutRating adds r.
func (s *Store) PutRating(ctx context.Context, r rung.Rating) (rung.Rating, error) {
	rs := []rung.Rating{r}
	err := s.putRatings(ctx, rs)
	return rs[0], err
}

// PutRatings adds ratings, all or none.
func (s *Store) PutRatings(ctx context.Context, rs []rung.Rating) error {
	return s.putRatings(ctx, append([]rung.Rating(nil), rs...))
}

func (s *Store) putRatings(ctx context.Context, rs []rung.Rating) error {
	bodies := make([][]byte, len(rs))
	for i := range rs {
		rs[i].Seq = 0
		b, err := json.Marshal(&rs[i])
		if err != nil {
			return &rung.Error{Code: rung.CodeInternal, Place: rs[i].Item, What: "a rating has no JSON form: " + err.Error(), Err: err}
		}
		bodies[i] = s.pack.Pack(b)
	}
	return s.put(ctx, func(t *tx) error {
		for i := range rs {
			r := &rs[i]
			err := t.queryRow("INSERT INTO ratings (queue, task, item, rater, role, withdrawn, body) VALUES (?,?,?,?,?,?,?) RETURNING seq",
				[]any{r.Queue, r.Task, r.Item, r.Rater, string(r.Role), r.Withdrawn, bodies[i]}, &r.Seq)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

const getRatings = `SELECT seq, body FROM ratings AS r
	WHERE (?1 = '' OR task = ?1) AND (?2 = '' OR queue = ?2) AND (?3 = '' OR rater = ?3) AND (?4 = '' OR role = ?4) AND seq > ?6
	AND (?5 OR (NOT withdrawn AND NOT EXISTS (SELECT 1 FROM ratings AS later
		WHERE later.queue = r.queue AND later.item = r.item AND later.rater = r.rater AND later.role = r.role AND later.seq > r.seq)))
	ORDER BY seq LIMIT ?7`

// Ratings gives the ratings that count, a page at a time, holding no connection while the caller's loop runs.
func (s *Store) Ratings(ctx context.Context, f store.RatingFilter) iter.Seq2[rung.Rating, error] {
	return func(yield func(rung.Rating, error) bool) {
		after := f.After
		for {
			page, err := s.ratingPage(ctx, &f, after)
			if err != nil {
				yield(rung.Rating{}, err)
				return
			}
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
				after = page[i].Seq
			}
			if len(page) < ratingPage {
				return
			}
		}
	}
}

func (s *Store) ratingPage(ctx context.Context, f *store.RatingFilter, after int64) ([]rung.Rating, error) {
	st, err := s.reading(ctx, getRatings)
	if err != nil {
		return nil, s.failed(err)
	}
	rows, err := st.QueryContext(ctx, f.Task, f.Queue, f.Rater, string(f.Role), f.All, after, ratingPage)
	if err != nil {
		return nil, s.failed(err)
	}
	defer rows.Close()
	var page []rung.Rating
	for rows.Next() {
		var seq int64
		var body []byte
		if err := rows.Scan(&seq, &body); err != nil {
			return nil, s.failed(err)
		}
		var r rung.Rating
		if err := s.decode(body, &r); err != nil {
			return nil, err
		}
		r.Seq = seq
		page = append(page, r)
	}
	return page, s.failed(rows.Err())
}
