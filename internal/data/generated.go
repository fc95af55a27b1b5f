package data

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// generated reads how a row was made, where no person wrote it. A row that nobody has reviewed is left out, and said.
func (im *importer) generated(e *rung.Example, members []member) bool {
	if text := im.own(members, "counter_of"); text != nil {
		name, fine := scalar(text)
		if !fine {
			im.fault("counter_of is "+kindOf(text), "write the id of the example that was answered wrongly")
			return false
		}
		e.Counter = im.arena.text(name)
	}
	raw := im.own(members, "generated")
	if raw == nil || slices.Contains([]string{"false", "0", `""`, `"0"`, `"no"`, `"false"`}, strings.ToLower(string(raw))) {
		return true
	}
	e.Generated = &rung.Generated{}
	if raw[0] != '{' { // a column of a file that is not ours
		e.Generated.By = "something outside"
	} else if err := json.Unmarshal(raw, e.Generated); err != nil {
		im.fault("generated is "+kindOf(raw)+", and no record of how the row was made", "leave it as rung data generate wrote it")
		return false
	}
	if ok, _ := e.Generated.Trainable(); !ok && !im.suite {
		im.odd["generated rows that no person has reviewed are left out; rung data review has a batch reviewed"]++
		return false
	}
	return true
}

// own is the value of a key that belongs to the row and not to its input.
func (im *importer) own(members []member, key string) []byte {
	value := im.get(members, key)
	if _, own := im.index[key]; own || string(value) == "null" {
		return nil
	}
	return value
}

// GeneratedNote says loudly that figures will be of examples that no person wrote; empty where there are none.
func GeneratedNote(what string, examples []rung.Example) string {
	n := 0
	for i := range examples {
		if examples[i].Generated != nil {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("EVALUATED ON GENERATED ROWS: no person wrote %d of the %d %s examples. A model's idea of the task is measured there, and not the task", n, len(examples), what)
}
