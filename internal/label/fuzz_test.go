package label_test

import (
	"encoding/json"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/label"
)

// FuzzReadRow: whatever stands in a file, a row that is taken has the task's fields in their order, and says the same when it is read again.
func FuzzReadRow(f *testing.F) {
	for _, s := range []string{`{"a":"x","b":1}`, `{"input":{"b":1,"a":"\u0026\ud800"},"output":null}`, `{"input":"x"}`, `{"a":1,"a":2,"b":{}}`, "[", `{"input":{"a":[],"b":{"c":1e400}},"id":7}`} {
		f.Add([]byte(s))
	}
	fields := []rung.Field{{Name: "a", Type: "string"}, {Name: "b", Type: "number"}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		row, what := label.ReadRow(raw, fields)
		if what != "" {
			return
		}
		var in map[string]json.RawMessage
		if err := json.Unmarshal(row.Input, &in); err != nil || len(in) != 2 || row.ID == "" {
			t.Fatalf("%v: %+v", err, row)
		}
		again, what := label.ReadRow([]byte(`{"input":`+string(row.Input)+`}`), fields)
		if what != "" || string(again.Input) != string(row.Input) || label.Key(again.Input) != label.Key(row.Input) {
			t.Fatalf("%s: %s is read again as %s", what, row.Input, again.Input)
		}
	})
}
