package dedupe

import (
	"encoding/json"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

// rank is what a row of a dataset is worth beside its copies, whatever the rule by which one stays: a generated row that nobody has reviewed
// stays before none, since a later step takes it out; one that has an output stays before one that has not yet, and among these one in the
// held-out set before one in dev, and that before others, so that a set that the files mark stays as it is. Rows of a cluster are gone through
// by it, so that each removed row has a partner that it is itself alike to.
func rank(members []rows.Member) (int, error) {
	n := 8
	if raw := rows.Get(members, "generated"); present(raw) {
		var g rung.Generated
		if err := json.Unmarshal(raw, &g); err != nil {
			return 0, err
		}
		if ok, _ := g.Trainable(); !ok {
			n = 0
		}
	}
	if present(rows.Get(members, "output")) {
		n += 4
	}
	switch string(rows.Get(members, "split")) {
	case `"` + string(rung.HeldoutIs) + `"`:
		n += 2
	case `"` + string(rung.Dev) + `"`:
		n++
	}
	return n, nil
}

func present(raw []byte) bool { return len(raw) > 0 && string(raw) != "null" }
