package recipe

import (
	"context"
	"encoding/json"
	"path/filepath"

	"github.com/rung-dev/rung"
)

// Lineage is what an adapter was made of: the rows that it learned from and those that chose its settings. Their ids are kept, not what
// they said, so that it can be told whose rows are in it.
type Lineage struct {
	Train []string `json:"train"`
	Dev   []string `json:"dev"`
	Dir   string   `json:"dir"` // of the training job, within the store's training directory
}

// LineageStep is the step under which the store keeps the lineage of adapters with the given training rows (rung.Adapter.Data).
func LineageStep(data rung.Digest) string { return "lineage:" + string(data) }

func (k *Kit) keepLineage(ctx context.Context, data rung.Digest, dir string) error {
	l := Lineage{Dir: filepath.Base(dir)}
	for i := range k.Building.Train {
		l.Train = append(l.Train, k.Building.Train[i].ID)
	}
	for i := range k.Building.Dev {
		l.Dev = append(l.Dev, k.Building.Dev[i].ID)
	}
	b, err := json.Marshal(&l)
	if err != nil {
		return err
	}
	return k.Store.PutStep(ctx, LineageStep(data), b)
}
