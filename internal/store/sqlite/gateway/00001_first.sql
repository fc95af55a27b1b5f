-- +goose Up
-- What gateways share. Bodies are JSON; columns are what is looked up, ordered or compared.
CREATE TABLE revision (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  n   INTEGER NOT NULL
) STRICT;
INSERT INTO revision (one, n) VALUES (1, 0);

CREATE TABLE releases (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  task    TEXT NOT NULL,
  version TEXT NOT NULL,
  digest  TEXT NOT NULL,
  at_ns   INTEGER NOT NULL,
  body    BLOB NOT NULL,
  UNIQUE (task, version)
) STRICT;

CREATE TABLE moves (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  task    TEXT NOT NULL,
  alias   TEXT NOT NULL,
  version TEXT NOT NULL,
  body    BLOB NOT NULL
) STRICT;
CREATE INDEX moves_alias ON moves (task, alias, seq);

CREATE TABLE rollouts (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  id       TEXT NOT NULL UNIQUE,
  task     TEXT NOT NULL,
  alias    TEXT NOT NULL,
  state    TEXT NOT NULL,
  revision INTEGER NOT NULL,
  body     BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX rollouts_active ON rollouts (task, alias) WHERE state = 'active';

CREATE TABLE moments (
  rollout TEXT NOT NULL,
  gateway TEXT NOT NULL,
  body    BLOB NOT NULL,
  PRIMARY KEY (rollout, gateway)
) STRICT;

CREATE TABLE keys (
  id   TEXT PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  body BLOB NOT NULL
) STRICT;

CREATE TABLE spend (
  key   TEXT NOT NULL,
  month TEXT NOT NULL,
  usd   REAL NOT NULL,
  PRIMARY KEY (key, month)
) STRICT;

-- Traces are kept by the block: a row per trace would cost several times as much. head says which traces a block has and what
-- filters ask about them, body is their JSON, packed together. low and high bound their ids, from_ns and to_ns their times.
CREATE TABLE blocks (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  first   BLOB NOT NULL UNIQUE,
  low     BLOB NOT NULL,
  high    BLOB NOT NULL,
  from_ns INTEGER NOT NULL,
  to_ns   INTEGER NOT NULL,
  bytes   INTEGER NOT NULL,
  head    BLOB NOT NULL,
  body    BLOB NOT NULL
) STRICT;
-- Rows are long, so what chooses among them stands in indexes that hold all that is asked for.
CREATE INDEX blocks_ids ON blocks (low, high);
CREATE INDEX blocks_range ON blocks (id, from_ns, to_ns, bytes);

CREATE TABLE feedback (
  id        TEXT PRIMARY KEY,
  trace     BLOB NOT NULL,
  at_ns     INTEGER NOT NULL,
  corrects  INTEGER NOT NULL,
  body      BLOB NOT NULL
) STRICT;
CREATE INDEX feedback_trace ON feedback (trace, at_ns);
CREATE INDEX feedback_corrects ON feedback (at_ns, id) WHERE corrects;

-- +goose Down
DROP TABLE feedback;
DROP TABLE blocks;
DROP TABLE spend;
DROP TABLE keys;
DROP TABLE moments;
DROP TABLE rollouts;
DROP TABLE moves;
DROP TABLE releases;
DROP TABLE revision;
