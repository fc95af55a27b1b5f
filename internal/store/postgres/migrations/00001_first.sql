-- +goose Up
-- What gateways share. Bodies are JSON; columns are what is looked up, ordered or compared. Times are nanoseconds since 1970.
CREATE TABLE rung_revision (
  one integer PRIMARY KEY CHECK (one = 1),
  n   bigint NOT NULL
);
INSERT INTO rung_revision (one, n) VALUES (1, 0);

CREATE TABLE rung_releases (
  seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task    text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  digest  text NOT NULL,
  at_ns   bigint NOT NULL,
  body    json NOT NULL,
  UNIQUE (task, version)
);

CREATE TABLE rung_moves (
  seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task    text COLLATE "C" NOT NULL,
  alias   text COLLATE "C" NOT NULL,
  version text NOT NULL,
  body    json NOT NULL
);
CREATE INDEX rung_moves_alias ON rung_moves (task, alias, seq);

CREATE TABLE rung_rollouts (
  seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id       text NOT NULL UNIQUE,
  task     text NOT NULL,
  alias    text NOT NULL,
  state    text NOT NULL,
  revision bigint NOT NULL,
  body     json NOT NULL
);
CREATE UNIQUE INDEX rung_rollouts_active ON rung_rollouts (task, alias) WHERE state = 'active';

CREATE TABLE rung_moments (
  rollout text NOT NULL,
  gateway text COLLATE "C" NOT NULL,
  body    json NOT NULL,
  PRIMARY KEY (rollout, gateway)
);

CREATE TABLE rung_keys (
  seq  bigint GENERATED ALWAYS AS IDENTITY,
  id   text PRIMARY KEY,
  hash bytea NOT NULL UNIQUE,
  body json NOT NULL
);

CREATE TABLE rung_spend (
  key   text NOT NULL,
  month text NOT NULL,
  usd   double precision NOT NULL,
  PRIMARY KEY (key, month)
);

-- Traces are kept by the block: a row per trace would cost several times as much. head says which traces a block has and what
-- filters ask about them, body is their JSON, packed together. low and high bound their ids, from_ns and to_ns their times.
CREATE TABLE rung_blocks (
  id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  first   bytea NOT NULL UNIQUE,
  low     bytea NOT NULL,
  high    bytea NOT NULL,
  from_ns bigint NOT NULL,
  to_ns   bigint NOT NULL,
  bytes   bigint NOT NULL,
  head    bytea NOT NULL,
  body    bytea NOT NULL
);
ALTER TABLE rung_blocks ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX rung_blocks_ids ON rung_blocks (low, high);

CREATE TABLE rung_feedback (
  seq      bigint GENERATED ALWAYS AS IDENTITY,
  id       text COLLATE "C" PRIMARY KEY,
  trace    bytea NOT NULL,
  at_ns    bigint NOT NULL,
  corrects boolean NOT NULL,
  body     bytea NOT NULL
);
CREATE INDEX rung_feedback_trace ON rung_feedback (trace, at_ns);
CREATE INDEX rung_feedback_corrects ON rung_feedback (at_ns, id) WHERE corrects;

-- +goose Down
DROP TABLE rung_feedback;
DROP TABLE rung_blocks;
DROP TABLE rung_spend;
DROP TABLE rung_keys;
DROP TABLE rung_moments;
DROP TABLE rung_rollouts;
DROP TABLE rung_moves;
DROP TABLE rung_releases;
DROP TABLE rung_revision;
