-- +goose Up
-- What is said about the failure modes of answers, by whom and when.
CREATE TABLE mode_labels (
  id         INTEGER PRIMARY KEY,
  candidate  TEXT NOT NULL,
  set_digest TEXT NOT NULL,
  example    TEXT NOT NULL,
  mode       TEXT NOT NULL,
  status     TEXT NOT NULL CHECK (status IN ('proposed', 'confirmed', 'rejected')),
  said_by    TEXT NOT NULL,
  at_ns      INTEGER NOT NULL,
  note       TEXT NOT NULL,
  wrong      TEXT NOT NULL,
  UNIQUE (candidate, set_digest, example, mode, said_by)
) STRICT;
CREATE INDEX mode_labels_set ON mode_labels (set_digest);

-- +goose Down
DROP TABLE mode_labels;
