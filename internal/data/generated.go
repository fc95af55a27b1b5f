package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
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
	return im.suite || im.built || im.vouched(e)
}

// vouched holds a row that says it was reviewed to the record of that review, which lies beside its file. One whose record does not stand for
// it is a fault, of which the first of each review is told: nothing is trained on a word that anybody can write.
func (im *importer) vouched(e *rung.Example) bool {
	err := im.shelf.Row(context.Background(), []string{filepath.Dir(im.path)}, "", e.Generated, e.Input, e.Output)
	if err == nil {
		return true
	}
	what, do := err.Error(), "write the record again: rung data review FILE"
	if fault := (*rung.Error)(nil); errors.As(err, &fault) {
		what, do = fault.What, fault.Do
	}
	if im.unvouched == nil {
		im.unvouched = map[string]bool{}
	}
	if !im.unvouched[im.path+what] {
		im.unvouched[im.path+what] = true
		im.fault(what, do)
	}
	return false
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
