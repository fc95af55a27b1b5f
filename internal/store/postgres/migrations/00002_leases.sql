-- +goose Up
-- What gateways have set aside of the budgets of keys, each until a time: what a gateway leaves behind that is killed runs out.
CREATE TABLE rung_leases (
  key     text NOT NULL,
  gateway text COLLATE "C" NOT NULL,
  month   text NOT NULL,
  usd     double precision NOT NULL,
  until   timestamptz NOT NULL,
  PRIMARY KEY (key, gateway)
);

-- +goose Down
DROP TABLE rung_leases;
