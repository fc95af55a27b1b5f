-- +goose Up
-- Evaluations outside a climb: a subject on a suite. Their scores are in scores, under the set that the document names.
CREATE TABLE evaluations (
  id         TEXT PRIMARY KEY,
  task       TEXT NOT NULL,
  subject    TEXT NOT NULL,
  suite      TEXT NOT NULL,
  document   BLOB NOT NULL,
  started_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX evaluations_started ON evaluations (started_ns);

-- +goose Down
DROP TABLE evaluations;
