package guard

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// Redactor gives what replaces personal data and secrets in texts that are kept, such as those of traces. entities says which
// kinds of personal data to look for in texts of a task, see Entities; nil, or an empty answer: all. The function is safe for
// concurrent use. An error means that the text must not be kept.
func Redactor(entities func(task string) []string) func(task, text string) (string, error) {
	return func(task, text string) (out string, err error) {
		defer func() {
			if recover() != nil {
				out, err = "", errors.New("the redactor has a defect") // the cause may hold the text
			}
		}()
		if len(text) > MaxText {
			return "", fmt.Errorf("a text is longer than %d MiB", MaxText>>20)
		}
		var kinds []string
		if entities != nil {
			kinds = entities(task)
		}
		return Redacted(text, kinds), nil
	}
}

// Redacted is a text with personal data of the kinds given (none: all) and secrets replaced by numbered placeholders.
func Redacted(text string, entities []string) string {
	if len(entities) == 0 {
		entities = rung.GuardEntities
	}
	spans := disjoint(append(findSecrets(text), findPII(text, entities)...))
	if len(spans) == 0 {
		return text
	}
	v := newVault()
	var b strings.Builder
	at := 0
	for _, sp := range spans {
		b.WriteString(text[at:sp.start])
		b.WriteString(v.hide(sp.kind, text[sp.start:sp.end], false))
		at = sp.end
	}
	b.WriteString(text[at:])
	return b.String()
}

// Entities are the kinds of personal data that the pii guards of a task look for; none: all. Traces of the task are redacted by
// them, so that a task about places can keep its places.
func Entities(specs []rung.GuardSpec) []string {
	var out []string
	for _, spec := range specs {
		if spec.Kind != "pii" {
			continue
		}
		if len(spec.Entities) == 0 {
			return nil
		}
		for _, e := range spec.Entities {
			if !slices.Contains(out, e) {
				out = append(out, e)
			}
		}
	}
	return out
}
