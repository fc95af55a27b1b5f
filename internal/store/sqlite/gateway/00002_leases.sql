-- +goose Up
-- What gateways have set aside of the budgets of keys, each until a time: what a gateway leaves behind that is killed runs out.
CREATE TABLE leases (
  key      TEXT NOT NULL,
  gateway  TEXT NOT NULL,
  month    TEXT NOT NULL,
  usd      REAL NOT NULL,
  until_ns INTEGER NOT NULL,
  PRIMARY KEY (key, gateway)
) STRICT;

-- +goose Down
DROP TABLE leases;
