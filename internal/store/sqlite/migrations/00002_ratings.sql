-- +goose Up
CREATE TABLE rating_queues (
  name    TEXT PRIMARY KEY,
  task    TEXT NOT NULL,
  digest  TEXT NOT NULL,
  made_ns INTEGER NOT NULL,
  body    BLOB NOT NULL
) STRICT;

CREATE TABLE rating_seats (
  queue TEXT NOT NULL REFERENCES rating_queues (name) ON DELETE CASCADE,
  seat  INTEGER NOT NULL,
  rater TEXT NOT NULL,
  PRIMARY KEY (queue, seat),
  UNIQUE (queue, rater)
) STRICT;

-- Ratings are only added. role is here so that what a rater said is not replaced by what the same person settled.
CREATE TABLE ratings (
  seq   INTEGER PRIMARY KEY AUTOINCREMENT,
  queue TEXT NOT NULL REFERENCES rating_queues (name) ON DELETE CASCADE,
  task  TEXT NOT NULL,
  item  TEXT NOT NULL,
  rater TEXT NOT NULL,
  role  TEXT NOT NULL CHECK (role IN ('rater', 'adjudicator')),
  withdrawn INTEGER NOT NULL,
  body  BLOB NOT NULL
) STRICT;
CREATE INDEX ratings_item ON ratings (queue, item, rater, role, seq);
CREATE INDEX ratings_task ON ratings (task);

-- +goose Down
DROP TABLE ratings;
DROP TABLE rating_seats;
DROP TABLE rating_queues;
