package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/rung-dev/rung"
)

// PutCandidate keeps c under its digest.
func (s *Store) PutCandidate(ctx context.Context, c *rung.Candidate) (rung.Digest, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return "", &rung.Error{Code: rung.CodeInternal, What: "a candidate has no JSON form: " + err.Error(), Err: err}
	}
	digest := rung.DigestBytes(b)
	body := s.pack.Pack(b)
	return digest, s.put(ctx, func(t *tx) error {
		return t.exec("INSERT INTO candidates (digest, body) VALUES (?,?) ON CONFLICT (digest) DO NOTHING", string(digest), body)
	})
}

// Candidate finds a candidate by its digest or a prefix of it.
func (s *Store) Candidate(ctx context.Context, prefix string) (*rung.Candidate, error) {
	if prefix == "" || strings.Trim(prefix, "0123456789abcdef") != "" {
		return nil, notFound("candidate", prefix, "give the digest that the report shows, or its first digits")
	}
	// 'g' comes after every hex digit.
	rows, err := s.found(ctx, "SELECT digest, body FROM candidates WHERE digest >= ? AND digest < ? ORDER BY digest LIMIT 2", prefix, prefix+"g")
	if err != nil {
		return nil, err
	}
	switch {
	case len(rows) == 0:
		return nil, notFound("candidate", prefix, "rung runs lists the runs, and rung show RUN their candidates")
	case len(rows) > 1:
		return nil, ambiguous("candidate", prefix)
	}
	c := new(rung.Candidate)
	return c, s.decode(rows[0].body, c)
}

type namedBody struct {
	name string
	body []byte
}

func (s *Store) found(ctx context.Context, query string, args ...any) ([]namedBody, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.failed(err)
	}
	defer rows.Close()
	var out []namedBody
	for rows.Next() {
		var r namedBody
		if err := rows.Scan(&r.name, &r.body); err != nil {
			return nil, s.failed(err)
		}
		out = append(out, r)
	}
	return out, s.failed(rows.Err())
}

func (s *Store) decode(body []byte, into any) error {
	b, err := s.pack.Unpack(body)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return s.damaged(err)
	}
	return nil
}

func notFound(kind, name, do string) error {
	return &rung.Error{Code: rung.CodeNotFound, Place: name, What: "there is no such " + kind, Do: do}
}

func ambiguous(kind, name string) error {
	return &rung.Error{Code: rung.CodeNotFound, Place: name, What: "several " + kind + "s begin like this", Do: "give more of its name"}
}

// PutBlob keeps content under its digest.
func (s *Store) PutBlob(ctx context.Context, kind string, digest rung.Digest, content []byte) error {
	if got := rung.DigestBytes(content); got != digest {
		return &rung.Error{Code: rung.CodeInternal, Place: kind, What: fmt.Sprintf("content of digest %s was put as %s", got.Short(), digest.Short())}
	}
	body := s.pack.Pack(content)
	return s.put(ctx, func(t *tx) error {
		return t.exec("INSERT INTO blobs (kind, digest, content) VALUES (?,?,?) ON CONFLICT DO NOTHING", kind, string(digest), body)
	})
}

// Blob gives the content of that kind and digest.
func (s *Store) Blob(ctx context.Context, kind string, digest rung.Digest) ([]byte, error) {
	var body []byte
	err := s.read.QueryRowContext(ctx, "SELECT content FROM blobs WHERE kind = ? AND digest = ?", kind, string(digest)).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound(kind, string(digest), "run the climb again to make it")
	}
	if err != nil {
		return nil, s.failed(err)
	}
	b, err := s.pack.Unpack(body)
	if err == nil && rung.DigestBytes(b) != digest {
		err = errors.New("the content of a blob does not have its digest")
	}
	if err != nil {
		return nil, s.damaged(err)
	}
	return b, nil
}

// PutStep keeps the value of a step.
func (s *Store) PutStep(ctx context.Context, key string, value []byte) error {
	body := s.pack.Pack(value)
	return s.put(ctx, func(t *tx) error {
		return t.exec("INSERT INTO steps (key, value) VALUES (?,?) ON CONFLICT (key) DO UPDATE SET value=excluded.value", key, body)
	})
}

// Step finds the value of a step.
func (s *Store) Step(ctx context.Context, key string) ([]byte, bool, error) {
	var body []byte
	err := s.read.QueryRowContext(ctx, "SELECT value FROM steps WHERE key = ?", key).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, s.failed(err)
	}
	b, err := s.pack.Unpack(body)
	if err != nil {
		return nil, false, s.damaged(err)
	}
	return b, true, nil
}
