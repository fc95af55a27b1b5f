package sqlite

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// scorePage is how many scores are in memory at once while they are read.
const scorePage = 256

// PutScores keeps scores of a candidate on a set.
func (s *Store) PutScores(ctx context.Context, card store.Card, scores []rung.Score) error {
	bodies := make([][]byte, len(scores))
	for i := range scores {
		b, err := json.Marshal(&scores[i])
		if err != nil {
			return &rung.Error{Code: rung.CodeInternal, Place: scores[i].Example, What: "a score has no JSON form: " + err.Error(), Err: err}
		}
		bodies[i] = s.pack.Pack(b)
	}
	return s.put(ctx, func(t *tx) error {
		id, err := t.card(card)
		if err != nil {
			return err
		}
		for i := range scores {
			err := t.exec("INSERT INTO scores (card, example, body) VALUES (?,?,?) ON CONFLICT (card, example) DO UPDATE SET body=excluded.body",
				id, scores[i].Example, bodies[i])
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) card(c store.Card) (id int64, err error) {
	err = t.queryRow(`INSERT INTO cards (candidate, set_digest, split) VALUES (?,?,?)
		ON CONFLICT (candidate, set_digest) DO UPDATE SET split=excluded.split RETURNING id`,
		[]any{string(c.Candidate), string(c.Set), string(c.Split)}, &id)
	return id, err
}

const getScores = `SELECT scores.id, body FROM scores JOIN cards ON cards.id = scores.card
	WHERE candidate = ? AND set_digest = ? AND scores.id > ? ORDER BY scores.id LIMIT ?`

// Scores gives the scores of a candidate on a set, a page at a time, holding no connection while the caller's loop runs.
func (s *Store) Scores(ctx context.Context, candidate, set rung.Digest) iter.Seq2[rung.Score, error] {
	return func(yield func(rung.Score, error) bool) {
		var after int64
		for {
			page, last, err := s.scorePage(ctx, candidate, set, after)
			if err != nil {
				yield(rung.Score{}, err)
				return
			}
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
			}
			if len(page) < scorePage {
				return
			}
			after = last
		}
	}
}

func (s *Store) scorePage(ctx context.Context, candidate, set rung.Digest, after int64) (page []rung.Score, last int64, err error) {
	st, err := s.reading(ctx, getScores)
	if err != nil {
		return nil, 0, s.failed(err)
	}
	rows, err := st.QueryContext(ctx, string(candidate), string(set), after, scorePage)
	if err != nil {
		return nil, 0, s.failed(err)
	}
	defer rows.Close()
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&last, &body); err != nil {
			return nil, 0, s.failed(err)
		}
		var sc rung.Score
		if err := s.decode(body, &sc); err != nil {
			return nil, 0, err
		}
		page = append(page, sc)
	}
	return page, last, s.failed(rows.Err())
}
