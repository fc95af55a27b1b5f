-- +goose Up
-- Risk reviews of releases. Revisions are only added.
CREATE TABLE rung_reviews (
  seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task     text COLLATE "C" NOT NULL,
  version  text COLLATE "C" NOT NULL,
  revision integer NOT NULL,
  body     json NOT NULL,
  UNIQUE (task, version, revision)
);

-- +goose Down
DROP TABLE rung_reviews;
