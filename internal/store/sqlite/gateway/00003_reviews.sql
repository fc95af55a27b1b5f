-- +goose Up
-- Risk reviews of releases. Revisions are only added.
CREATE TABLE reviews (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  task     TEXT NOT NULL,
  version  TEXT NOT NULL,
  revision INTEGER NOT NULL,
  body     BLOB NOT NULL,
  UNIQUE (task, version, revision)
) STRICT;

-- +goose Down
DROP TABLE reviews;
