-- +goose Up
-- Rows are appended and found by an index on the digest: digests are random, and a table ordered by them would rewrite a
-- different page for every answer. request and text begin with a byte that says how they are packed.
CREATE TABLE completions (
  id        INTEGER PRIMARY KEY,
  key       BLOB NOT NULL UNIQUE,
  model     TEXT NOT NULL,
  request   BLOB NOT NULL,
  text      BLOB NOT NULL,
  finish    TEXT NOT NULL,
  tokens_in INTEGER NOT NULL,
  tokens_out INTEGER NOT NULL,
  cached_in INTEGER NOT NULL,
  cost_usd  REAL NOT NULL,
  latency_ns INTEGER NOT NULL,
  attempts  INTEGER NOT NULL,
  at_ns     INTEGER NOT NULL,
  served    TEXT NOT NULL
) STRICT;

CREATE TABLE candidates (
  digest TEXT PRIMARY KEY,
  body   BLOB NOT NULL
) STRICT;

CREATE TABLE blobs (
  kind    TEXT NOT NULL,
  digest  TEXT NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (kind, digest)
) STRICT;

CREATE TABLE heldouts (
  id     INTEGER PRIMARY KEY,
  task   TEXT NOT NULL,
  file   TEXT NOT NULL,
  digest TEXT NOT NULL,
  n      INTEGER NOT NULL,
  at_ns  INTEGER NOT NULL
) STRICT;
CREATE INDEX heldouts_task ON heldouts (task, file);

CREATE TABLE runs (
  id         TEXT PRIMARY KEY,
  task       TEXT NOT NULL,
  status     TEXT NOT NULL CHECK (status IN ('running', 'done', 'stopped')),
  document   BLOB NOT NULL,
  started_ns INTEGER NOT NULL,
  ended_ns   INTEGER NOT NULL
) STRICT;
CREATE INDEX runs_started ON runs (started_ns);

CREATE TABLE cards (
  id         INTEGER PRIMARY KEY,
  candidate  TEXT NOT NULL,
  set_digest TEXT NOT NULL,
  split      TEXT NOT NULL,
  UNIQUE (candidate, set_digest)
) STRICT;

CREATE TABLE scores (
  id      INTEGER PRIMARY KEY,
  card    INTEGER NOT NULL REFERENCES cards (id) ON DELETE CASCADE,
  example TEXT NOT NULL,
  body    BLOB NOT NULL,
  UNIQUE (card, example)
) STRICT;
CREATE INDEX scores_card ON scores (card);

CREATE TABLE steps (
  key   TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT;

-- +goose Down
DROP TABLE steps;
DROP TABLE scores;
DROP TABLE cards;
DROP TABLE runs;
DROP TABLE heldouts;
DROP TABLE blobs;
DROP TABLE candidates;
DROP TABLE completions;
